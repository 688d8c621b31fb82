"""The catalogue apart from layers: weights held in another way, losses and optimizers, each with a look-alike."""

import numpy as np
import optax
import pytest
import torch
from flax import linen, nnx
from planted import JaxTagger, Tagger, by_hand, tagger_map
from torch import nn
from torch.nn import functional as F

from parity.checking.causes import explain_held, explain_loss, explain_optimizer
from parity.checking.divergence import locate
from parity.checking.layers import flat

pytestmark = pytest.mark.part(2)


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm, self.b = nn.Linear(6, 6), nn.LayerNorm(6), nn.Linear(6, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.norm(self.a(x)))


class JaxPair(nnx.Module):
    def __init__(self) -> None:
        rngs = nnx.Rngs(0)
        self.one, self.ln = nnx.Linear(6, 6, rngs=rngs), nnx.LayerNorm(6, epsilon=1e-5, rngs=rngs)
        self.two = nnx.Linear(6, 6, rngs=rngs)

    def __call__(self, x: object) -> object:
        return self.two(self.ln(self.one(x)))


NAMES = {"a": "one", "norm": "ln", "b": "two"}


def damaged(fault: str, twin: JaxPair) -> None:
    """Put a fault into weights that are torch's."""
    one, two = twin.one.kernel.get_value(), twin.two.kernel.get_value()
    if fault == "transposed":
        twin.one.kernel.set_value(one.T)
    elif fault == "swapped":
        twin.one.kernel.set_value(two)
        twin.two.kernel.set_value(one)
    elif fault == "gates":
        twin.two.kernel.set_value(np.concatenate(np.split(np.asarray(two), 3, 1)[::-1], 1))
    elif fault == "flatten":
        twin.two.kernel.set_value(np.asarray(two).reshape(2, 3, 6).swapaxes(0, 1).reshape(6, 6))
    elif fault == "unset":
        twin.two.bias.set_value(np.zeros(6, np.float32))
    elif fault == "noise":
        twin.one.kernel.set_value(one.T + 1e-3)


@pytest.mark.parametrize(
    ("fault", "leaf", "cause"),
    [
        ("transposed", "a.weight", "the kernel is transposed"),
        ("swapped", "a.weight", "swapped: it holds what belongs to two.kernel"),
        ("gates", "b.weight", "in the order (2, 1, 0) along axis 1"),
        ("flatten", "b.weight", "axis 0 is flattened in the other order"),
        ("unset", "b.bias", "0 everywhere: never filled from torch"),
        ("noise", "a.weight", ""),
    ],
)
def test_a_weight_that_is_not_torchs_is_told_with_how_it_came_to_be(fault: str, leaf: str, cause: str):
    torch.manual_seed(0)
    model, twin = Pair(), JaxPair()
    weights = by_hand(model, twin, NAMES)
    nnx.update(twin, weights.to_jax(model.state_dict()))
    damaged(fault, twin)
    x = np.random.default_rng(0).normal(size=(3, 6))
    found = [f for f in locate(model, twin, weights, (x,), own_weights=True) if not f]
    assert (found[0].stage, found[0].torch_path) == ("weights", leaf)
    assert cause in found[0].cause
    assert bool(found[0].cause) == bool(cause)


def filled(change):
    """What is said of an LSTM's one bias in JAX that is changed so from the sum of torch's two."""
    torch.manual_seed(0)
    model, twin = Tagger(), JaxTagger()
    weights = tagger_map(model, twin)
    own = {n: t.detach().numpy() for n, t in model.named_parameters()}

    def leaves(**zero):
        named = {n: np.zeros_like(a) if n in zero.values() else a for n, a in own.items()}
        return flat(weights.to_jax(named))

    wanted, one, other = leaves(), leaves(second="rnn.bias_hh_l0"), leaves(first="rnn.bias_ih_l0")
    leaf = "scanned.cell.dense_h.bias"
    held = wanted | {leaf: change(one[leaf], other[leaf])}
    return explain_held(held, wanted, {leaf: "rnn.bias_ih_l0"}, [("the first", one), ("the second", other)])


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda one, other: one, "it is the first of torch's two biases alone: the second is to be added"),
        (lambda one, other: other, "it is the second of torch's two biases alone: the first is to be added"),
        (lambda one, other: one + 1e-3, ""),
        (lambda one, other: one + 2 * other, ""),
    ],
    ids=["the first", "the second", "another", "the second twice"],
)
@pytest.mark.part(4)
def test_one_of_two_biases_in_place_of_their_sum_is_told_as_that(change, cause):
    (found,) = filled(change)
    assert (found.stage, found.torch_path, bool(found.cause)) == ("weights", "rnn.bias_ih_l0", bool(cause))
    assert cause in found.cause
    assert not cause or "sum of both" in found.fix


def test_the_sum_of_two_biases_is_nothing_to_tell_of():
    assert filled(lambda one, other: one + other) == []


class LinenPair(linen.Module):
    eps: float = 1e-5

    @linen.compact
    def __call__(self, x: object) -> object:
        x = linen.Dense(6)(x)
        return linen.Dense(6)(linen.LayerNorm(epsilon=self.eps)(x))


@pytest.mark.parametrize("eps", [1e-5, 1e-3])
def test_the_layers_of_a_linen_module_are_judged_alike(eps: float):
    import jax

    torch.manual_seed(0)
    model, x = Pair(), np.random.default_rng(0).normal(size=(3, 6))
    variables = LinenPair(eps).init(jax.random.key(0), np.asarray(x, np.float32))
    names = {"a": "params.Dense_0", "norm": "params.LayerNorm_0", "b": "params.Dense_1"}
    found = locate(model, LinenPair(eps), by_hand(model, variables, names), (x,), variables=variables)
    different = [f for f in found if not f]
    assert len(found) - len(different) >= 4
    assert [f.jax_path for f in different][:1] == ([] if eps == 1e-5 else ["LayerNorm_0"])
    assert all("LayerNorm eps 0.001, torch has 1e-05" in f.cause for f in different)


LOGITS, CLASSES = np.random.default_rng(2).normal(size=(4, 3)), np.array([0, 2, -100, 1])
NUMBERS = np.random.default_rng(3).normal(size=(4, 3))


def rows(output: object, targets: object) -> object:
    return optax.softmax_cross_entropy_with_integer_labels(output, targets)


def valid(output: object, targets: object) -> object:
    return optax.losses.softmax_cross_entropy_with_integer_labels(output, targets.clip(0), where=None) * (targets >= 0)


@pytest.mark.parametrize(
    ("torch_loss", "jax_loss", "targets", "cause"),
    [
        (F.cross_entropy, lambda o, t: valid(o, t).sum(), CLASSES, "reduction sum, torch has mean"),
        (F.cross_entropy, lambda o, t: valid(o, t).mean(), CLASSES, "reduction mean over all rows, torch has mean"),
        (
            lambda o, t: F.cross_entropy(o, t, label_smoothing=0.1),
            lambda o, t: rows(o, t).mean(),
            np.array([0, 2, 1, 1]),
            "label_smoothing 0, torch has 0.1",
        ),
        (F.mse_loss, lambda o, t: optax.l2_loss(o, t).mean(), NUMBERS, "factor 0.5, torch has 1"),
        (F.mse_loss, lambda o, t: optax.squared_error(o, t).sum(), NUMBERS, "reduction sum, torch has mean"),
    ],
)
def test_a_loss_is_told_by_its_setting(torch_loss: object, jax_loss: object, targets: np.ndarray, cause: str):
    found = explain_loss(torch_loss, jax_loss, LOGITS, targets)
    assert found is not None
    assert cause in found[0]


def test_a_loss_that_agrees_or_differs_in_more_has_no_cause():
    assert explain_loss(F.mse_loss, lambda o, t: optax.squared_error(o, t).mean(), LOGITS, NUMBERS) is None
    assert explain_loss(F.mse_loss, lambda o, t: optax.squared_error(o, t).sum() + 1e-3, LOGITS, NUMBERS) is None


@pytest.mark.parametrize(
    ("factory", "transform", "clip", "cause"),
    [
        (lambda p: torch.optim.Adam(p, 0.1), optax.adam(0.1, eps=1e-3), None, "eps 0.001, torch has 1e-08"),
        (lambda p: torch.optim.AdamW(p, 0.1), optax.adamw(0.1), None, "weight_decay 0.0001, torch has 0.01"),
        (
            lambda p: torch.optim.Adam(p, 0.1, weight_decay=0.01),
            optax.adamw(0.1, weight_decay=0.01),
            None,
            "decoupled: taken from the weights, torch has coupled",
        ),
        (lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), optax.sgd(0.1), None, "momentum 0, torch has 0.9"),
        (
            lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
            optax.sgd(0.1, 0.9, nesterov=True),
            None,
            "nesterov True, torch has False",
        ),
        (
            lambda p: torch.optim.SGD(p, 0.1),
            optax.chain(optax.clip_by_global_norm(0.5), optax.sgd(0.1)),
            0.5,
            "torch by limit / (norm + 1e-6)",
        ),
        (lambda p: torch.optim.SGD(p, 0.1), optax.sgd(0.1), 0.5, "no clipping, torch clips"),
    ],
)
def test_an_optimizer_is_told_by_its_setting(factory: object, transform: object, clip: float | None, cause: str):
    found = explain_optimizer(factory, transform, clip=clip)
    assert found is not None
    assert cause in found[0]


def test_an_optimizer_that_agrees_or_differs_in_more_has_no_cause():
    assert explain_optimizer(lambda p: torch.optim.Adam(p, 0.1), optax.adam(0.1)) is None
    assert explain_optimizer(lambda p: torch.optim.Adam(p, 0.1), optax.adam(0.13, b1=0.8)) is None
