"""Scalars that were rounded to a low precision before anyone could ask for more, given back their digits."""

from typing import Any

import numpy as np

DIGITS = {"float32": 6, "float16": 3}
"""Decimal digits that each format holds for certain: a decimal of so many digits survives the way there and back."""

BITS = 11  # a scalar of so few significant bits is taken for exact: 0.5, 3, 1/64, 1e3


def in_full(value: Any) -> float:
    """The decimal that a low-precision scalar was rounded from, or the scalar itself.

    1e-12 becomes 9.9999996e-13 in float32; where the shortest decimal of that number has no more digits than the format
    holds for certain, that decimal is what its author wrote. Numbers that no short decimal is near stay as they are.

    Args:
        value: A NumPy scalar or an array of one element, float32 or float16; any other is widened exactly.

    Returns:
        A Python float.

    Examples:
        >>> in_full(np.float32(1e-12)), float(np.float32(1e-12))
        (1e-12, 9.999999960041972e-13)
        >>> in_full(np.float32(1 / 3)), in_full(np.float32(0.5))
        (0.3333333432674408, 0.5)
    """
    scalar: Any = np.asarray(value).reshape(())[()]
    exact = float(scalar)
    digits = DIGITS.get(scalar.dtype.name)
    if digits is None or is_exact(exact):
        return exact
    shortest = np.format_float_scientific(scalar, unique=True, trim="-")
    written = shortest.partition("e")[0].lstrip("-").replace(".", "")
    return float(shortest) if len(written) <= digits else exact


def is_exact(value: float) -> bool:
    """Whether a scalar is taken for what its author wrote: it has few significant bits, or is no number.

    Examples:
        >>> is_exact(0.125), is_exact(float(np.float32(0.1)))
        (True, False)
    """
    return not np.isfinite(value) or bool((np.frexp(value)[0] * 2.0**BITS).is_integer())


def was_float32(value: Any) -> bool:
    """Whether a float64 scalar holds no more than a float32 does, and a shorter decimal is meant.

    Chance makes one such number in 2^29.
    """
    with np.errstate(over="ignore"):  # a mask's -1.8e308 is no float32
        rounded = np.float32(value)
    return bool(rounded == value) and in_full(rounded) != value
