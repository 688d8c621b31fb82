"""What the benchmarks draw: every table that can be drawn has its bars, in the colours of the sides."""

import re

import pytest
from typer.testing import CliRunner

from parity.bench import layers, models, training
from parity.bench.bars import Bar, Panel, draw
from parity.bench.gpt2_pair import Size
from parity.bench.rounds import Spread
from parity.cli import app
from parity.cli.bench import DRAWN
from parity.report.picture import PAPER

TOOK = Spread(0.02, 0.01, 0.03, 15, 1, 1.0)
COST = models.Cost(3.0, 3.0, 2**30, "AGREE")
LAYERS = layers.Table((layers.Row("LSTM", (16, 64, 128), TOOK, TOOK),), {})
MODELS = models.Table(Size(), (models.Row(6, 10**7, dict.fromkeys(models.BARE, COST), COST, COST),))
TRAINING = training.Table(
    tuple(training.Row("spiral", "float32", name, TOOK) for name in (training.NUMPY, training.TORCH, training.FLOOR)),
    {"spiral": 1000},
    "processor time",
    "cpu",
    1,
    {},
)


def comments(path):
    """What a drawing says: matplotlib writes each text beside its outlines."""
    return re.findall(r"<!-- (.*?) -->", path.read_text())


@pytest.mark.parametrize(
    ("room", "table", "said"),
    [
        (training, TRAINING, ["the spiral's net: 1,000 steps, float32", training.NUMPY, " 20 us", training.FLOOR]),
        (layers, LAYERS, ["LSTM (16, 64, 128)", layers.OURS, layers.FLAX, " 20 ms"]),
        (
            models,
            MODELS,
            [
                "GPT-2, 6 layers, 10.0M parameters",
                *models.BARE,
                models.AGAIN,
                models.CHECK,
                " 3 s",
                "the four bare runs",
            ],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_table_is_drawn_with_a_bar_for_each_of_its_times(room, table, said, tmp_path):
    room.picture(table, tmp_path / "a.svg")
    texts = comments(tmp_path / "a.svg")
    assert [text for text in said if text not in texts] == []
    assert training.TORCH in texts or room is not training


def test_a_bar_has_the_colour_of_its_side_and_no_name_is_taken_for_a_formula(tmp_path):
    names = {"torch.compile": "torch", "jax_impl.nn": "jax", "$x^2$": "faint"}
    bars = tuple(Bar(name, 1e-3, 1e-3, 1e-3) for name in names)
    draw([Panel("a $b$ c", bars)], "seconds", tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    assert [text.count(f"fill: {PAPER[side]}") for side in names.values()] == [1, 1, 1]
    assert {"$x^2$", "a $b$ c", "1 ms"} <= set(comments(tmp_path / "a.svg"))


def test_the_command_draws_what_it_says_that_it_draws(tmp_path, monkeypatch):
    assert {str(name) for name in DRAWN} == {"training", "layers", "models"}
    monkeypatch.setattr(layers, "measure", lambda progress: LAYERS)
    result = CliRunner().invoke(app, ["bench", "layers", "--picture", str(tmp_path / "a.svg")])
    assert result.exit_code == 0, result.output
    assert "LSTM (16, 64, 128)" in comments(tmp_path / "a.svg")
    refused = CliRunner().invoke(app, ["bench", "optimizers", "--picture", str(tmp_path / "b.svg")])
    assert (refused.exit_code, (tmp_path / "b.svg").exists()) == (2, False)
