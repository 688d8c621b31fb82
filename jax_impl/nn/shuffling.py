"""Shuffles: elements moved between channels and pixels, or between groups of channels."""

from jax import Array

from jax_impl import functional as F
from jax_impl.nn.module import Module

__all__ = ["PixelShuffle", "PixelUnshuffle", "ChannelShuffle"]


class PixelShuffle(Module):
    """r^2 channels into one of r times the height and width.

    Args:
        upscale_factor: r.

    Examples:
        >>> PixelShuffle(2)(array([[[1.0]], [[2.0]], [[3.0]], [[4.0]]])).tolist()
        [[[1.0, 2.0], [3.0, 4.0]]]

    References:
        PyTorch, torch.nn.PixelShuffle.
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def __call__(self, input: Array) -> Array:
        """The same elements in another order."""
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Every block of r x r pixels into r^2 channels.

    Args:
        downscale_factor: r.

    Examples:
        >>> PixelUnshuffle(2)(array([[[1.0, 2.0], [3.0, 4.0]]])).tolist()
        [[[1.0]], [[2.0]], [[3.0]], [[4.0]]]

    References:
        PyTorch, torch.nn.PixelUnshuffle.
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def __call__(self, input: Array) -> Array:
        """The same elements in another order."""
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """The channels of some groups dealt out in turn.

    Args:
        groups: how many groups there are.

    Examples:
        >>> ChannelShuffle(2)(array([[[1.0], [2.0], [3.0], [4.0]]])).tolist()
        [[[1.0], [3.0], [2.0], [4.0]]]

    References:
        PyTorch, torch.nn.ChannelShuffle.
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def __call__(self, input: Array) -> Array:
        """The same elements in another order."""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"groups={self.groups}"
