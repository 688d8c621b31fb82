"""`parity bench optimizers`: all take the same steps; what is absent is told; no time is judged."""

import importlib.util
import json

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from parity.bench import optimizers as bench
from parity.cli import app

pytestmark = pytest.mark.part(2)


@pytest.mark.parametrize("optimizer", bench.OPTIMIZERS)
def test_each_takes_the_same_steps(optimizer):
    parameters, gradients = bench.numbers(4096)
    steps, missing = bench.steps_of(optimizer, parameters, gradients)
    assert missing == {}
    assert list(steps) == [bench.OURS, bench.OPTAX, *bench.TORCH]
    ends = {}
    for name, step in steps.items():
        for _ in range(3):
            after = step()
        ends[name] = np.concatenate([np.asarray(after[key]).copy() for key in parameters])
    begun = np.concatenate(list(parameters.values()))
    moved = float(np.abs(ends[bench.OURS] - begun).max())
    for name, end in ends.items():
        # Rounding of a few steps, against a step's own size: 1e-3 of it, where a wrong rule is of its order.
        assert float(np.abs(end - ends[bench.OURS]).max()) < 1e-3 * moved, name
    assert moved > 1e-3


def test_a_run_has_every_implementation_and_its_ratio(monkeypatch):
    monkeypatch.setattr(bench, "OPTIMIZERS", {"SGD": bench.OPTIMIZERS["SGD"]})
    monkeypatch.setattr(bench, "ROUNDS", 3)
    monkeypatch.setattr(bench, "PAUSE", 0.0)
    seen = []
    table = bench.measure(2048, lambda *step: seen.append(step))
    assert seen == [("SGD", 0, 1)]
    assert [row.name for row in table.rows] == [bench.OURS, bench.OPTAX, *bench.TORCH]
    assert table.rows[1].times_optax == 1.0
    assert all(row.seconds >= row.quickest > 0 for row in table.rows)
    assert json.loads(table.to_json())["rows"][0]["times_optax"] == table.rows[0].times_optax


def test_what_is_not_installed_gets_a_line(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in ("torch", "optax") else real(name))
    rows = bench.rows_of("Adam", 2048)
    assert {row.missing for row in rows} == {"jax or optax is not installed", "torch is not installed"}
    assert "torch fused did not run: torch is not installed" in printed(bench.Table(2048, 3, tuple(rows), {}))


def printed(table):
    console = Console(width=80, force_terminal=False, color_system=None)
    with console.capture() as captured:
        bench.print_table(table, console)
    return captured.get()


def test_the_command_prints_the_table_and_writes_json(monkeypatch, tmp_path):
    rows = tuple(
        bench.Row(o, name, 123.4567, 12.34567, 123.456) for o in bench.OPTIMIZERS for name in (bench.OURS, *bench.TORCH)
    )
    monkeypatch.setattr(bench, "measure", lambda elements, progress: bench.Table(elements, 15, rows, {}))
    monkeypatch.setenv("COLUMNS", "80")
    file = tmp_path / "bench.json"
    result = CliRunner().invoke(app, ["bench", "optimizers", "--json", str(file)])
    assert result.exit_code == 0, result.output
    assert "AdamW (lr 0.001, weight_decay 0.01), 10,000,000 float32 parameters" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert json.loads(file.read_text())["elements"] == 10_000_000
