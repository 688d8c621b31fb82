"""Convolution layers over one, two and three spatial axes, and transposed ones."""

import math
from collections.abc import Sequence
from typing import Any

from flax import nnx
from jax import Array

from jax_impl import functional as F
from jax_impl.functional._spatial import per_axis, transposed_size
from jax_impl.nn import init
from jax_impl.nn.module import Module

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]

Sizes = int | Sequence[int]

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """What plain and transposed convolutions share: the checks, the parameters and their initial distribution."""

    axes: int
    transposed = False

    def _set(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes,
        padding: Sizes | str,
        dilation: Sizes,
        groups: int,
        padding_mode: str,
    ) -> None:
        name = type(self).__name__
        if groups <= 0:
            raise ValueError(f"{name}: groups is {groups}, wanted a positive number")
        for argument, channels in {"in_channels": in_channels, "out_channels": out_channels}.items():
            if channels % groups:
                raise ValueError(f"{name}: {argument} is {channels}, wanted a multiple of groups, {groups}")
        modes = PADDING_MODES[:1] if self.transposed else PADDING_MODES
        if padding_mode not in modes:
            raise ValueError(f"{name}: padding_mode is {padding_mode!r}, wanted one of {modes}")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = per_axis(kernel_size, self.axes, name="kernel_size")
        self.stride = per_axis(stride, self.axes, name="stride")
        self.dilation = per_axis(dilation, self.axes, name="dilation")
        self.padding_mode = padding_mode
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"{name}: padding is {padding!r}, wanted 'same', 'valid' or numbers")
            if padding == "same" and max(self.stride) > 1:
                raise ValueError(f"{name}: padding='same' wants a stride of 1, and it is {self.stride}")
        self.padding: Any = padding if isinstance(padding, str) else per_axis(padding, self.axes, name="padding")

    def _draw(self, bias: bool, dtype: Any, rngs: nnx.Rngs) -> None:
        channels = (self.in_channels, self.out_channels) if self.transposed else (self.out_channels, self.in_channels)
        shape = (channels[0], channels[1] // self.groups, *self.kernel_size)
        self.weight = self._empty(*shape, dtype=dtype)
        self.bias = self._empty(self.out_channels, dtype=dtype) if bias else None
        self.reset_parameters(rngs=rngs)

    def reset_parameters(self, *, rngs: nnx.Rngs) -> None:
        """Draw the parameters anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5), generator=rngs)
        if self.bias is not None:
            # torch counts a transposed kernel's outputs as its inputs too
            fan_in = math.prod(self.weight.shape[1:])
            bound = 1 / math.sqrt(fan_in) if fan_in else 0
            init.uniform_(self.bias, -bound, bound, generator=rngs)

    def extra_repr(self) -> str:
        """The arguments that are not the defaults."""
        said = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        zeros, ones = (0,) * self.axes, (1,) * self.axes
        said += f", padding={self.padding}" if self.padding != zeros else ""
        said += f", dilation={self.dilation}" if self.dilation != ones else ""
        said += f", groups={self.groups}" if self.groups != 1 else ""
        said += ", bias=False" if self.bias is None else ""
        return said + (f", padding_mode={self.padding_mode}" if self.padding_mode != "zeros" else "")


class _Conv(_Convolution):
    # NNX takes its random streams as an argument, torch draws from the global generator
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        dtype: Any = None,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__()
        self._set(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode)
        self._draw(bias, dtype, rngs)

    def __call__(self, input: Array) -> Array:
        """(N, in_channels, ...) -> (N, out_channels, ...), or both without N."""
        convolve: Any = (F.conv1d, F.conv2d, F.conv3d)[self.axes - 1]
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._edges(), self.padding_mode), (0,) * self.axes
        return convolve(input, *self._values("weight", "bias"), self.stride, padding, self.dilation, self.groups)

    def _edges(self) -> list[int]:
        """The padding as functional.pad takes it: the last axis first."""
        if not isinstance(self.padding, str):
            return [p for n in reversed(self.padding) for p in (n, n)]
        if self.padding == "valid":
            return [0] * 2 * self.axes
        totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        return [p for total in reversed(totals) for p in (total // 2, total - total // 2)]


class _ConvTranspose(_Convolution):
    transposed = True

    # NNX takes its random streams as an argument, torch draws from the global generator
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
        *,
        dtype: Any = None,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__()
        self._set(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode)
        self.output_padding = per_axis(output_padding, self.axes, name="output_padding")
        self._draw(bias, dtype, rngs)

    def __call__(self, input: Array, output_size: Sequence[int] | None = None) -> Array:
        """(N, in_channels, ...) -> (N, out_channels, ...), or both without N; of one of the sizes that there can be."""
        convolve: Any = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[self.axes - 1]
        added = self.output_padding if output_size is None else self._added(input, tuple(output_size))
        weights = self._values("weight", "bias")
        return convolve(input, *weights, self.stride, self.padding, added, self.groups, self.dilation)

    def _added(self, input: Array, output_size: tuple[int, ...]) -> tuple[int, ...]:
        """The output_padding that gives this size; it may hold the axes before the spatial ones too."""
        name, wanted = type(self).__name__, output_size[-self.axes :]
        if len(output_size) not in (self.axes, input.ndim):
            raise ValueError(f"{name}: output_size is {output_size}, wanted {self.axes} or {input.ndim} numbers")
        cut = per_axis(self.padding, self.axes, name="padding")
        rows = zip(input.shape[-self.axes :], self.kernel_size, self.stride, cut, self.dilation, strict=True)
        least = tuple(transposed_size(n, k, s, p, 0, d) for n, k, s, p, d in rows)
        if not all(low <= size < low + s for low, size, s in zip(least, wanted, self.stride, strict=True)):
            raise ValueError(
                f"{name}: output_size is {wanted}, and of an input of shape {input.shape} with stride {self.stride} "
                f"it can be from {least} to {tuple(low + s - 1 for low, s in zip(least, self.stride, strict=True))}"
            )
        return tuple(size - low for low, size in zip(least, wanted, strict=True))


class Conv1d(_Conv):
    """A convolution over one axis. Weight and bias start in U(-1/sqrt(fan_in), 1/sqrt(fan_in)).

    Args:
        in_channels, out_channels: of the input and of the output.
        kernel_size, stride, padding, dilation: one number, or one for each axis; padding may be "same" or "valid".
        groups: the channels fall into so many groups that see nothing of each other.
        bias: whether each output channel has one.
        padding_mode: "zeros", "reflect", "replicate" or "circular".
        dtype: of the parameters; None for float32.

    Examples:
        >>> layer = Conv1d(1, 1, 2, bias=False, **rngs)
        >>> layer.load_state_dict({"weight": array([[[1.0, -1.0]]])})
        <All keys matched successfully>
        >>> layer(array([[[1.0, 2.0, 5.0]]])).tolist()
        [[[-1.0, -3.0]]]

    References:
        PyTorch, torch.nn.Conv1d.
    """

    axes = 1


class Conv2d(_Conv):
    """A convolution over two axes. Weight and bias start in U(-1/sqrt(fan_in), 1/sqrt(fan_in)).

    Args:
        in_channels, out_channels: of the input and of the output.
        kernel_size, stride, padding, dilation: one number, or one for each axis; padding may be "same" or "valid".
        groups: the channels fall into so many groups that see nothing of each other.
        bias: whether each output channel has one.
        padding_mode: "zeros", "reflect", "replicate" or "circular".
        dtype: of the parameters; None for float32.

    Examples:
        >>> layer = Conv2d(1, 1, (1, 2), bias=False, **rngs)
        >>> layer.load_state_dict({"weight": array([[[[1.0, -1.0]]]])})
        <All keys matched successfully>
        >>> layer(array([[[[1.0, 2.0, 5.0]]]])).tolist()
        [[[[-1.0, -3.0]]]]

    References:
        PyTorch, torch.nn.Conv2d.
    """

    axes = 2


class Conv3d(_Conv):
    """A convolution over three axes. Weight and bias start in U(-1/sqrt(fan_in), 1/sqrt(fan_in)).

    Args:
        in_channels, out_channels: of the input and of the output.
        kernel_size, stride, padding, dilation: one number, or one for each axis; padding may be "same" or "valid".
        groups: the channels fall into so many groups that see nothing of each other.
        bias: whether each output channel has one.
        padding_mode: "zeros", "reflect", "replicate" or "circular".
        dtype: of the parameters; None for float32.

    Examples:
        >>> layer = Conv3d(1, 1, (1, 1, 2), bias=False, **rngs)
        >>> layer.load_state_dict({"weight": array([[[[[1.0, -1.0]]]]])})
        <All keys matched successfully>
        >>> layer(array([[[[[1.0, 2.0, 5.0]]]]])).tolist()
        [[[[[-1.0, -3.0]]]]]

    References:
        PyTorch, torch.nn.Conv3d.
    """

    axes = 3


class ConvTranspose1d(_ConvTranspose):
    """A transposed convolution over one axis, as functional.conv_transpose1d has it.

    Args:
        in_channels, out_channels: of the input and of the output.
        kernel_size, stride, padding, output_padding, dilation: one number, or one for each axis.
        groups: the channels fall into so many groups that see nothing of each other.
        bias: whether each output channel has one.
        padding_mode: "zeros", the only one that there is.
        dtype: of the parameters; None for float32.

    Examples:
        >>> layer = ConvTranspose1d(1, 1, 2, bias=False, **rngs)
        >>> layer.load_state_dict({"weight": array([[[1.0, -1.0]]])})
        <All keys matched successfully>
        >>> layer(array([[[1.0, 2.0]]])).tolist()
        [[[1.0, 1.0, -2.0]]]

    References:
        PyTorch, torch.nn.ConvTranspose1d.
    """

    axes = 1


class ConvTranspose2d(_ConvTranspose):
    """A transposed convolution over two axes, as functional.conv_transpose2d has it.

    Args:
        in_channels, out_channels: of the input and of the output.
        kernel_size, stride, padding, output_padding, dilation: one number, or one for each axis.
        groups: the channels fall into so many groups that see nothing of each other.
        bias: whether each output channel has one.
        padding_mode: "zeros", the only one that there is.
        dtype: of the parameters; None for float32.

    Examples:
        >>> layer = ConvTranspose2d(1, 1, (1, 2), bias=False, **rngs)
        >>> layer.load_state_dict({"weight": array([[[[1.0, -1.0]]]])})
        <All keys matched successfully>
        >>> layer(array([[[[1.0, 2.0]]]])).tolist()
        [[[[1.0, 1.0, -2.0]]]]

    References:
        PyTorch, torch.nn.ConvTranspose2d.
    """

    axes = 2


class ConvTranspose3d(_ConvTranspose):
    """A transposed convolution over three axes, as functional.conv_transpose3d has it.

    Args:
        in_channels, out_channels: of the input and of the output.
        kernel_size, stride, padding, output_padding, dilation: one number, or one for each axis.
        groups: the channels fall into so many groups that see nothing of each other.
        bias: whether each output channel has one.
        padding_mode: "zeros", the only one that there is.
        dtype: of the parameters; None for float32.

    Examples:
        >>> layer = ConvTranspose3d(1, 1, (1, 1, 2), bias=False, **rngs)
        >>> layer.load_state_dict({"weight": array([[[[[1.0, -1.0]]]]])})
        <All keys matched successfully>
        >>> layer(array([[[[[1.0, 2.0]]]]])).tolist()
        [[[[[1.0, 1.0, -2.0]]]]]

    References:
        PyTorch, torch.nn.ConvTranspose3d.
    """

    axes = 3
