"""A convolution whose kernel's gradient is a product of matrices for each tap of the kernel, where that is quicker."""

import itertools
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Float

from jax_impl.functional._spatial import window_count

__all__ = ["convolve"]

# XLA's CPU backend takes a kernel's gradient as a convolution whose channels are the images of the batch: few, and so
# slowly. Measured over 28 shapes in float32 and 8 in float64 on one core, a product a tap takes 0.3 to 0.9 of that; but
# up to twice as long where channels are few (short rows) or what a tap sees leaves the cache, and 16 times where
# taps are many and places few (small products). Narrower dtypes stay with the convolution, which adds up in float32.
CHANNELS, TAPS, PLACES, BYTES = 16, 9, 32, 2**22

Pads = tuple[tuple[int, int], ...]
Sizes = tuple[int, ...]


def convolve(
    input: Float[Array, "N I *S"],
    weight: Float[Array, "O I_g *K"],
    strides: Sizes,
    pads: Pads,
    dilations: Sizes,
    groups: int,
) -> Float[Array, "N O *P"]:
    """A convolution, channels first, as lax.conv_general_dilated; its kernel's gradient is taken the quicker way.

    Args:
        input: (N, in_channels, ...).
        weight: (out_channels, in_channels / groups, *kernel).
        strides, dilations: one for each spatial axis.
        pads: zeros before and behind each.
        groups: groups of channels.

    Returns:
        (N, out_channels, *places), lax.conv_general_dilated's bit for bit.

    Examples:
        >>> convolve(array([[[1.0, 2.0, 4.0]]]), array([[[1.0, -1.0]]]), (1,), ((0, 0),), (1,), 1).tolist()
        [[[-1.0, -2.0]]]
    """
    sizes = zip(input.shape[2:], weight.shape[2:], strides, pads, dilations, strict=True)
    places = len(input) * prod(window_count(n + sum(pad), k, s, 0, d) for n, k, s, pad, d in sizes)
    if (
        groups == 1
        and weight.shape[1] >= CHANNELS
        and prod(weight.shape[2:]) <= TAPS
        and places >= PLACES
        and places * weight.shape[1] * input.dtype.itemsize < BYTES
        and input.dtype.itemsize >= 4
    ):
        return _differentiated_by_taps(input, weight, strides, pads, dilations)
    return _plain(input, weight, strides, pads, dilations, groups)


def _plain(input: Array, weight: Array, strides: Sizes, pads: Pads, dilations: Sizes, groups: int = 1) -> Array:
    return lax.conv_general_dilated(input, weight, strides, pads, rhs_dilation=dilations, feature_group_count=groups)


@partial(jax.custom_jvp, nondiff_argnums=(2, 3, 4))
def _differentiated_by_taps(input: Array, weight: Array, strides: Sizes, pads: Pads, dilations: Sizes) -> Array:
    return _plain(input, weight, strides, pads, dilations)


@partial(_differentiated_by_taps.defjvp, symbolic_zeros=True)
def _linearized(
    strides: Sizes, pads: Pads, dilations: Sizes, primals: tuple[Array, Array], tangents: tuple[Any, Any]
) -> tuple[Array, Array]:
    (x, w), (dx, dw) = primals, tangents
    plain = partial(_plain, strides=strides, pads=pads, dilations=dilations)
    by_taps = partial(_by_taps, strides=strides, pads=pads, dilations=dilations)
    slopes: list[Array] = []
    if not isinstance(dx, SymbolicZero):
        slopes.append(plain(dx, w))
    if not isinstance(dw, SymbolicZero):
        # what a tap sees is taken anew going back, for kept it would be as many times the input as there are taps
        slopes.append(lax.platform_dependent(x, dw, cpu=jax.checkpoint(by_taps), default=plain))
    return _differentiated_by_taps(x, w, strides, pads, dilations), sum(slopes[1:], slopes[0])


def _by_taps(input: Array, weight: Array, strides: Sizes, pads: Pads, dilations: Sizes) -> Array:
    """The convolution as a sum over the taps: each one's matrix with the numbers that it sees."""
    x = jnp.pad(jnp.moveaxis(input, 1, -1), ((0, 0), *pads, (0, 0)))
    kernel = weight.shape[2:]
    seen = [
        [slice(d * t, n - d * (k - 1 - t), s) for t in range(k)]
        for n, k, s, d in zip(x.shape[1:-1], kernel, strides, dilations, strict=True)
    ]
    matrices = weight.reshape(*weight.shape[:2], -1)
    products = [
        jnp.einsum("...i,oi->...o", x[:, *slices], matrices[:, :, tap])
        for tap, slices in enumerate(itertools.product(*seen))
    ]
    return jnp.moveaxis(sum(products[1:], products[0]), -1, 1)
