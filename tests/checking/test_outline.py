"""Outputs of every kind are matched by name, then by position; what one side alone gives is told and never skipped."""

import collections
import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx, struct

import parity
from parity import Verdict

pytestmark = pytest.mark.part(3)

X = np.random.default_rng(0).normal(size=(2, 3))


@dataclasses.dataclass
class Data:
    logits: Any
    hidden: Any = None


class Named(NamedTuple):
    logits: Any
    hidden: Any


class ModelOutput(collections.OrderedDict):
    """As transformers writes it: by name, by attribute, and by place."""

    def __getattr__(self, name: str) -> Any:
        return dict(self.items())[name]

    def __getitem__(self, key: Any) -> Any:
        return dict(self.items())[key] if isinstance(key, str) else tuple(self.values())[key]


@struct.dataclass
class FlaxData:
    logits: Any
    hidden: Any


Made = Callable[[Any, Any], Any]
KINDS: dict[str, Made] = {
    "dataclass": Data,
    "named tuple": Named,
    "flax dataclass": FlaxData,
    "model output": lambda a, b: ModelOutput(logits=a, hidden=b),
    "dict": lambda a, b: {"logits": a, "hidden": b},
    "other order": lambda a, b: {"hidden": b, "logits": a},
    "other names": lambda a, b: {"scores": a, "inner": b},
    "tuple": lambda a, b: (a, b),
    "nest": lambda a, b: (a, {"h": [b, b]}),
    "one": lambda a, b: ModelOutput(logits=a),
    "without the second": lambda a, b: Data(a),
}


class Torch(torch.nn.Module):
    def __init__(self, made: Made) -> None:
        super().__init__()
        self.layer, self.made = torch.nn.Linear(3, 3), made

    def forward(self, x: torch.Tensor) -> Any:
        return self.made(torch.tanh(x), torch.sin(self.layer(x)))


class Jax(nnx.Module):
    def __init__(self, made: Made) -> None:
        self.layer, self.made = nnx.Linear(3, 3, rngs=nnx.Rngs(0)), made

    def __call__(self, x: jax.Array) -> Any:
        return self.made(jnp.tanh(x), jnp.sin(self.layer(x)))


def by_name(model: Torch, twin: Jax) -> parity.Report:
    """A check at little cost: no search for the map, no gradients, one precision."""
    from planted import by_hand

    weights = by_hand(model, twin, {"layer": "layer"})
    return parity.check(model, twin, X, weights=weights, gradient=False, dtypes=("float64",))


@pytest.mark.parametrize(
    ("kind", "other", "paths"),
    [
        ("dataclass", "flax dataclass", ["logits / logits", "hidden / hidden"]),
        ("model output", "tuple", ["logits / 0", "hidden / 1"]),
        ("dict", "other order", ["logits / logits", "hidden / hidden"]),
        ("named tuple", "named tuple", ["logits / logits", "hidden / hidden"]),
        ("dict", "other names", ["logits / scores", "hidden / inner"]),
        ("nest", "nest", ["0 / 0", "1.h.0 / 1.h.0", "1.h.1 / 1.h.1"]),
        ("tuple", "nest", ["0 / 0"]),
    ],
)
def test_outputs_are_matched_by_name_then_by_position(kind: str, other: str, paths: list[str]):
    report = by_name(Torch(KINDS[kind]), Jax(KINDS[other]))
    compared = [f"{f.torch_path} / {f.jax_path}" for f in report.findings if f.stage == "forward"]
    assert compared[: len(paths)] == paths
    assert bool(report) == (kind != "tuple"), str(report)


@pytest.mark.parametrize(
    ("kind", "other", "name", "side"),
    [
        ("model output", "one", "hidden", "torch"),
        ("without the second", "dict", "hidden", "jax"),
        ("tuple", "one", "1", "torch"),
    ],
)
def test_an_output_of_one_side_alone_is_told_and_the_others_are_compared(kind, other, name, side):
    report = by_name(Torch(KINDS[kind]), Jax(KINDS[other]))
    alone = [f for f in report.findings if not f]
    assert [(f.verdict, f.torch_path, f.message) for f in alone] == [
        (Verdict.STRUCTURE, name, f"only the {side} side returns it")
    ]
    assert [bool(f) for f in report.findings if f.stage == "forward"] == [True]


def test_the_search_for_the_map_keeps_to_the_outputs_that_both_give():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), Torch(KINDS["model output"]))

    class Twin(nnx.Module):
        def __init__(self) -> None:
            self.first, self.second = nnx.Linear(3, 3, rngs=nnx.Rngs(0)), Jax(lambda a, b: {"more": a, "hidden": b})

        def __call__(self, x: jax.Array) -> Any:
            return self.second(self.first(x))

    found = parity.map_weights(model, Twin(), X)
    assert len(found) == 4
    assert "2 outputs" in found.proof  # logits has no namesake: it goes by its position
    alone = parity.map_weights(model, parity.JaxSide(Twin(), call=lambda m, x: {"hidden": m(x)["hidden"]}), X)
    assert alone.proof.endswith("no part of it: torch's logits, which one side alone gives")
    with pytest.raises(parity.convert.MappingError, match="torch returns logits, hidden, jax none; let both return"):
        parity.map_weights(model, parity.JaxSide(Twin(), call=lambda m, x: {}), X)
