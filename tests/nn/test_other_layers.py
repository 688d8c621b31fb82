"""Layers that torch's table of modules has no samples of, and what layers do beside their forward pass."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from flax import nnx
from torch.nn.utils import parametrizations

import jax_impl.nn as J
import parity
from jax_impl.nn.normalization import cross_map

X = np.random.default_rng(0).normal(size=(6, 8))
CLASSES = np.array([0, 7, 3, 2, 9, 11])


def pairs():
    """Name -> (torch's layer, ours, call), ours with torch's state."""
    rngs = nnx.Rngs(0)
    made = {
        "Hardsigmoid": (torch.nn.Hardsigmoid(), J.Hardsigmoid(), lambda m, x, c: m(x).round()),
        "RReLU": (torch.nn.RReLU().eval(), J.RReLU().eval(), lambda m, x, c: m(x)),
        "CosineSimilarity": (torch.nn.CosineSimilarity(), J.CosineSimilarity(), lambda m, x, c: m(x, x[::1] * x)),
        "PairwiseDistance": (torch.nn.PairwiseDistance(), J.PairwiseDistance(), lambda m, x, c: m(x, x * x)),
        "TripletMarginLoss": (torch.nn.TripletMarginLoss(), J.TripletMarginLoss(), lambda m, x, c: m(x, x * x, x + 1)),
        "TripletMarginWithDistanceLoss": (
            torch.nn.TripletMarginWithDistanceLoss(swap=True),
            J.TripletMarginWithDistanceLoss(swap=True),
            lambda m, x, c: m(x, x * x, x + 1),
        ),
        "EmbeddingBag": (
            torch.nn.EmbeddingBag(12, 3, padding_idx=2),
            J.EmbeddingBag(12, 3, padding_idx=2, rngs=rngs),
            lambda m, x, c: m(c.reshape(2, 3)),
        ),
        "AdaptiveLogSoftmaxWithLoss": (
            torch.nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 8], 2.0, True),
            J.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 8], 2.0, True, rngs=rngs),
            lambda m, x, c: (*m(x, c), m.log_prob(x)),
        ),
        "CrossMapLRN2d": (
            torch.nn.CrossMapLRN2d(3, 0.5),
            J.CrossMapLRN2d(3, 0.5),
            lambda m, x, c: m(x.reshape(2, 6, 2, 2)),
        ),
        "CrossMapLRN2d, even": (
            torch.nn.CrossMapLRN2d(4, 2.0, 0.6, 2),
            J.CrossMapLRN2d(4, 2.0, 0.6, 2),
            lambda m, x, c: m(x.reshape(2, 6, 2, 2)),
        ),
        "weight_norm": (
            parametrizations.weight_norm(torch.nn.Linear(8, 3)),
            J.weight_norm(J.Linear(8, 3, rngs=rngs)),
            lambda m, x, c: m(x),
        ),
        "weight_norm, dim": (
            parametrizations.weight_norm(torch.nn.Linear(8, 3), dim=1),
            J.weight_norm(J.Linear(8, 3, rngs=rngs), dim=1),
            lambda m, x, c: m(x),
        ),
        "spectral_norm": (
            parametrizations.spectral_norm(torch.nn.Linear(8, 3)).eval(),
            J.spectral_norm(J.Linear(8, 3, rngs=rngs), rngs=rngs).eval(),
            lambda m, x, c: m(x),
        ),
    }
    for theirs, ours, _ in made.values():
        assert list(theirs.state_dict()) == list(ours.state_dict())
        ours.load_state_dict(theirs.state_dict())
    return made


def test_layers_without_samples_agree_with_torch_s():
    made = pairs()
    state = {name: {k: v.numpy() for k, v in m.state_dict().items()} for name, (m, _, _) in made.items()}

    def torch_side(state, x, c):
        outputs = {}
        for name, (theirs, _, call) in made.items():
            outputs[name] = torch.func.functional_call(_Called(theirs, call), _below(state[name]), (x, c))
        return outputs

    def jax_side(state, x, c):
        outputs = {}
        for name, (_, ours, call) in made.items():
            module = nnx.clone(ours)
            held = dict(module.named_parameters()) | dict(module.named_buffers())
            for key, value in state[name].items():
                held[key].set_value(value)
            output = call(module, x, c)
            outputs[name] = tuple(output) if isinstance(output, tuple) else output
        return outputs

    report = parity.check(torch_side, jax_side, state, X, CLASSES)
    assert report, str(report)


class _Called(torch.nn.Module):
    """A module whose forward pass is a given call of another."""

    def __init__(self, module, call):
        super().__init__()
        self.module, self.call = module, call

    def forward(self, *inputs):
        return self.call(self.module, *inputs)


def _below(state):
    return {f"module.{name}": value for name, value in state.items()}


def test_the_true_gradient_of_torch_s_older_normalization_is_not_torch_s_and_told(monkeypatch):
    monkeypatch.setattr(cross_map, "_normalized", cross_map._normalized.fun)
    theirs, ours = torch.nn.CrossMapLRN2d(3, 0.5), J.CrossMapLRN2d(3, 0.5)
    report = parity.check(theirs, ours, X.reshape(2, 6, 2, 2))
    assert [f.stage for f in report.findings if f.verdict is parity.Verdict.SEMANTIC] == ["gradient"]
    assert not [f for f in report.findings if not f and f.stage == "forward"]


def test_torch_s_older_normalization_has_no_gradient_over_one_channel_and_takes_images_alone():
    layer, x = torch.nn.CrossMapLRN2d(1), torch.ones(1, 2, 1, 1, requires_grad=True)
    with pytest.raises(RuntimeError):
        layer(x).sum().backward()
    with pytest.raises(ValueError, match="4D"):
        layer(x[0])
    layer, x = J.CrossMapLRN2d(1), jnp.ones((1, 2, 1, 1))
    assert layer(x).shape == x.shape
    with pytest.raises(RuntimeError, match="size is 1"):
        jax.grad(lambda x: layer(x).sum())(x)
    with pytest.raises(ValueError, match="4D"):
        layer(x[0])


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("kind", ["BatchNorm", "InstanceNorm"])
def test_a_lazy_norm_is_made_by_its_first_input_and_is_the_plain_one_then(kind, axes):
    x = jnp.asarray(X, jnp.float32).reshape(2, 3, *(1,) * (axes - 1), 8)
    layer = getattr(J, f"Lazy{kind}{axes}d")()
    assert layer.has_uninitialized_params()
    plain = getattr(J, f"{kind}{axes}d")(3, affine=True, track_running_stats=True)
    assert list(layer.state_dict()) == list(plain.state_dict())
    assert jnp.array_equal(layer(x), plain(x))
    assert not layer.has_uninitialized_params()
    assert all(jnp.array_equal(value, plain.state_dict()[name]) for name, value in layer.state_dict().items())
    loaded = getattr(J, f"Lazy{kind}{axes}d")()
    loaded.load_state_dict(plain.state_dict())
    assert jnp.array_equal(loaded.eval()(x), plain.eval()(x))
    with pytest.raises(ValueError):
        getattr(J, f"Lazy{kind}{axes}d")()(x[0, 0, 0])


def test_reprs_are_torch_s():
    for theirs, ours, _ in pairs().values():
        if not hasattr(theirs, "parametrizations"):
            assert repr(ours) == repr(theirs)
    for name in "ReLU Hardtanh LeakyReLU ELU Softplus GELU GLU Softmax CrossEntropyLoss Dropout Dropout2d".split():
        assert repr(getattr(J, name)()) == repr(getattr(torch.nn, name)())
    for name, arguments in {
        "BatchNorm2d": (3,),
        "LayerNorm": (3,),
        "GroupNorm": (2, 4),
        "InstanceNorm1d": (3,),
    }.items():
        assert repr(getattr(J, name)(*arguments)) == repr(getattr(torch.nn, name)(*arguments))


def test_max_norm_cuts_the_rows_of_the_table_that_are_looked_up():
    theirs, ours = torch.nn.Embedding(12, 3, max_norm=0.5), J.Embedding(12, 3, max_norm=0.5, rngs=nnx.Rngs(0))
    ours.load_state_dict(theirs.state_dict())
    theirs(torch.tensor(CLASSES)).sum().backward()
    gradient = nnx.grad(lambda layer: layer(jnp.asarray(CLASSES)).sum())(ours)
    np.testing.assert_array_max_ulp(np.asarray(ours.weight[...]), theirs.weight.detach().numpy(), 2)
    np.testing.assert_array_equal(np.asarray(gradient["weight"][...]), theirs.weight.grad.numpy())


def test_a_frozen_table_is_state_and_no_parameter():
    layer = J.Embedding.from_pretrained(jnp.eye(3))
    assert list(layer.state_dict()) == ["weight"]
    assert not list(layer.parameters())
    assert list(J.EmbeddingBag.from_pretrained(jnp.eye(3), freeze=False).parameters())
    with pytest.raises(AssertionError, match="padding_idx"):
        J.Embedding(3, 2, padding_idx=3, rngs=nnx.Rngs(0))


def test_predictions_of_the_adaptive_softmax_are_torch_s():
    theirs, ours, _ = pairs()["AdaptiveLogSoftmaxWithLoss"]
    x = 10 * X.astype("float32")
    assert ours.predict(jnp.asarray(x)).tolist() == theirs.predict(torch.tensor(x)).tolist()


def test_spectral_norm_in_training_moves_its_vectors_as_torch_s_does():
    theirs, ours, _ = pairs()["spectral_norm"]
    x = X.astype("float32")
    for _ in range(3):
        theirs.train()(torch.tensor(x)), ours.train()(jnp.asarray(x))
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name], value.numpy(), rtol=0, atol=2**-20, err_msg=name)
    weight = np.asarray(J.remove_parametrizations(ours.eval(), "weight").weight[...])
    assert type(ours) is J.Linear
    assert abs(np.linalg.norm(weight, 2) - 1) < 0.1  # four steps of the power method after fifteen


def test_sync_batch_norm_normalizes_over_a_mapped_axis_as_over_the_whole_batch():
    x = jnp.asarray(np.random.default_rng(1).normal(size=(2, 3, 4, 5)), jnp.float32)  # two devices, three examples each
    whole, parts = J.BatchNorm1d(4), J.SyncBatchNorm(4, process_group="devices")
    y = whole(x.reshape(6, 4, 5))
    graph, state = nnx.split(parts)

    def one(x):
        module = nnx.merge(graph, state, copy=True)
        return module(x), module.state_dict()

    z, after = jax.vmap(one, axis_name="devices", out_axes=(0, None))(x)
    np.testing.assert_allclose(z.reshape(6, 4, 5), y, rtol=0, atol=2**-20)
    for name, value in whole.state_dict().items():
        np.testing.assert_allclose(after[name], value, rtol=0, atol=2**-20, err_msg=name)


def test_layers_train_under_nnx_with_dropout_and_batch_statistics():
    class Net(J.Module):
        def __init__(self, rngs):
            super().__init__()
            self.norm, self.drop, self.prelu = J.BatchNorm1d(8), J.Dropout(0.5, rngs=rngs), J.PReLU()
            self.loss = J.LinearCrossEntropyLoss(8, 12, rngs=rngs)

        def __call__(self, x, c):
            return self.loss(self.drop(self.prelu(self.norm(x))), c)

    net = Net(nnx.Rngs(0))
    optimizer = nnx.Optimizer(net, optax.sgd(0.1), wrt=nnx.Param)

    @nnx.jit
    def step(net, optimizer):
        loss, gradients = nnx.value_and_grad(lambda net: net(jnp.asarray(X, jnp.float32), jnp.asarray(CLASSES)))(net)
        optimizer.update(net, gradients)
        return loss

    losses = [float(step(net, optimizer)) for _ in range(3)]
    assert len(set(losses)) == 3
    assert int(net.norm.num_batches_tracked[...]) == 3
    abstract = nnx.eval_shape(lambda: Net(nnx.Rngs(0)))
    assert {n: v.shape for n, v in abstract.named_parameters()} == {n: v.shape for n, v in net.named_parameters()}
    with pytest.raises(ValueError, match="key"):
        J.Dropout()(jnp.ones(3))
    assert jnp.array_equal(J.Dropout().eval()(jnp.ones(3)), jnp.ones(3))


def test_the_older_flags_of_a_loss_still_mean_what_they_meant():
    for flags in ({"size_average": False}, {"reduce": False}, {"size_average": True}):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert J.L1Loss(**flags).reduction == torch.nn.L1Loss(**flags).reduction
