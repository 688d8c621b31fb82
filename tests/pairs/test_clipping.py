"""Gradient clipping beside torch.nn.utils, and on each side alone."""

import math

import numpy as np
import optax
import pytest
import torch

from parity.sides import jax_backend

pytestmark = pytest.mark.part(1)

UNIT = {"float64": 2.0**-53, "float32": 2.0**-24}
SHAPES = {"weight": (7, 5), "bias": (5,), "scale": ()}
NORMS = (2.0, 1.0, 3.5, 0.5, math.inf, -math.inf, 0.0, -1.0)


def drawn(dtype="float64", size=1.0):
    rng = np.random.default_rng(0)
    return {name: (size * rng.normal(size=shape)).astype(dtype) for name, shape in SHAPES.items()} | {"unused": None}


def arrays(pair, gradients):
    return {name: None if g is None else pair.array(g) for name, g in gradients.items()}


def numpy(pair, gradients):
    return {name: None if g is None else pair.numpy(g) for name, g in gradients.items()}


def theirs(gradients, clip):
    """What torch's own function leaves in .grad, and what it returns."""
    params = {}
    for name, gradient in gradients.items():
        params[name] = torch.zeros(() if gradient is None else gradient.shape, requires_grad=True)
        if gradient is not None:
            params[name] = torch.zeros(gradient.shape, dtype=torch.tensor(gradient).dtype, requires_grad=True)
            params[name].grad = torch.tensor(gradient)
    returned = clip(list(params.values()))
    return {name: None if p.grad is None else p.grad.numpy() for name, p in params.items()}, returned


def roundings(wanted, found, dtype):
    """The largest difference in units of the last place of what is wanted; NaN and infinity must be where they were."""
    worst = 0.0
    for name, want in wanted.items():
        got = found[name]
        if want is None:
            assert got is None
            continue
        assert got.dtype == want.dtype == np.dtype(dtype)
        assert np.array_equal(np.isnan(want), np.isnan(got))
        assert np.array_equal(np.isinf(want), np.isinf(got))
        finite = np.isfinite(want) & (want != 0)
        assert np.array_equal(want == 0, got == 0)
        if finite.any():
            ratio = np.abs(got[finite].astype(float) - want[finite]) / np.abs(want[finite])
            worst = max(worst, float(np.max(ratio)) / UNIT[dtype])
    return worst


# A sum of 41 terms in another order, a root and a power, a quotient and a product: 41 roundings at the worst and few
# besides; a norm of order 1/2 squares that sum.
ROUNDINGS = 100


@pytest.mark.part(4)
@pytest.mark.parametrize("dtype", UNIT)
@pytest.mark.parametrize("norm_type", NORMS)
@pytest.mark.parametrize("max_norm", [0.5, 1e4])
def test_clipping_by_norm_is_torch_s(pair, norm_type, max_norm, dtype):
    gradients = drawn(dtype)
    wanted, norm = theirs(gradients, lambda params: torch.nn.utils.clip_grad_norm_(params, max_norm, norm_type))
    found, ours = pair.module("clipping").clip_grad_norm(arrays(pair, gradients), max_norm, norm_type)
    assert roundings(wanted, numpy(pair, found), dtype) <= ROUNDINGS
    assert roundings({"norm": norm.numpy()}, {"norm": pair.numpy(ours)}, dtype) <= ROUNDINGS


@pytest.mark.parametrize("norm_type", NORMS)
def test_the_total_norm_is_torch_s(pair, norm_type):
    gradients = drawn()
    tensors = [torch.tensor(g) for g in gradients.values() if g is not None]
    wanted = torch.nn.utils.get_total_norm(tensors, norm_type)
    found = pair.module("clipping").get_total_norm(arrays(pair, gradients), norm_type)
    assert roundings({"norm": wanted.numpy()}, {"norm": pair.numpy(found)}, "float64") <= ROUNDINGS


@pytest.mark.parametrize("size", [1e-12, 0.03, 1.0])
def test_a_known_norm_is_used_as_it_is(pair, size):
    gradients = drawn(size=size)

    def clip(params):
        torch.nn.utils.clip_grads_with_norm_(params, 0.25, torch.tensor(3.0 * size, dtype=torch.float64))

    wanted, _ = theirs(gradients, clip)
    found = pair.module("clipping").clip_grads_with_norm(arrays(pair, gradients), 0.25, pair.array(3.0 * size))
    assert roundings(wanted, numpy(pair, found), "float64") <= 8  # a sum, a quotient, a product


def test_a_norm_at_the_bound_shrinks_by_torch_s_millionth(pair):
    clipped, _ = pair.module("clipping").clip_grad_norm({"w": pair.array([0.6, 0.8])}, 1.0)
    assert np.linalg.norm(pair.numpy(clipped["w"])) == pytest.approx(1 / (1 + 1e-6), rel=8 * UNIT["float64"])


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_what_is_not_finite_spreads_as_in_torch(pair, bad):
    gradients = drawn()
    gradients["bias"][2] = bad
    wanted, _ = theirs(gradients, lambda params: torch.nn.utils.clip_grad_norm_(params, 1.0))
    found, norm = pair.module("clipping").clip_grad_norm(arrays(pair, gradients), 1.0)
    assert roundings(wanted, numpy(pair, found), "float64") == 0
    assert not np.isfinite(pair.numpy(norm))
    wanted, _ = theirs(gradients, lambda params: torch.nn.utils.clip_grad_value_(params, 0.5))
    found = pair.module("clipping").clip_grad_value(arrays(pair, gradients), 0.5)
    assert roundings(wanted, numpy(pair, found), "float64") == 0


@pytest.mark.parametrize("clip_value", [0.5, 1e3, 0.0])
def test_clipping_by_value_is_torch_s_bit_for_bit(pair, clip_value):
    gradients = drawn()
    wanted, _ = theirs(gradients, lambda params: torch.nn.utils.clip_grad_value_(params, clip_value))
    found = pair.module("clipping").clip_grad_value(arrays(pair, gradients), clip_value)
    assert roundings(wanted, numpy(pair, found), "float64") == 0


def test_without_gradients_the_norm_is_zero(pair):
    clipping = pair.module("clipping")
    assert float(clipping.get_total_norm({})) == 0
    clipped, norm = clipping.clip_grad_norm({"unused": None}, 1.0)
    assert (clipped, float(norm)) == ({"unused": None}, 0.0)


def test_bfloat16_adds_up_in_float32(pair):
    """A thousand ones: added up in bfloat16 the squares would stop at 256."""
    if pair.name == "torch":
        tensor = torch.ones(1000, dtype=torch.bfloat16)
    else:
        tensor = pair.array(np.ones(1000)).astype("bfloat16")
    norm = pair.module("clipping").get_total_norm({"w": tensor})
    assert norm.dtype == tensor.dtype
    assert float(norm) == float(torch.tensor(1000.0).sqrt().to(torch.bfloat16))


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_norm_that_is_not_finite_is_an_error_where_that_is_asked_for(pair, bad):
    clipping, gradients = pair.module("clipping"), {"w": pair.array([1.0, bad])}
    with pytest.raises(RuntimeError, match=rf"norm of order 2.0 is {bad}, .* leave error_if_nonfinite out"):
        clipping.clip_grad_norm(gradients, 1.0, error_if_nonfinite=True)
    finite, _ = clipping.clip_grad_norm({"w": pair.array([3.0])}, 1.0, error_if_nonfinite=True)
    assert 0.999 < float(finite["w"][0]) < 1


def test_compiled_code_which_cannot_raise_refuses_to_be_asked_to():
    jax = jax_backend.start()
    from jax_impl.clipping import clip_grad_norm

    compiled = jax.jit(lambda g: clip_grad_norm(g, 1.0, error_if_nonfinite=True))
    with pytest.raises(ValueError, match=r"cannot raise inside jax\.jit; leave it out"):
        compiled({"w": jax.numpy.ones(3)})


def test_it_chains_in_optax():
    jax = jax_backend.start()
    from jax_impl.clipping import clip_grad_norm

    clip = optax.stateless(lambda gradients, params: clip_grad_norm(gradients, 1.0)[0])
    optimizer = optax.chain(clip, optax.sgd(1.0))
    gradients = {"w": jax.numpy.asarray([3.0, 4.0])}
    updates, _ = jax.jit(optimizer.update)(gradients, optimizer.init(gradients), gradients)
    assert np.allclose(updates["w"], [-0.6, -0.8], rtol=1e-6, atol=0)  # torch's 1e-6 in 5 is 2e-7


FAULTS = {
    "no 1e-6": lambda g, norm: {n: x * min(1.0, 0.5 / norm) for n, x in g.items()},
    "optax": lambda g, norm: {
        n: np.asarray(x) for n, x in optax.clip_by_global_norm(0.5).update(g, optax.EmptyState())[0].items()
    },
    "each its own norm": lambda g, norm: {n: x * min(1.0, 0.5 / (np.linalg.norm(x) + 1e-6)) for n, x in g.items()},
    "1e-6 inside the root": lambda g, norm: {n: x * min(1.0, 0.5 / np.sqrt(norm**2 + 1e-6)) for n, x in g.items()},
    "1e-8": lambda g, norm: {n: x * min(1.0, 0.5 / (norm + 1e-8)) for n, x in g.items()},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_another_rule_is_told_apart(fault):
    gradients = {name: g for name, g in drawn().items() if g is not None}
    wanted, norm = theirs(gradients, lambda params: torch.nn.utils.clip_grad_norm_(params, 0.5))
    jax = jax_backend.start()
    with jax.enable_x64(True):
        found = FAULTS[fault](gradients, float(norm))
    assert roundings(wanted, {name: np.asarray(g) for name, g in found.items()}, "float64") > 1e4 * ROUNDINGS
