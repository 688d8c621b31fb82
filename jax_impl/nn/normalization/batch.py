"""Normalization over a batch, with running statistics for evaluation, in one to three dimensions and over devices.

References:
    S. Ioffe and C. Szegedy, "Batch Normalization" (2015).
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from jax_impl import functional as F
from jax_impl.nn import init
from jax_impl.nn.module import Buffer, Module

__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm"]


class _Tracked(Module):
    """What batch and instance normalization share: weight and bias, running statistics, and how these move."""

    AXES: tuple[int, ...] = ()
    LAYOUTS = ""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        dtype: Any = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = self._empty(num_features, dtype=dtype) if affine else None
        self.bias = self._empty(num_features, dtype=dtype) if affine and bias else None
        empty = self._empty(num_features, dtype=dtype).get_value()
        self.running_mean = Buffer(empty) if track_running_stats else None
        self.running_var = Buffer(empty) if track_running_stats else None
        self.num_batches_tracked = Buffer(np.zeros((), np.int32)) if track_running_stats else None
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, no batch seen."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            init.zeros_(self.num_batches_tracked)

    def reset_parameters(self) -> None:
        """Weight 1, bias 0, and the running statistics as new."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _check_input_dim(self, input: Float[Array, "..."]) -> None:
        if input.ndim not in self.AXES:
            raise ValueError(f"{type(self).__name__}: input has shape {tuple(input.shape)}, wanted {self.LAYOUTS}")

    def _moved_to(self, mean: Float[Array, " C"], var: Float[Array, " C"]) -> None:
        if self.running_mean is not None and self.running_var is not None:
            self.running_mean[...] = mean
            self.running_var[...] = var


class _BatchNorm(_Tracked):
    """The layers of batch normalization but for the shape of their input."""

    def __call__(self, input: Float[Array, "N C *D"]) -> Float[Array, "N C *D"]:
        """Normalized by the batch's statistics in training, or where none are tracked; else by the running ones."""
        self._check_input_dim(input)
        weight, bias, mean, var = self._values("weight", "bias", "running_mean", "running_var")
        output = F.batch_norm(input, mean, var, weight, bias, self.training or mean is None, eps=self.eps)
        if self.training and mean is not None:
            self._moved_to(*F.running_statistics(input, mean, var, self._counted()))
        return output

    def _counted(self) -> Any:
        """Count the batch; how far the statistics move: by momentum, or so that they are plain averages."""
        if self.num_batches_tracked is not None:
            self.num_batches_tracked[...] = self.num_batches_tracked[...] + 1
            if self.momentum is None:
                return 1 / self.num_batches_tracked[...].astype(jnp.float32)
        return 0.0 if self.momentum is None else self.momentum


class BatchNorm1d(_BatchNorm):
    """Batch normalization of (N, C) or (N, C, L).

    Args:
        num_features: C, the number of channels, on the second axis.
        eps: added to the variance.
        momentum: how far running statistics move towards the batch's; None for their average over all batches.
        affine: whether there are a weight and a bias, one a channel, that start as 1 and 0.
        track_running_stats: whether statistics are kept for evaluation; else the batch's serve there too.
        dtype: of parameters and statistics; None for float32.
        bias: whether there is a bias beside the weight.

    Raises:
        ValueError: where an input has another shape, or one value a channel in training.

    Examples:
        >>> layer = BatchNorm1d(1, eps=1e-12, momentum=0.5)
        >>> layer(array([[1.0], [3.0]])).reshape(-1).tolist()
        [-1.0, 1.0]
        >>> layer.running_mean.tolist(), layer.running_var.tolist(), layer.num_batches_tracked.tolist()
        ([1.0], [1.5], 1)

    References:
        PyTorch, torch.nn.BatchNorm1d.
    """

    AXES, LAYOUTS = (2, 3), "(N, C) or (N, C, L)"


class BatchNorm2d(_BatchNorm):
    """Batch normalization of (N, C, H, W).

    Args:
        num_features: C, the number of channels, on the second axis.
        eps: added to the variance.
        momentum: how far running statistics move towards the batch's; None for their average over all batches.
        affine: whether there are a weight and a bias, one a channel, that start as 1 and 0.
        track_running_stats: whether statistics are kept for evaluation; else the batch's serve there too.
        dtype: of parameters and statistics; None for float32.
        bias: whether there is a bias beside the weight.

    Raises:
        ValueError: where an input has another shape, or one value a channel in training.

    Examples:
        >>> layer = BatchNorm2d(1, eps=1e-12, momentum=0.5)
        >>> layer(array([[[[1.0]]], [[[3.0]]]])).reshape(-1).tolist()
        [-1.0, 1.0]
        >>> layer.running_mean.tolist(), layer.running_var.tolist(), layer.num_batches_tracked.tolist()
        ([1.0], [1.5], 1)

    References:
        PyTorch, torch.nn.BatchNorm2d.
    """

    AXES, LAYOUTS = (4,), "(N, C, H, W)"


class BatchNorm3d(_BatchNorm):
    """Batch normalization of (N, C, D, H, W).

    Args:
        num_features: C, the number of channels, on the second axis.
        eps: added to the variance.
        momentum: how far running statistics move towards the batch's; None for their average over all batches.
        affine: whether there are a weight and a bias, one a channel, that start as 1 and 0.
        track_running_stats: whether statistics are kept for evaluation; else the batch's serve there too.
        dtype: of parameters and statistics; None for float32.
        bias: whether there is a bias beside the weight.

    Raises:
        ValueError: where an input has another shape, or one value a channel in training.

    Examples:
        >>> layer = BatchNorm3d(1, eps=1e-12, momentum=0.5)
        >>> layer(array([[[[[1.0]]]], [[[[3.0]]]]])).reshape(-1).tolist()
        [-1.0, 1.0]
        >>> layer.running_mean.tolist(), layer.running_var.tolist(), layer.num_batches_tracked.tolist()
        ([1.0], [1.5], 1)

    References:
        PyTorch, torch.nn.BatchNorm3d.
    """

    AXES, LAYOUTS = (5,), "(N, C, D, H, W)"


class SyncBatchNorm(_BatchNorm):
    """Batch normalization over the batches of all devices.

    Under jit an array may lie on many devices, and its mean is that of all: there this layer is BatchNorm, as BatchNorm
    is this layer. Where each device runs the function by itself, under jax.shard_map, jax.pmap or jax.vmap with an
    axis's name, process_group is that name, and the statistics are averaged along it.

    Args:
        num_features: C, the number of channels, on the second axis.
        eps: added to the variance.
        momentum: how far running statistics move towards the batch's; None for their average over all batches.
        affine: whether there are a weight and a bias, one a channel, that start as 1 and 0.
        track_running_stats: whether statistics are kept for evaluation; else the batch's serve there too.
        dtype: of parameters and statistics; None for float32.
        bias: whether there is a bias beside the weight.
        process_group: the name of a mapped axis, or None.

    Raises:
        ValueError: where an input has fewer than two axes.

    Examples:
        >>> layer = SyncBatchNorm(1, eps=1e-12, process_group="devices").eval()
        >>> layer(array([[2.0]])).tolist()
        [[2.0]]

    References:
        PyTorch, torch.nn.SyncBatchNorm.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: str | None = None,
        *,
        dtype: Any = None,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype=dtype, bias=bias)
        self.process_group = process_group

    def _check_input_dim(self, input: Float[Array, "..."]) -> None:
        if input.ndim < 2:
            raise ValueError(f"SyncBatchNorm: input has shape {tuple(input.shape)}, wanted (N, C, ...)")

    def __call__(self, input: Float[Array, "N C *D"]) -> Float[Array, "N C *D"]:
        """Normalized by the statistics of all batches in training, or where none are tracked."""
        weight, bias, mean, var = self._values("weight", "bias", "running_mean", "running_var")
        if self.process_group is None or not (self.training or mean is None):
            return super().__call__(input)
        self._check_input_dim(input)
        x = input.astype(jnp.promote_types(input.dtype, jnp.float32))
        axes = (0, *range(2, x.ndim))
        count = jax.lax.psum(x.size // x.shape[1], self.process_group)
        batch_mean = jax.lax.pmean(x.mean(axes), self.process_group)  # (C,)
        deviations = x - batch_mean.reshape(1, -1, *(1,) * (x.ndim - 2))
        batch_var = jax.lax.pmean(jnp.square(deviations).mean(axes), self.process_group)  # (C,)
        if self.training and mean is not None:
            momentum = self._counted()
            pairs = ((mean, batch_mean), (var, batch_var * (count / max(1, count - 1))))
            self._moved_to(
                *((old + momentum * (jax.lax.stop_gradient(new) - old)).astype(old.dtype) for old, new in pairs)
            )
        return F.batch_norm(input, batch_mean, batch_var, weight, bias, False, eps=self.eps)
