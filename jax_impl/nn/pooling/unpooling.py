"""Max unpooling: every element goes back to where max pooling found it, and zeros stand everywhere else."""

from collections.abc import Sequence

from jax import Array

from jax_impl import functional as F
from jax_impl.nn.module import Module

__all__ = ["MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"]

Sizes = int | Sequence[int]


class _MaxUnpool(Module):
    axes: int

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding

    def __call__(self, input: Array, indices: Array, output_size: Sequence[int] | None = None) -> Array:
        """The elements where the indices say, of the size that is asked for or the smallest."""
        unpool = (F.max_unpool1d, F.max_unpool2d, F.max_unpool3d)[self.axes - 1]
        return unpool(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Undo MaxPool1d as far as it can be undone, as functional.max_unpool1d does.

    Args:
        kernel_size, stride, padding: those of the pooling.

    Examples:
        >>> MaxUnpool1d(2)(array([[[3.0, 5.0]]]), array([[[1, 2]]])).tolist()
        [[[0.0, 3.0, 5.0, 0.0]]]

    References:
        PyTorch, torch.nn.MaxUnpool1d.
    """

    axes = 1


class MaxUnpool2d(_MaxUnpool):
    """Undo MaxPool2d as far as it can be undone, as functional.max_unpool2d does.

    Args:
        kernel_size, stride, padding: those of the pooling.

    Examples:
        >>> MaxUnpool2d((1, 2))(array([[[[3.0, 5.0]]]]), array([[[[1, 2]]]])).tolist()
        [[[[0.0, 3.0, 5.0, 0.0]]]]

    References:
        PyTorch, torch.nn.MaxUnpool2d.
    """

    axes = 2


class MaxUnpool3d(_MaxUnpool):
    """Undo MaxPool3d as far as it can be undone, as functional.max_unpool3d does.

    Args:
        kernel_size, stride, padding: those of the pooling.

    Examples:
        >>> MaxUnpool3d((1, 1, 2))(array([[[[[3.0, 5.0]]]]]), array([[[[[1, 2]]]]])).tolist()
        [[[[[0.0, 3.0, 5.0, 0.0]]]]]

    References:
        PyTorch, torch.nn.MaxUnpool3d.
    """

    axes = 3
