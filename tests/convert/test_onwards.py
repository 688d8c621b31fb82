"""A map past the places where a port goes wrong is the map of the honest port; one side's training is noted."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from ports.planted import Edit, edited, models

import parity
from parity.convert import MappingError, Onwards, map_onwards

torch.set_num_threads(1)

SCALE: Edit = ("/ np.sqrt(q.shape[-1])", "/ q.shape[-1]")
EPSILON: Edit = (
    "self.mlp_norm = nnx.LayerNorm(WIDTH, epsilon=eps,",
    "self.mlp_norm = nnx.LayerNorm(WIDTH, epsilon=1e-3,",
)
TANH: Edit = ("linen.gelu(h, approximate=False)", "linen.gelu(h, approximate=True)")
PADDING: Edit = ("if same:", "if stride > 1:")
BATCH_NORM: Edit = (
    "self.norm_b = BatchNorm(features, momentum=0.9, epsilon=eps,",
    "self.norm_b = BatchNorm(features, momentum=0.9, epsilon=1e-2,",
)


def onwards(port: str, *edits: Edit, linen: bool = False) -> Onwards:
    module = edited(port, edits)
    model, twin, inputs = models(module)
    if linen:
        twin = module.LinenTransformer()
        twin = parity.JaxSide(twin, twin.init(jax.random.key(0), jnp.asarray(inputs)))
    else:
        twin.eval()
    return map_onwards(model.eval(), twin, inputs)


def rules(found: Onwards) -> set[str]:
    return {str(rule) for rule in found.weights.rules}


@pytest.mark.part(2)
@pytest.mark.parametrize(
    ("port", "edits", "linen", "stops"),
    [
        ("transformer", (SCALE, EPSILON), False, ["h.0.c_proj", "h.0.norm_b", "h.1.c_proj", "h.1.norm_b"]),
        ("transformer", (TANH,), True, ["h.0.ffn.2", "h.1.ffn.2"]),
        ("resnet", (PADDING, BATCH_NORM), False, ["layer1.bn2", "layer2.conv1", "layer2.bn2"]),
    ],
    ids=["NNX, two faults in each block", "Linen", "convolutions and norms"],
)
def test_past_its_stops_a_map_is_that_of_the_honest_port(
    port: str, edits: tuple[Edit, ...], linen: bool, stops: list[str]
):
    found, honest = onwards(port, *edits, linen=linen), onwards(port, linen=linen)
    assert honest.error is None
    assert rules(found) == rules(honest)
    assert "the weights could not be mapped" in str(found.error)
    assert list(dict.fromkeys(s.torch_path for s in found.stops)) == stops
    assert f"past {len(found.stops)} places" in found.weights.proof


class Scaled(nnx.Module):
    def __init__(self, kind: type) -> None:
        self.fc = nnx.Linear(4, 3, rngs=nnx.Rngs(0))
        self.scale = kind(jnp.ones(3))

    def __call__(self, x: Any) -> Any:
        return self.fc(x) * self.scale[...]


class TorchScaled(torch.nn.Module):
    def __init__(self, buffer: bool) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(4, 3)
        scale = torch.rand(3) + 0.5
        if buffer:
            self.register_buffer("scale", scale)
        else:
            self.scale = torch.nn.Parameter(scale)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x) * self.scale


@pytest.mark.parametrize(
    ("buffer", "kind", "note"),
    [
        (True, nnx.Param, "torch keeps it as a buffer, JAX trains it"),
        (False, nnx.BatchStat, "torch trains it, JAX keeps it as state"),
        (False, nnx.Param, ""),
    ],
)
def test_a_weight_that_one_side_alone_trains_is_noted_in_the_map(buffer: bool, kind: type, note: str):
    x = np.random.default_rng(0).standard_normal((5, 4))
    found = parity.map_weights(TorchScaled(buffer), Scaled(kind), x)
    assert {rule.note for rule in found.rules if rule.torch == "scale"} == {note}


class TorchGRU(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = torch.nn.GRU(3, 4, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gru(x)[0]


@pytest.mark.part(0)
def test_where_it_cannot_go_on_the_error_is_that_of_the_first_stop():
    rngs = nnx.Rngs(0)  # NNX's cell has no bias inside the reset gate, and no weights make it torch's
    with pytest.raises(MappingError) as caught:
        map_onwards(TorchGRU(), nnx.RNN(nnx.GRUCell(3, 4, rngs=rngs)), np.random.default_rng(0).normal(size=(2, 5, 3)))
    assert caught.value.stop is not None
    assert caught.value.stop.torch_path == "gru"
    assert caught.value.stop.jax_path == "cell.dense_h.kernel"
    assert "nnx.GRUCell has no bias inside its reset gate" in str(caught.value)
