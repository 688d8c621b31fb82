"""Padding layers: numbers around the spatial axes, constant ones or copies of the input's own."""

from collections.abc import Sequence

from jax import Array

from jax_impl import functional as F
from jax_impl.nn.module import Module

__all__ = [
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
]

Sizes = int | Sequence[int]


class _Pad(Module):
    axes: int
    mode: str

    def __init__(self, padding: Sizes) -> None:
        super().__init__()
        given = tuple(padding) if isinstance(padding, Sequence) else (padding,)
        self.padding = given * (2 * self.axes) if len(given) == 1 else given

    def __call__(self, input: Array) -> Array:
        """The padded input."""
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        """The arguments."""
        return str(self.padding)


class _ConstantPad(_Pad):
    def __init__(self, padding: Sizes, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def __call__(self, input: Array) -> Array:
        """The padded input."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: Sizes) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """The arguments."""
        return str(self.padding)


class _CircularPad(_Pad):
    mode = "circular"

    def __call__(self, input: Array) -> Array:
        """The padded input."""
        if input.ndim not in (self.axes + 1, self.axes + 2):
            raise ValueError(
                f"{type(self).__name__}: expected {self.axes + 1}D or {self.axes + 2}D input (got {input.ndim}D input)"
            )
        return super().__call__(input)


class ConstantPad1d(_ConstantPad):
    """Pad one axis with a value.

    Args:
        padding: (left, right) of the last axis, then of the one before it, and so on; or one number for all.
        value: what to pad with.

    Examples:
        >>> ConstantPad1d((1, 0), 1.5)(array([[[1.0, 2.0, 3.0]]])).tolist()
        [[[1.5, 1.0, 2.0, 3.0]]]

    References:
        PyTorch, torch.nn.ConstantPad1d.
    """

    axes = 1


class ConstantPad2d(_ConstantPad):
    """Pad two axes with a value.

    Args:
        padding: (left, right) of the last axis, then of the one before it, and so on; or one number for all.
        value: what to pad with.

    Examples:
        >>> ConstantPad2d((1, 0, 0, 0), 1.5)(array([[[[1.0, 2.0, 3.0]]]])).tolist()
        [[[[1.5, 1.0, 2.0, 3.0]]]]

    References:
        PyTorch, torch.nn.ConstantPad2d.
    """

    axes = 2


class ConstantPad3d(_ConstantPad):
    """Pad three axes with a value.

    Args:
        padding: (left, right) of the last axis, then of the one before it, and so on; or one number for all.
        value: what to pad with.

    Examples:
        >>> ConstantPad3d((1, 0, 0, 0, 0, 0), 1.5)(array([[[[[1.0, 2.0, 3.0]]]]])).tolist()
        [[[[[1.5, 1.0, 2.0, 3.0]]]]]

    References:
        PyTorch, torch.nn.ConstantPad3d.
    """

    axes = 3


class ZeroPad1d(_ZeroPad):
    """Pad one axis with zeros.

    Args:
        padding: (left, right) of the last axis, then of the one before it, and so on; or one number for all.

    Examples:
        >>> ZeroPad1d((1, 0))(array([[[1.0, 2.0, 3.0]]])).tolist()
        [[[0.0, 1.0, 2.0, 3.0]]]

    References:
        PyTorch, torch.nn.ZeroPad1d.
    """

    axes = 1


class ZeroPad2d(_ZeroPad):
    """Pad two axes with zeros.

    Args:
        padding: (left, right) of the last axis, then of the one before it, and so on; or one number for all.

    Examples:
        >>> ZeroPad2d((1, 0, 0, 0))(array([[[[1.0, 2.0, 3.0]]]])).tolist()
        [[[[0.0, 1.0, 2.0, 3.0]]]]

    References:
        PyTorch, torch.nn.ZeroPad2d.
    """

    axes = 2


class ZeroPad3d(_ZeroPad):
    """Pad three axes with zeros.

    Args:
        padding: (left, right) of the last axis, then of the one before it, and so on; or one number for all.

    Examples:
        >>> ZeroPad3d((1, 0, 0, 0, 0, 0))(array([[[[[1.0, 2.0, 3.0]]]]])).tolist()
        [[[[[0.0, 1.0, 2.0, 3.0]]]]]

    References:
        PyTorch, torch.nn.ZeroPad3d.
    """

    axes = 3


class ReflectionPad1d(_Pad):
    """Pad one axis with the elements beyond the edge mirrored, without the edge itself.

    Args:
        padding: (left, right) of the last axis, then of the one before it, and so on; or one number for all.

    Examples:
        >>> ReflectionPad1d((1, 0))(array([[[1.0, 2.0, 3.0]]])).tolist()
        [[[2.0, 1.0, 2.0, 3.0]]]

    References:
        PyTorch, torch.nn.ReflectionPad1d.
    """

    axes = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """Pad two axes with the elements beyond the edge mirrored, without the edge itself.

    Args:
        padding: (left, right) of the last axis, then of the one before it, and so on; or one number for all.

    Examples:
        >>> ReflectionPad2d((1, 0, 0, 0))(array([[[[1.0, 2.0, 3.0]]]])).tolist()
        [[[[2.0, 1.0, 2.0, 3.0]]]]

    References:
        PyTorch, torch.nn.ReflectionPad2d.
    """

    axes = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """Pad three axes with the elements beyond the edge mirrored, without the edge itself.

    Args:
        padding: (left, right) of the last axis, then of the one before it, and so on; or one number for all.

    Examples:
        >>> ReflectionPad3d((1, 0, 0, 0, 0, 0))(array([[[[[1.0, 2.0, 3.0]]]]])).tolist()
        [[[[[2.0, 1.0, 2.0, 3.0]]]]]

    References:
        PyTorch, torch.nn.ReflectionPad3d.
    """

    axes = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """Pad one axis with the edge.

    Args:
        padding: (left, right) of the last axis, then of the one before it, and so on; or one number for all.

    Examples:
        >>> ReplicationPad1d((1, 0))(array([[[1.0, 2.0, 3.0]]])).tolist()
        [[[1.0, 1.0, 2.0, 3.0]]]

    References:
        PyTorch, torch.nn.ReplicationPad1d.
    """

    axes = 1
    mode = "replicate"


class ReplicationPad2d(_Pad):
    """Pad two axes with the edge.

    Args:
        padding: (left, right) of the last axis, then of the one before it, and so on; or one number for all.

    Examples:
        >>> ReplicationPad2d((1, 0, 0, 0))(array([[[[1.0, 2.0, 3.0]]]])).tolist()
        [[[[1.0, 1.0, 2.0, 3.0]]]]

    References:
        PyTorch, torch.nn.ReplicationPad2d.
    """

    axes = 2
    mode = "replicate"


class ReplicationPad3d(_Pad):
    """Pad three axes with the edge.

    Args:
        padding: (left, right) of the last axis, then of the one before it, and so on; or one number for all.

    Examples:
        >>> ReplicationPad3d((1, 0, 0, 0, 0, 0))(array([[[[[1.0, 2.0, 3.0]]]]])).tolist()
        [[[[[1.0, 1.0, 2.0, 3.0]]]]]

    References:
        PyTorch, torch.nn.ReplicationPad3d.
    """

    axes = 3
    mode = "replicate"


class CircularPad1d(_CircularPad):
    """Pad one axis with the elements of the other end.

    Args:
        padding: (left, right) of the last axis, then of the one before it, and so on; or one number for all.

    Examples:
        >>> CircularPad1d((1, 0))(array([[[1.0, 2.0, 3.0]]])).tolist()
        [[[3.0, 1.0, 2.0, 3.0]]]

    References:
        PyTorch, torch.nn.CircularPad1d.
    """

    axes = 1


class CircularPad2d(_CircularPad):
    """Pad two axes with the elements of the other end.

    Args:
        padding: (left, right) of the last axis, then of the one before it, and so on; or one number for all.

    Examples:
        >>> CircularPad2d((1, 0, 0, 0))(array([[[[1.0, 2.0, 3.0]]]])).tolist()
        [[[[3.0, 1.0, 2.0, 3.0]]]]

    References:
        PyTorch, torch.nn.CircularPad2d.
    """

    axes = 2


class CircularPad3d(_CircularPad):
    """Pad three axes with the elements of the other end.

    Args:
        padding: (left, right) of the last axis, then of the one before it, and so on; or one number for all.

    Examples:
        >>> CircularPad3d((1, 0, 0, 0, 0, 0))(array([[[[[1.0, 2.0, 3.0]]]]])).tolist()
        [[[[[3.0, 1.0, 2.0, 3.0]]]]]

    References:
        PyTorch, torch.nn.CircularPad3d.
    """

    axes = 3
