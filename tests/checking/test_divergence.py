"""Where two models part and why: faults planted in twins, one by one, each with its layer and most with their cause."""

import tracemalloc
import weakref
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from planted import (
    Encoder,
    Images,
    JaxEncoder,
    JaxImages,
    JaxTagger,
    Tagger,
    by_hand,
    encoder_inputs,
    encoder_map,
    images_inputs,
    images_map,
    tagger_map,
)
from torch import nn

from parity.checking import between, teacher
from parity.checking.divergence import locate
from parity.numerics import Finding, Verdict
from parity.sides.jax_layers import jax_layers
from parity.sides.spool import Spool
from parity.sides.torch_layers import TorchLayers

pytestmark = pytest.mark.part(2)

MIXING = "blocks.1.attn.qkv .. blocks.1.attn.proj"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def wrong(found: tuple[Finding, ...]) -> list[Finding]:
    return [f for f in found if not f]


def encoder(fault: str = "", second: str | None = None) -> list[Finding]:
    torch.manual_seed(0)
    model, twin = Encoder(), JaxEncoder(fault, second)
    return wrong(locate(model, twin, encoder_map(model, twin), encoder_inputs()))


def test_an_honest_twin_is_clean_and_every_layer_was_judged_forwards_and_backwards():
    torch.manual_seed(0)
    model, twin = Encoder(), JaxEncoder()
    found = locate(model, twin, encoder_map(model, twin), encoder_inputs())
    assert wrong(found) == []
    # Two linear layers, and of each block two norms, three parts of the fused projection, and three linear layers.
    assert [f.stage for f in found].count("layer") == [f.stage for f in found].count("layer gradient") == 2 + 2 * 8


@pytest.mark.part(1)
@pytest.mark.parametrize(
    ("fault", "layer", "cause"),
    [
        ("causal", MIXING, "mask causal and inputs.1 True keeps"),
        ("mask inverted", MIXING, "mask inputs.1 True drops, torch has inputs.1 True keeps"),
        ("mask missing", MIXING, "mask none"),
        ("qkv order", MIXING, "order key, query, value"),
    ],
)
def test_a_fault_in_an_encoder_is_found_with_its_layer_and_its_cause(fault: str, layer: str, cause: str):
    found = encoder(fault)
    assert found[0].torch_path.startswith(layer)
    assert cause in found[0].cause
    assert "falls to" in found[0].cause
    assert found[0].fix


@pytest.mark.part(1)
@pytest.mark.parametrize(
    ("fault", "layer"),
    [("eps and more", "blocks.1.ln2"), ("gelu and more", "blocks.1.act"), ("scale and more", MIXING)],
)
def test_a_cause_that_leaves_a_rest_is_not_named(fault: str, layer: str):
    found = encoder(fault)
    assert found[0].torch_path == layer
    assert [f.cause for f in found] == [""] * len(found)


def test_a_finding_tells_both_paths_and_how_many_layers_agree_before():
    first = encoder("eps")[0]
    assert (first.stage, first.verdict, first.jax_path) == ("layer", Verdict.SEMANTIC, "layers.1.norm2")
    assert first.note == "14 layers before it agree; fed the same input, this layer alone differs"


def test_a_second_fault_is_found_beside_the_first():
    found = encoder("gelu", "eps")
    assert list(dict.fromkeys(f.torch_path.split(" ")[0].removesuffix(".weight") for f in found)) == [
        "blocks.0.act",
        "blocks.1.ln2",
    ]
    assert all(f.cause for f in found)
    assert "one of 2 places that differ" in found[0].note


class Watched(nn.Module):
    """A layer that notices hooks."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1.0 if self._forward_hooks else x


class Deep(nn.Module):
    def __init__(self, layers: int, last: nn.Module | None = None) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(nn.Linear(64, 64) for _ in range(layers)), last or nn.Identity())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


@pytest.mark.parametrize(("last", "same"), [(nn.Identity(), True), (Watched(), False)])
def test_a_hook_that_changes_the_result_is_noticed(last: nn.Module, same: bool):
    with Spool() as spool:
        layers = TorchLayers(Deep(1, last))
        layers.record((np.ones((2, 64)),), {"layers.0"}, spool)
    assert layers.same_under_hooks is same


def test_the_memory_of_a_capture_does_not_grow_with_depth():
    peaks = []
    for depth in (4, 24):
        layers = TorchLayers(Deep(depth))
        with Spool() as spool:
            tracemalloc.start()
            layers.record((np.ones((512, 64)),), {f"layers.{i}" for i in range(depth)}, spool)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    one_activation = 512 * 64 * 8
    assert peaks[1] - peaks[0] < one_activation


def images(fault: str, *, train: bool = False, **options: Any) -> list[Finding]:
    torch.manual_seed(0)
    model = Images(**options)
    with torch.no_grad():
        model.bn1.running_mean.normal_()
        model.bn1.running_var.uniform_(0.5, 2.0)
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.uniform_(0.5, 1.5)
    model.train(train)
    twin = JaxImages(fault, train=train)
    return wrong(locate(model, twin, images_map(model, twin), images_inputs()))


@pytest.mark.part(1)
@pytest.mark.parametrize(
    ("fault", "options", "layer", "cause"),
    [
        ("flatten", {}, "pool", "channels last, not first"),
        ("group norm eps", {}, "gn", "GroupNorm eps 1e-06, torch has 1e-05"),
        ("groups", {}, "gn", "4 groups, torch has 2"),
        ("slope", {"act": nn.LeakyReLU(0.1)}, "act", "slope 0.2), torch has leaky_relu (slope 0.1)"),
        ("leaky", {}, "act", "leaky_relu (slope 0.01), torch has relu"),
    ],
)
def test_a_fault_in_a_network_for_images_is_found(fault: str, options: dict[str, Any], layer: str, cause: str):
    found = images(fault, **options)
    assert found[0].torch_path == layer
    assert cause in found[0].cause


def test_dropout_that_is_left_on_is_told_from_a_fault_of_the_layer():
    found = images("", train=True, dropout=0.5)
    assert [f.torch_path for f in found if f.stage == "layer"] == ["bn1.running_var", "drop"]
    assert "dropout is on in torch (p = 0.5)" in found[1].cause


def test_an_honest_network_for_images_is_clean():
    assert images("") == []


@pytest.mark.parametrize(
    ("cell", "layer", "cause"),
    [
        ("LSTM", "words.weight", "torch has padding_idx=0 and keeps it out"),
        ("GRU", "rnn", "b_hn stands outside the reset gate"),
    ],
)
def test_recurrent_layers_are_judged_whole(cell: str, layer: str, cause: str):
    torch.manual_seed(0)
    model, twin = Tagger(cell), JaxTagger(cell)
    found = wrong(locate(model, twin, tagger_map(model, twin), (np.array([[1, 2, 0, 3], [0, 4, 5, 6]]),)))
    assert any(f.torch_path == layer and cause in f.cause for f in found)
    assert all(f.cause for f in found)


class Branched(nn.Module):
    """A residual stream: what arrives at a layer depends on the outputs of all before it."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(32, 32) for _ in range(layers))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = x + torch.tanh(layer(x))
        return x


class JaxBranched(nnx.Module):
    def __init__(self, layers: int, stopped: int | None = None) -> None:
        self.layers = nnx.List([nnx.Linear(32, 32, rngs=nnx.Rngs(0)) for _ in range(layers)])
        self.stopped = stopped

    def __call__(self, x: jax.Array) -> jax.Array:
        for i, layer in enumerate(self.layers):
            y = jnp.tanh(layer(x))
            x = x + (jax.lax.stop_gradient(y) if i == self.stopped else y)
        return x


def live_bytes(depth: int, chunk: int, monkeypatch: pytest.MonkeyPatch, stopped: int | None = None) -> tuple[int, bool]:
    """(most bytes of recorded arrays that were live at once while all between the layers was judged, the verdict)."""
    live, most = 0, 0
    read = Spool._array

    def counted(self: Spool, stored: Any) -> np.ndarray:
        nonlocal live, most
        array = read(self, stored)
        live += array.nbytes
        most = max(most, live)

        def gone(size: int = array.nbytes) -> None:
            nonlocal live
            live -= size

        weakref.finalize(array, gone)
        return array

    model, twin, x = Branched(depth), JaxBranched(depth, stopped), np.random.default_rng(0).standard_normal((64, 32))
    weights = by_hand(model, twin, {f"layers.{i}": f"layers.{i}" for i in range(depth)})
    with Spool() as spool, monkeypatch.context() as patched:
        lesson = teacher.Lesson.of(TorchLayers(model), jax_layers(twin), weights, (x,), "float32", spool)
        patched.setattr(Spool, "_array", counted)
        patched.setattr(between, "CHUNK", chunk)
        agreed = all(between.judge_all_between(lesson))
    return most, agreed


def test_what_lies_between_layers_is_judged_with_a_chunk_in_memory_however_deep_the_model(monkeypatch):
    one = 64 * 32 * 8
    size, agreed = live_bytes(8, 2 * one, monkeypatch)
    assert agreed
    heads = 8 * between.HEAD * 8
    assert size <= 3 * one + heads  # the chunk, and the layer before it
    assert live_bytes(8, 1 << 30, monkeypatch)[0] >= 8 * one  # the count sees what one program of all layers holds
    assert not live_bytes(8, 2 * one, monkeypatch, stopped=5)[1]  # a gradient that is stopped is found in its chunk
