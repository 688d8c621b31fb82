"""Layers that make one axis sum to 1."""

from jax import Array
from jaxtyping import Float

from jax_impl import functional as F
from jax_impl.nn.module import Module

__all__ = ["Softmax", "Softmin", "LogSoftmax", "Softmax2d"]


class Softmax(Module):
    """exp(x_k) / sum_j exp(x_j) along one axis.

    Args:
        dim: the axis that sums to 1; None, which torch deprecates, is the first of 0, 1 or 3 axes, else the second.

    Examples:
        >>> Softmax(0)(array([0.0, 0.0])).tolist()
        [0.5, 0.5]

    References:
        PyTorch, torch.nn.Softmax.
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Along dim."""
        return F.softmax(input, self.dim)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"dim={self.dim}"


class Softmin(Module):
    """softmax(-x) along one axis.

    Args:
        dim: the axis that sums to 1; None, which torch deprecates, is the first of 0, 1 or 3 axes, else the second.

    Examples:
        >>> Softmin(0)(array([0.0, 1000.0])).tolist()
        [1.0, 0.0]

    References:
        PyTorch, torch.nn.Softmin.
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Along dim."""
        return F.softmin(input, self.dim)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """log(softmax(x)) along one axis.

    Args:
        dim: the axis that sums to 1; None, which torch deprecates, is the first of 0, 1 or 3 axes, else the second.

    Examples:
        >>> LogSoftmax(0)(array([1000.0, 0.0])).tolist()
        [0.0, -1000.0]

    References:
        PyTorch, torch.nn.LogSoftmax.
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Along dim."""
        return F.log_softmax(input, self.dim)


class Softmax2d(Module):
    """Softmax over the channels of images.

    Raises:
        ValueError: where an input is not (C, H, W) or (N, C, H, W).

    Examples:
        >>> Softmax2d()(array([[[0.0]], [[0.0]]])).tolist()
        [[[0.5]], [[0.5]]]

    References:
        PyTorch, torch.nn.Softmax2d.
    """

    def __call__(self, input: Float[Array, "*N C H W"]) -> Float[Array, "*N C H W"]:
        """Over the third axis from the end."""
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: input has shape {tuple(input.shape)}, wanted (C, H, W) or (N, C, H, W)")
        return F.softmax(input, -3)
