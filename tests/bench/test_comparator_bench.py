"""`parity bench comparator`: what it runs passes and reads everything, what is absent is told; no time is judged."""

import json
import sys

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from parity.bench import comparator as bench
from parity.cli import app
from parity.numerics import errors

pytestmark = pytest.mark.part(2)

OTHERS = [(library, dtype) for dtype in bench.DTYPES for library in bench.LIBRARIES if library != "numpy"]


@pytest.mark.part(1)
@pytest.mark.parametrize("dtype", bench.DTYPES)
def test_the_data_are_equal_up_to_rounding(dtype):
    left, right = bench.close_pair(dtype, bench.BLOCK + 1000)
    found = errors(left, right)
    assert (found.max_ulp, found.nonfinite_mismatch, found.flushed) == (3.0, 0, 0)
    assert 0.4 < found.bit_equal / found.count < 0.6


@pytest.mark.parametrize(("library", "dtype"), OTHERS)
def test_each_library_passes_on_them_and_fails_on_one_wrong_element(library, dtype):
    left, right = bench.close_pair(dtype, 5000)
    for function in bench.calls(library, dtype).values():
        function(left, right)
        wrong = right.copy()
        wrong[4999] = 7.0
        with pytest.raises(AssertionError):
            function(left, wrong)


def test_one_run_has_every_function_beside_ours(monkeypatch):
    monkeypatch.setattr(bench, "DTYPES", ("float32",))
    monkeypatch.setattr(bench, "LIBRARIES", {k: v for k, v in bench.LIBRARIES.items() if k.startswith("numpy")})
    seen = []
    table = bench.measure(2048, lambda *step: seen.append(step))
    assert [row.name for row in table.rows] == [bench.OURS, bench.DOT, bench.EQUAL, "np assert_allclose"]
    assert seen == [("numpy float32", 0, 2), ("numpy.testing float32", 1, 2)]
    assert all(row.seconds > 0 and row.measured_by == "tracemalloc" for row in table.rows)
    told = json.loads(table.to_json())
    assert told["elements"] == 2048
    assert told["rows"][0]["times_ours"] == 1.0
    assert told["rows"][0]["times_dot"] == table.rows[0].seconds / table.rows[1].seconds


def test_a_library_that_is_absent_gets_a_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "chex", None)
    with pytest.raises(ModuleNotFoundError):
        bench.rows_of("chex", "float32", 2048)
    rows = (
        bench.Row(bench.OURS, "float32", 0.1, 8.0, 4.4, "tracemalloc"),
        bench.Row("chex trees_all_close", "float32", missing="chex is not installed"),
    )
    text = printed(bench.Table(10**8, rows, {}))
    assert "chex trees_all_close did not run: chex is not installed" in text
    assert json.loads(bench.Table(10**8, rows, {}).to_json())["rows"][1]["seconds"] is None


def test_a_process_that_fails_is_told_and_stops_nothing(monkeypatch):
    monkeypatch.setattr(bench, "LIBRARIES", {"none": ("a function",)})
    table = bench.measure(2048)
    assert [bool(row.missing) for row in table.rows] == [True, True]


def test_what_is_wanted_stands_beside_what_was_measured():
    def rows(ours, mb):
        yield bench.Row(bench.OURS, "float32", ours, 1.0, mb, "tracemalloc")
        yield bench.Row(bench.DOT, "float32", 0.04, 1.0, 0.0, "tracemalloc")
        yield from (bench.Row(names[0], "float32", 1.0, 1.0) for names in list(bench.LIBRARIES.values())[1:])

    good, slow = (bench.Table(10**8, tuple(rows(*given)), {}) for given in ((0.05, 2.0), (0.2, 9.0)))
    assert [met for *_, met in good.targets("float32")] == [True] * 5
    assert [met for *_, met in slow.targets("float32")] == [False] * 5
    assert "20 x faster than np assert_allclose: at least 20 wanted, met" in printed(good)
    assert "0.2 of np.dot's bandwidth: at least 0.4 wanted, NOT met" in printed(slow)
    assert json.loads(slow.to_json())["targets"]["float32"][-1] == dict(
        zip(("of", "measured", "wanted", "met"), ("extra MB", 9.0, 8.0, False), strict=True)
    )


def printed(table: bench.Table) -> str:
    console = Console(width=80, force_terminal=False, color_system=None)
    with console.capture() as captured:
        bench.print_table(table, console)
    return captured.get()


def test_the_table_fits_80_columns_with_the_longest_numbers():
    rows = tuple(
        bench.Row(name, dtype, 1234.5, 0.0123, 12345.6, "resident set")
        for dtype in bench.DTYPES
        for names in bench.LIBRARIES.values()
        for name in names
    )
    text = printed(bench.Table(10**9, rows, {}))
    assert max(map(len, text.splitlines())) <= 80
    for row in rows:
        assert any(line.startswith(f" {row.name} ") and line.endswith("12,345.6* ") for line in text.splitlines())


def test_the_command_prints_the_table_and_writes_json(monkeypatch, tmp_path):
    rows = (bench.Row(bench.OURS, "float32", 0.1, 8.0, 4.4, "tracemalloc"),)
    monkeypatch.setattr(bench, "measure", lambda elements, progress: bench.Table(elements, rows, {}))
    file = tmp_path / "bench.json"
    result = CliRunner().invoke(app, ["bench", "comparator", "--elements", "5000", "--json", str(file)])
    assert result.exit_code == 0, result.output
    assert "5,000 elements a side" in result.stdout
    assert json.loads(file.read_text())["elements"] == 5000
    result = CliRunner().invoke(app, ["bench", "comparator", "--json", "-"])
    assert json.loads(result.stdout)["rows"][0]["name"] == bench.OURS


@pytest.mark.parametrize("words", [["bench", "comparater"], ["bench", "comparator", "--elements", "1"]])
def test_a_wrong_request_is_a_usage_error(words):
    assert CliRunner().invoke(app, words).exit_code == 2


def test_a_folder_that_is_not_there_is_told_before_the_work(tmp_path):
    result = CliRunner().invoke(app, ["bench", "comparator", "--json", str(tmp_path / "none" / "b.json")])
    assert result.exit_code == 2
    assert "does not exist" in result.stderr


def test_ours_reads_the_last_element():
    left, right = bench.close_pair("float32", 5000)
    right[-1] = np.nan
    assert bench.calls("numpy", "float32")[bench.OURS](left, right).nan_right_only == 1
