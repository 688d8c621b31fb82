"""Convolutions over one, two and three spatial axes, channels first, and their transposes."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

from jax_impl.functional._by_taps import convolve
from jax_impl.functional._spatial import per_axis, transposed_size, window_count
from jax_impl.functional.folding import unfold

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "conv2d_by_unfold",
]

Sizes = int | Sequence[int]


def conv1d(
    input: Float[Array, "*N I L"],
    weight: Float[Array, "O I_g K"],
    bias: Float[Array, " O"] | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Float[Array, "*N O M"]:
    """Convolve over one axis: y[o, t] = b[o] + sum over i, k of w[o, i, k] x[i, s t + d k - p].

    Args:
        input: (N, in_channels, L), or (in_channels, L).
        weight: (out_channels, in_channels / groups, k).
        bias: (out_channels,).
        stride: s.
        padding: p, zeros on each side; "valid" for none, "same" for an output as long as the input.
        dilation: d.
        groups: the channels fall into so many groups that see nothing of each other.

    Returns:
        (N, out_channels, M), or (out_channels, M).

    Raises:
        RuntimeError: where shapes or dtypes do not go together, or a number is out of range.

    Examples:
        >>> conv1d(array([[[1.0, 2.0, 4.0, 8.0]]]), array([[[1.0, -1.0]]]), stride=2).tolist()
        [[[-1.0, -4.0]]]

    References:
        PyTorch, torch.nn.functional.conv1d.
    """
    return _convolve("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Float[Array, "*N I H W"],
    weight: Float[Array, "O I_g K_h K_w"],
    bias: Float[Array, " O"] | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Float[Array, "*N O P Q"]:
    """Convolve over two axes, as conv1d does over one.

    Args:
        input: (N, in_channels, H, W), or (in_channels, H, W).
        weight: (out_channels, in_channels / groups, kernel height, kernel width).
        bias: (out_channels,).
        stride, padding, dilation: one number for both axes or one for each; padding may be "valid" or "same".
        groups: groups of channels; in_channels of them make a depthwise convolution.

    Returns:
        (N, out_channels, P, Q), or (out_channels, P, Q).

    Raises:
        RuntimeError: where shapes or dtypes do not go together, or a number is out of range.

    Examples:
        >>> conv2d(array([[[[1.0, 2.0], [4.0, 8.0]]]]), array([[[[1.0, 0.0], [0.0, 1.0]]]]), array([0.5])).tolist()
        [[[[9.5]]]]

    References:
        PyTorch, torch.nn.functional.conv2d.
    """
    return _convolve("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Float[Array, "*N I D H W"],
    weight: Float[Array, "O I_g K_d K_h K_w"],
    bias: Float[Array, " O"] | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Float[Array, "*N O P Q R"]:
    """Convolve over three axes, as conv1d does over one.

    Args:
        input: (N, in_channels, D, H, W), or (in_channels, D, H, W).
        weight: (out_channels, in_channels / groups, kernel depth, kernel height, kernel width).
        bias: (out_channels,).
        stride, padding, dilation: one number for all axes or one for each; padding may be "valid" or "same".
        groups: groups of channels.

    Returns:
        (N, out_channels, P, Q, R), or (out_channels, P, Q, R).

    Raises:
        RuntimeError: where shapes or dtypes do not go together, or a number is out of range.

    Examples:
        >>> conv3d(array([[[[[1.0, 2.0]]]]]), array([[[[[3.0]]]]])).tolist()
        [[[[[3.0, 6.0]]]]]

    References:
        PyTorch, torch.nn.functional.conv3d.
    """
    return _convolve("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: Float[Array, "*N I L"],
    weight: Float[Array, "I O_g K"],
    bias: Float[Array, " O"] | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Float[Array, "*N O M"]:
    """The transpose of conv1d, as a linear map of the input: each element spreads a kernel over the output.

    Args:
        input: (N, in_channels, L), or (in_channels, L).
        weight: (in_channels, out_channels / groups, k).
        bias: (out_channels,).
        stride: the elements between two kernels in the output.
        padding: what is cut off on each side of the output.
        output_padding: added to the end of the output, less than the stride or the dilation.
        groups: groups of channels.
        dilation: the elements between two of a kernel.

    Returns:
        (N, out_channels, M), or (out_channels, M), M as transposed_size has it.

    Raises:
        RuntimeError: where shapes or dtypes do not go together, or a number is out of range.

    Examples:
        >>> conv_transpose1d(array([[[1.0, 10.0]]]), array([[[1.0, 2.0, 3.0]]]), stride=2).tolist()
        [[[1.0, 2.0, 13.0, 20.0, 30.0]]]

    References:
        PyTorch, torch.nn.functional.conv_transpose1d.
    """
    return _transpose("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Float[Array, "*N I H W"],
    weight: Float[Array, "I O_g K_h K_w"],
    bias: Float[Array, " O"] | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Float[Array, "*N O P Q"]:
    """The transpose of conv2d, as conv_transpose1d is that of conv1d.

    Args:
        input: (N, in_channels, H, W), or (in_channels, H, W).
        weight: (in_channels, out_channels / groups, kernel height, kernel width).
        bias: (out_channels,).
        stride, padding, output_padding, dilation: one number for both axes or one for each.
        groups: groups of channels.

    Returns:
        (N, out_channels, P, Q), or (out_channels, P, Q).

    Raises:
        RuntimeError: where shapes or dtypes do not go together, or a number is out of range.

    Examples:
        >>> conv_transpose2d(array([[[[2.0]]]]), array([[[[1.0, 2.0], [3.0, 4.0]]]])).tolist()
        [[[[2.0, 4.0], [6.0, 8.0]]]]

    References:
        PyTorch, torch.nn.functional.conv_transpose2d.
    """
    return _transpose("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    input: Float[Array, "*N I D H W"],
    weight: Float[Array, "I O_g K_d K_h K_w"],
    bias: Float[Array, " O"] | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Float[Array, "*N O P Q R"]:
    """The transpose of conv3d, as conv_transpose1d is that of conv1d.

    Args:
        input: (N, in_channels, D, H, W), or (in_channels, D, H, W).
        weight: (in_channels, out_channels / groups, kernel depth, kernel height, kernel width).
        bias: (out_channels,).
        stride, padding, output_padding, dilation: one number for all axes or one for each.
        groups: groups of channels.

    Returns:
        (N, out_channels, P, Q, R), or (out_channels, P, Q, R).

    Raises:
        RuntimeError: where shapes or dtypes do not go together, or a number is out of range.

    Examples:
        >>> conv_transpose3d(array([[[[[2.0]]]]]), array([[[[[1.0, 3.0]]]]])).tolist()
        [[[[[2.0, 6.0]]]]]

    References:
        PyTorch, torch.nn.functional.conv_transpose3d.
    """
    return _transpose("conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv2d_by_unfold(
    input: Float[Array, "N I H W"],
    weight: Float[Array, "O I_g K_h K_w"],
    bias: Float[Array, " O"] | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Float[Array, "N O P Q"]:
    """conv2d as one matrix product: every window of the input becomes a column, every filter a row.

    Args:
        input: (N, in_channels, H, W).
        weight: (out_channels, in_channels / groups, kernel height, kernel width).
        bias: (out_channels,).
        stride, padding, dilation: one number for both axes or one for each.
        groups: groups of channels.

    Returns:
        (N, out_channels, P, Q), what conv2d gives.

    Raises:
        RuntimeError: where a number is out of range.

    Examples:
        >>> conv2d_by_unfold(array([[[[1.0, 2.0], [4.0, 8.0]]]]), array([[[[1.0, 0.0], [0.0, 1.0]]]])).tolist()
        [[[[9.0]]]]

    References:
        PyTorch, torch.nn.Unfold, its note on convolution.
    """
    n, out = len(input), len(weight)
    columns = unfold(input, weight.shape[2:], dilation, padding, stride)  # (N, I K_h K_w, P Q)
    columns = columns.reshape(n, groups, -1, columns.shape[-1])
    filters = weight.reshape(groups, out // groups, -1)  # (groups, O / groups, I K_h K_w / groups)
    y = jnp.einsum("gok,ngkl->ngol", filters, columns)
    numbers = (per_axis(v, 2, name="") for v in (stride, padding, dilation))
    sizes = zip(input.shape[2:], weight.shape[2:], *numbers, strict=True)
    y = y.reshape(n, out, *(window_count(*size) for size in sizes))
    return y if bias is None else y + bias[:, None, None]


def _convolve(
    name: str,
    axes: int,
    input: Array,
    weight: Array,
    bias: Array | None,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
) -> Array:
    _check(name, axes, input, weight, bias, groups, transposed=False)
    strides, dilations = per_axis(stride, axes, name="stride"), per_axis(dilation, axes, name="dilation")
    _check_positive(name, stride=strides, dilation=dilations)
    pads = _pads(name, weight.shape[2:], strides, padding, dilations)
    for length, k, d, (left, right) in zip(input.shape[-axes:], weight.shape[2:], dilations, pads, strict=True):
        if length + left + right < d * (k - 1) + 1:
            raise RuntimeError(
                f"{name}: the kernel {tuple(weight.shape[2:])} with dilation {dilations} is larger than the padded "
                f"input of shape {input.shape}"
            )
    x = input if input.ndim == axes + 2 else input[None]
    y = convolve(x, weight, strides, tuple(pads), dilations, groups)
    return _finish(y, bias, single=x is not input)


def _transpose(
    name: str,
    axes: int,
    input: Array,
    weight: Array,
    bias: Array | None,
    stride: Sizes,
    padding: Sizes,
    output_padding: Sizes,
    groups: int,
    dilation: Sizes,
) -> Array:
    _check(name, axes, input, weight, bias, groups, transposed=True)
    strides, dilations = per_axis(stride, axes, name="stride"), per_axis(dilation, axes, name="dilation")
    _check_positive(name, stride=strides, dilation=dilations)
    cut, added = per_axis(padding, axes, name="padding"), per_axis(output_padding, axes, name="output_padding")
    if min(cut) < 0 or min(added) < 0:
        raise RuntimeError(f"{name}: padding {cut} and output_padding {added}, wanted none that is negative")
    if any(a >= max(s, d) for a, s, d in zip(added, strides, dilations, strict=True)):
        raise RuntimeError(f"{name}: output_padding {added} must be less than stride {strides} or dilation {dilations}")
    sizes = zip(input.shape[-axes:], weight.shape[2:], strides, cut, added, dilations, strict=True)
    shape = tuple(transposed_size(*size) for size in sizes)
    if min(shape) < 1:
        raise RuntimeError(f"{name}: the output of an input {input.shape} would have spatial shape {shape}")
    # a convolution of the input with zeros between its elements and around it, by the kernel turned round
    fringe = [d * (k - 1) for d, k in zip(dilations, weight.shape[2:], strict=True)]
    pads = [(f - c, f - c + a) for f, c, a in zip(fringe, cut, added, strict=True)]
    kernel = jnp.flip(weight, range(2, axes + 2)).reshape(groups, -1, *weight.shape[1:])  # (groups, I_g, O_g, ...)
    kernel = jnp.swapaxes(kernel, 1, 2).reshape(-1, weight.shape[0] // groups, *weight.shape[2:])
    x = input if input.ndim == axes + 2 else input[None]
    y = lax.conv_general_dilated(
        x, kernel, (1,) * axes, pads, lhs_dilation=strides, rhs_dilation=dilations, feature_group_count=groups
    )
    return _finish(y, bias, single=x is not input)


def _finish(y: Array, bias: Array | None, *, single: bool) -> Array:
    y = y[0] if single else y
    return y if bias is None else y + bias.reshape(-1, *(1,) * (y.ndim - (1 if single else 2)))


def _pads(
    name: str, kernel: Sequence[int], strides: Sequence[int], padding: Sizes | str, dilations: Sequence[int]
) -> list[tuple[int, int]]:
    if not isinstance(padding, str):
        pads = per_axis(padding, len(kernel), name="padding")
        if min(pads) < 0:
            raise RuntimeError(f"{name}: padding is {pads}, wanted none that is negative")
        return [(p, p) for p in pads]
    if padding not in ("same", "valid"):
        raise RuntimeError(f"{name}: padding is {padding!r}, wanted 'same', 'valid' or numbers")
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if max(strides) > 1:
        raise RuntimeError(f"{name}: padding='same' wants a stride of 1, and it is {tuple(strides)}")
    # the odd one of an even kernel stands at the end
    totals = [d * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
    return [(t // 2, t - t // 2) for t in totals]


def _check_positive(name: str, **values: tuple[int, ...]) -> None:
    for argument, numbers in values.items():
        if min(numbers) < 1:
            raise RuntimeError(f"{name}: {argument} is {numbers}, wanted positive numbers")


def _check(
    name: str, axes: int, input: Array, weight: Array, bias: Array | None, groups: int, *, transposed: bool
) -> None:
    if input.ndim not in (axes + 1, axes + 2):
        raise RuntimeError(
            f"{name}: input has shape {input.shape}, wanted {axes + 2} axes, (N, channels, ...), or {axes + 1} "
            "without N"
        )
    if weight.ndim != axes + 2 or 0 in weight.shape[2:]:
        raise RuntimeError(f"{name}: weight has shape {weight.shape}, wanted {axes + 2} axes and no empty kernel")
    if groups < 1:
        raise RuntimeError(f"{name}: groups is {groups}, wanted a positive number")
    channels = input.shape[-axes - 1]
    if weight.shape[0] < groups or weight.shape[0] % groups:
        raise RuntimeError(f"{name}: the first axis of weight {weight.shape} does not fall into {groups} groups")
    wanted = weight.shape[0] if transposed else weight.shape[1] * groups
    if channels != wanted:
        raise RuntimeError(
            f"{name}: weight {weight.shape} in {groups} groups wants an input of {wanted} channels, and the input has "
            f"shape {input.shape}, {channels} channels"
        )
    out = weight.shape[1] * groups if transposed else weight.shape[0]
    if bias is not None and bias.shape != (out,):
        raise RuntimeError(f"{name}: bias has shape {bias.shape}, wanted ({out},), a number for each output channel")
    dtypes = {a.dtype for a in (input, weight, bias) if a is not None}
    if len(dtypes) > 1:
        raise RuntimeError(
            f"{name}: input is {input.dtype}, weight {weight.dtype}"
            f"{'' if bias is None else f', bias {bias.dtype}'}: cast them to one"
        )
