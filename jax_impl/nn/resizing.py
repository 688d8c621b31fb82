"""Resizing layers: an image of another size."""

from collections.abc import Sequence

from jax import Array

from jax_impl import functional as F
from jax_impl.nn.module import Module

__all__ = ["Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d"]

Sizes = int | Sequence[int]
Factors = float | Sequence[float]


class Upsample(Module):
    """functional.interpolate as a layer.

    Args:
        size: of the output, one number or one for each spatial axis; or
        scale_factor: what to multiply the sizes by, likewise.
        mode: "nearest", "linear", "bilinear", "bicubic" or "trilinear".
        align_corners: of the linear and cubic modes, whether the centres of the corner elements meet.
        recompute_scale_factor: whether the factor that is sampled by follows from the rounded sizes.

    Examples:
        >>> Upsample(scale_factor=2)(array([[[1.0, 2.0]]])).tolist()
        [[[1.0, 1.0, 2.0, 2.0]]]

    References:
        PyTorch, torch.nn.Upsample.
    """

    def __init__(
        self,
        size: Sizes | None = None,
        scale_factor: Factors | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def __call__(self, input: Array) -> Array:
        """(N, C, ...), resized."""
        return F.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        """The arguments."""
        what = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{what}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Resize an image by the nearest element.

    Args:
        size: of the output, one number or one for each spatial axis; or
        scale_factor: what to multiply the sizes by, likewise.

    Examples:
        >>> UpsamplingNearest2d((1, 4))(array([[[[1.0, 2.0]]]])).tolist()
        [[[[1.0, 1.0, 2.0, 2.0]]]]

    References:
        PyTorch, torch.nn.UpsamplingNearest2d.
    """

    def __init__(self, size: Sizes | None = None, scale_factor: Factors | None = None) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """Resize an image bilinearly, the corners aligned.

    Args:
        size: of the output, one number or one for each spatial axis; or
        scale_factor: what to multiply the sizes by, likewise.

    Examples:
        >>> UpsamplingBilinear2d((1, 4))(array([[[[0.0, 3.0]]]])).tolist()
        [[[[0.0, 1.0, 2.0, 3.0]]]]

    References:
        PyTorch, torch.nn.UpsamplingBilinear2d.
    """

    def __init__(self, size: Sizes | None = None, scale_factor: Factors | None = None) -> None:
        super().__init__(size, scale_factor, "bilinear", align_corners=True)
