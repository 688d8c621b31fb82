"""Lazy convolutions, which learn the number of their input's channels from the first input.

The parameters are made by the first call outside jit, or by initialize_parameters(input): a parameter cannot change its
shape inside a compiled function. load_state_dict gives them their shapes too.
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array

from jax_impl.functional._spatial import per_axis
from jax_impl.nn.convolution import Sizes, _Conv, _Convolution, _ConvTranspose
from jax_impl.nn.module import Parameter

__all__ = [
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
]


def _uninitialized(dtype: Any) -> Parameter:
    """A parameter without a shape; load_state_dict takes any for it."""
    return Parameter(jnp.zeros(0, jnp.float32 if dtype is None else dtype), uninitialized=True)


class _Lazy(_Convolution):
    """Parameters of no shape, until there is an input."""

    def _wait(self, bias: bool, dtype: Any, rngs: nnx.Rngs) -> None:
        self.weight = _uninitialized(dtype)
        self.bias = _uninitialized(dtype) if bias else None
        self.rngs: Any = nnx.data(rngs)

    def has_uninitialized_params(self) -> bool:
        """Whether there was no input yet."""
        return self.weight.get_value().size == 0

    def initialize_parameters(self, input: Array) -> None:
        """Make the parameters for an input of so many channels, (N, in_channels, ...) or without N; once."""
        if not self.has_uninitialized_params():
            return
        if input.ndim not in (self.axes + 1, self.axes + 2):
            raise RuntimeError(
                f"{type(self).__name__}: input has shape {input.shape}, wanted {self.axes + 2} axes, (N, channels, "
                f"...), or {self.axes + 1} without N"
            )
        self.in_channels = input.shape[-self.axes - 1]
        if self.in_channels % self.groups:
            raise ValueError(f"{type(self).__name__}: {self.in_channels} channels are not in {self.groups} groups")
        self._draw(self.bias is not None, self.weight.get_value().dtype, self.rngs)
        self.rngs = nnx.data(None)


class _LazyConv(_Lazy, _Conv):
    # NNX takes its random streams as an argument, torch draws from the global generator
    def __init__(
        self,
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
        _Convolution.__init__(self)
        self._set(0, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode)
        self._wait(bias, dtype, rngs)

    def __call__(self, input: Array) -> Array:
        """(N, in_channels, ...) -> (N, out_channels, ...), or both without N; the first one makes the parameters."""
        self.initialize_parameters(input)
        return super().__call__(input)


class _LazyConvTranspose(_Lazy, _ConvTranspose):
    # NNX takes its random streams as an argument, torch draws from the global generator
    def __init__(
        self,
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
        _Convolution.__init__(self)
        self._set(0, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode)
        self.output_padding = per_axis(output_padding, self.axes, name="output_padding")
        self._wait(bias, dtype, rngs)

    def __call__(self, input: Array, output_size: Sequence[int] | None = None) -> Array:
        """(N, in_channels, ...) -> (N, out_channels, ...), or both without N; the first one makes the parameters."""
        self.initialize_parameters(input)
        return super().__call__(input, output_size)


class LazyConv1d(_LazyConv):
    """Conv1d whose in_channels is learnt from the first input.

    Args:
        out_channels and all others: as Conv1d takes them.

    Examples:
        >>> layer = LazyConv1d(3, 2, **rngs)
        >>> tuple(layer(array([[[1.0, 2.0, 5.0]]])).shape), tuple(layer.weight.shape)
        ((1, 3, 2), (3, 1, 2))

    References:
        PyTorch, torch.nn.LazyConv1d.
    """

    axes = 1


class LazyConv2d(_LazyConv):
    """Conv2d whose in_channels is learnt from the first input.

    Args:
        out_channels and all others: as Conv2d takes them.

    Examples:
        >>> layer = LazyConv2d(3, (1, 2), **rngs)
        >>> tuple(layer(array([[[[1.0, 2.0, 5.0]]]])).shape), tuple(layer.weight.shape)
        ((1, 3, 1, 2), (3, 1, 1, 2))

    References:
        PyTorch, torch.nn.LazyConv2d.
    """

    axes = 2


class LazyConv3d(_LazyConv):
    """Conv3d whose in_channels is learnt from the first input.

    Args:
        out_channels and all others: as Conv3d takes them.

    Examples:
        >>> layer = LazyConv3d(3, (1, 1, 2), **rngs)
        >>> tuple(layer(array([[[[[1.0, 2.0, 5.0]]]]])).shape), tuple(layer.weight.shape)
        ((1, 3, 1, 1, 2), (3, 1, 1, 1, 2))

    References:
        PyTorch, torch.nn.LazyConv3d.
    """

    axes = 3


class LazyConvTranspose1d(_LazyConvTranspose):
    """ConvTranspose1d whose in_channels is learnt from the first input.

    Args:
        out_channels and all others: as ConvTranspose1d takes them.

    Examples:
        >>> layer = LazyConvTranspose1d(3, 2, **rngs)
        >>> tuple(layer(array([[[1.0, 2.0, 5.0]]])).shape), tuple(layer.weight.shape)
        ((1, 3, 4), (1, 3, 2))

    References:
        PyTorch, torch.nn.LazyConvTranspose1d.
    """

    axes = 1


class LazyConvTranspose2d(_LazyConvTranspose):
    """ConvTranspose2d whose in_channels is learnt from the first input.

    Args:
        out_channels and all others: as ConvTranspose2d takes them.

    Examples:
        >>> layer = LazyConvTranspose2d(3, (1, 2), **rngs)
        >>> tuple(layer(array([[[[1.0, 2.0, 5.0]]]])).shape), tuple(layer.weight.shape)
        ((1, 3, 1, 4), (1, 3, 1, 2))

    References:
        PyTorch, torch.nn.LazyConvTranspose2d.
    """

    axes = 2


class LazyConvTranspose3d(_LazyConvTranspose):
    """ConvTranspose3d whose in_channels is learnt from the first input.

    Args:
        out_channels and all others: as ConvTranspose3d takes them.

    Examples:
        >>> layer = LazyConvTranspose3d(3, (1, 1, 2), **rngs)
        >>> tuple(layer(array([[[[[1.0, 2.0, 5.0]]]]])).shape), tuple(layer.weight.shape)
        ((1, 3, 1, 1, 4), (1, 3, 1, 1, 2))

    References:
        PyTorch, torch.nn.LazyConvTranspose3d.
    """

    axes = 3
