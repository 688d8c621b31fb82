"""Shuffles: elements moved between channels and pixels, or between groups of channels, none changed."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Shaped

__all__ = ["pixel_shuffle", "pixel_unshuffle", "channel_shuffle"]


def pixel_shuffle(input: Shaped[Array, "*N C_r2 H W"], upscale_factor: int) -> Shaped[Array, "*N C H_r W_r"]:
    """Turn r^2 channels into one of r times the height and width: y[c, h r + i, w r + j] = x[c r^2 + i r + j, h, w].

    Args:
        input: (*, C * r^2, H, W).
        upscale_factor: r.

    Returns:
        (*, C, H * r, W * r).

    Raises:
        RuntimeError: where there are fewer than three axes, or the channels do not fall into groups of r^2.

    Examples:
        >>> pixel_shuffle(array([[[1.0]], [[2.0]], [[3.0]], [[4.0]]]), 2).tolist()
        [[[1.0, 2.0], [3.0, 4.0]]]

    References:
        PyTorch, torch.nn.functional.pixel_shuffle; W. Shi et al., "Real-Time Single Image and Video Super-Resolution
        Using an Efficient Sub-Pixel Convolutional Neural Network" (2016).
    """
    r = upscale_factor
    if input.ndim < 3 or r < 1 or input.shape[-3] % (r * r):
        raise RuntimeError(
            f"pixel_shuffle: input has shape {tuple(input.shape)}, wanted (*, C * {r}^2, H, W), and a positive factor"
        )
    *batch, c, h, w = input.shape
    x = input.reshape(*batch, c // (r * r), r, r, h, w)  # (*, C, i, j, H, W)
    x = jnp.moveaxis(x, (-4, -3), (-3, -1))  # (*, C, H, i, W, j)
    return x.reshape(*batch, c // (r * r), h * r, w * r)


def pixel_unshuffle(input: Shaped[Array, "*N C H_r W_r"], downscale_factor: int) -> Shaped[Array, "*N C_r2 H W"]:
    """Undo pixel_shuffle: every block of r x r pixels becomes r^2 channels.

    Args:
        input: (*, C, H * r, W * r).
        downscale_factor: r.

    Returns:
        (*, C * r^2, H, W).

    Raises:
        RuntimeError: where there are fewer than three axes, or height or width are no multiples of r.

    Examples:
        >>> pixel_unshuffle(array([[[1.0, 2.0], [3.0, 4.0]]]), 2).tolist()
        [[[1.0]], [[2.0]], [[3.0]], [[4.0]]]

    References:
        PyTorch, torch.nn.functional.pixel_unshuffle.
    """
    r = downscale_factor
    if input.ndim < 3 or r < 1 or input.shape[-2] % r or input.shape[-1] % r:
        raise RuntimeError(
            f"pixel_unshuffle: input has shape {tuple(input.shape)}, wanted (*, C, H * {r}, W * {r}), and a positive "
            "factor"
        )
    *batch, c, h, w = input.shape
    x = input.reshape(*batch, c, h // r, r, w // r, r)  # (*, C, H, i, W, j)
    x = jnp.moveaxis(x, (-3, -1), (-4, -3))  # (*, C, i, j, H, W)
    return x.reshape(*batch, c * r * r, h // r, w // r)


def channel_shuffle(input: Shaped[Array, "N C ..."], groups: int) -> Shaped[Array, "N C ..."]:
    """Deal the channels of g groups out in turn: the first of each group, then the second of each, and so on.

    Args:
        input: (N, C, *).
        groups: g, which divides C.

    Returns:
        The shape of the input.

    Raises:
        RuntimeError: where there are fewer than three axes, or the channels do not fall into g groups.

    Examples:
        >>> channel_shuffle(array([[[1.0], [2.0], [3.0], [4.0]]]), 2).tolist()
        [[[1.0], [3.0], [2.0], [4.0]]]

    References:
        PyTorch, torch.nn.functional.channel_shuffle; X. Zhang et al., "ShuffleNet" (2018).
    """
    if input.ndim < 3 or groups < 1 or input.shape[1] % groups:
        raise RuntimeError(
            f"channel_shuffle: input has shape {tuple(input.shape)}, wanted (N, C, ...) with C in {groups} groups"
        )
    n, c, *rest = input.shape
    return jnp.swapaxes(input.reshape(n, groups, c // groups, *rest), 1, 2).reshape(input.shape)
