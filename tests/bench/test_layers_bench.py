"""`parity bench layers`: both sides do the same work on the same shapes, and each has its ratio; no time is judged."""

import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from parity.bench import layers as bench
from parity.bench.rounds import Spread
from parity.cli import app

TOOK = Spread(0.0123456, 0.01, 0.0234567, 15, 1, 1.0)


def counted(gradients):
    import jax

    return sum(np.size(leaf) for leaf in jax.tree.leaves(gradients))


@pytest.mark.part(2)
@pytest.mark.parametrize("layer", bench.LAYERS, ids=lambda layer: layer.name)
def test_both_give_an_output_and_gradients_of_the_same_sizes(layer):
    layer = replace(layer, shape=(2, *layer.shape[1:]))
    results = {name: step() for name, step in bench.steps_of(layer).items()}
    (y, (own, dx)), (flax_y, (flax_own, flax_dx)) = results[bench.OURS], results[bench.FLAX]
    order = (0, 3, 1, 2) if layer.channels else range(len(layer.shape))
    assert (y.shape, dx.shape) == (flax_y.transpose(order).shape, flax_dx.transpose(order).shape)
    second_bias = own["bias_hh_l0"][...].size if layer.name == "LSTM" else 0  # torch has one for the past too
    assert counted(own) == counted(flax_own) + second_bias
    assert all(np.isfinite(leaf).all() and np.any(leaf) for leaf in (y, dx, flax_y, flax_dx))
    if layer.channels:  # NNX on the same arrays: the same numbers, turned round
        turned_y, (_, turned_dx) = results[bench.TURNED]
        assert (turned_y.shape, turned_dx.shape) == (y.shape, dx.shape)
        np.testing.assert_array_equal(turned_y, flax_y.transpose(order))


def test_a_run_has_both_sides_and_their_ratio(monkeypatch):
    monkeypatch.setattr(bench, "LAYERS", (replace(bench.LAYERS[0], shape=(4, 512)),))
    seen = []
    table = bench.measure(lambda *step: seen.append(step), rounds=3)
    assert seen == [("Linear", 0, 1)]
    (row,) = table.rows
    assert row.ratio == row.ours.median / row.flax.median > 0
    assert json.loads(table.to_json())["rows"][0]["ratio"] == row.ratio


def test_the_command_prints_the_table_and_writes_json(monkeypatch, tmp_path):
    rows = tuple(bench.Row(layer.name, layer.shape, TOOK, TOOK) for layer in bench.LAYERS)
    rows = (*rows[:-1], replace(rows[-1], ours=replace(TOOK, median=0.02)))
    asked = {}
    monkeypatch.setattr(bench, "measure", lambda progress, **turns: asked.update(turns) or bench.Table(rows, {}))
    monkeypatch.setenv("COLUMNS", "80")
    file = tmp_path / "bench.json"
    result = CliRunner().invoke(app, ["bench", "layers", "--rounds", "40", "--json", str(file)])
    assert result.exit_code == 0, result.output
    assert asked == {"rounds": 40}
    refused = CliRunner().invoke(app, ["bench", "models", "--rounds", "40"])
    assert (refused.exit_code, "--rounds is of concepts, training and layers" in refused.stderr) == (2, True)
    assert "At most 1.05 times NNX's: 8 of 9." in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert json.loads(file.read_text())["wanted"] == 1.05


def test_the_table_is_as_wide_as_a_terminal():
    console = Console(width=80, force_terminal=False, color_system=None)
    rows = tuple(bench.Row(layer.name, layer.shape, TOOK, TOOK) for layer in bench.LAYERS)
    slower = replace(rows[1], ours=replace(TOOK, median=0.02), turned=replace(TOOK, median=0.0201))
    with console.capture() as captured:
        bench.print_table(bench.Table((slower, *rows), {}), console)
    assert "12.3 (10-23.5)" in captured.get()
    last = captured.get().splitlines()[-2:]
    assert last == [
        "To flax.nnx on the same arrays, channels first, which it turns round:",
        "  Conv2d, 8 64 14 14: 1.00",
    ]
