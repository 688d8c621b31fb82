"""Cubic convolution: the kernel that bicubic resizing and sampling weigh their neighbours by."""

from typing import Any

__all__ = ["cubic_kernel"]


def cubic_kernel(distance: Any, a: float) -> Any:
    """The weight of a neighbour at a distance: two cubics that meet smoothly, zero from a distance of two on.

    (a + 2) |d|^3 - (a + 3) |d|^2 + 1 up to one, a |d|^3 - 5 a |d|^2 + 8 a |d| - 4 a from one to two.

    Args:
        distance: d, an array of any shape.
        a: the slope at one: -3/4 as torch interpolates and samples, -1/2 as it does with antialias.

    Returns:
        The weights, of the shape of the distance.

    Examples:
        >>> cubic_kernel(array([0.0, -1.0, 0.5, 1.5, 2.5]), -0.5).tolist()
        [1.0, 0.0, 0.5625, -0.0625, 0.0]

    References:
        R. Keys, "Cubic Convolution Interpolation for Digital Image Processing" (1981), equation 15.
    """
    d = abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = (((d - 5) * d + 8) * d - 4) * a
    return near * (d < 1) + far * ((d >= 1) & (d < 2))
