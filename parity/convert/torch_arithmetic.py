"""What torch's sums and products make of arrays that hold weights."""

from collections.abc import Callable
from typing import Any

import numpy as np

from parity.convert.affine import Affine


def _sum(values: list[Any], held: list[Any], sign: float) -> list[Affine]:
    left, right = values[:2]
    found = [a.shifted(sign * np.asarray(right)) for a in held[0]]
    return found + [a.scaled(np.float64(sign)).shifted(np.asarray(left)) for a in (held[1] if len(held) > 1 else [])]


def _add(values: list[Any], held: list[Any], kwargs: dict[str, Any]) -> list[Affine]:
    return _sum(values, held, float(kwargs.get("alpha", 1)))


def _sub(values: list[Any], held: list[Any], kwargs: dict[str, Any]) -> list[Affine]:
    return _sum(values, held, -float(kwargs.get("alpha", 1)))


def _rsub(values: list[Any], held: list[Any], kwargs: dict[str, Any]) -> list[Affine]:
    return _sum([values[1], values[0]], [[], held[0]], -1.0)


def _mul(values: list[Any], held: list[Any], kwargs: dict[str, Any]) -> list[Affine]:
    found = [a.scaled(np.asarray(values[1])) for a in held[0]]
    return found + [a.scaled(np.asarray(values[0])) for a in held[1]]


def _div(values: list[Any], held: list[Any], kwargs: dict[str, Any]) -> list[Affine]:
    return [a.scaled(1.0 / np.asarray(values[1])) for a in held[0]]


def _neg(values: list[Any], held: list[Any], kwargs: dict[str, Any]) -> list[Affine]:
    return [a.scaled(np.float64(-1.0)) for a in held[0]]


ARITHMETIC: dict[str, Callable[..., list[Affine]]] = {
    "add": _add,
    "sub": _sub,
    "rsub": _rsub,
    "mul": _mul,
    "div": _div,
    "neg": _neg,
}
"""By the kernel's name: its arguments, what each holds of weights, its options -> what the result holds."""
