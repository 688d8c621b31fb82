"""The README's numbers are those of a run: of a test here, or of a command whose record is committed."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from proof import curves
from proof.honest import DTYPES, SIZES, TABLE, grid

from parity.bench import comparator
from parity.bench.training import FLOOR, JAX, JAX_FAST, NUMPY, SEEDS, TORCH, TORCH_FAST
from parity.cases import CONCEPTS, cases_of, run
from parity.checking.runs import ENSEMBLE
from parity.numerics import FALSE_ALARMS, Finding, Verdict, confidence_factor
from parity.numerics.instability import SLOPE
from parity.report import CaseResult, Report
from parity.report.closing import counts, headline
from parity.report.text import render

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
WORDS = " ".join(README.split())


def test_the_table_that_one_sees_counts_the_cases_there_are():
    rows = dict(re.findall(r"^(\w+) +(\d+) +(?:CONVENTION|✓|-)", README, re.M))
    assert rows == {concept: str(len(cases_of(concept))) for concept in CONCEPTS}
    total = sum(len(cases_of(concept)) for concept in CONCEPTS)
    assert f"{len(CONCEPTS)} pairs, {total} cases" in README


COLUMNS = ("cases", "forward", "gradient", "update", "curve", "printed", "x bound", "verdict")
CELLS = r"(\d+) +" + r"(✓ [\d,]+|-|[A-Z]+) +" * 5 + r"([\d.]+) +([A-Z]+)"


def shown_row(concept):
    """A pair's cells in the table that one sees, without its share of the bound, which another machine moves."""
    row = dict(zip(COLUMNS, re.search(rf"^{concept} +{CELLS}$", README, re.M).groups(), strict=True))
    assert 0.0 <= float(row.pop("x bound")) <= 1.0
    return row


def printed_row(report):
    """The same cells as a wide terminal shows them for a run of that pair alone."""
    head, _, row, *_ = render(report, width=200, detail=False).splitlines()
    cells = dict(zip(re.split(r" {2,}", head), re.split(r" {2,}", row), strict=True))
    return {name: cells.get(name, "-") for name in COLUMNS if name != "x bound"}


@pytest.mark.part(1)
@pytest.mark.parametrize("concepts", [("averaging",), CONCEPTS], ids=["averaging", "all"])
def test_the_table_that_one_sees_is_what_a_run_prints(concepts):
    report = run(concepts)
    for concept in concepts:
        assert printed_row(replace(report, results=report.concepts[concept])) == shown_row(concept)
    if concepts == CONCEPTS:
        assert f"{counts(report)}: {headline(report)}" in WORDS


def test_the_line_below_the_table_sums_its_rows():
    cells = [shown_row(concept) for concept in CONCEPTS]
    told = re.search(r"(\d+) pairs, (\d+) cases, ([\d,]+) comparisons, (\d+) printed numbers", WORDS).groups()
    of_rows = [sum(number(row[name]) for row in cells) for name in ("cases", "printed")]
    assert [len(cells), *of_rows] == [number(told[i]) for i in (0, 1, 3)]
    compared = sum(number(row[name]) for row in cells for name in COLUMNS[1:5])
    assert number(told[2]) > compared  # structure has no column where it holds


def number(cell):
    return int(re.sub(r"\D", "", cell) or 0)


def test_a_line_that_went_stale_is_noticed():
    finding = Finding("forward", "y", "y", Verdict.AGREE, "equal", ratio=0.1)
    results = tuple(CaseResult(f"averaging.{name}", (finding,)) for name in "abc")
    row = printed_row(Report(results))
    assert (row["cases"], row["forward"], row["gradient"], row["verdict"]) == ("3", "✓ 3", "-", "AGREE")
    assert row != shown_row("averaging")


def trained():
    """Microseconds a step in the run of `parity bench training` that the README tells of."""
    run = json.loads((ROOT / "docs" / "training.json").read_text())
    timed = [row for row in run["rows"] if row["spread"]]
    return {
        (row["loop"], row["dtype"], row["name"]): 1e6 * row["spread"]["median"] / run["steps"][row["loop"]]
        for row in timed
    }


def test_the_table_of_whole_trainings_is_that_of_the_run_on_record():
    took, names = trained(), (NUMPY, TORCH, TORCH_FAST, JAX, JAX_FAST, FLOOR)
    rows = re.findall(r"^\| (\w+), (float\d+) \|(.*)\|$", README, re.M)
    assert {(loop.lower(), dtype) for loop, dtype, _ in rows} == {key[:2] for key in took if key[0] != "seeds"}
    for loop, dtype, cells in rows:
        values = [took.get((loop.lower(), dtype, name)) for name in names]
        wanted = ["-" if value is None else f"{float(f'{value:.3g}'):,.0f}" for value in values]
        assert [cell.strip() for cell in cells.split("|")] == wanted
    for name, words in ((JAX_FAST, r"fast loop in JAX is"), (JAX, r"readable loop is")):
        said = re.search(words + r" ([\d.]+) (?:times as fast as the script at float32 )?and ([\d.]+) times", README)
        shares = [f"{took['spiral', d, NUMPY] / took['spiral', d, name]:.1f}" for d in ("float32", "float64")]
        assert list(said.groups()) == shares
    assert "no slower than its matrix products by a library" in WORDS
    assert all(took["spiral", d, JAX_FAST] <= took["spiral", d, FLOOR] for d in ("float32", "float64"))
    assert SEEDS == 16
    assert "Sixteen seeds take less than half as long in turn as together by vmap, on a CPU." in README
    for side in ("torch", "jax"):
        assert took["seeds", "float32", f"{side} in turn"] < 0.5 * took["seeds", "float32", f"{side} vmap"]


def compared(kept):
    """What the README says of a run of `parity bench comparator`."""
    rows = {row["name"]: row for row in kept["rows"] if row["dtype"] == "float32"}
    ours, read = rows[comparator.OURS]["seconds"], rows[comparator.DOT]["seconds"]
    others = [rows[names[0]] for library, names in comparator.LIBRARIES.items() if library != "numpy"]
    quickest = min(others, key=lambda row: row["seconds"])
    least = min(row["extra_mb"] for row in others)
    return (
        f"{kept['elements']:.0e} pairs of float32 take {ours:.1g} s, {ours / read:.2g} times what `np.dot` takes to "
        f"read them and a {words(quickest['seconds'] / ours)} of the time of `{quickest['name'].split()[-1]}`, the "
        f"quickest of the others (torch's `assert_close`, chex), and hold {rows[comparator.OURS]['extra_mb']:.2f} MB "
        f"beside their operands where those hold {float(f'{least:.2g}'):,.0f} and more"
    ).replace("e+0", "e")


def words(times):
    return {20: "twentieth", 30: "thirtieth", 40: "fortieth"}.get(round(times, -1), f"part of {times:.0f}")


def test_what_comparing_large_arrays_costs_is_that_of_the_run_on_record():
    kept = json.loads((ROOT / "docs" / "comparator.json").read_text())
    assert compared(kept) in WORDS
    kept["rows"][0]["seconds"] *= 2
    assert compared(kept) not in WORDS


def test_the_rule_s_numbers_are_those_of_the_code():
    assert "(measured, by disturbing torch's in eight runs)" in WORDS
    assert ENSEMBLE == 8
    assert "lambda (about 7) keeps the chance of a false alarm at one in a million for each tensor" in WORDS
    assert FALSE_ALARMS == 1e-6
    assert {round(confidence_factor(n)) for n in (10**3, 10**4, 10**5)} == {7}
    assert "where it loses ten bits more than its inputs explain" in WORDS
    assert SLOPE == 2.0**10


def test_what_the_whole_tests_run_is_what_is_there():
    assert "more than a hundred honest functions and blocks in four sizes with five seeds at float64, float32" in WORDS
    assert len(TABLE) > 100
    assert (len(SIZES), grid.SEEDS, set(DTYPES)) == (4, 5, {"float64", "float32", "bfloat16"})
    assert "training runs of up to 10,000 steps" in WORDS
    assert max(honest.steps for honest in curves.HONEST) == 10_000


def test_torch_s_fast_spiral_step_enters_its_library_as_often_as_is_said():
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    from parity.cases import loops
    from parity.sides.inputs import rebuild
    from torch_impl.loops import train_spiral

    class Counted(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.count += not func.is_view
            return func(*args, **(kwargs or {}))

    def entered(steps: int) -> int:
        given = rebuild(
            loops.spiral(np.random.default_rng(0), steps=steps),
            lambda _, leaf: torch.from_numpy(leaf) if isinstance(leaf, np.ndarray) else leaf,
        )
        with Counted() as counted:
            train_spiral(**given)
        return counted.count

    assert entered(6) - entered(5) == 14
    assert "Torch enters its library fourteen times a step" in README
