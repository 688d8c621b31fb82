"""Adaptive pooling: as many windows as outputs are asked for, whatever the size of the input."""

from collections.abc import Sequence
from typing import Any

from jax import Array

from jax_impl import functional as F
from jax_impl.nn.module import Module

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
]

OutputSize = int | None | Sequence[int | None]


class _AdaptiveAvgPool(Module):
    axes: int

    def __init__(self, output_size: OutputSize) -> None:
        super().__init__()
        self.output_size = output_size

    def __call__(self, input: Array) -> Array:
        """The means."""
        pool = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[self.axes - 1]
        return pool(input, self.output_size)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"output_size={self.output_size}"


class _AdaptiveMaxPool(Module):
    axes: int

    def __init__(self, output_size: OutputSize, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def __call__(self, input: Array) -> Any:
        """The largest elements, and where they stood if return_indices."""
        pool = (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)[self.axes - 1]
        return pool(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The mean of each of so many windows over one axis, as functional.adaptive_avg_pool1d has it.

    Args:
        output_size: how many.

    Examples:
        >>> AdaptiveAvgPool1d(2)(array([[[1.0, 3.0, 5.0]]])).tolist()
        [[[2.0, 4.0]]]

    References:
        PyTorch, torch.nn.AdaptiveAvgPool1d.
    """

    axes = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The mean of each of so many windows over two axes, as functional.adaptive_avg_pool2d has it.

    Args:
        output_size: how many, one number or one for each axis; None for the input's size.

    Examples:
        >>> AdaptiveAvgPool2d((1, 2))(array([[[[1.0, 3.0, 5.0]]]])).tolist()
        [[[[2.0, 4.0]]]]

    References:
        PyTorch, torch.nn.AdaptiveAvgPool2d.
    """

    axes = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """The mean of each of so many windows over three axes, as functional.adaptive_avg_pool3d has it.

    Args:
        output_size: how many, one number or one for each axis; None for the input's size.

    Examples:
        >>> AdaptiveAvgPool3d((1, 1, 2))(array([[[[[1.0, 3.0, 5.0]]]]])).tolist()
        [[[[[2.0, 4.0]]]]]

    References:
        PyTorch, torch.nn.AdaptiveAvgPool3d.
    """

    axes = 3


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The largest element of each of so many windows over one axis, as functional.adaptive_max_pool1d has it.

    Args:
        output_size: how many.
        return_indices: whether to return where each stood too.

    Examples:
        >>> AdaptiveMaxPool1d(2)(array([[[1.0, 3.0, 5.0]]])).tolist()
        [[[3.0, 5.0]]]

    References:
        PyTorch, torch.nn.AdaptiveMaxPool1d.
    """

    axes = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The largest element of each of so many windows over two axes, as functional.adaptive_max_pool2d has it.

    Args:
        output_size: how many, one number or one for each axis; None for the input's size.
        return_indices: whether to return where each stood too.

    Examples:
        >>> AdaptiveMaxPool2d((1, 2))(array([[[[1.0, 3.0, 5.0]]]])).tolist()
        [[[[3.0, 5.0]]]]

    References:
        PyTorch, torch.nn.AdaptiveMaxPool2d.
    """

    axes = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The largest element of each of so many windows over three axes, as functional.adaptive_max_pool3d has it.

    Args:
        output_size: how many, one number or one for each axis; None for the input's size.
        return_indices: whether to return where each stood too.

    Examples:
        >>> AdaptiveMaxPool3d((1, 1, 2))(array([[[[[1.0, 3.0, 5.0]]]]])).tolist()
        [[[[[3.0, 5.0]]]]]

    References:
        PyTorch, torch.nn.AdaptiveMaxPool3d.
    """

    axes = 3
