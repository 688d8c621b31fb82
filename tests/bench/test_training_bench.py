"""`parity bench training`: what takes part, what the ratios are of, what is in the table; no time is judged."""

import json

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from parity.bench import numpy_loops, training
from parity.bench.rounds import spread
from parity.bench.training import FLOOR, JAX_FAST, NUMPY, TORCH_FAST, Row, Table
from parity.cases import loops as inputs_of
from parity.cli import app


def once(calls):
    """Each call once, and by its place in the order as many seconds."""
    for call in calls.values():
        call()
    return {name: spread([float(place + 1)] * 3) for place, name in enumerate(calls)}


def test_the_numpy_script_is_the_loop_that_it_is_measured_against():
    import torch

    from torch_impl.spiral import train

    given = inputs_of.spiral(np.random.default_rng(0), steps=3)
    params, losses = numpy_loops.train_spiral(**given)
    tensors = {**given, "params": {name: torch.tensor(value) for name, value in given["params"].items()}}
    ends, curve = train(**{**tensors, "X": torch.tensor(given["X"]), "y": torch.tensor(given["y"])})
    # a few steps of sums of 300 numbers near 1, in another order
    np.testing.assert_allclose(losses, curve.numpy(), rtol=0, atol=2**-48)
    for name, value in params.items():
        np.testing.assert_allclose(value, ends[name].numpy(), rtol=0, atol=2**-48)
    assert losses.dtype == np.float64


def test_every_training_takes_part_and_ratios_are_of_the_same_run():
    narrow = training.LOOPS[0]
    given = narrow.inputs(2)
    rows = training._rows(narrow, "float32", given, "cpu", once, steps=2)
    assert [row.name for row in rows] == [NUMPY, "torch readable", TORCH_FAST, "jax readable", JAX_FAST, FLOOR]
    by_name = {row.name: row for row in rows}
    assert by_name[JAX_FAST].times_numpy == 1 / 5
    assert by_name[JAX_FAST].times_floor == 5 / 2  # the products of one step took 1, and there are two
    assert by_name[FLOOR].spread.median == 2.0


def test_a_step_needs_the_products_of_each_layer_forwards_and_backwards():
    assert numpy_loops.products("network")[:2] == [(10, 64, 30), (64, 10, 30)]
    assert numpy_loops.products("network")[2:] == [(10, 30, 10), (30, 10, 10), (10, 10, 30)]
    assert sum(2 * m * k * n for m, k, n in numpy_loops.products("lenet")) == (
        2 * 1_881_600 + 3 * 3_840_000 + 3 * 2 * 8 * (400 * 120 + 120 * 84 + 84 * 10)
    )
    assert [len(ways) for ways in numpy_loops.multiply([(2, 3, 4)], "float32")] == [4]


@pytest.mark.part(0)
def test_a_whole_run_has_every_loop_at_both_precisions_and_the_seeds():
    told = []
    table = training.measure(part=5000, rounds=1, seconds=0.0, progress=lambda what, done, total: told.append(what))
    kinds = list(dict.fromkeys((row.loop, row.dtype) for row in table.rows))
    both = [(loop.name, dtype) for loop in training.LOOPS for dtype in ("float32", "float64")]
    assert kinds == [*both, ("seeds", "float32")]
    assert table.steps == {"spiral": 2, "network": 150, "lenet": 1, "seeds": 1}
    assert told[-1] == "many seeds at once"
    assert [row.missing for row in table.rows if row.missing] == ["NumPy has no convolution"] * 2
    assert json.loads(table.to_json())["clock"] == "processor time"
    seeds = [row.name for row in table.rows if row.loop == "seeds"]
    assert seeds == [
        "torch readable, each",
        "jax readable, each",
        "torch in turn",
        "jax in turn",
        "torch vmap",
        "jax vmap",
    ]


TABLE = Table(
    (
        Row("spiral", "float32", NUMPY, spread([4.0, 4.0, 4.0]), 1.0, 8.0),
        Row("spiral", "float32", JAX_FAST, spread([1.0, 1.0, 1.0], first=3.0), 4.0, 2.0),
        Row("lenet", "float32", NUMPY, missing="NumPy has no convolution"),
    ),
    {"spiral": 10_000, "lenet": 187},
    "processor time",
    "cpu",
    1,
    {},
)


def test_the_table_fits_80_columns_and_says_steps_ratios_and_what_did_not_run():
    console = Console(width=80, force_terminal=False, color_system=None)
    with console.capture() as captured:
        training.print_table(TABLE, console)
    text = captured.get()
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "the spiral's net: 10,000 steps, float32" in text
    row = next(line for line in text.splitlines() if line.startswith(f" {JAX_FAST}"))
    assert row.split()[2:] == ["1", "s", "100", "2", "s", "4.00", "2.00"]
    assert "NumPy script: NumPy has no convolution" in text


def test_the_command_prints_the_table_and_writes_json(monkeypatch, tmp_path):
    from parity.cli import child

    asked = []
    monkeypatch.setattr(training, "measure", lambda **options: asked.append(options) or TABLE)
    monkeypatch.setattr(child, "supervised", lambda do, work, *, runs: do(work, lambda what: None))
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC"):
        monkeypatch.setenv(name, "1")  # so that what the command sets is undone
    file, drawing = tmp_path / "t.json", tmp_path / "t.svg"
    files = ["--json", str(file), "--picture", str(drawing)]
    result = CliRunner().invoke(app, ["bench", "training", "--rounds", "3", "--threads", "2", *files])
    assert result.exit_code == 0, result.output
    assert "4.00" in result.stdout
    assert json.loads(file.read_text())["steps"]["spiral"] == 10_000
    assert f"<!-- {JAX_FAST} -->" in drawing.read_text()
    assert {name: asked[0][name] for name in ("rounds", "threads", "device")} == {
        "rounds": 3,
        "threads": 2,
        "device": "cpu",
    }
    assert "seconds" not in asked[0]
