"""Normalization: over a batch, an instance, a group, a layer, its root mean square, or neighbouring channels.

All but the last subtract a mean and divide by a standard deviation; they differ in what these are taken over. 16-bit
inputs are normalized in float32, as torch does.
"""

import math
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

__all__ = [
    "batch_norm",
    "running_statistics",
    "instance_norm",
    "layer_norm",
    "rms_norm",
    "group_norm",
    "local_response_norm",
]


def batch_norm(
    input: Float[Array, "N C *D"],
    running_mean: Float[Array, " C"] | None,
    running_var: Float[Array, " C"] | None,
    weight: Float[Array, " C"] | None = None,
    bias: Float[Array, " C"] | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Float[Array, "N C *D"]:
    """(x - mean) / sqrt(var + eps) w + b, a channel at a time.

    Args:
        input: x (N, C, ...), floating, channels on the second axis.
        running_mean: the mean in evaluation (C,); needed there.
        running_var: the variance in evaluation (C,); needed there.
        weight: w (C,); 1 by default.
        bias: b (C,); 0 by default.
        training: whether mean and variance, divided by n, are the batch's own.
        momentum: how far the running statistics move; see running_statistics.
        eps: added to the variance, positive in training.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        ValueError: where eps is out of range, or one value a channel is to be normalized.
        RuntimeError: where shapes do not fit, or statistics are needed and missing.

    Examples:
        >>> batch_norm(array([[1.0], [3.0]]), None, None, training=True, eps=1e-12).tolist()
        [[-1.0], [1.0]]

    References:
        PyTorch, torch.nn.functional.batch_norm; S. Ioffe and C. Szegedy, "Batch Normalization" (2015), algorithm 1.
    """
    # differs: torch moves running_mean and running_var in place; JAX's arrays stay, and running_statistics moves them
    _check_batch_norm(input, running_mean, running_var, weight, bias, training, eps)
    x = _wide(input)
    axes = (0, *range(2, x.ndim))
    if training:
        mean, var = _moments(x, axes)
    else:
        mean, var = (_on_channels(_wide(s), x.ndim) for s in (running_mean, running_var))  # type: ignore[arg-type]
    return _affine((x - mean) * (1 / jnp.sqrt(var + eps)), weight, bias).astype(input.dtype)


def running_statistics(
    input: Float[Array, "N C *D"],
    running_mean: Float[Array, " C"],
    running_var: Float[Array, " C"],
    momentum: float = 0.1,
    per_instance: bool = False,
) -> tuple[Float[Array, " C"], Float[Array, " C"]]:
    """What batch_norm's running statistics become after a batch: r + m (s - r), the variance s divided by n - 1.

    Args:
        input: (N, C, ...), floating.
        running_mean: (C,).
        running_var: (C,).
        momentum: m; 1/t at the t-th batch makes them plain averages.
        per_instance: whether s is each example's own, averaged over the examples, as for instance_norm.

    Returns:
        The next mean and variance, each (C,), of the dtypes that they had; as they were for an empty batch.

    Examples:
        >>> mean, var = running_statistics(array([[1.0], [3.0]]), array([0.0]), array([1.0]), 0.5)
        >>> mean.tolist(), var.tolist()
        ([1.0], [1.5])

    References:
        PyTorch, torch.nn.BatchNorm2d: momentum, and the unbiased variance of the running estimate.
    """
    if input.size == 0:
        return running_mean, running_var
    x = jax.lax.stop_gradient(_wide(input))
    mean, var = _moments(x, tuple(range(2, x.ndim)) if per_instance else (0, *range(2, x.ndim)))
    mean, var = (s.mean(0).reshape(-1) for s in (mean, var))
    count = x.size // x.shape[1] // (len(x) if per_instance else 1)
    unbiased = var * (count / max(1, count - 1))
    after = [
        ((1 - momentum) * old + momentum * new).astype(old.dtype)
        for old, new in ((running_mean, mean), (running_var, unbiased))
    ]
    return after[0], after[1]


def instance_norm(
    input: Float[Array, "N C *D"],
    running_mean: Float[Array, " C"] | None = None,
    running_var: Float[Array, " C"] | None = None,
    weight: Float[Array, " C"] | None = None,
    bias: Float[Array, " C"] | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Float[Array, "N C *D"]:
    """(x - mean) / sqrt(var + eps) w + b, a channel of an example at a time.

    Args:
        input: x (N, C, ...), floating, channels on the second axis.
        running_mean: the mean where the input's is not used (C,).
        running_var: the variance where the input's is not used (C,).
        weight: w (C,); 1 by default.
        bias: b (C,); 0 by default.
        use_input_stats: whether mean and variance are the channel's own.
        momentum: as for batch_norm.
        eps: added to the variance.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        ValueError: where a channel has one value and its own statistics are used.
        RuntimeError: where shapes do not fit, or statistics are needed and missing.

    Examples:
        >>> instance_norm(array([[[1.0, 3.0]]]), eps=1e-12).tolist()
        [[[-1.0, 1.0]]]

    References:
        PyTorch, torch.nn.functional.instance_norm; D. Ulyanov et al., "Instance Normalization" (2016).
    """
    name = "instance_norm"
    _check_channels(name, input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if input.ndim > 2 and input[0, 0].size == 1:
        raise ValueError(f"{name}: input has shape {tuple(input.shape)}, wanted more than one value a channel")
    x = _wide(input)
    mean, var = _moments(x, tuple(range(2, x.ndim)))
    return _affine((x - mean) * (1 / jnp.sqrt(var + eps)), weight, bias).astype(input.dtype)


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
    y = _standardized(_wide(input), axes, eps)
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
    x = _wide(input)
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
    _check_channels("group_norm", input, weight=weight, bias=bias)
    batch, channels, *rest = input.shape
    if num_groups < 1 or channels % num_groups:
        raise RuntimeError(f"group_norm: {channels} channels in {num_groups} groups, wanted a number that divides them")
    if input.size // num_groups == 1:
        raise ValueError(f"group_norm: input has shape {tuple(input.shape)}, wanted more than one value a group")
    x = _wide(input).reshape(batch, num_groups, channels // num_groups, *rest)
    mean, var = _moments(x, tuple(range(2, x.ndim)))
    return _affine(((x - mean) * (1 / jnp.sqrt(var + eps))).reshape(input.shape), weight, bias).astype(input.dtype)


def local_response_norm(
    input: Float[Array, "N C *D"], size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Float[Array, "N C *D"]:
    """x_c / (k + alpha mean x^2)^beta, the mean over size neighbouring channels, zeros beyond the ends counted.

    Args:
        input: x (N, C, ...), floating, of three axes or more.
        size: how many channels, size // 2 of them before c.
        alpha: the factor of the mean.
        beta: the exponent.
        k: added to it.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        ValueError: for fewer than three axes.

    Examples:
        >>> local_response_norm(array([[[3.0]]]), 1, alpha=1.0, beta=1.0).tolist()
        [[[0.30000001192092896]]]

    References:
        PyTorch, torch.nn.functional.local_response_norm; A. Krizhevsky et al., "ImageNet Classification" (2012), 3.3.
    """
    if input.ndim < 3:
        raise ValueError(f"local_response_norm: input has shape {tuple(input.shape)}, wanted (N, C, L) or more axes")
    window = tuple(size if axis == 1 else 1 for axis in range(input.ndim))
    padding = [(size // 2, (size - 1) // 2) if axis == 1 else (0, 0) for axis in range(input.ndim)]
    zero = np.zeros((), input.dtype)  # known while tracing, so that JAX sees a plain sum, which it can differentiate
    total = jax.lax.reduce_window(jnp.square(input), zero, jax.lax.add, window, (1,) * input.ndim, padding)
    return input / (total / size * alpha + k) ** beta


def _moments(x: Float[Array, "..."], axes: tuple[int, ...]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Mean and variance. Two passes: E[x^2] - E[x]^2 loses every digit where the mean is large."""
    mean = x.mean(axes, keepdims=True)
    return mean, jnp.square(x - mean).mean(axes, keepdims=True)


@partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _standardized(x: Float[Array, "..."], axes: tuple[int, ...], eps: float) -> Float[Array, "..."]:
    mean, var = _moments(x, axes)
    return (x - mean) * (1 / jnp.sqrt(var + eps))


@_standardized.defjvp
def _standardized_jvp(
    axes: tuple[int, ...], eps: float, at: tuple[Float[Array, "..."]], along: tuple[Float[Array, "..."]]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """The slope in closed form, two sums a row: what JAX derives from two passes goes over the row once more."""
    (x,), (dx,) = at, along
    mean, var = _moments(x, axes)
    scale = 1 / jnp.sqrt(var + eps)
    y = (x - mean) * scale
    count = math.prod(x.shape[axis] for axis in axes)
    return y, scale * dx - scale / count * (dx.sum(axes, keepdims=True) + y * (y * dx).sum(axes, keepdims=True))


def _wide(x: Float[Array, "..."]) -> Float[Array, "..."]:
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _on_channels(values: Float[Array, " C"], axes: int) -> Float[Array, "1 C ..."]:
    return values.reshape(1, -1, *(1,) * (axes - 2))


def _affine(
    y: Float[Array, "N C *D"], weight: Float[Array, " C"] | None, bias: Float[Array, " C"] | None
) -> Float[Array, "N C *D"]:
    y = y if weight is None else y * _on_channels(weight, y.ndim)
    return y if bias is None else y + _on_channels(bias, y.ndim)


def _check_batch_norm(
    input: Float[Array, "N C *D"],
    running_mean: Float[Array, " C"] | None,
    running_var: Float[Array, " C"] | None,
    weight: Float[Array, " C"] | None,
    bias: Float[Array, " C"] | None,
    training: bool,
    eps: float,
) -> None:
    _check_channels("batch_norm", input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if training and input.size == input.shape[1]:
        raise ValueError(f"batch_norm: input has shape {tuple(input.shape)}, wanted more than one value a channel")
    if eps < 0 or (training and eps == 0):
        raise ValueError(f"batch_norm: eps is {eps}, wanted a positive number, or 0 in evaluation")
    if not training and (running_mean is None or running_var is None):
        raise RuntimeError("batch_norm: evaluation without running_mean and running_var")


def _check_channels(name: str, input: Float[Array, "..."], **given: Float[Array, " C"] | None) -> None:
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input has shape {tuple(input.shape)}, wanted (N, C, ...)")
    for key, values in given.items():
        if values is not None and values.shape != (input.shape[1],):
            raise RuntimeError(
                f"{name}: {key} has shape {tuple(values.shape)}, wanted ({input.shape[1]},): one a channel"
            )


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
