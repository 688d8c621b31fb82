"""The part of the tests that `make test` runs, and the option that runs them all: `--whole`, which is `make proof`."""

import os
from collections import defaultdict
from collections.abc import Iterable

import pytest

COUNTED = "counted"
"""Property of a test that counted something which a reader wants to see: the line to print."""

MARK = (
    "part(most, each=None): without --whole so many cases of this test at the most, spread evenly, with 0 none; "
    "counted for each side of a pair, or for each value of the parameter that `each` names"
)

QUICK = " ".join(
    (
        "--xla_backend_optimization_level=0",
        "--xla_cpu_use_fusion_emitters=false",
        "--xla_cpu_parallel_codegen_split_count=1",
    )
)
"""Saves four fifths of XLA's time to compile, which is the greatest part of the tests' time: half of what is left
without optimization goes into the code of fusions, and into splitting a small program into parts. The harness itself
compiles its float64 programs without optimization. What XLA makes of a float32 program when it optimizes is seen by
--whole and by `make run`, which checks every case of every pair as a user runs it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole", action="store_true", help="run all tests: every case, entry, size, seed and dtype")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARK)
    if not config.getoption("whole"):
        os.environ["XLA_FLAGS"] = f"{QUICK} {os.environ.get('XLA_FLAGS', '')}".rstrip()


@pytest.fixture(scope="session")
def whole(request: pytest.FixtureRequest) -> bool:
    """Whether --whole was asked for."""
    return request.config.getoption("whole")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("whole"):
        return
    groups = defaultdict(list)
    for item in items:
        if item.get_closest_marker("part") is not None:
            groups[test_of(item)].append(item)
    dropped: set[pytest.Item] = set()
    for group in groups.values():
        (most,) = group[0].get_closest_marker("part").args
        dropped |= set(group) - set(spread(group, most))
    if not dropped:
        return
    kept = [item for item in items if item not in dropped]
    if kept:  # the process that prints the summary collects nothing: one test's report takes the line there
        kept[0].user_properties.append((COUNTED, told(items, dropped)))
    items[:] = kept
    config.hook.pytest_deselected(items=sorted(dropped, key=lambda item: item.nodeid))


def test_of(item: pytest.Item) -> tuple[str, str]:
    """What its cases are counted for: the test function, with the side of a pair or what else the mark names."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    each = item.get_closest_marker("part").kwargs.get("each")
    apart = parameters[each] if each else parameters.get("pair", parameters.get("side"))
    return item.nodeid.partition("[")[0], repr(apart)


def spread(cases: list, most: int) -> list:
    """So many of the cases, the first and the last among them where there are two."""
    if len(cases) <= most:
        return cases
    return [cases[i * (len(cases) - 1) // max(most - 1, 1)] for i in range(most)]


def told(items: Iterable[pytest.Item], dropped: set[pytest.Item]) -> str:
    """How many of its tests each file runs, of the files that run a part."""
    counts = defaultdict(lambda: [0, 0])
    for item in items:
        count = counts[item.path.stem.removeprefix("test_")]
        count[0] += item not in dropped
        count[1] += 1
    parts = ", ".join(f"{name} {ran} of {of}" for name, (ran, of) in sorted(counts.items()) if ran < of)
    ran, of = (sum(column) for column in zip(*counts.values(), strict=True))
    return f"part: {ran:,} of {of:,} tests; --whole runs all ({parts})"
