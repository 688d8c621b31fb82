"""Windows as columns and back: unfold cuts an image into blocks, fold adds blocks up to an image."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["unfold", "fold"]

Sizes = int | Sequence[int]


def unfold(
    input: Float[Tensor, "*N C H W"], kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> Float[Tensor, "*N C_K L"]:
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
    pads = _pair("padding", padding, 0)
    x = torch.nn.functional.pad(input, (pads[1], pads[1], pads[0], pads[0]))
    flat = x.flatten(-2)  # (N, C, H W)
    at = _elements("unfold", x.shape[-2:], kernel_size, dilation, stride).to(x.device)  # (K, L)
    return flat[..., at].flatten(-3, -2)


def fold(
    input: Float[Tensor, "*N C_K L"],
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Float[Tensor, "*N C H W"]:
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
    size, pads = _pair("output_size", output_size, 1), _pair("padding", padding, 0)
    padded = [n + 2 * p for n, p in zip(size, pads, strict=True)]
    at = _elements("fold", padded, kernel_size, dilation, stride).to(input.device)  # (K, L)
    block, windows = at.shape
    if input.ndim not in (2, 3) or input.shape[-2] % block or input.shape[-1] != windows:
        raise RuntimeError(
            f"fold: input has shape {tuple(input.shape)}, wanted (N, C * {block}, {windows}) or without N, as unfold "
            f"gives it for an image of {size}"
        )
    columns = input.unflatten(-2, (-1, block)).flatten(-2)  # (N, C, K L)
    # differs: scatter_add there; here the transpose of a linear function, which JAX derives from unfold
    flat = columns.new_zeros(*columns.shape[:-1], padded[0] * padded[1])
    flat = flat.index_add(-1, at.flatten(), columns)
    image = flat.unflatten(-1, padded)
    return image[..., pads[0] : pads[0] + size[0], pads[1] : pads[1] + size[1]]


def _elements(name: str, size: Sequence[int], kernel_size: Sizes, dilation: Sizes, stride: Sizes) -> Tensor:
    """Where in a flat image of this size element k of window l lies, (K, L)."""
    rows = []
    given = (_pair("kernel_size", kernel_size), _pair("dilation", dilation), _pair("stride", stride))
    for n, k, d, s in zip(size, *given, strict=True):
        count = (n - d * (k - 1) - 1) // s + 1
        if count < 1:
            raise RuntimeError(f"{name}: no window {given[0]} with dilation {given[1]} fits in {tuple(size)} padded")
        rows.append(d * torch.arange(k)[:, None] + s * torch.arange(count))  # (k, windows along this axis)
    vertical, horizontal = rows
    at = vertical[:, None, :, None] * size[1] + horizontal[None, :, None, :]  # (K_h, K_w, P, Q)
    return at.flatten(2).flatten(0, 1)


def _pair(name: str, value: Sizes, least: int = 1) -> tuple[int, int]:
    height, width = (value, value) if isinstance(value, int) else tuple(value)
    if min(height, width) < least:
        raise RuntimeError(f"{name} is {(height, width)}, wanted at least {least}")
    return height, width
