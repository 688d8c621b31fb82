"""Normalization within each example: over its last axes, its groups of channels, or neighbouring channels."""

from collections.abc import Sequence
from typing import Any

from jax import Array
from jaxtyping import Float

from jax_impl import functional as F
from jax_impl.nn import init
from jax_impl.nn.module import Module

__all__ = ["LayerNorm", "RMSNorm", "GroupNorm", "LocalResponseNorm"]


class LayerNorm(Module):
    """(x - mean) / sqrt(var + eps) w + b, over the last axes.

    Args:
        normalized_shape: the lengths of those axes, or of the only one.
        eps: added to the variance.
        elementwise_affine: whether there are w and b, of that shape, that start as 1 and 0.
        bias: whether there is b beside w.
        dtype: of the parameters; None for float32.

    Examples:
        >>> LayerNorm(2, eps=1e-12)(array([[1.0, 3.0]])).tolist()
        [[-1.0, 1.0]]

    References:
        PyTorch, torch.nn.LayerNorm; J. L. Ba et al., "Layer Normalization" (2016).
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _lengths(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.weight = self._empty(*self.normalized_shape, dtype=dtype) if elementwise_affine else None
        self.bias = self._empty(*self.normalized_shape, dtype=dtype) if elementwise_affine and bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        _reset(self)

    def __call__(self, input: Float[Array, "..."]) -> Float[Array, "..."]:
        """Shaped as input, whose last axes are normalized_shape."""
        weight, bias = self._values("weight", "bias")
        return F.layer_norm(input, self.normalized_shape, weight, bias, self.eps)

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """x / sqrt(mean(x^2) + eps) w, over the last axes.

    Args:
        normalized_shape: the lengths of those axes, or of the only one.
        eps: added to the mean square; the spacing of the dtype at 1 where None.
        elementwise_affine: whether there is w, of that shape, that starts as 1.
        dtype: of the parameter; None for float32.

    Examples:
        >>> RMSNorm(2, eps=0.0)(array([[1.0, -1.0]])).tolist()
        [[1.0, -1.0]]

    References:
        PyTorch, torch.nn.RMSNorm; B. Zhang and R. Sennrich, "Root Mean Square Layer Normalization" (2019).
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _lengths(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.weight = self._empty(*self.normalized_shape, dtype=dtype) if elementwise_affine else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1."""
        _reset(self)

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """Shaped as input, whose last axes are normalized_shape."""
        return F.rms_norm(x, self.normalized_shape, self._values("weight")[0], self.eps)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Module):
    """(x - mean) / sqrt(var + eps) w + b, a group of channels of an example at a time.

    Args:
        num_groups: into how many groups of neighbours the channels are split; divides num_channels.
        num_channels: C, on the second axis.
        eps: added to the variance.
        affine: whether there are w and b, one a channel, that start as 1 and 0.
        dtype: of the parameters; None for float32.
        bias: whether there is b beside w.

    Raises:
        ValueError: where the groups do not divide the channels.

    Examples:
        >>> GroupNorm(1, 2, eps=1e-12)(array([[1.0, 3.0]])).tolist()
        [[-1.0, 1.0]]

    References:
        PyTorch, torch.nn.GroupNorm; Y. Wu and K. He, "Group Normalization" (2018).
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        dtype: Any = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(
                f"GroupNorm: {num_channels} channels in {num_groups} groups, wanted a number that divides them"
            )
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.weight = self._empty(num_channels, dtype=dtype) if affine else None
        self.bias = self._empty(num_channels, dtype=dtype) if affine and bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        _reset(self)

    def __call__(self, input: Float[Array, "N C *D"]) -> Float[Array, "N C *D"]:
        """Shaped as input."""
        weight, bias = self._values("weight", "bias")
        return F.group_norm(input, self.num_groups, weight, bias, self.eps)

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """x_c / (k + alpha mean x^2)^beta, the mean over size neighbouring channels.

    Args:
        size: how many channels.
        alpha: the factor of the mean.
        beta: the exponent.
        k: added to it.

    Examples:
        >>> LocalResponseNorm(1, alpha=1.0, beta=1.0)(array([[[1.0]]])).tolist()
        [[[0.5]]]

    References:
        PyTorch, torch.nn.LocalResponseNorm; A. Krizhevsky et al., "ImageNet Classification" (2012), 3.3.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def __call__(self, input: Float[Array, "N C *D"]) -> Float[Array, "N C *D"]:
        """Shaped as input, of three axes or more."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def _lengths(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    return (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)


def _reset(layer: Any) -> None:
    if layer.weight is not None:
        init.ones_(layer.weight)
    if getattr(layer, "bias", None) is not None:
        init.zeros_(layer.bias)
