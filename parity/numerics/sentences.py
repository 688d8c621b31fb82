"""Where two arrays differ, as half a sentence for a person."""

import numpy as np

from parity.numerics.comparator import Errors

UNBOUNDED = 1e30
"""A difference of so many bounds is one where the bound is 0, or what subnormal numbers leave of it."""


def mismatch(different: np.ndarray, torch: np.ndarray, jax: np.ndarray, dtype: str) -> str:
    """The first of the elements that must be equal and are not, and how many there are."""
    index = tuple(int(i) for i in np.unravel_index(int(different.argmax()), different.shape))
    where = f" at {index}" if index else ""
    count = f"; {int(different.sum())} of {different.size} differ" if different.size > 1 else ""
    return f"must be equal{where} in the {dtype} run: torch {torch[index]}, jax {jax[index]}{count}"


def gap(torch: np.ndarray, jax: np.ndarray, index: tuple[int, ...] | None, ratio: float) -> str:
    """Where the difference is largest beside its bound; index is not None, since some ratio is above 1."""
    left, right = float(torch[index or ()]), float(jax[index or ()])
    where = f" at {index}" if index else ""
    return f"torch {left:.10g}, jax {right:.10g}{where} differ by {abs(left - right):.2g}, {shares(ratio)}"


def shares(ratio: float) -> str:
    """How many rounding bounds a difference is; at a kink or a constant the bound is 0, and so is what it may be.

    Examples:
        >>> shares(2.2e9), shares(4e306)
        ('2.2e+09 x the rounding bound', '∞ x the rounding bound, which is 0 there')
    """
    return "∞ x the rounding bound, which is 0 there" if ratio > UNBOUNDED else f"{ratio:.2g} x the rounding bound"


def nonfinite(e: Errors, dtype: str) -> str:
    """How many elements are NaN or infinite on one side only, and the first of them."""
    parts = [
        f"{n} {what}"
        for n, what in (
            (e.nan_left_only, "NaN only in torch"),
            (e.nan_right_only, "NaN only in jax"),
            (e.inf_mismatch, "infinities that differ"),
        )
        if n
    ]
    return f"{', '.join(parts)} in the {dtype} run, first at {e.first_nonfinite}"
