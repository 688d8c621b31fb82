"""Normalization of each channel of each example, in one to three dimensions.

References:
    D. Ulyanov et al., "Instance Normalization" (2016).
"""

import warnings
from typing import Any

from jax import Array
from jaxtyping import Float

from jax_impl import functional as F
from jax_impl.nn.normalization.batch import _Tracked

__all__ = ["InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"]


class _InstanceNorm(_Tracked):
    """The layers of instance normalization but for the shape of their input."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        dtype: Any = None,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype=dtype, bias=bias)

    def __call__(self, input: Float[Array, "*N C D"]) -> Float[Array, "*N C D"]:
        """Normalized by each channel's own statistics, or in evaluation by the running ones where they are tracked."""
        self._check_input_dim(input)
        batched = input.ndim == self.AXES[1]
        channels = input.shape[1 if batched else 0]
        if channels != self.num_features:
            said = (
                f"{type(self).__name__}: input {tuple(input.shape)} has {channels} channels, wanted {self.num_features}"
            )
            if self.affine:
                raise ValueError(said)
            warnings.warn(f"{said}; without affine the number is not used", stacklevel=2)
        x = input if batched else input[None]
        weight, bias, mean, var = self._values("weight", "bias", "running_mean", "running_var")
        output = F.instance_norm(x, mean, var, weight, bias, self.training or mean is None, eps=self.eps)
        if self.training and mean is not None:
            momentum = 0.0 if self.momentum is None else self.momentum
            self._moved_to(*F.running_statistics(x, mean, var, momentum, per_instance=True))
        return output if batched else output[0]


class InstanceNorm1d(_InstanceNorm):
    """Instance normalization of (C, L) or (N, C, L).

    Args:
        num_features: C, the number of channels.
        eps: added to the variance.
        momentum: how far running statistics move towards the mean of the examples'; None leaves them.
        affine: whether there are a weight and a bias, one a channel, that start as 1 and 0.
        track_running_stats: whether statistics are kept for evaluation; else the input's own serve there too.
        dtype: of parameters and statistics; None for float32.
        bias: whether affine has the bias too.

    Raises:
        ValueError: where an input has another shape, other channels, or one value a channel.

    Examples:
        >>> InstanceNorm1d(1, eps=1e-12)(array([[1.0, 3.0]])).reshape(-1).tolist()
        [-1.0, 1.0]

    References:
        PyTorch, torch.nn.InstanceNorm1d.
    """

    AXES, LAYOUTS = (2, 3), "(C, L) or (N, C, L)"


class InstanceNorm2d(_InstanceNorm):
    """Instance normalization of (C, H, W) or (N, C, H, W).

    Args:
        num_features: C, the number of channels.
        eps: added to the variance.
        momentum: how far running statistics move towards the mean of the examples'; None leaves them.
        affine: whether there are a weight and a bias, one a channel, that start as 1 and 0.
        track_running_stats: whether statistics are kept for evaluation; else the input's own serve there too.
        dtype: of parameters and statistics; None for float32.
        bias: whether affine has the bias too.

    Raises:
        ValueError: where an input has another shape, other channels, or one value a channel.

    Examples:
        >>> InstanceNorm2d(1, eps=1e-12)(array([[[1.0, 3.0]]])).reshape(-1).tolist()
        [-1.0, 1.0]

    References:
        PyTorch, torch.nn.InstanceNorm2d.
    """

    AXES, LAYOUTS = (3, 4), "(C, H, W) or (N, C, H, W)"


class InstanceNorm3d(_InstanceNorm):
    """Instance normalization of (C, D, H, W) or (N, C, D, H, W).

    Args:
        num_features: C, the number of channels.
        eps: added to the variance.
        momentum: how far running statistics move towards the mean of the examples'; None leaves them.
        affine: whether there are a weight and a bias, one a channel, that start as 1 and 0.
        track_running_stats: whether statistics are kept for evaluation; else the input's own serve there too.
        dtype: of parameters and statistics; None for float32.
        bias: whether affine has the bias too.

    Raises:
        ValueError: where an input has another shape, other channels, or one value a channel.

    Examples:
        >>> InstanceNorm3d(1, eps=1e-12)(array([[[[1.0, 3.0]]]])).reshape(-1).tolist()
        [-1.0, 1.0]

    References:
        PyTorch, torch.nn.InstanceNorm3d.
    """

    AXES, LAYOUTS = (4, 5), "(C, D, H, W) or (N, C, D, H, W)"
