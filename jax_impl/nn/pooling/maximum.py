"""Max pooling: the largest element of every window, and where it stood."""

from collections.abc import Sequence
from typing import Any

from jax import Array

from jax_impl import functional as F
from jax_impl.nn.module import Module

__all__ = ["MaxPool1d", "MaxPool2d", "MaxPool3d"]

Sizes = int | Sequence[int]


class _MaxPool(Module):
    axes: int

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def __call__(self, input: Array) -> Any:
        """The largest elements, and where they stood if return_indices."""
        pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[self.axes - 1]
        return pool(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest element of every window over one axis, as functional.max_pool1d has it.

    Args:
        kernel_size, stride, padding, dilation: of the windows, one number or one for each axis.
        return_indices: whether to return where each stood too.
        ceil_mode: whether a last window may hang over the end.

    Examples:
        >>> MaxPool1d(2)(array([[[1.0, 3.0, 5.0, 2.0]]])).tolist()
        [[[3.0, 5.0]]]

    References:
        PyTorch, torch.nn.MaxPool1d.
    """

    axes = 1


class MaxPool2d(_MaxPool):
    """The largest element of every window over two axes, as functional.max_pool2d has it.

    Args:
        kernel_size, stride, padding, dilation: of the windows, one number or one for each axis.
        return_indices: whether to return where each stood too.
        ceil_mode: whether a last window may hang over the end.

    Examples:
        >>> MaxPool2d((1, 2))(array([[[[1.0, 3.0, 5.0, 2.0]]]])).tolist()
        [[[[3.0, 5.0]]]]

    References:
        PyTorch, torch.nn.MaxPool2d.
    """

    axes = 2


class MaxPool3d(_MaxPool):
    """The largest element of every window over three axes, as functional.max_pool3d has it.

    Args:
        kernel_size, stride, padding, dilation: of the windows, one number or one for each axis.
        return_indices: whether to return where each stood too.
        ceil_mode: whether a last window may hang over the end.

    Examples:
        >>> MaxPool3d((1, 1, 2))(array([[[[[1.0, 3.0, 5.0, 2.0]]]]])).tolist()
        [[[[[3.0, 5.0]]]]]

    References:
        PyTorch, torch.nn.MaxPool3d.
    """

    axes = 3
