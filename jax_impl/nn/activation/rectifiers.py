"""Layers of activations made of straight lines, and of the exponential ones that replace their negative half."""

from typing import Any

from flax import nnx
from jax import Array
from jaxtyping import Float

from jax_impl import functional as F
from jax_impl.nn.dropout import _stream
from jax_impl.nn.init import constant_
from jax_impl.nn.module import Module

__all__ = ["Threshold", "ReLU", "Hardtanh", "ReLU6", "LeakyReLU", "PReLU", "RReLU", "ELU", "SELU", "CELU"]


class Threshold(Module):
    """x where x > threshold, value elsewhere.

    Args:
        threshold: the number that x must exceed to pass.
        value: what stands in for the rest.
        inplace: no effect: arrays do not change.

    Examples:
        >>> Threshold(1.0, 9.0)(array([0.0, 2.0])).tolist()
        [9.0, 2.0]

    References:
        PyTorch, torch.nn.Threshold.
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold, self.value, self.inplace = threshold, value, inplace

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.threshold(input, self.threshold, self.value)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"threshold={self.threshold}, value={self.value}" + (", inplace=True" if self.inplace else "")


class ReLU(Module):
    """max(x, 0).

    Args:
        inplace: no effect: arrays do not change.

    Examples:
        >>> ReLU()(array([-1.0, 2.0])).tolist()
        [0.0, 2.0]

    References:
        PyTorch, torch.nn.ReLU.
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.relu(input)

    def extra_repr(self) -> str:
        """The arguments."""
        return "inplace=True" if self.inplace else ""


class Hardtanh(Module):
    """x cut off at min_val and max_val.

    Args:
        min_val: the lowest value.
        max_val: the highest value, above min_val.
        inplace: no effect: arrays do not change.

    Raises:
        AssertionError: where min_val is not below max_val.

    Examples:
        >>> Hardtanh()(array([-3.0, 0.5])).tolist()
        [-1.0, 0.5]

    References:
        PyTorch, torch.nn.Hardtanh.
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        if max_val <= min_val:
            raise AssertionError(f"Hardtanh: min_val is {min_val} and max_val {max_val}, wanted min_val < max_val")
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.hardtanh(input, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"min_val={self.min_val}, max_val={self.max_val}" + (", inplace=True" if self.inplace else "")


class ReLU6(Hardtanh):
    """min(max(x, 0), 6).

    Args:
        inplace: no effect: arrays do not change.

    Examples:
        >>> ReLU6()(array([-1.0, 7.0])).tolist()
        [0.0, 6.0]

    References:
        PyTorch, torch.nn.ReLU6.
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        """The arguments."""
        return "inplace=True" if self.inplace else ""


class LeakyReLU(Module):
    """x where x > 0, negative_slope x elsewhere.

    Args:
        negative_slope: the slope of the negative half.
        inplace: no effect: arrays do not change.

    Examples:
        >>> LeakyReLU(0.5)(array([-2.0, 2.0])).tolist()
        [-1.0, 2.0]

    References:
        PyTorch, torch.nn.LeakyReLU.
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class PReLU(Module):
    """LeakyReLU whose slope is learnt: one for all, or one a channel.

    Args:
        num_parameters: how many slopes, 1 or the number of channels.
        init: what they start from.
        dtype: of the slopes; None for float32.

    Examples:
        >>> PReLU(2, 0.5)(array([[-2.0, 2.0]])).tolist()
        [[-1.0, 2.0]]

    References:
        PyTorch, torch.nn.PReLU.
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, *, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = self._empty(num_parameters, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the slopes to init."""
        constant_(self.weight, self.init)

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element; the second axis holds the channels."""
        return F.prelu(input, self.weight[...])

    def extra_repr(self) -> str:
        """The arguments."""
        return f"num_parameters={self.num_parameters}"


class RReLU(Module):
    """LeakyReLU whose slope is drawn for each element from U(lower, upper) in training, and is the middle otherwise.

    Args:
        lower: the least slope.
        upper: the greatest slope.
        inplace: no effect: arrays do not change.
        rngs: its stream "dropout" is drawn from, in training.

    Examples:
        >>> RReLU(0.25, 0.75).eval()(array([-2.0, 2.0])).tolist()
        [-1.0, 2.0]

    References:
        PyTorch, torch.nn.RReLU.
    """

    def __init__(
        self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False, *, rngs: nnx.Rngs | None = None
    ) -> None:
        super().__init__()
        self.lower, self.upper, self.inplace = lower, upper, inplace
        self.rngs = nnx.data(_stream(rngs))

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        key = self.rngs() if self.training and self.rngs is not None else None
        return F.rrelu(input, self.lower, self.upper, self.training, key=key)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"lower={self.lower}, upper={self.upper}" + (", inplace=True" if self.inplace else "")


class ELU(Module):
    """x where x > 0, alpha (exp(x) - 1) elsewhere.

    Args:
        alpha: minus the limit to the left.
        inplace: no effect: arrays do not change.

    Examples:
        >>> ELU()(array([0.0, 2.0])).tolist()
        [0.0, 2.0]

    References:
        PyTorch, torch.nn.ELU.
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.elu(input, self.alpha)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class SELU(Module):
    """ELU with the two constants that keep mean 0 and variance 1.

    Args:
        inplace: no effect: arrays do not change.

    Examples:
        >>> SELU()(array([0.0])).tolist()
        [0.0]

    References:
        PyTorch, torch.nn.SELU.
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.selu(input)

    def extra_repr(self) -> str:
        """The arguments."""
        return "inplace=True" if self.inplace else ""


class CELU(Module):
    """max(0, x) + min(0, alpha (exp(x / alpha) - 1)).

    Args:
        alpha: minus the limit to the left; not 0.
        inplace: no effect: arrays do not change.

    Examples:
        >>> CELU()(array([0.0, 2.0])).tolist()
        [0.0, 2.0]

    References:
        PyTorch, torch.nn.CELU.
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.celu(input, self.alpha)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")
