"""Weights that one side alone ties: the map is found all the same, and the check tells the tie first."""

from typing import Any

import jax
import numpy as np
import pytest
import torch
from flax import nnx
from torch import nn

import parity
from parity import Verdict
from parity.convert.ties import map_with_other_ties

IDS = np.random.default_rng(0).integers(0, 7, (2, 3))


class Torch(nn.Module):
    def __init__(self, tied: bool) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(7, 4), nn.Linear(4, 7, bias=False)
        if tied:
            self.head.weight = self.words.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.words(ids)))


class Jax(nnx.Module):
    def __init__(self, tied: bool) -> None:
        rngs = nnx.Rngs(0)
        self.table = nnx.Embed(7, 4, rngs=rngs)
        self.out = None if tied else nnx.Linear(4, 7, use_bias=False, rngs=rngs)

    def __call__(self, ids: jax.Array) -> jax.Array:
        h = jax.numpy.tanh(self.table(ids))
        return self.table.attend(h) if self.out is None else self.out(h)


@pytest.mark.parametrize(
    ("tied", "told"), [(True, "torch ties the two, one parameter"), (False, "jax ties the two, one parameter")]
)
def test_a_tie_of_one_side_alone_is_told_before_all_else(tied: bool, told: str):
    torch.manual_seed(0)
    report = parity.check(Torch(tied), Jax(not tied), IDS, dtypes=("float64",))
    assert (report.first.stage, report.first.verdict) == ("structure", Verdict.STRUCTURE)
    assert report.first.message.startswith(told)
    assert not any(f.stage == "layer" for f in report.findings)
    by_gradient = [f for f in report.findings if not f and f.stage == "gradient"]
    assert by_gradient, "the gradient of a tied weight is the sum of two"


def test_no_map_is_made_up_where_no_tie_explains_it():
    class Other(Jax):
        def __call__(self, ids: jax.Array) -> jax.Array:
            return self.table.attend(jax.numpy.sin(self.table(ids)))

    assert map_with_other_ties(Torch(False), Other(True), IDS, tie=True) is None
    assert map_with_other_ties(Torch(False), Other(True), IDS, tie=False) is None


def test_an_equinox_module_goes_by_name_though_torch_ties_or_keeps_a_buffer():
    equinox: Any = pytest.importorskip("equinox")

    class Buffered(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))
            self.register_buffer("scale", torch.full((3,), 2.0))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sin(x * self.weight) * self.scale

    class Trained(equinox.Module):
        weight: jax.Array
        scale: jax.Array

        def __call__(self, x: jax.Array) -> jax.Array:
            return jax.numpy.sin(x * self.weight) * self.scale

    class Loose(equinox.Module):
        words: dict[str, jax.Array]
        head: dict[str, jax.Array]

        def __call__(self, ids: jax.Array) -> jax.Array:
            return jax.numpy.tanh(self.words["weight"][ids]) @ self.head["weight"].T

    ones, table = jax.numpy.ones(3), jax.numpy.ones((7, 4))
    buffered = parity.check(Buffered(), Trained(ones, ones), np.ones((2, 3)), dtypes=("float64",))
    assert [f.torch_path for f in buffered.findings if not f] == ["scale"]
    assert "torch keeps it as a buffer, which no optimizer moves; jax trains it" in buffered.first.message
    loose = Loose({"weight": table}, {"weight": table})
    tied = parity.check(Torch(True), loose, IDS, dtypes=("float64",))
    assert tied.first.message.startswith("torch ties the two, one parameter")
    assert parity.check(Torch(False), loose, IDS, dtypes=("float64",))
