"""Places in weights as rules name them: a leaf, or a part of it by a NumPy index, such as "qkv.weight[0:8]"."""

import re
from collections.abc import Mapping

import numpy as np

from parity.convert.mapping_error import MappingError

PLACE = re.compile(r"(?P<name>[^\[\]]+)(?:\[(?P<index>[-\d:, ]*)\])?")


def part_of(place: str, arrays: Mapping[str, np.ndarray], side: str) -> tuple[np.ndarray, str]:
    """A view of the part of a leaf that a rule names."""
    found = PLACE.fullmatch(place)
    if found is None:
        raise MappingError(f"{place!r} is no place in a {side} leaf; write NAME or NAME[index], such as w[0:8]")
    name = found["name"]
    if name not in arrays:
        raise MappingError(f"a rule names {name}, which the {side} side does not have")
    if found["index"] is None:
        return arrays[name], name
    index = tuple(_index(part) for part in found["index"].split(","))
    try:
        return arrays[name][(*index, ...)], name  # the dots keep a single element a view
    except IndexError as error:
        raise MappingError(f"{place} ({side}): {error}") from None


def _index(text: str) -> int | slice:
    parts = [int(p) if p.strip() else None for p in text.split(":")]
    if len(parts) == 1 and parts[0] is not None:
        return parts[0]
    if not 2 <= len(parts) <= 3:
        raise MappingError(f"[{text}] is no index; write a number or start:stop")
    return slice(*parts)
