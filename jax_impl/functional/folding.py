"""Windows as columns and back: unfold cuts an image into blocks, fold adds blocks up to an image."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

from jax_impl.functional._spatial import per_axis, window_count

__all__ = ["unfold", "fold"]

Sizes = int | Sequence[int]


def unfold(
    input: Float[Array, "*N C H W"], kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> Float[Array, "*N C_K L"]:
    """Every window of an image as a column, (channel, row, column) within it, windows in reading order.

    Args:
        input: (N, C, H, W), or (C, H, W).
        kernel_size: the height and width of a window.
        dilation: the elements from one of a window to its next.
        padding: zeros on each side.
        stride: the elements from one window to the next.

    Returns:
        (N, C * kernel height * kernel width, L), or without N; L windows.

    Raises:
        RuntimeError: where a number is out of range, or no window fits.

    Examples:
        >>> unfold(array([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]]), 2).tolist()
        [[[1.0, 2.0], [2.0, 3.0], [4.0, 5.0], [5.0, 6.0]]]

    References:
        PyTorch, torch.nn.functional.unfold.
    """
    if input.ndim not in (3, 4) or 0 in input.shape[-3:]:
        raise RuntimeError(f"unfold: input has shape {tuple(input.shape)}, wanted (N, C, H, W) or (C, H, W), not empty")
    kernel, dilations, pads, strides = _sizes("unfold", kernel_size, dilation, padding, stride)
    counts = _counts("unfold", input.shape[-2:], kernel, dilations, pads, strides)
    x = input if input.ndim == 4 else input[None]
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), (0, 0, 0), *((p, p, 0) for p in pads)))
    for axis, (k, s, d) in enumerate(zip(kernel, strides, dilations, strict=True)):  # (N, C, K_h, P, W), then all
        length = x.shape[2 + 2 * axis] - d * (k - 1)
        rows = [lax.slice_in_dim(x, d * i, d * i + length, s, 2 + 2 * axis) for i in range(k)]
        x = jnp.stack(rows, 2 + axis)
    columns = x.reshape(len(x), x.shape[1] * kernel[0] * kernel[1], counts[0] * counts[1])
    return columns if input.ndim == 4 else columns[0]


def fold(
    input: Float[Array, "*N C_K L"],
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Float[Array, "*N C H W"]:
    """Add every column's block to its place in an image: the transpose of unfold, not its inverse.

    Args:
        input: (N, C * kernel height * kernel width, L), or without N.
        output_size: (H, W).
        kernel_size: the height and width of a window.
        dilation: the elements from one of a window to its next.
        padding: what is cut off on each side.
        stride: the elements from one window to the next.

    Returns:
        (N, C, H, W), or (C, H, W).

    Raises:
        RuntimeError: where the input's shape is not what unfold gives for such an image, or a number is out of range.

    Examples:
        >>> fold(array([[[1.0, 10.0], [2.0, 20.0]]]), (1, 3), (1, 2)).tolist()
        [[[[1.0, 12.0, 20.0]]]]

    References:
        PyTorch, torch.nn.functional.fold.
    """
    kernel, dilations, pads, strides = _sizes("fold", kernel_size, dilation, padding, stride)
    size = per_axis(output_size, 2, name="output_size")
    counts = _counts("fold", size, kernel, dilations, pads, strides)
    block, windows = kernel[0] * kernel[1], counts[0] * counts[1]
    if input.ndim not in (2, 3) or input.shape[-2] % block or input.shape[-1] != windows:
        raise RuntimeError(
            f"fold: input has shape {tuple(input.shape)}, wanted (N, C * {block}, {windows}) or without N, as unfold "
            f"gives it for an image of {size}"
        )
    image = jax.ShapeDtypeStruct((*input.shape[:-2], input.shape[-2] // block, *size), input.dtype)
    # differs: scatter_add there; here the transpose of a linear function, which JAX derives from unfold
    (folded,) = jax.linear_transpose(lambda x: unfold(x, kernel, dilations, pads, strides), image)(input)
    return folded


def _sizes(name: str, kernel: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) -> tuple[tuple[int, ...], ...]:
    given = {"kernel_size": kernel, "dilation": dilation, "padding": padding, "stride": stride}
    sizes = tuple(per_axis(value, 2, name=argument) for argument, value in given.items())
    for argument, values, least in zip(given, sizes, (1, 1, 0, 1), strict=True):
        if min(values) < least:
            raise RuntimeError(f"{name}: {argument} is {values}, wanted at least {least}")
    return sizes


def _counts(name: str, size: Sequence[int], *sizes: Sequence[int]) -> tuple[int, ...]:
    kernel, dilations, pads, strides = sizes
    counts = tuple(
        window_count(n, k, s, p, d) for n, k, s, p, d in zip(size, kernel, strides, pads, dilations, strict=True)
    )
    if min(counts) < 1:
        raise RuntimeError(f"{name}: no window {tuple(kernel)} with dilation {dilations} fits in {tuple(size)} padded")
    return counts
