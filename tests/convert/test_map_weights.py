"""Weights are mapped without rules of names: ports as strangers write them, and faults that name their layer."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import linen, nnx
from ports import lstm_tagger, resnet, transformer

import parity
from parity.convert import Layout, MappingError, Rule

pytestmark = pytest.mark.part(2)

torch.set_num_threads(1)


@dataclass(frozen=True)
class Side:
    """A Linen module, its variables and its call."""

    module: Any
    variables: Any
    call: Any = None


def initialised(module: linen.Module, example: np.ndarray, call: Any = None) -> Side:
    return Side(module, module.init(jax.random.key(0), jnp.asarray(example)), call)


def nhwc(apply: Any, images: Any) -> Any:
    return apply(jnp.transpose(images, (0, 2, 3, 1)))


def rngs() -> nnx.Rngs:
    return nnx.Rngs(0)


TOKENS, IMAGES, WORDS = transformer.tokens(), resnet.images(), lstm_tagger.sentences()
ON_LINEN = {
    "transformer": (transformer.LinenTransformer(), TOKENS),
    "scanned": (transformer.LinenTransformer(scanned=True), TOKENS),
    "tagger": (lstm_tagger.LinenTagger(), WORDS),
}
HONEST = {
    "transformer": lambda: (transformer.TorchTransformer(), transformer.Transformer(rngs()), TOKENS),
    "called in another order": lambda: (
        transformer.TorchTransformer(),
        transformer.Transformer(rngs(), order="value key query"),
        TOKENS,
    ),
    "transformer on Linen": lambda: (transformer.TorchTransformer(), initialised(*ON_LINEN["transformer"]), TOKENS),
    "scanned on Linen": lambda: (transformer.TorchTransformer(), initialised(*ON_LINEN["scanned"]), TOKENS),
    "stacked by vmap": lambda: (transformer.TorchTransformer(), transformer.StackedTransformer(rngs()), TOKENS),
    "ResNet": lambda: (resnet.TorchResNet(), resnet.ResNet(rngs()), IMAGES),
    "ResNet on Linen": lambda: (
        resnet.TorchResNet(),
        initialised(resnet.LinenResNet(), np.moveaxis(IMAGES, 1, -1), nhwc),
        IMAGES,
    ),
    "tagger": lambda: (lstm_tagger.TorchTagger(), lstm_tagger.Tagger(rngs()), WORDS),
    "tagger on Linen": lambda: (lstm_tagger.TorchTagger(), initialised(*ON_LINEN["tagger"]), WORDS),
}


@pytest.mark.parametrize("port", HONEST)
def test_a_port_is_mapped_and_comes_back_bit_for_bit(port: str) -> None:
    torch.manual_seed(0)
    model, flax_model, x = HONEST[port]()
    found = parity.map_weights(model, flax_model, x)
    assert found.proof.startswith("proven")
    state = model.state_dict()
    back = found.to_torch(found.to_jax(state))
    summed = {place.partition("[")[0] for rule in found.rules if rule.plus for place in (rule.torch, rule.plus)}
    for name, tensor in state.items():
        if name not in summed and name not in found.torch_alone:
            assert torch.equal(back[name], tensor), name
    model.eval()
    with torch.no_grad():
        wanted = model(torch.from_numpy(x.astype(np.float32) if x.dtype.kind == "f" else x)).numpy()
    got = ported_output(flax_model, found.to_jax(state), x)
    # Both at float32, where the rule is parity.check's business; weights at a wrong place differ by their own size.
    np.testing.assert_allclose(got, wanted, atol=1e-4)


def ported_output(model: Any, weights: Any, x: np.ndarray) -> np.ndarray:
    x = jnp.asarray(x, np.float32 if x.dtype.kind == "f" else np.int32)
    if isinstance(model, Side):
        bound = lambda *inputs: model.module.apply(weights, *inputs)
        return np.asarray(bound(x) if model.call is None else model.call(bound, x))
    model.eval()
    nnx.update(model, weights)
    return np.asarray(model(x))


FAULTS = {
    "eps": (
        lambda: (transformer.TorchTransformer(), transformer.Transformer(rngs(), eps=1e-6), TOKENS),
        ("h.1.norm_b", "blocks.1.mlp_norm"),
    ),
    "the tanh form of GELU, seen at the call after it": (
        lambda: (transformer.TorchTransformer(), transformer.Transformer(rngs(), approximate=True), TOKENS),
        ("h.1.ffn.2", "blocks.1.down"),
    ),
    "a missing bias, seen at the call after it": (
        lambda: (transformer.TorchTransformer(), transformer.Transformer(rngs(), use_bias=False), TOKENS),
        ("h.1.ffn.2", "blocks.1.down"),
    ),
    "SAME padding with stride 2": (
        lambda: (resnet.TorchResNet(), resnet.ResNet(rngs(), same=True), IMAGES),
        ("layer2.conv1", "stages.1.conv_a"),
    ),
    "eps of a BatchNorm": (
        lambda: (resnet.TorchResNet(), resnet.ResNet(rngs(), eps=1e-3), IMAGES),
        ("layer2.bn2", "stages.1.norm_b"),
    ),
    "the backward direction left reversed": (
        lambda: (lstm_tagger.TorchTagger(), lstm_tagger.Tagger(rngs(), keep_order=False), WORDS),
        ("classifier", "tag"),
    ),
}


@pytest.mark.part(1)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_names_its_layer(fault: str) -> None:
    torch.manual_seed(0)
    make, (torch_path, jax_path) = FAULTS[fault]
    with pytest.raises(MappingError) as caught:
        parity.map_weights(*make())
    stop = caught.value.stop
    assert stop is not None
    assert stop.torch_path == torch_path
    assert stop.jax_path.startswith(f"{jax_path}.")
    mapped, total = caught.value.mapped
    assert 0 < mapped < total
    assert caught.value.torch_left
    assert caught.value.jax_left
    assert "stopped at" in str(caught.value)


class TorchConvolutions(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = torch.nn.Conv2d(4, 6, 3, padding=1, groups=2)
        self.up = torch.nn.ConvTranspose2d(6, 4, 2, stride=2)
        self.line = torch.nn.Conv1d(4, 3, 3)
        self.fc = torch.nn.Linear(3 * 2 * 7, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(self.up(torch.tanh(self.a(x))))  # (N, 4, 4, 4)
        x = torch.tanh(self.line(x.flatten(2)))  # (N, 3, 14)
        return self.fc(x.flatten(1))


class Convolutions(nnx.Module):
    """The same in NHWC: the flatten before the last layer has its channels last."""

    def __init__(self, rngs: nnx.Rngs, *, groups: int = 2) -> None:
        self.first = nnx.Conv(4, 6, (3, 3), padding=[(1, 1)] * 2, feature_group_count=groups, rngs=rngs)
        self.second = nnx.ConvTranspose(6, 4, (2, 2), 2, padding="VALID", transpose_kernel=True, rngs=rngs)
        self.third = nnx.Conv(4, 3, (3,), padding="VALID", rngs=rngs)
        self.last = nnx.Linear(3 * 2 * 7, 5, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = jnp.tanh(self.second(jnp.tanh(self.first(jnp.transpose(x, (0, 2, 3, 1))))))
        x = jnp.tanh(self.third(x.reshape(x.shape[0], 16, 4)))
        return self.last(x.reshape(x.shape[0], -1))


def test_grouped_and_transposed_convolutions_and_a_flatten_in_another_order() -> None:
    x = np.random.default_rng(0).standard_normal((3, 4, 2, 2))
    found = parity.map_weights(TorchConvolutions(), Convolutions(rngs()), x)
    lines = {rule.jax: str(rule.layout) for rule in found.rules}
    assert lines["first.kernel"] == "o i kh kw -> kh kw i o"
    assert lines["last.kernel"] == "o (ih id) -> (id ih) o"
    with pytest.raises(MappingError, match=r"first\.kernel"):
        parity.map_weights(TorchConvolutions(), Convolutions(rngs(), groups=1), x)


class SplitTorch(torch.nn.Module):
    """Query, key and value apart; a parameter of no layer, and two of the same shape that are used one way each."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (torch.nn.Linear(6, 6) for _ in range(3))
        self.cls = torch.nn.Parameter(torch.randn(1, 1, 6))
        self.temperature = torch.nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], dim=1)
        return torch.softmax(self.q(x) @ self.k(x).mT * self.temperature.exp(), dim=-1) @ self.v(x)


class FusedFlax(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.qkv = nnx.LinearGeneral(6, (3, 6), rngs=rngs)
        self.token = nnx.Param(jnp.zeros((6,)))
        self.log_scale = nnx.Param(jnp.zeros(()))

    def __call__(self, x: jax.Array) -> jax.Array:
        x = jnp.concatenate([jnp.broadcast_to(self.token[...], (len(x), 1, 6)), x], axis=1)
        q, k, v = jnp.moveaxis(self.qkv(x), 2, 0)
        return jax.nn.softmax(q @ k.mT * jnp.exp(self.log_scale[...])) @ v


def test_split_in_torch_and_fused_in_flax_with_parameters_of_no_layer() -> None:
    x = np.random.default_rng(0).standard_normal((2, 4, 6))
    found = parity.map_weights(SplitTorch(), FusedFlax(rngs()), x)
    lines = {rule.jax: rule.torch for rule in found.rules}
    assert lines["qkv.kernel[:,0]"] == "q.weight"
    assert lines["qkv.kernel[:,2]"] == "v.weight"
    assert lines["token"] == "cls"
    assert lines["log_scale"] == "temperature"


def test_torch_attention_with_its_projections_in_one_weight() -> None:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attend = torch.nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.attend(x, x, x, need_weights=False)[0]

    flax_model = nnx.MultiHeadAttention(2, 8, decode=False, rngs=rngs())
    found = parity.map_weights(Model(), flax_model, np.random.default_rng(0).standard_normal((2, 5, 8)))
    lines = {rule.jax: (rule.torch, str(rule.layout)) for rule in found.rules}
    assert lines["key.kernel"] == ("attend.in_proj_weight[8:16]", "(h d) i -> i h d")


def test_two_biases_that_are_one_in_flax_are_told_as_a_sum() -> None:
    model = lstm_tagger.TorchTagger()
    found = parity.map_weights(model, lstm_tagger.Tagger(rngs()), WORDS)
    (rule,) = [r for r in found.rules if r.jax == "forwards.cell.dense_h.bias"]
    assert (rule.torch, rule.plus) == ("lstm.bias_ih_l0", "lstm.bias_hh_l0")
    assert "sum" in rule.note
    state = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    bias = found.to_jax(state)["forwards"]["cell"]["dense_h"]["bias"]
    assert (bias == state["lstm.bias_ih_l0"] + state["lstm.bias_hh_l0"]).all()
    assert not found.to_torch(found.to_jax(state))["lstm.bias_hh_l0"].any()


def test_an_edited_map_is_proven_or_refused() -> None:
    model, flax_model = torch.nn.Linear(4, 4), nnx.Linear(4, 4, rngs=rngs())
    x = np.random.default_rng(0).standard_normal((3, 4))
    found = parity.map_weights(model, flax_model, x)
    assert parity.map_weights(model, flax_model, x, weights=found).proof == found.proof
    wrong = found.edited(Rule("weight", "kernel", Layout.parse("o i -> o i")))
    assert "not proven" in str(wrong)
    with pytest.raises(MappingError, match="could not be proven"):
        parity.map_weights(model, flax_model, x, weights=wrong)


def test_what_is_no_model_is_told() -> None:
    x = np.ones((2, 3))
    with pytest.raises(MappingError, match=r"wanted a torch\.nn\.Module"):
        parity.map_weights(lambda x: x, nnx.Linear(3, 2, rngs=rngs()), x)
    with pytest.raises(MappingError, match=r"wanted an nnx\.Module"):
        parity.map_weights(torch.nn.Linear(3, 2), lambda x: x, x)


def test_a_layer_of_another_width_is_told_with_both_shapes() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    wider = nnx.Sequential(nnx.Linear(3, 5, rngs=rngs()), nnx.relu, nnx.Linear(5, 2, rngs=rngs()))
    with pytest.raises(MappingError) as caught:
        parity.map_weights(model, wider, np.random.default_rng(0).standard_normal((2, 3)))
    assert "same input, and its weight has another size: 0.weight (4, 3), not layers.0.kernel (3, 5)" in str(
        caught.value
    )


def test_a_weight_that_torch_alone_has_is_an_error() -> None:
    class Extra(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = torch.nn.Linear(3, 2), torch.nn.Linear(3, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.used(x)

    with pytest.raises(MappingError) as caught:
        parity.map_weights(Extra(), nnx.Linear(3, 2, rngs=rngs()), np.random.default_rng(0).standard_normal((3, 3)))
    assert caught.value.torch_left == ("unused.weight", "unused.bias")


class TorchGRU(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.GroupNorm(2, 4)
        self.gru = torch.nn.GRU(4, 5, batch_first=True)
        self.scale = torch.nn.RMSNorm(5, eps=1e-6)
        self.slope = torch.nn.PReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.slope(self.scale(self.gru(self.norm(x.transpose(1, 2)).transpose(1, 2))[0]))


class LinenGRU(linen.Module):
    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = linen.RNN(linen.GRUCell(5))(linen.GroupNorm(num_groups=2, epsilon=1e-5)(x))
        return linen.PReLU()(linen.RMSNorm(epsilon=1e-6)(x))


def test_a_gru_whose_new_gate_keeps_its_second_bias(whole: bool) -> None:
    x = np.random.default_rng(0).standard_normal((3, 6, 4))
    port = initialised(LinenGRU(), x)
    found = parity.map_weights(TorchGRU(), port, x)
    if whole:  # both biases' gradients are compared, that of the part that is a sum and that of the part that is none
        report = parity.check(TorchGRU(), parity.JaxSide(port.module, port.variables), x)
        assert report, str(report)
        assert {"gru.bias_ih_l0", "gru.bias_hh_l0"} <= {f.torch_path for f in report.findings if f.stage == "gradient"}
    lines = {rule.jax: (rule.torch, rule.plus) for rule in found.rules}
    assert lines["params.GRUCell_0.hn.bias"] == ("gru.bias_hh_l0[10:15]", "")
    assert lines["params.GRUCell_0.ir.bias"] == ("gru.bias_ih_l0[0:5]", "gru.bias_hh_l0[0:5]")


class TorchTokens(torch.nn.Module):
    """A patch embedding, two tokens before its rows, a place added to each: the entry of a vision transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Conv2d(3, 8, 2, 2)
        self.cls_token, self.dist_token = (torch.nn.Parameter(torch.randn(1, 1, 8)) for _ in range(2))
        self.pos_embed = torch.nn.Parameter(torch.randn(1, 6, 8))
        self.norm, self.head = torch.nn.LayerNorm(8), torch.nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = (token.expand(len(x), -1, -1) for token in (self.cls_token, self.dist_token))
        rows = torch.cat([*tokens, self.embed(x).flatten(2).mT], 1)
        first, second, *_ = self.norm(rows + self.pos_embed).unbind(1)
        return self.head(first - 2.0 * second)  # their mean would be the same with the two exchanged


class FlaxTokens(nnx.Module):
    """The same in NHWC, with names that tell nothing."""

    def __init__(self) -> None:
        self.a, self.b = (nnx.Param(jnp.zeros((1, 1, 8))) for _ in range(2))
        self.c = nnx.Param(jnp.zeros((1, 6, 8)))
        self.d = nnx.Conv(3, 8, (2, 2), strides=2, rngs=rngs())
        self.e, self.f = nnx.LayerNorm(8, epsilon=1e-5, rngs=rngs()), nnx.Linear(8, 3, rngs=rngs())

    def __call__(self, x: jax.Array) -> jax.Array:
        rows = self.d(x.transpose(0, 2, 3, 1)).reshape(len(x), -1, 8)
        tokens = (jnp.broadcast_to(token[...], (len(x), 1, 8)) for token in (self.b, self.a))
        normed = self.e(jnp.concatenate([*tokens, rows], 1) + self.c[...])
        return self.f(normed[:, 0] - 2.0 * normed[:, 1])


def test_tokens_before_the_rows_of_a_sequence_are_mapped() -> None:
    torch.manual_seed(0)
    found = parity.map_weights(TorchTokens(), FlaxTokens(), np.random.default_rng(0).standard_normal((2, 3, 4, 4)))
    partners = {rule.jax: rule.torch for rule in found.rules}
    assert partners["b"] == "cls_token"
    assert (partners["a"], partners["c"], partners["d.bias"]) == ("dist_token", "pos_embed", "embed.bias")
    assert found.proof
