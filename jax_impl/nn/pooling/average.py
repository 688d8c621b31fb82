"""Average pooling: the mean of every window, or its mean in a p-norm."""

from collections.abc import Sequence
from typing import Any

from jax import Array

from jax_impl import functional as F
from jax_impl.nn.module import Module

__all__ = ["AvgPool1d", "AvgPool2d", "AvgPool3d", "LPPool1d", "LPPool2d", "LPPool3d"]

Sizes = int | Sequence[int]


class _AvgPool(Module):
    axes: int

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad
        self.divisor_override = divisor_override

    def __call__(self, input: Array) -> Array:
        """The means."""
        pool: Any = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[self.axes - 1]
        divisor = () if self.axes == 1 else (self.divisor_override,)
        windows = (self.kernel_size, self.stride, self.padding)
        return pool(input, *windows, self.ceil_mode, self.count_include_pad, *divisor)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """The mean of every window over one axis, as functional.avg_pool1d has it.

    Args:
        kernel_size, stride, padding: of the windows, one number or one for each axis.
        ceil_mode: whether a last window may hang over the end.
        count_include_pad: whether the padding's zeros count as elements.

    Examples:
        >>> AvgPool1d(2)(array([[[1.0, 3.0, 5.0, 2.0]]])).tolist()
        [[[2.0, 3.5]]]

    References:
        PyTorch, torch.nn.AvgPool1d.
    """

    axes = 1

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)


class AvgPool2d(_AvgPool):
    """The mean of every window over two axes, as functional.avg_pool2d has it.

    Args:
        kernel_size, stride, padding: of the windows, one number or one for each axis.
        ceil_mode: whether a last window may hang over the end.
        count_include_pad: whether the padding's zeros count as elements.
        divisor_override: what to divide the sums by instead.

    Examples:
        >>> AvgPool2d((1, 2))(array([[[[1.0, 3.0, 5.0, 2.0]]]])).tolist()
        [[[[2.0, 3.5]]]]

    References:
        PyTorch, torch.nn.AvgPool2d.
    """

    axes = 2


class AvgPool3d(_AvgPool):
    """The mean of every window over three axes, as functional.avg_pool3d has it.

    Args:
        kernel_size, stride, padding: of the windows, one number or one for each axis.
        ceil_mode: whether a last window may hang over the end.
        count_include_pad: whether the padding's zeros count as elements.
        divisor_override: what to divide the sums by instead.

    Examples:
        >>> AvgPool3d((1, 1, 2))(array([[[[[1.0, 3.0, 5.0, 2.0]]]]])).tolist()
        [[[[[2.0, 3.5]]]]]

    References:
        PyTorch, torch.nn.AvgPool3d.
    """

    axes = 3


class _LPPool(Module):
    axes: int

    def __init__(
        self, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride = norm_type, kernel_size, stride
        self.ceil_mode = ceil_mode

    def __call__(self, input: Array) -> Array:
        """The norms."""
        pool = (F.lp_pool1d, F.lp_pool2d, F.lp_pool3d)[self.axes - 1]
        return pool(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """The p-norm of every window over one axis, as functional.lp_pool1d has it.

    Args:
        norm_type: p.
        kernel_size, stride: of the windows, one number or one for each axis.
        ceil_mode: whether a last window may hang over the end.

    Examples:
        >>> LPPool1d(2, 2)(array([[[3.0, 4.0]]])).tolist()
        [[[5.0]]]

    References:
        PyTorch, torch.nn.LPPool1d.
    """

    axes = 1


class LPPool2d(_LPPool):
    """The p-norm of every window over two axes, as functional.lp_pool2d has it.

    Args:
        norm_type: p.
        kernel_size, stride: of the windows, one number or one for each axis.
        ceil_mode: whether a last window may hang over the end.

    Examples:
        >>> LPPool2d(2, (1, 2))(array([[[[3.0, 4.0]]]])).tolist()
        [[[[5.0]]]]

    References:
        PyTorch, torch.nn.LPPool2d.
    """

    axes = 2


class LPPool3d(_LPPool):
    """The p-norm of every window over three axes, as functional.lp_pool3d has it.

    Args:
        norm_type: p.
        kernel_size, stride: of the windows, one number or one for each axis.
        ceil_mode: whether a last window may hang over the end.

    Examples:
        >>> LPPool3d(2, (1, 1, 2))(array([[[[[3.0, 4.0]]]]])).tolist()
        [[[[[5.0]]]]]

    References:
        PyTorch, torch.nn.LPPool3d.
    """

    axes = 3
