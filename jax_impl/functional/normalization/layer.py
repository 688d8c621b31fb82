"""Normalization of an example over its last axes, or over groups of its channels."""

import math
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jax_impl.functional.normalization._moments import affine, check_channels, moments, wide

__all__ = ["layer_norm", "rms_norm", "group_norm"]


def layer_norm(
    input: Float[Array, "..."],
    normalized_shape: Sequence[int],
    weight: Float[Array, "..."] | None = None,
    bias: Float[Array, "..."] | None = None,
    eps: float = 1e-5,
) -> Float[Array, "..."]:
    """(x - mean) / sqrt(var + eps) w + b, over the last axes.

    Args:
        input: x, floating, its last axes of normalized_shape.
        normalized_shape: the lengths of the axes that are normalized together.
        weight: w, of that shape; 1 by default.
        bias: b, of that shape; 0 by default.
        eps: added to the variance, which is divided by n.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        RuntimeError: where shapes do not fit.

    Examples:
        >>> layer_norm(array([[1.0, 3.0]]), (2,), eps=1e-12).tolist()
        [[-1.0, 1.0]]

    References:
        PyTorch, torch.nn.functional.layer_norm; J. L. Ba et al., "Layer Normalization" (2016).
    """
    axes = _last_axes("layer_norm", input, normalized_shape, weight, bias)
    y = _standardized(wide(input), axes, eps)
    y = y if weight is None else y * weight
    return (y if bias is None else y + bias).astype(input.dtype)


def rms_norm(
    input: Float[Array, "..."],
    normalized_shape: Sequence[int],
    weight: Float[Array, "..."] | None = None,
    eps: float | None = None,
) -> Float[Array, "..."]:
    """x / sqrt(mean(x^2) + eps) w, over the last axes.

    Args:
        input: x, floating, its last axes of normalized_shape.
        normalized_shape: the lengths of the axes that are normalized together.
        weight: w, of that shape; 1 by default.
        eps: added to the mean square; the spacing at 1 of the dtype computed in, float32 for 16 bits, by default.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        RuntimeError: where shapes do not fit.

    Examples:
        >>> rms_norm(array([[1.0, -1.0]]), (2,), eps=0.0).tolist()
        [[1.0, -1.0]]

    References:
        PyTorch, torch.nn.functional.rms_norm; B. Zhang and R. Sennrich, "Root Mean Square Layer Normalization" (2019).
    """
    axes = _last_axes("rms_norm", input, normalized_shape, weight)
    x = wide(input)
    eps = float(jnp.finfo(x.dtype).eps) if eps is None else eps
    y = x * (1 / jnp.sqrt(jnp.square(x).mean(axes, keepdims=True) + eps))
    return (y if weight is None else y * weight).astype(input.dtype)


def group_norm(
    input: Float[Array, "N C *D"],
    num_groups: int,
    weight: Float[Array, " C"] | None = None,
    bias: Float[Array, " C"] | None = None,
    eps: float = 1e-5,
) -> Float[Array, "N C *D"]:
    """(x - mean) / sqrt(var + eps) w + b, a group of channels of an example at a time.

    Args:
        input: x (N, C, ...), floating.
        num_groups: into how many groups of neighbours the channels are split; divides C.
        weight: w (C,); 1 by default.
        bias: b (C,); 0 by default.
        eps: added to the variance, which is divided by n.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        RuntimeError: where shapes do not fit.
        ValueError: where the whole batch has one value a group.

    Examples:
        >>> group_norm(array([[1.0, 3.0]]), 1, eps=1e-12).tolist()
        [[-1.0, 1.0]]

    References:
        PyTorch, torch.nn.functional.group_norm; Y. Wu and K. He, "Group Normalization" (2018).
    """
    check_channels("group_norm", input, weight=weight, bias=bias)
    batch, channels, *rest = input.shape
    if num_groups < 1 or channels % num_groups:
        raise RuntimeError(f"group_norm: {channels} channels in {num_groups} groups, wanted a number that divides them")
    if input.size // num_groups == 1:
        raise ValueError(f"group_norm: input has shape {tuple(input.shape)}, wanted more than one value a group")
    x = wide(input).reshape(batch, num_groups, channels // num_groups, *rest)
    mean, var = moments(x, tuple(range(2, x.ndim)))
    return affine(((x - mean) * (1 / jnp.sqrt(var + eps))).reshape(input.shape), weight, bias).astype(input.dtype)


@partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _standardized(x: Float[Array, "..."], axes: tuple[int, ...], eps: float) -> Float[Array, "..."]:
    mean, var = moments(x, axes)
    return (x - mean) * (1 / jnp.sqrt(var + eps))


@_standardized.defjvp
def _standardized_jvp(
    axes: tuple[int, ...], eps: float, at: tuple[Float[Array, "..."]], along: tuple[Float[Array, "..."]]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """The slope in closed form, two sums a row: what JAX derives from two passes goes over the row once more."""
    (x,), (dx,) = at, along
    mean, var = moments(x, axes)
    scale = 1 / jnp.sqrt(var + eps)
    y = (x - mean) * scale
    count = math.prod(x.shape[axis] for axis in axes)
    return y, scale * dx - scale / count * (dx.sum(axes, keepdims=True) + y * (y * dx).sum(axes, keepdims=True))


def _last_axes(
    name: str, input: Float[Array, "..."], normalized_shape: Sequence[int], *given: Float[Array, "..."] | None
) -> tuple[int, ...]:
    shape = tuple(normalized_shape)
    if not shape or input.shape[-len(shape) :] != shape:
        raise RuntimeError(f"{name}: normalized_shape is {shape} for input {tuple(input.shape)}, wanted its last axes")
    for values in given:
        if values is not None and values.shape != shape:
            raise RuntimeError(
                f"{name}: weight or bias has shape {tuple(values.shape)}, wanted normalized_shape {shape}"
            )
    return tuple(range(-len(shape), 0))
