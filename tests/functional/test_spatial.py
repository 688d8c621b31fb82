"""Convolution, pooling, padding, folding, resizing and sampling against torch.nn.functional, by the verdict rule.

Many calls share one check, as outputs of one function: one program on each side, and a failure names the output.
"""

import warnings

import jax
import numpy as np
import pytest
import torch
from functional.spatial import IMAGE, TABLE, TIES

import jax_impl.functional as jax_functional
import parity
from parity.sides import jax_backend


def everything(functional, cases):
    """All cases as one function of the inputs, with an output for each."""
    return lambda *inputs: {name: call(functional, *inputs) for name, call in cases.items()}


@pytest.mark.part(4)
@pytest.mark.parametrize("name", TABLE)
def test_every_function_gives_torch_s_values_indices_and_gradients(name):
    inputs, cases = TABLE[name]
    report = parity.check(everything(torch.nn.functional, cases), everything(jax_functional, cases), *inputs)
    assert report, report


NO_BFLOAT16 = {
    "average pooling": ("3d",),
    "linear": ("antialias",),
    "power-average pooling": ("3d",),
}
"""Calls for which torch has no bfloat16 kernel on the processor, by group."""


def lacks_bfloat16(call, inputs):
    try:
        call(torch.nn.functional, *(torch.tensor(x).bfloat16() for x in inputs))
    except (NotImplementedError, RuntimeError) as error:
        return "not implemented for" in str(error)
    return False


@pytest.mark.part(1)
@pytest.mark.parametrize("name", ["average pooling", "linear", "power-average pooling", "padding", "max pooling"])
def test_what_torch_has_at_bfloat16_is_the_same_there(name):
    inputs, cases = TABLE[name]
    lacking = [case for case, call in cases.items() if lacks_bfloat16(call, inputs)]
    assert lacking == list(NO_BFLOAT16.get(name, ()))
    kept = {case: call for case, call in cases.items() if case not in lacking}
    sides = (everything(F, kept) for F in (torch.nn.functional, jax_functional))
    report = parity.check(*sides, *inputs, dtypes=("bfloat16",))
    assert report, report


def last_of_ties(x):
    turned = jax_functional.max_pool2d(x[..., ::-1, ::-1], 2)
    return turned[..., ::-1, ::-1]


def test_a_gradient_at_the_last_of_ties_is_told():
    x = TIES[..., :8]
    assert parity.check(lambda x: torch.nn.functional.max_pool2d(x, 2), lambda x: jax_functional.max_pool2d(x, 2), x)
    assert not parity.check(lambda x: torch.nn.functional.max_pool2d(x, 2), last_of_ties, x)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_no_function_leaks_another_dtype_where_x64_is_enabled(dtype):
    with jax_backend.start().enable_x64(True):
        for name, (inputs, cases) in TABLE.items():
            given = [jax.ShapeDtypeStruct(x.shape, dtype) for x in inputs]
            found = jax.eval_shape(everything(jax_functional, cases), *given)
            kinds = {leaf.dtype.name for leaf in jax.tree.leaves(found)}
            assert kinds <= {dtype, "int64"}, (name, kinds)


def test_functions_map_over_a_further_axis():
    x = np.stack([IMAGE, IMAGE[::-1]]).astype(np.float32)
    for call in (
        lambda x: jax_functional.max_pool2d(x, 3, 2, return_indices=True)[1],
        lambda x: jax_functional.interpolate(x, 5, mode="bicubic"),
        lambda x: jax_functional.fold(jax_functional.unfold(x, 3), (9, 8), 3),
    ):
        mapped, single = jax.jit(jax.vmap(call))(x), jax.jit(call)
        for i in range(2):
            np.testing.assert_allclose(
                mapped[i], single(x[i]), rtol=1e-5, atol=1e-5
            )  # the same operations, fused otherwise


def test_fractional_pooling_draws_its_windows_uniformly():
    x = np.tile(np.arange(9.0, dtype=np.float32), (1, 4000, 1, 1))
    _, index = jax_functional.fractional_max_pool2d(x, (1, 2), (1, 4), return_indices=True, key=jax.random.key(0))
    u = np.random.default_rng(1).uniform(size=(1, 4000, 2)).astype(np.float32)
    _, wanted = torch.nn.functional.fractional_max_pool2d(
        torch.tensor(x), (1, 2), (1, 4), return_indices=True, _random_samples=torch.tensor(u)
    )
    for window in range(4):
        found, expected = (np.bincount(np.asarray(i)[0, :, 0, window], minlength=9) for i in (index, wanted))
        # counts of 4000 draws have a standard deviation of 32 at most, their difference of 45: four of them
        assert np.abs(found - expected).max() < 180, (window, found, expected)


WRONG = {
    "conv2d": [
        lambda F, a: F.conv2d(a(2, 3, 8, 8), a(4, 2, 3, 3)),
        lambda F, a: F.conv2d(a(2, 3, 8, 8), a(4, 3, 3, 3), a(5)),
        lambda F, a: F.conv2d(a(2, 3, 8, 8), a(4, 3, 9, 9)),
        lambda F, a: F.conv2d(a(2, 3, 8, 8), a(4, 3, 3, 3), None, 0),
        lambda F, a: F.conv2d(a(2, 3, 8, 8), a(4, 3, 3, 3), None, 1, -1),
        lambda F, a: F.conv2d(a(2, 3, 8, 8), a(4, 3, 3, 3), None, 1, 0, 0),
        lambda F, a: F.conv2d(a(2, 3, 8, 8), a(4, 3, 3, 3), None, 2, "same"),
        lambda F, a: F.conv2d(a(2, 3, 8, 8), a(4, 3, 3, 3), None, 1, "full"),
        lambda F, a: F.conv2d(a(2, 4, 8, 8), a(3, 2, 3, 3), None, 1, 0, 1, 2),
        lambda F, a: F.conv2d(a(2, 3, 8, 8), a(4, 3, 3, 3), None, (1, 2, 3)),
        lambda F, a: F.conv2d(a(8, 8), a(4, 3, 3, 3)),
        lambda F, a: F.conv_transpose1d(a(2, 4, 8), a(3, 2, 3)),
        lambda F, a: F.conv_transpose1d(a(2, 4, 8), a(4, 2, 3), None, 2, 0, 2),
    ],
    "pooling": [
        lambda F, a: F.max_pool2d(a(2, 3, 8, 8), 3, 1, 2),
        lambda F, a: F.max_pool2d(a(2, 3, 8, 8), 0),
        lambda F, a: F.max_pool2d(a(8, 8), 2),
        lambda F, a: F.max_pool2d(a(2, 3, 8, 8), (2, 2, 2)),
        lambda F, a: F.max_pool1d(a(2, 3, 2), 3),
        lambda F, a: F.avg_pool2d(a(2, 3, 8, 8), 2, divisor_override=0),
        lambda F, a: F.avg_pool3d(a(2, 3, 8, 8, 8), 3, 1, 2),
        lambda F, a: F.adaptive_avg_pool2d(a(2, 3, 8, 8), (2, 2, 2)),
        lambda F, a: F.adaptive_max_pool2d(a(2, 3, 0, 8), 2),
        lambda F, a: F.fractional_max_pool2d(a(2, 3, 8, 8), 2),
        lambda F, a: F.fractional_max_pool2d(a(2, 3, 8, 8), 2, 8, _random_samples=a(2, 3, 2)),
        lambda F, a: F.max_unpool2d(a(2, 3, 4, 4), a(2, 3, 4, 4) == 1, 2),
    ],
    "padding and folding": [
        lambda F, a: F.pad(a(2, 3, 4), (1, 2, 3)),
        lambda F, a: F.pad(a(2, 3, 4), (4, 0), "reflect"),
        lambda F, a: F.pad(a(2, 3, 4), (5, 0), "circular"),
        lambda F, a: F.pad(a(2, 3, 4), (-3, -3)),
        lambda F, a: F.pad(a(2, 3, 4), (1, 1), "mirror"),
        lambda F, a: F.pad(a(2, 3, 4), (1, 1), "reflect", 1.0),
        lambda F, a: F.pad(a(2), (1, 1), "replicate"),
        lambda F, a: F.unfold(a(2, 3, 4, 4), 5),
        lambda F, a: F.unfold(a(1, 2, 3, 4, 4), 2),
        lambda F, a: F.fold(a(2, 12, 19), (5, 6), 2),
        lambda F, a: F.pixel_shuffle(a(3, 4, 4), 2),
        lambda F, a: F.pixel_unshuffle(a(3, 5, 4), 2),
        lambda F, a: F.channel_shuffle(a(2, 3, 4), 2),
    ],
    "resizing and sampling": [
        lambda F, a: F.interpolate(a(2, 3, 4)),
        lambda F, a: F.interpolate(a(2, 3, 4), 2, 2.0),
        lambda F, a: F.interpolate(a(2, 3, 4), 2.5),
        lambda F, a: F.interpolate(a(2, 3, 4), (2, 2)),
        lambda F, a: F.interpolate(a(2, 3, 4), 2, mode="bilinear"),
        lambda F, a: F.interpolate(a(2, 3, 4), 2, mode="nearest", align_corners=True),
        lambda F, a: F.interpolate(a(2, 3, 4), 2, mode="linear", antialias=True),
        lambda F, a: F.interpolate(a(2, 3, 4), 0, mode="linear"),
        lambda F, a: F.interpolate(a(2, 3, 4), 2, mode="cubic"),
        lambda F, a: F.interpolate(a(2, 3, 4), 2, recompute_scale_factor=True),
        lambda F, a: F.grid_sample(a(2, 3, 4, 4), a(2, 2, 2, 2), "cubic", align_corners=True),
        lambda F, a: F.grid_sample(a(2, 3, 4, 4), a(2, 2, 2, 2), padding_mode="wrap", align_corners=True),
        lambda F, a: F.grid_sample(a(2, 3, 4, 4), a(1, 2, 2, 2), align_corners=True),
        lambda F, a: F.affine_grid(a(2, 3, 3), (2, 3, 4, 4), align_corners=True),
        lambda F, a: F.affine_grid(a(2, 2, 3), (2, 3, 4), align_corners=True),
    ],
}


def refusal(call):
    try:
        call()
    except Exception as error:
        return type(error)
    return None


@pytest.mark.parametrize("name", WRONG)
def test_what_torch_refuses_is_refused_with_the_same_exception(name):
    for number, call in enumerate(WRONG[name]):
        with warnings.catch_warnings(action="ignore"):
            wanted = refusal(lambda: call(torch.nn.functional, torch.ones))  # noqa: B023
        found = refusal(lambda: call(jax_functional, lambda *shape: jax.numpy.ones(shape)))  # noqa: B023
        assert wanted is not None, (name, number)
        assert found is wanted, (name, number)
