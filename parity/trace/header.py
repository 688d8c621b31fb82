"""Values of a header that came from a file: each is what it should be, or is refused by name."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from parity.trace.spooled import Spooled
from parity.trace.tensorfile import TraceError


def text_of(header: Mapping[str, Any], key: str, among: tuple[str, ...] = ()) -> str:
    """A string; one of these, where any are given."""
    value = header.get(key)
    if not isinstance(value, str) or (among and value not in among):
        raise TraceError(f"the header's {key!r} is {_short(value)}, wanted {' or '.join(among) or 'a string'}")
    return value


def list_of(header: Mapping[str, Any], key: str) -> list[str]:
    """Strings, each once."""
    value = header.get(key)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TraceError(f"the header's {key!r} is {_short(value)}, wanted a list of strings")
    if len(set(value)) != len(value):
        raise TraceError(f"the header's {key!r} has a name twice")
    return value


def mapping_of(header: Mapping[str, Any], key: str) -> dict[str, str]:
    """Strings by name."""
    value = header.get(key)
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise TraceError(f"the header's {key!r} is {_short(value)}, wanted strings by name")
    return value


def numbers_of(header: Mapping[str, Any], key: str) -> dict[str, float]:
    """Finite numbers by name."""
    value = header.get(key)
    if not isinstance(value, dict):
        raise TraceError(f"the header's {key!r} is {_short(value)}, wanted numbers by name")
    for name, number in value.items():
        if type(number) not in (int, float) or not -math.inf < number < math.inf:
            raise TraceError(f"the header's {key!r} has {_short(number)} at {name!r}, wanted a finite number")
    return {name: _float(number, key) for name, number in value.items()}


def objects_of(header: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Objects, one after the other."""
    value = header.get(key)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TraceError(f"the header's {key!r} is {_short(value)}, wanted a list of objects")
    return value


def array_of(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """An array that the header names."""
    if name not in arrays:
        raise TraceError(f"the header names an array {name!r} that the file does not have")
    return arrays[name]


def arrays_of(arrays: Mapping[str, np.ndarray], names: Mapping[str, str]) -> Mapping[str, np.ndarray]:
    """Arrays that the header names, by the names that they have in memory; those that lie in a file stay there."""
    if isinstance(arrays, Spooled) and all(name in arrays for name in names.values()):
        return arrays.chosen(names)
    return {own: array_of(arrays, name) for own, name in names.items()}


def _float(number: Any, key: str) -> float:
    try:
        return float(number)
    except OverflowError:
        raise TraceError(f"the header's {key!r} has a number that no float64 holds") from None


def _short(value: Any) -> str:
    told = repr(value)
    return told if len(told) <= 60 else f"{told[:60]}..."
