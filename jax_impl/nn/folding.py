"""Windows as columns and back: layers of functional.unfold and functional.fold."""

from collections.abc import Sequence

from jax import Array

from jax_impl import functional as F
from jax_impl.nn.module import Module

__all__ = ["Unfold", "Fold"]

Sizes = int | Sequence[int]


class Unfold(Module):
    """Every window of an image as a column.

    Args:
        kernel_size, dilation, padding, stride: of the windows, one number or one for each axis.

    Examples:
        >>> Unfold((1, 2))(array([[[[1.0, 2.0, 3.0]]]])).tolist()
        [[[1.0, 2.0], [2.0, 3.0]]]

    References:
        PyTorch, torch.nn.Unfold.
    """

    def __init__(self, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def __call__(self, input: Array) -> Array:
        """(N, C, H, W) -> (N, C * kernel height * kernel width, L)."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Fold(Module):
    """Every column's block added to its place in an image.

    Args:
        output_size: (H, W).
        kernel_size, dilation, padding, stride: of the windows, one number or one for each axis.

    Examples:
        >>> Fold((1, 3), (1, 2))(array([[[1.0, 10.0], [2.0, 20.0]]])).tolist()
        [[[[1.0, 12.0, 20.0]]]]

    References:
        PyTorch, torch.nn.Fold.
    """

    def __init__(
        self, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def __call__(self, input: Array) -> Array:
        """(N, C * kernel height * kernel width, L) -> (N, C, H, W)."""
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )
