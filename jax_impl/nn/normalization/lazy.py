"""Batch and instance normalization that learn the number of their input's channels from the first input.

Parameters and statistics are made by the first call outside jit, or by initialize_parameters(input): a parameter cannot
change its shape inside a compiled function. load_state_dict gives them their shapes too.
"""

from typing import Any

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jax_impl.nn.module import Buffer, Parameter
from jax_impl.nn.normalization.batch import BatchNorm1d, BatchNorm2d, BatchNorm3d, _Tracked
from jax_impl.nn.normalization.instance import InstanceNorm1d, InstanceNorm2d, InstanceNorm3d

__all__ = [
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
]


class _Lazy(_Tracked):
    """Parameters and statistics of no shape, until there is an input."""

    def _wait(
        self,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        dtype: Any,
        bias: bool,
    ) -> None:
        _Tracked.__init__(self, 0, eps, momentum, affine, track_running_stats, dtype=dtype, bias=bias)
        for name, kind in (
            ("weight", Parameter),
            ("bias", Parameter),
            ("running_mean", Buffer),
            ("running_var", Buffer),
        ):
            held = getattr(self, name)
            if held is not None:
                setattr(self, name, kind(held[...], uninitialized=True))

    def _waiting(self) -> list[Any]:
        held = (self.weight, self.bias, self.running_mean, self.running_var)
        return [variable for variable in held if variable is not None and variable.get_value().size == 0]

    def has_uninitialized_params(self) -> bool:
        """Whether there was no input yet."""
        return bool(self._waiting())

    def initialize_parameters(self, input: Float[Array, "N C *D"]) -> None:
        """Make parameters and statistics for an input of so many channels, on its second axis; once."""
        self.num_features = self.num_features or input.shape[1]
        waiting = self._waiting()
        if not waiting:  # made before, or loaded
            return
        for variable in waiting:
            variable.set_value(jnp.zeros(self.num_features, variable.get_value().dtype))
        self.reset_parameters()

    def __call__(self, input: Float[Array, "N C *D"]) -> Float[Array, "N C *D"]:
        """Shaped as input; the first one makes parameters and statistics."""
        self._check_input_dim(input)
        self.initialize_parameters(input)
        return super().__call__(input)


class _LazyBatchNorm(_Lazy):
    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        dtype: Any = None,
        bias: bool = True,
    ) -> None:
        self._wait(eps, momentum, affine, track_running_stats, dtype, bias)


class _LazyInstanceNorm(_Lazy):
    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        dtype: Any = None,
        bias: bool = True,
    ) -> None:
        self._wait(eps, momentum, affine, track_running_stats, dtype, bias)


class LazyBatchNorm1d(_LazyBatchNorm, BatchNorm1d):
    """BatchNorm1d whose num_features is learnt from the first input.

    Args:
        eps and all others: as BatchNorm1d takes them.

    Examples:
        >>> layer = LazyBatchNorm1d(eps=1e-12)
        >>> layer(array([[[1.0, 3.0]]])).reshape(-1).tolist(), tuple(layer.weight.shape)
        ([-1.0, 1.0], (1,))

    References:
        PyTorch, torch.nn.LazyBatchNorm1d.
    """


class LazyBatchNorm2d(_LazyBatchNorm, BatchNorm2d):
    """BatchNorm2d whose num_features is learnt from the first input.

    Args:
        eps and all others: as BatchNorm2d takes them.

    Examples:
        >>> layer = LazyBatchNorm2d(eps=1e-12)
        >>> layer(array([[[[1.0, 3.0]]]])).reshape(-1).tolist(), tuple(layer.weight.shape)
        ([-1.0, 1.0], (1,))

    References:
        PyTorch, torch.nn.LazyBatchNorm2d.
    """


class LazyBatchNorm3d(_LazyBatchNorm, BatchNorm3d):
    """BatchNorm3d whose num_features is learnt from the first input.

    Args:
        eps and all others: as BatchNorm3d takes them.

    Examples:
        >>> layer = LazyBatchNorm3d(eps=1e-12)
        >>> layer(array([[[[[1.0, 3.0]]]]])).reshape(-1).tolist(), tuple(layer.weight.shape)
        ([-1.0, 1.0], (1,))

    References:
        PyTorch, torch.nn.LazyBatchNorm3d.
    """


class LazyInstanceNorm1d(_LazyInstanceNorm, InstanceNorm1d):
    """InstanceNorm1d whose num_features is learnt from the first input; affine and tracked unless told.

    Args:
        eps and all others: as InstanceNorm1d takes them.

    Examples:
        >>> layer = LazyInstanceNorm1d(eps=1e-12)
        >>> layer(array([[[1.0, 3.0]]])).reshape(-1).tolist(), tuple(layer.weight.shape)
        ([-1.0, 1.0], (1,))

    References:
        PyTorch, torch.nn.LazyInstanceNorm1d.
    """


class LazyInstanceNorm2d(_LazyInstanceNorm, InstanceNorm2d):
    """InstanceNorm2d whose num_features is learnt from the first input; affine and tracked unless told.

    Args:
        eps and all others: as InstanceNorm2d takes them.

    Examples:
        >>> layer = LazyInstanceNorm2d(eps=1e-12)
        >>> layer(array([[[[1.0, 3.0]]]])).reshape(-1).tolist(), tuple(layer.weight.shape)
        ([-1.0, 1.0], (1,))

    References:
        PyTorch, torch.nn.LazyInstanceNorm2d.
    """


class LazyInstanceNorm3d(_LazyInstanceNorm, InstanceNorm3d):
    """InstanceNorm3d whose num_features is learnt from the first input; affine and tracked unless told.

    Args:
        eps and all others: as InstanceNorm3d takes them.

    Examples:
        >>> layer = LazyInstanceNorm3d(eps=1e-12)
        >>> layer(array([[[[[1.0, 3.0]]]]])).reshape(-1).tolist(), tuple(layer.weight.shape)
        ([-1.0, 1.0], (1,))

    References:
        PyTorch, torch.nn.LazyInstanceNorm3d.
    """
