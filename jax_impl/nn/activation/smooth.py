"""Layers of sigmoids, gates and shrinkages."""

from jax import Array
from jaxtyping import Float

from jax_impl import functional as F
from jax_impl.nn.module import Module

__all__ = [
    "Sigmoid",
    "Hardsigmoid",
    "LogSigmoid",
    "Tanh",
    "Tanhshrink",
    "Softsign",
    "Softplus",
    "SiLU",
    "Hardswish",
    "Mish",
    "GELU",
    "GLU",
    "Hardshrink",
    "Softshrink",
]


class Sigmoid(Module):
    """1 / (1 + exp(-x)).

    Examples:
        >>> Sigmoid()(array([0.0])).tolist()
        [0.5]

    References:
        PyTorch, torch.nn.Sigmoid.
    """

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.sigmoid(input)


class Hardsigmoid(Module):
    """0 up to -3, 1 from 3 on, (x + 3) / 6 between.

    Args:
        inplace: no effect: arrays do not change.

    Examples:
        >>> Hardsigmoid()(array([-4.0, 0.0])).tolist()
        [0.0, 0.5]

    References:
        PyTorch, torch.nn.Hardsigmoid.
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.hardsigmoid(input)


class LogSigmoid(Module):
    """log(sigmoid(x)), for x of any size.

    Examples:
        >>> LogSigmoid()(array([-1000.0])).tolist()
        [-1000.0]

    References:
        PyTorch, torch.nn.LogSigmoid.
    """

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.logsigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent.

    Examples:
        >>> Tanh()(array([0.0])).tolist()
        [0.0]

    References:
        PyTorch, torch.nn.Tanh.
    """

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.tanh(input)


class Tanhshrink(Module):
    """x - tanh(x).

    Examples:
        >>> Tanhshrink()(array([0.0])).tolist()
        [0.0]

    References:
        PyTorch, torch.nn.Tanhshrink.
    """

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.tanhshrink(input)


class Softsign(Module):
    """x / (1 + |x|).

    Examples:
        >>> Softsign()(array([3.0])).tolist()
        [0.75]

    References:
        PyTorch, torch.nn.Softsign.
    """

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.softsign(input)


class Softplus(Module):
    """log(1 + exp(beta x)) / beta, and x itself where beta x > threshold.

    Args:
        beta: how sharp the bend is.
        threshold: where the straight line takes over.

    Examples:
        >>> Softplus()(array([30.0])).tolist()
        [30.0]

    References:
        PyTorch, torch.nn.Softplus.
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"beta={self.beta}, threshold={self.threshold}"


class SiLU(Module):
    """x sigmoid(x), also called swish.

    Args:
        inplace: no effect: arrays do not change.

    Examples:
        >>> SiLU()(array([0.0])).tolist()
        [0.0]

    References:
        PyTorch, torch.nn.SiLU.
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.silu(input)

    def extra_repr(self) -> str:
        """The arguments."""
        return "inplace=True" if self.inplace else ""


class Hardswish(Module):
    """0 up to -3, x from 3 on, x (x + 3) / 6 between.

    Args:
        inplace: no effect: arrays do not change.

    Examples:
        >>> Hardswish()(array([-4.0, 1.5])).tolist()
        [0.0, 1.125]

    References:
        PyTorch, torch.nn.Hardswish.
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.hardswish(input)


class Mish(Module):
    """x tanh(log(1 + exp(x))).

    Args:
        inplace: no effect: arrays do not change.

    Examples:
        >>> Mish()(array([0.0])).tolist()
        [0.0]

    References:
        PyTorch, torch.nn.Mish.
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.mish(input)

    def extra_repr(self) -> str:
        """The arguments."""
        return "inplace=True" if self.inplace else ""


class GELU(Module):
    """x times the probability that a normal number lies below x.

    Args:
        approximate: "none", or "tanh" for the approximation that jax.nn.gelu makes by default.

    Examples:
        >>> GELU()(array([0.0])).tolist()
        [0.0]

    References:
        PyTorch, torch.nn.GELU.
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"approximate={self.approximate!r}"


class GLU(Module):
    """a sigmoid(b), where a and b are the halves of the input along one axis.

    Args:
        dim: the axis to halve.

    Examples:
        >>> GLU()(array([4.0, 0.0])).tolist()
        [2.0]

    References:
        PyTorch, torch.nn.GLU.
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def __call__(self, input: Float[Array, "..."]) -> Float[Array, "..."]:
        """Half as long along dim."""
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"dim={self.dim}"


class Hardshrink(Module):
    """0 where |x| <= lambd, x elsewhere.

    Args:
        lambd: half the width of the band.

    Examples:
        >>> Hardshrink()(array([0.5, 1.0])).tolist()
        [0.0, 1.0]

    References:
        PyTorch, torch.nn.Hardshrink.
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.lambd}"


class Softshrink(Module):
    """x moved towards 0 by lambd, and 0 where |x| <= lambd.

    Args:
        lambd: how far; at least 0.

    Examples:
        >>> Softshrink()(array([0.5, 1.0])).tolist()
        [0.0, 0.5]

    References:
        PyTorch, torch.nn.Softshrink.
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def __call__(self, input: Float[Array, "*S"]) -> Float[Array, "*S"]:
        """Of each element."""
        return F.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.lambd}"
