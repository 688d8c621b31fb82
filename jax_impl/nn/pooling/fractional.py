"""Fractional max pooling: windows at random distances, so that an image shrinks by less than two at a time."""

from collections.abc import Sequence
from typing import Any

from flax import nnx
from jax import Array

from jax_impl import functional as F
from jax_impl.nn.module import Buffer, Module

__all__ = ["FractionalMaxPool2d", "FractionalMaxPool3d"]

Sizes = int | Sequence[int]
Ratios = float | Sequence[float]


class _FractionalMaxPool(Module):
    axes: int

    def __init__(
        self,
        kernel_size: Sizes,
        output_size: Sizes | None = None,
        output_ratio: Ratios | None = None,
        return_indices: bool = False,
        _random_samples: Array | None = None,
        *,
        rngs: nnx.Rngs | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if (output_size is None) == (output_ratio is None):
            raise ValueError(f"{name}: output_size is {output_size}, output_ratio {output_ratio}, wanted one of them")
        ratios = output_ratio if isinstance(output_ratio, Sequence) else (output_ratio,)
        if not all(ratio is None or 0 < ratio < 1 for ratio in ratios):
            raise ValueError(f"{name}: output_ratio is {output_ratio}, wanted numbers between 0 and 1")
        self.kernel_size, self.output_size, self.output_ratio = kernel_size, output_size, output_ratio
        self.return_indices = return_indices
        self._random_samples = None if _random_samples is None else Buffer(_random_samples)
        self.rngs = None if _random_samples is not None else rngs

    def __call__(self, input: Array) -> Any:
        """The largest elements, and where they stood if return_indices."""
        pool = F.fractional_max_pool2d if self.axes == 2 else F.fractional_max_pool3d
        (samples,) = self._values("_random_samples")
        key = None if samples is not None or self.rngs is None else self.rngs.pooling()
        sizes = (self.kernel_size, self.output_size, self.output_ratio)
        return pool(input, *sizes, self.return_indices, samples, key=key)


class FractionalMaxPool2d(_FractionalMaxPool):
    """The largest element of windows at random distances over two axes, as functional.fractional_max_pool2d has it.

    Args:
        kernel_size: of the windows, one number or one for each axis.
        output_size: how many, one number or one for each axis; or
        output_ratio: how much of the input's size, in (0, 1).
        return_indices: whether to return where each stood too.
        _random_samples: (N, C, 2) in [0, 1): what places the windows, once for all calls; or
        rngs: random streams, whose stream "pooling" places them anew in every call.

    Examples:
        >>> layer = FractionalMaxPool2d((1, 2), (1, 2), _random_samples=array([[[0.5, 0.5]]]))
        >>> layer(array([[[[1.0, 3.0, 2.0]]]])).tolist()
        [[[[3.0, 3.0]]]]

    References:
        PyTorch, torch.nn.FractionalMaxPool2d.
    """

    axes = 2


class FractionalMaxPool3d(_FractionalMaxPool):
    """The largest element of windows at random distances over three axes, as functional.fractional_max_pool3d has it.

    Args:
        kernel_size: of the windows, one number or one for each axis.
        output_size: how many, one number or one for each axis; or
        output_ratio: how much of the input's size, in (0, 1).
        return_indices: whether to return where each stood too.
        _random_samples: (N, C, 3) in [0, 1): what places the windows, once for all calls; or
        rngs: random streams, whose stream "pooling" places them anew in every call.

    Examples:
        >>> layer = FractionalMaxPool3d((1, 1, 2), (1, 1, 2), _random_samples=array([[[0.5, 0.5, 0.5]]]))
        >>> layer(array([[[[[1.0, 3.0, 2.0]]]]])).tolist()
        [[[[[3.0, 3.0]]]]]

    References:
        PyTorch, torch.nn.FractionalMaxPool3d.
    """

    axes = 3
