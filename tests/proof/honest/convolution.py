"""Convolutions, pooling and resizing: torch's functions beside lax primitives, slices and sums."""

import jax
import jax.numpy as jnp
import numpy as np
from torch.nn import functional as F

from proof.honest.entry import ENOUGH, SHORT, Honest, side_length

SCALED = "work is the image times the kernel: images of 3 channels, 64 x 64 at most, 2 of them"
PLANES = ("NCHW", "OIHW", "NCHW")


def _images(kernel, *, channels=3, features=4, groups=1, transposed=False):
    """Images and a kernel; the sizes give the edge of an image."""

    def inputs(rng, size):
        n, edge = (1, 1) if size == 1 else (2, side_length(size // (2 * channels), most=64))
        edge = max(edge, kernel + 2 if size > 1 else kernel)
        shape = (channels, features // groups) if transposed else (features, channels // groups)
        return {
            "x": rng.normal(size=(n, channels, edge, edge)),
            "w": rng.normal(size=(*shape, kernel, kernel)) / kernel,
            "b": rng.normal(size=features),
        }

    return inputs


def _signals(rng, size):
    """A signal of up to 20,000 samples and a kernel of 3, 9 or 65."""
    taps, length = {1: (1, 1), 100: (3, 50), 10_000: (9, 5_000)}.get(size, (65, 20_000))
    return {"x": rng.normal(size=(1, 2, length)), "w": rng.normal(size=(2, 2, taps)), "b": rng.normal(size=2)}


def _pictures(rng, size):
    n, edge = (1, 2) if size == 1 else (2, side_length(min(size, ENOUGH) // 6))
    return {"x": rng.normal(size=(n, 3, edge // 2 * 2, edge // 2 * 2))}


def _conv(x, w, **options):
    options = {"window_strides": (1, 1), "padding": "VALID", **options}
    return jax.lax.conv_general_dilated(x, w, dimension_numbers=PLANES, **options)


def _conv1d(x, w, b):
    """A sum over the taps of shifted signals, each mixed by its matrix."""
    taps = w.shape[-1]
    length = x.shape[-1] - taps + 1
    windows = jnp.stack([x[..., i : i + length] for i in range(taps)], -1)
    return jnp.einsum("nclk,ock->nol", windows, w) + b[:, None]


def _conv_by_patches(x, w, b):
    k = w.shape[-1]
    patches = jax.lax.conv_general_dilated_patches(x, (k, k), (1, 1), "VALID")
    return jnp.einsum("npij,op->noij", patches, w.reshape(len(w), -1)) + b[:, None, None]


def _conv_transpose(x, w, b):
    """A transposed convolution is one of the dilated image with the kernel turned round."""
    k = w.shape[-1]
    turned = jnp.flip(w, (2, 3)).swapaxes(0, 1)
    return _conv(x, turned, padding=[(k - 1, k - 1)] * 2, lhs_dilation=(2, 2)) + b[:, None, None]


def _windows(x, reduce, start):
    return jax.lax.reduce_window(x, np.array(start, x.dtype), reduce, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


CONVOLUTION = (
    Honest(
        "conv1d",
        lambda x, w, b: F.conv1d(x, w, b),
        _conv1d,
        _signals,
        scaled="work is the signal times the kernel: 40,000 samples and 65 taps at most",
    ),
    Honest("conv2d", lambda x, w, b: F.conv2d(x, w, b), _conv_by_patches, _images(3), scaled=SCALED),
    Honest(
        "conv2d, large kernel",
        lambda x, w, b: F.conv2d(x, w, b, padding=3),
        lambda x, w, b: _conv(x, w, padding=[(3, 3), (3, 3)]) + b[:, None, None],
        _images(7),
        scaled=SCALED,
    ),
    Honest(
        "conv2d, strides",
        lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1),
        lambda x, w, b: _conv(x, w, window_strides=(2, 2), padding=[(1, 1), (1, 1)]) + b[:, None, None],
        _images(3),
        scaled=SCALED,
    ),
    Honest(
        "conv2d, dilated",
        lambda x, w, b: F.conv2d(x, w, b, dilation=2, padding=2),
        lambda x, w, b: _conv(x, w, rhs_dilation=(2, 2), padding="SAME") + b[:, None, None],
        _images(3),
        scaled=SCALED,
    ),
    Honest(
        "conv2d, groups",
        lambda x, w, b: F.conv2d(x, w, b, groups=3),
        lambda x, w, b: (
            jnp.concatenate(
                [_conv(part, of) for part, of in zip(jnp.split(x, 3, 1), jnp.split(w, 3, 0), strict=True)], 1
            )
            + b[:, None, None]
        ),
        _images(3, features=6, groups=3),
        scaled=SCALED,
    ),
    Honest(
        "conv2d, transposed",
        lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2),
        _conv_transpose,
        _images(3, transposed=True),
        scaled=SCALED,
    ),
    Honest(
        "max pooling",
        lambda x: F.max_pool2d(x, 2),
        lambda x: _windows(x, jax.lax.max, -jnp.inf),
        _pictures,
        scaled=SHORT,
    ),
    Honest(
        "average pooling",
        lambda x: F.avg_pool2d(x, 2),
        lambda x: _windows(x, jax.lax.add, 0.0) / 4,
        _pictures,
        scaled=SHORT,
    ),
    Honest(
        "nearest neighbour",
        lambda x: F.interpolate(x, scale_factor=2, mode="nearest"),
        lambda x: x.repeat(2, axis=2).repeat(2, axis=3),
        _pictures,
        scaled=SHORT,
    ),
    Honest(
        "bilinear resize",
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False),
        lambda x: jax.image.resize(x, (*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3]), "bilinear"),
        _pictures,
        scaled=SHORT,
    ),
    Honest(
        "reflected edges",
        lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"),
        lambda x: jnp.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect"),
        _pictures,
        scaled=SHORT,
    ),
)
