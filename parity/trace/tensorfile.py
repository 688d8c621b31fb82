"""Safetensors files with a JSON header of our own: written whole, and read without trusting a byte of them."""

import collections
import json
import math
import os
from collections.abc import Mapping, MutableMapping
from typing import Any, BinaryIO, NoReturn, TypeGuard

import numpy as np

from parity.files import open_atomically, open_to_read

FORMAT = 5
"""Of our header; a reader refuses what it does not know."""

HEADER_LIMIT = 8 << 20
"""Bytes of header that are read at all. A model of a thousand parameters, recorded at two dtypes, needs a fifth."""

VALUE_LIMIT = 1 << 19
"""Commas and opening brackets in a header, counted before it is parsed: each of them may become an object in memory."""

AXES, LENGTH = 32, 1 << 48
"""What NumPy can hold of an array's axes, and of each axis."""

DTYPES = {
    "BOOL": "|b1",
    "U8": "|u1",
    "I8": "|i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
}

LABELS = {dtype: label for label, dtype in DTYPES.items()}


class TraceError(ValueError):
    """A file is not a trace, or not one that can be read."""


def write(path: str | os.PathLike[str], tensors: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> None:
    """Write arrays and a header as one safetensors file; a file of that name is replaced whole or not.

    Each array is asked for twice, for its size and to be written, and held no longer: of arrays that lie in a file
    there is one at a time in memory.

    Args:
        path: The file, or a URL that fsspec knows.
        tensors: Arrays by name.
        header: What JSON can hold; "format" is added.

    Raises:
        OSError: If it cannot be written; the message says what, where and the next step.
        ValueError: If the header has a number that is not finite, or is longer than a reader takes, or an array has a
            dtype that the format has not.
    """
    text = json.dumps({"format": FORMAT, **header}, sort_keys=True, allow_nan=False)
    kinds = {name: _kind(name, array) for name, array in tensors.items()}
    # Wide elements first, as safetensors has it, so that each array begins at a multiple of its element's size.
    order = sorted(kinds, key=lambda name: (-kinds[name][0].itemsize, name))
    entries: dict[str, Any] = {"__metadata__": {"parity": text}}
    begin = 0
    for name in order:
        dtype, shape = kinds[name]
        end = begin + math.prod(shape) * dtype.itemsize
        entries[name] = {"dtype": LABELS[dtype.str], "shape": shape, "data_offsets": (begin, end)}
        begin = end
    raw = json.dumps(entries, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    if _too_much(raw):
        raise ValueError(
            f"trace: {len(order):,} arrays need a header of {len(raw):,} bytes, which no reader takes; record fewer "
            "outputs, or one dtype at a time"
        )
    with open_atomically(path) as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        for name in order:
            file.write(np.asarray(tensors[name], kinds[name][0]).tobytes())


def _kind(name: str, array: np.ndarray) -> tuple[np.dtype, tuple[int, ...]]:
    """An array's dtype as the file has it, the lowest byte first, and its shape."""
    dtype = array.dtype.newbyteorder("<")
    if dtype.str not in LABELS:
        raise ValueError(f"trace: array {name!r} has dtype {array.dtype}, wanted one of {', '.join(DTYPES)}")
    return dtype, array.shape


def read(
    path: str | os.PathLike[str], kind: str, apart: Mapping[str, MutableMapping[str, np.ndarray]] | None = None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `write` wrote. Nothing is unpickled, and nothing is allocated that the file's own size does not bear.

    The length of the header, its number of values, and each array's dtype, shape and place are checked before any
    array is read; arrays must cover the file without a gap or an overlap.

    Args:
        path: The file, or a URL that fsspec knows.
        kind: What the header must say that it is: "trace" or "recording".
        apart: How the names of arrays begin that go elsewhere, one at a time, each with where.

    Returns:
        (arrays by name but for those that went elsewhere, the header).

    Raises:
        TraceError: With the file, what is wrong and the next step.
    """
    try:
        with open_to_read(path) as file:
            return _Reader(file, str(path)).read(kind, apart or {})
    except FileNotFoundError as error:
        raise TraceError(f"trace: there is no file {path}; write one with parity record, or Trace.save") from error
    except OSError as error:
        raise TraceError(f"trace: {path} cannot be read: {error}") from error


class _Reader:
    """One file that is open, and its name for messages."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self.file, self.path = file, path
        self.size = file.seek(0, os.SEEK_END)
        file.seek(0)

    def read(
        self, kind: str, apart: Mapping[str, MutableMapping[str, np.ndarray]]
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        entries = self._entries()
        header = self._own(entries.pop("__metadata__", None), kind)
        places = sorted(((*self._place(n, e), n) for n, e in entries.items()), key=lambda p: (p[0], p[1]))
        begin = 0
        for start, stop, _, _, name in places:
            if start != begin:
                self._refuse(f"array {name!r} begins at byte {start:,}, wanted {begin:,}: they overlap or leave a gap")
            begin = stop
        held = self.size - self.file.tell()
        if begin != held:
            self._refuse(f"its arrays need {begin:,} bytes, the file has {held:,}; it is truncated or was added to")
        found: dict[str, np.ndarray] = {}
        for start, stop, dtype, shape, name in places:
            into = next((elsewhere for begin_of, elsewhere in apart.items() if name.startswith(begin_of)), found)
            into[name] = self._array(stop - start, dtype, shape, name)
        return found, header

    def _entries(self) -> dict[str, Any]:
        first = self.file.read(8)
        length = int.from_bytes(first, "little")
        if len(first) < 8 or length > self.size - 8:
            self._refuse(f"it has {self.size:,} bytes and its header needs {length:,}; it is truncated or no trace")
        if length > HEADER_LIMIT:
            self._refuse(f"its header has {length:,} bytes, at most {HEADER_LIMIT:,} are read; it is no trace")
        raw = self.file.read(length)
        if len(raw) != length or not raw.startswith(b"{"):
            self._refuse("its header is no JSON object; it is no safetensors file")
        if _too_much(raw):
            self._refuse(f"its header has more than {VALUE_LIMIT:,} values; it is no trace")
        return self._json(raw)

    def _own(self, metadata: Any, kind: str) -> dict[str, Any]:
        if not isinstance(metadata, dict) or not isinstance(metadata.get("parity"), str):
            self._refuse(
                "it is a safetensors file, but its header has no entry 'parity'; write one with parity record, or "
                "Trace.save"
            )
        header = self._json(metadata["parity"])
        if header.get("format") != FORMAT:
            self._refuse(
                f"it has format {header.get('format')!r}, this version reads {FORMAT}; write the file again with the "
                "same version of parity on both hosts"
            )
        if header.get("kind") != kind:
            self._refuse(f"it is a {header.get('kind')!r}, wanted a {kind}; a recording comes from parity record")
        return header

    def _json(self, text: str | bytes) -> dict[str, Any]:
        def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            found = dict(pairs)
            if len(found) != len(pairs):
                twice = collections.Counter(name for name, _ in pairs).most_common(1)[0][0]
                raise ValueError(f"{twice[:60]!r} stands there twice")
            return found

        def refuse(constant: str) -> None:
            raise ValueError(f"{constant} is no number in JSON")

        try:
            value = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
        except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
            self._refuse(f"its header cannot be read: {str(error) or 'it is nested too deeply'}")
        if not isinstance(value, dict):
            self._refuse(f"its header is a {type(value).__name__}, wanted an object")
        return value

    def _place(self, name: str, entry: Any) -> tuple[int, int, np.dtype, tuple[int, ...]]:
        """(start, stop, dtype, shape) of an array, consistent in itself."""
        if not isinstance(entry, dict):
            self._refuse(f"the entry of array {name!r} is a {type(entry).__name__}, wanted an object")
        label, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
        if not isinstance(label, str) or label not in DTYPES:
            self._refuse(f"array {name!r} has dtype {label!r}, wanted one of {', '.join(DTYPES)}")
        if not (_naturals(shape) and len(shape) <= AXES and max(shape, default=0) <= LENGTH):
            self._refuse(f"array {name!r} has a shape that is none")
        if not (_naturals(offsets) and len(offsets) == 2 and offsets[0] <= offsets[1] <= self.size):
            self._refuse(f"array {name!r} has offsets that do not lie in the file")
        dtype = np.dtype(DTYPES[label])
        if math.prod(shape) * dtype.itemsize != offsets[1] - offsets[0]:
            self._refuse(
                f"array {name!r} of dtype {label} and shape {tuple(shape)} does not fill its "
                f"{offsets[1] - offsets[0]:,} bytes"
            )
        return offsets[0], offsets[1], dtype, tuple(shape)

    def _array(self, size: int, dtype: np.dtype, shape: tuple[int, ...], name: str) -> np.ndarray:
        raw = self.file.read(size)
        if len(raw) != size:
            self._refuse(f"it ended within array {name!r}; it is truncated")
        if dtype.kind == "b" and np.frombuffer(raw, np.uint8).max(initial=0) > 1:
            self._refuse(f"array {name!r} is boolean and has values other than 0 and 1")
        try:
            return np.frombuffer(raw, dtype).astype(dtype.newbyteorder("="), copy=False).reshape(shape)
        except ValueError:  # an empty array, one of whose axes is longer than NumPy counts
            self._refuse(f"array {name!r} has a shape that is none")

    def _refuse(self, message: str) -> NoReturn:
        raise TraceError(f"trace: {self.path}: {message}")


def _too_much(header: bytes) -> bool:
    values = sum(header.count(sign) for sign in (b",", b"{", b"["))
    return len(header) > HEADER_LIMIT or values > VALUE_LIMIT


def _naturals(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)
