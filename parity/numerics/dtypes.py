"""What a floating dtype can hold: its unit roundoff and its floor. They go by name: NumPy alone has no bfloat16."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FloatFormat:
    """A binary floating-point format.

    Attributes:
        name: As the frameworks print it, such as "float32".
        mantissa_bits: Stored bits of the significand.
        min_exponent: Exponent of the smallest normal number.
        bits: Width of one number.
    """

    name: str
    mantissa_bits: int
    min_exponent: int
    bits: int

    @property
    def unit_roundoff(self) -> float:
        """Half the distance from 1 to the next number: the largest relative error of one rounding to nearest."""
        return 2.0 ** -(self.mantissa_bits + 1)

    @property
    def smallest_normal(self) -> float:
        """Below it JAX on the CPU flushes to zero where torch does not, so no smaller difference has meaning."""
        return 2.0**self.min_exponent

    @property
    def largest(self) -> float:
        """The largest finite number."""
        return (2.0 - 2.0**-self.mantissa_bits) * 2.0 ** (1 - self.min_exponent)

    def spacing(self, value: float) -> float:
        """Distance from |value| to the next representable number: one unit in the last place."""
        magnitude = max(abs(value), self.smallest_normal)
        return 2.0 ** (math.frexp(magnitude)[1] - 1 - self.mantissa_bits) if math.isfinite(value) else math.nan


FORMATS = {
    f.name: f
    for f in (
        FloatFormat("float64", 52, -1022, 64),
        FloatFormat("float32", 23, -126, 32),
        FloatFormat("bfloat16", 7, -126, 16),
        FloatFormat("float16", 10, -14, 16),
    )
}
REFERENCE = FORMATS["float64"]


def float_format(name: str) -> FloatFormat:
    """The format of that name.

    Args:
        name: "float64", "float32", "bfloat16" or "float16".

    Returns:
        Its FloatFormat.

    Raises:
        ValueError: For any other name.

    Examples:
        >>> float_format("float32").unit_roundoff == 2**-24
        True
    """
    try:
        return FORMATS[name]
    except KeyError:
        raise ValueError(f"dtype: got {name!r}, wanted one of {', '.join(FORMATS)}") from None


def round_to(values: np.ndarray, dtype: str) -> np.ndarray:
    """Round float64 values to a dtype and widen them again, exactly.

    Both sides start from the same rounded numbers at every precision, so a float64 run and a float32 run differ only by
    what happens inside.

    Args:
        values: float64 array of any shape.
        dtype: Name of the dtype to round to.

    Returns:
        A float64 array of the same shape that holds only values of that dtype.

    Examples:
        >>> round_to(np.array([0.1]), "bfloat16").tolist()
        [0.10009765625]
    """
    values = np.asarray(values, np.float64)
    if dtype == "float64":
        return values
    if dtype == "bfloat16":
        # Rounding twice would be wrong for values halfway after the first step, so float64 goes straight to eight
        # significant bits: adding and subtracting a power of two rounds to nearest, ties to even.
        exponent = np.frexp(values)[1]
        exponent = np.maximum(exponent, FORMATS["bfloat16"].min_exponent + 1)
        scaled = np.where(np.isfinite(values), np.ldexp(values, 8 - exponent), 0.0)
        rounded = np.ldexp(np.rint(scaled), exponent - 8)
        rounded = np.where(np.abs(rounded) > 3.3895313892515355e38, np.copysign(np.inf, rounded), rounded)
        return np.where(np.isfinite(values), rounded, values)
    with np.errstate(over="ignore"):
        return values.astype(dtype).astype(np.float64)
