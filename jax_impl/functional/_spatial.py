"""Sizes along the spatial axes: one number for all of them or one for each, and what a sliding window makes of them."""

from collections.abc import Sequence

__all__ = ["per_axis", "window_count", "transposed_size"]


def per_axis(value: int | Sequence[int], axes: int, *, name: str) -> tuple[int, ...]:
    """One number for every spatial axis, or one for each.

    Args:
        value: a number, a sequence of one, or of as many as there are axes.
        axes: how many.
        name: of the argument, for the message.

    Returns:
        As many numbers as there are axes.

    Raises:
        TypeError: where one is not an integer.
        RuntimeError: where their number is neither 1 nor that of the axes.

    Examples:
        >>> per_axis(3, 2, name="kernel_size"), per_axis([1, 2], 2, name="stride")
        ((3, 3), (1, 2))

    References:
        PyTorch, torch.nn.Conv2d: "stride: int or tuple".
    """
    values = tuple(value) if isinstance(value, Sequence) else (value,)
    if not all(hasattr(v, "__index__") and not isinstance(v, bool) for v in values):
        raise TypeError(f"{name} is {value!r}, wanted an integer or {axes} of them")
    if len(values) not in (1, axes):
        raise RuntimeError(f"{name} is {value!r}, wanted one integer or {axes} of them, one a spatial axis")
    return values * axes if len(values) == 1 else values


def window_count(
    length: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1, *, ceil_mode: bool = False
) -> int:
    """How many windows fit along an axis.

    floor((L + 2 p - d (k - 1) - 1) / s) + 1; with ceil_mode the last one may hang over the end, if it starts inside the
    input or its left padding.

    Args:
        length: L.
        kernel: k, the elements of a window.
        stride: s, the elements from one window to the next.
        padding: p, elements added on each side.
        dilation: d, the elements from one of a window to its next.
        ceil_mode: whether to round up.

    Returns:
        The count; zero or less where no window fits.

    Examples:
        >>> window_count(6, 3, stride=2), window_count(6, 3, stride=2, ceil_mode=True)
        (2, 3)

    References:
        PyTorch, torch.nn.MaxPool1d, "Shape".
    """
    free = length + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return free // stride + 1
    count = -(-free // stride) + 1
    return count - 1 if (count - 1) * stride >= length + padding else count


def transposed_size(
    length: int, kernel: int, stride: int = 1, padding: int = 0, output_padding: int = 0, dilation: int = 1
) -> int:
    """The length that a transposed convolution gives: (L - 1) s - 2 p + d (k - 1) + output_padding + 1.

    Args:
        length: L.
        kernel: k.
        stride: s.
        padding: p.
        output_padding: added to one side, as s lengths of an output have one input's length.
        dilation: d.

    Returns:
        The length.

    Examples:
        >>> transposed_size(2, 3, stride=2), transposed_size(2, 3, stride=2, output_padding=1)
        (5, 6)

    References:
        PyTorch, torch.nn.ConvTranspose1d, "Shape".
    """
    return (length - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1
