"""How many representable numbers lie between two values, and bits of bfloat16 as float64."""

import numpy as np

from parity.numerics.dtypes import FloatFormat


def steps_between(left: np.ndarray, right: np.ndarray, form: FloatFormat) -> np.ndarray:
    """Distance in units in the last place: how many steps from number to number lead from one value to the other.

    With k(x) the bits of |x| read as an integer, with the sign of x, the distance is |k(left) - k(right)|: 1 for
    neighbours, also across a power of two, 0 for the two zeros.

    Args:
        left, right: float64 arrays of finite values; they are rounded to the format where it does not hold them.
        form: The format whose steps are counted.

    Returns:
        A uint64 array.

    Examples:
        >>> from parity.numerics.dtypes import FORMATS
        >>> steps_between(np.array([1.0, 0.0]), np.array([1.0 - 2.0**-24, -0.0]), FORMATS["float32"]).tolist()
        [1, 0]
    """
    one, other = _keys(left, form), _keys(right, form)
    unsigned = f"u{one.dtype.itemsize}"
    # The difference of two signed keys may pass the largest one; modulo 2^bits, as unsigned, it is right.
    apart = np.maximum(one, other).view(unsigned)
    apart -= np.minimum(one, other, out=one).view(unsigned)
    return apart.astype(np.uint64, copy=False)


def _keys(values: np.ndarray, form: FloatFormat) -> np.ndarray:
    """Integers of the format's size in the order of the values, one apart for neighbours; both zeros are 0."""
    if form.bits == 64:
        bits = values.view(np.int64)
    elif form.name == "bfloat16":
        wide = values.astype(np.float32).view(np.uint32)
        bits = ((wide + (0x7FFF + ((wide >> 16) & 1))) >> 16).astype(np.uint16).view(np.int16)
    else:
        bits = values.astype(form.name).view(f"i{form.bits // 8}")
    sign = bits >> (form.bits - 1)  # 0, or -1: all bits, whose exclusive or with a number is -1 less the number
    keys = bits & bits.dtype.type(2 ** (form.bits - 1) - 1)
    keys ^= sign
    keys -= sign
    return keys


def to_float64(values: np.ndarray, name: str) -> np.ndarray:
    """Values as float64, exactly; those of bfloat16 come as their bits."""
    if name == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return values.astype(np.float64)
