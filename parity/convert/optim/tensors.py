"""Tensors of either framework as NumPy holds them, and safetensors files of them; no framework is needed for either."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

CODES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
}
"""What safetensors calls each dtype that both frameworks have and that it can hold."""
_NAMES = {code: name for name, code in CODES.items()}


class FileError(ValueError):
    """A file is not what it was taken for, or cannot be read; the message says which, and what to do."""


@dataclass(frozen=True)
class Tensor:
    """The bits of one tensor.

    Attributes:
        dtype: As both frameworks name it, such as "bfloat16".
        bits: Its values; those of bfloat16, which NumPy lacks, as uint16.
    """

    dtype: str
    bits: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, as both frameworks have it."""
        return self.bits.shape

    def __eq__(self, other: object) -> bool:
        """Whether dtype, shape and every bit are the same; a NaN equals itself."""
        return (
            isinstance(other, Tensor)
            and (self.dtype, self.shape) == (other.dtype, other.shape)
            and self.bits.tobytes() == other.bits.tobytes()
        )

    def __hash__(self) -> int:
        raise TypeError("a Tensor can change; it has no hash")


def number_of(value: Any) -> Any:
    """A hyperparameter as plain numbers: torch takes tensors of one element too."""
    if isinstance(value, Tensor):
        wide = value.bits.astype(np.uint32) << 16 if value.dtype == "bfloat16" else value.bits
        return float((wide.view(np.float32) if value.dtype == "bfloat16" else wide).reshape(()))
    return tuple(map(number_of, value)) if isinstance(value, tuple | list) else value


def storage(dtype: str) -> np.dtype:
    """NumPy's dtype for the bits of a dtype, little endian as safetensors has them.

    Examples:
        >>> storage("bfloat16").str, storage("float32").str
        ('<u2', '<f4')
    """
    return np.dtype("uint16" if dtype == "bfloat16" else dtype).newbyteorder("<")


def to_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The content of a safetensors file. The library's own writer for NumPy has no bfloat16 without ml_dtypes.

    Args:
        tensors: By name.
        metadata: Strings by name.

    Returns:
        Eight bytes of length, the header as JSON, then the tensors' bits, the widest dtypes first: so all lie aligned.

    Raises:
        ValueError: For a dtype that safetensors or one of the frameworks lacks.

    Examples:
        >>> data = to_bytes({"w": Tensor("float32", np.ones(2, np.float32))}, {"by": "me"})
        >>> from_bytes(data, "w.safetensors")[0]["w"].bits.tolist()
        [1.0, 1.0]
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    parts: list[bytes] = []
    end = 0
    for name in sorted(tensors, key=lambda name: (-tensors[name].bits.itemsize, name)):
        tensor = tensors[name]
        if tensor.dtype not in CODES:
            raise ValueError(
                f"optim: {name} is {tensor.dtype}, which a safetensors file cannot carry; it takes {', '.join(CODES)}"
            )
        part = tensor.bits.astype(storage(tensor.dtype), copy=False).tobytes()
        header[name] = {"dtype": CODES[tensor.dtype], "shape": tensor.shape, "data_offsets": [end, end + len(part)]}
        parts.append(part)
        end += len(part)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *parts])


def from_bytes(data: bytes, path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the content of a safetensors file. Sizes and offsets are checked before an array is made.

    Args:
        data: The content.
        path: Where it came from, for the messages.

    Returns:
        The tensors and the metadata.

    Raises:
        FileError: If it is truncated, no safetensors file, or holds a dtype that is not known.
    """
    from safetensors import SafetensorError, deserialize

    try:
        found = deserialize(data)
    except SafetensorError as error:
        raise FileError(
            f"optim: {path} cannot be read: {error}; it is truncated or no safetensors file, save it again"
        ) from error
    tensors = {}
    for name, entry in found:
        if entry["dtype"] not in _NAMES:
            raise FileError(f"optim: {path} holds {name} as {entry['dtype']}; known are {', '.join(_NAMES)}")
        dtype = _NAMES[entry["dtype"]]
        values = np.frombuffer(entry["data"], storage(dtype)).reshape(entry["shape"])
        tensors[name] = Tensor(dtype, values.astype(storage(dtype).newbyteorder("="), copy=False))
    (length,) = struct.unpack("<Q", data[:8])
    return tensors, json.loads(data[8 : 8 + length]).get("__metadata__") or {}


def read_bytes(path: str | Path) -> bytes:
    """The content of a file.

    Raises:
        FileError: If it is not there or cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"optim: {path} cannot be read: {error.strerror}; name a file that is there") from error
