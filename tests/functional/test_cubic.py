"""The weights of neighbours in resized images and in samples: torch's, and as near to the exact ones as torch's are."""

import numpy as np
import pytest
import torch
from functional.spatial import TABLE
from numpy.random import default_rng

import jax_impl.functional as jax_functional
from jax_impl.functional import resizing, sampling
from parity.sides import jax_backend


@pytest.mark.parametrize(("mode", "units"), [("linear", 0), ("bicubic", 2)])
@pytest.mark.parametrize("align_corners", [False, True])
def test_the_weights_of_neighbours_are_torch_s_to_the_last_digits(mode, units, align_corners):
    """An image of zeros and a one shows them; each is a difference of numbers about one, rounded as such."""
    for dtype in ("float32", "float64"):
        ones = np.eye(9, dtype=dtype).reshape(9, 1, *((1,) if mode == "bicubic" else ()), 9)
        size = (1, 22) if mode == "bicubic" else 22
        wanted = torch.nn.functional.interpolate(torch.tensor(ones), size, mode=mode, align_corners=align_corners)
        with jax_backend.start().enable_x64(True):
            found = jax_functional.interpolate(ones, size, mode=mode, align_corners=align_corners)
        assert np.abs(np.asarray(found) - wanted.numpy()).max() <= units * np.finfo(dtype).eps


def cubic_weights(size):
    """The weights of 9 elements in each of `size` new ones, in longer floats: what both sides round."""
    wide, scale = np.longdouble, np.longdouble(9) / size
    at = scale * (np.arange(size) + wide(0.5)) - wide(0.5)
    low = np.floor(at).astype(int)
    t, a = at - low, wide(-0.75)
    near, far = lambda d: ((a + 2) * d - (a + 3)) * d * d + 1, lambda d: ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    weights = np.zeros((9, size), wide)
    for step, values in zip((-1, 0, 1, 2), (far(t + 1), near(t), near(1 - t), far(2 - t)), strict=True):
        np.add.at(weights, (np.clip(low + step, 0, 8), np.arange(size)), values)
    return weights


def off_by(size):
    """How far torch's weights and ours are from the exact ones, in units of rounding of one."""
    ones = np.eye(9).reshape(9, 1, 1, 9)
    theirs = torch.nn.functional.interpolate(torch.tensor(ones), (1, size), mode="bicubic").numpy()
    with jax_backend.start().enable_x64(True):
        ours = np.asarray(jax_functional.interpolate(ones, (1, size), mode="bicubic"))
    exact = cubic_weights(size)
    return tuple(float(np.abs(found[:, 0, 0] - exact).max() / np.finfo(float).eps) for found in (theirs, ours))


@pytest.mark.parametrize("size", [13, 22])
def test_bicubic_weights_are_as_near_to_the_exact_ones_as_torch_s(size, monkeypatch):
    """Why bicubic resizing by other factors is UNSTABLE: terms as large as 6 cancel in weights near 0, on either side.

    Torch makes its weights inside of one kernel, so what disturbs its operations does not disturb them, and the bound
    knows nothing of their rounding.
    """
    theirs, ours = off_by(size)
    assert ours <= 1.5 * theirs < 12
    fused = resizing._fused
    monkeypatch.setattr(resizing, "_fused", lambda d, a: fused(d, a * (1 + 1e-13)))
    assert off_by(size)[1] > 12


def bicubic_samples(padding_mode, align_corners):
    """Torch's values at bicubic samples, less JAX's, in units of what their weights are rounded by."""
    image, grid = TABLE["sampling"][0][:2]
    options = {"mode": "bicubic", "padding_mode": padding_mode, "align_corners": align_corners}
    wanted = torch.nn.functional.grid_sample(torch.tensor(image), torch.tensor(grid), **options).numpy()
    with jax_backend.start().enable_x64(True):
        found = np.asarray(jax_functional.grid_sample(image, grid, **options))
    # in each of sixteen weights terms as large as 12 = 16 * 3/4 cancel, on both sides
    return np.abs(found - wanted).max() / (2 * 16 * 12 * np.finfo(float).eps * np.abs(image).max())


def test_bicubic_samples_are_torch_s_as_far_as_their_weights_are_rounded(monkeypatch):
    assert max(bicubic_samples("zeros", False), bicubic_samples("reflection", True)) < 1
    kernel = sampling.cubic_kernel
    monkeypatch.setattr(sampling, "cubic_kernel", lambda distance, a: kernel(distance, a * (1 + 1e-9)))
    assert bicubic_samples("zeros", False) > 100


def sampled_weights_off_by(align_corners):
    """How far torch's weights of 9 elements at 64 points and ours are from the exact ones, in roundings of one."""
    ones, grid = np.eye(9).reshape(9, 1, 1, 9), np.zeros((9, 1, 64, 2))
    grid[..., 0] = x = default_rng(0).uniform(-1.1, 1.1, 64)
    options = {"mode": "bicubic", "align_corners": align_corners}
    theirs = torch.nn.functional.grid_sample(torch.tensor(ones), torch.tensor(grid), **options).numpy()
    with jax_backend.start().enable_x64(True):
        ours = np.asarray(jax_functional.grid_sample(ones, grid, **options))
    wide, a = x.astype(np.longdouble), np.longdouble(-0.75)
    d = np.abs(((wide + 1) * 8 if align_corners else (wide + 1) * 9 - 1) / 2 - np.arange(9)[:, None])
    near, far = ((a + 2) * d - (a + 3)) * d * d + 1, ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    exact = np.where(d < 1, near, np.where(d < 2, far, 0))
    return tuple(float(np.abs(found[:, 0, 0] - exact).max() / np.finfo(float).eps) for found in (theirs, ours))


@pytest.mark.parametrize("align_corners", [False, True])
def test_bicubic_samples_have_weights_as_near_to_the_exact_ones_as_torch_s(align_corners, monkeypatch):
    """Why bicubic samples give an image an UNSTABLE gradient: it is sums of these weights, rounded on either side."""
    theirs, ours = sampled_weights_off_by(align_corners)
    assert ours <= theirs < 12
    kernel = sampling.cubic_kernel
    monkeypatch.setattr(sampling, "cubic_kernel", lambda distance, a: kernel(distance, a * (1 + 1e-13)))
    assert sampled_weights_off_by(align_corners)[1] > 12
