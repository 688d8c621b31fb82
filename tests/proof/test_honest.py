"""No false alarm: honest pairs agree at every size, seed and dtype; and one part in a billion is found in each."""

import dataclasses
import json
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from parity.checking import Task, examine
from parity.numerics import Verdict
from parity.sides import side
from parity.trace import Trace
from proof.honest import DTYPES, FAMILIES, SIZES, TABLE, grid
from proof.summary import PROPERTY, table

BILLIONTH = 1e-9
WITHOUT_FLOATS = {"order", "buckets"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    # Of module scope, so that what belongs to one entry stays together and its sides are compiled once.
    chosen = grid.whole() if metafunc.config.getoption("whole") else grid.reduced()
    if "size" in metafunc.fixturenames:
        metafunc.parametrize(("name", "size"), list(chosen), scope="module")
    elif "name" in metafunc.fixturenames:
        metafunc.parametrize("name", list(dict.fromkeys(name for name, _ in chosen)), scope="module")


def test_an_honest_pair_agrees(name: str, size: int, whole: bool, record_property: Any) -> None:
    checks = (grid.whole() if whole else grid.reduced())[name, size]
    shares, alarms = [], []
    for seed, dtype in checks:
        result = grid.examined(TABLE[name], size, seed, (dtype,))
        alarms += [result.error] if result.error else []
        wrong = [f for f in result.findings if not f]
        alarms += [f"seed {seed}, {dtype}: {f.verdict} {f.stage} {f.torch_path}: {f.message}" for f in wrong]
        shares.append((dtype, largest(f.ratio64 for f in result.findings), largest(f.ratio for f in result.findings)))
    total = sum(map(len, grid.whole().values()))
    record_property(PROPERTY, json.dumps({"shares": shares, "of": total}))
    assert not alarms, "\n".join(alarms)


def largest(ratios: Any) -> float:
    """The largest of those that were measured."""
    return max((r for r in ratios if not math.isnan(r)), default=0.0)


class OffByABillionth:
    """A JAX side whose outputs are all too large by one part in a billion, which float32 cannot see."""

    def __init__(self, side: Any) -> None:
        self.side = side

    def __getattr__(self, name: str) -> Any:
        return getattr(self.side, name)

    def run(self, inputs: dict[str, Any], **options: Any) -> Trace:
        trace = self.side.run(inputs, **options)
        moved = {
            path: array * (1 + BILLIONTH) if path.startswith("forward/") and array.dtype.kind == "f" else array
            for path, array in trace.tensors.items()
        }
        return dataclasses.replace(trace, tensors=moved)


def test_one_part_in_a_billion_is_found(name: str) -> None:
    entry = TABLE[name]
    left, right = grid.sides(name)
    size = grid.sizes(entry)[1]
    result = examine(left, OffByABillionth(right), grid.task(entry, size, 0), dtypes=("float32",))
    powerful = [f for f in result.findings if f.stage == "forward" and f.power < BILLIONTH]
    assert powerful or name in WITHOUT_FLOATS
    assert {f.verdict for f in powerful} <= {Verdict.SEMANTIC}


def test_a_library_function_that_is_off_by_hundreds_of_units_is_no_false_alarm() -> None:
    # XLA's float64 log1p on the CPU was 240 units in the last place wrong here, in jax 0.10.2; torch's is good to one.
    x = -np.linspace(0.1, 0.5, 4001)
    truth = np.log1p(x.astype(np.longdouble))
    sides = side("torch", lambda x: torch.log1p(x)), side("jax", lambda x: jnp.log1p(x))
    result = examine(*sides, Task("log1p", {"x": x}, wrt=()), dtypes=("float64",))
    off = [s.run({"x": x}, dtype="float64").tensors["forward/output"] / truth - 1 for s in sides]
    units = [float(np.abs(o).max()) / 2**-53 for o in off]
    assert units[0] < 4
    assert all(result.findings) == (units[1] < 50)


def test_a_library_gradient_that_cancels_near_zero_is_said_to_amplify_rounding():
    # optax's Huber loss is q^2 / 2 + d (|e| - q), q = min(|e|, d): where e is small its gradient is (q - d) + d. The
    # inputs are small too; beside those of size d, x - y itself is off by as much.
    rng = np.random.default_rng(0)
    inputs = {"x": rng.normal(size=10_000) / 100, "y": rng.normal(size=10_000) / 100}
    torch_loss = side("torch", lambda x, y: torch.nn.functional.huber_loss(x, y, delta=0.7))
    jax_loss = side("jax", lambda x, y: optax.huber_loss(x, y, delta=0.7).mean())
    result = examine(torch_loss, jax_loss, Task("huber", inputs), dtypes=("float32",))
    told = {f.torch_path: (f.verdict, f.worse) for f in result.findings if f.stage == "gradient"}
    assert told == dict.fromkeys(("x", "y"), (Verdict.UNSTABLE, "jax"))


@pytest.mark.parametrize(
    ("torch_function", "jax_function", "low"),
    [
        (torch.sigmoid, lambda input: 0.5 * (jnp.tanh(input / 2) + 1), -10),
        (torch.tanh, lambda input: 2 * jax.nn.sigmoid(2 * input) - 1, -0.5),
    ],
)
def test_an_identity_that_cancels_is_said_to_amplify_rounding_where_it_does(torch_function, jax_function, low):
    # The table has both where nothing cancels.
    inputs = {"input": np.random.default_rng(0).uniform(low, 3, size=10_000)}
    sides = side("torch", torch_function), side("jax", jax_function)
    result = examine(*sides, Task("identity", inputs, wrt=()), dtypes=("float32",))
    assert [(f.verdict, f.worse) for f in result.findings if f.stage == "forward"] == [(Verdict.UNSTABLE, "jax")]


def test_the_table_is_as_large_as_it_says() -> None:
    assert len(TABLE) == sum(len(family) for family in FAMILIES.values()) >= 60
    for entry in TABLE.values():
        assert set(entry.without) <= {*SIZES, *DTYPES}
        assert all(entry.without.values()), f"{entry.name}: a size or dtype is left out without a reason"


def test_the_reduced_grid_is_part_of_the_whole_and_has_every_family_and_dtype() -> None:
    whole, reduced = grid.whole(), grid.reduced()
    assert all({entry.name for entry in family} & {name for name, _ in reduced} for family in FAMILIES.values())
    assert all(set(checks) <= set(whole[key]) for key, checks in reduced.items())
    assert {dtype for checks in reduced.values() for _, dtype in checks} == set(DTYPES)


def test_the_summary_says_how_tight_the_bound_is() -> None:
    lines = table([("float32", 0.1, 0.2), ("float32", 0.3, 0.4), ("bfloat16", 0.0, 1.5)])
    assert [line.split() for line in lines[2:]] == [
        ["float32", "2", "0.2", "0.3", "0.3", "0.3", "0.4", "0.4"],
        ["bfloat16", "1", "0", "0", "0", "1.5", "1.5", "1.5"],
    ]
