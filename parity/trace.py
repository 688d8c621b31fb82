"""A Trace: named NumPy arrays that one side produced, and where they came from; all that one side tells another."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from parity.files import write_atomically

CONSTANT = "constants/"  # prefix of a captured constant's name in a file
FORMAT = 2  # of the header; a reader refuses what it does not know


class TraceError(ValueError):
    """A file is not a Trace, or not one that can be read."""


@dataclass(frozen=True)
class Trace:
    """Named arrays of one run of one side.

    Attributes:
        tensors: Arrays by path, such as "forward/logits" or "gradient/W1". A dtype that NumPy lacks is widened exactly.
        dtypes: The framework's own dtype of each of them, such as "bfloat16".
        facts: Strings by path: names and dtypes, compared letter by letter.
        rounding: Rounding operations on the longest path to each tensor, where the side can read its own graph.
        narrow: Why a tensor of a float64 run is not float64 all through, by path: the operation, its dtype and where.
        constants: Arrays of lower precision that the function of a float64 run had captured, as they were used.
        unreached: Inputs that were differentiated and on which no output depends, by path: their zeros say nothing.
        origin: Framework, version, device, precision and whatever else tells two runs apart.
    """

    tensors: Mapping[str, np.ndarray]
    dtypes: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    rounding: Mapping[str, float] = field(default_factory=dict)
    narrow: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)
    unreached: tuple[str, ...] = ()
    origin: Mapping[str, str] = field(default_factory=dict)

    @property
    def names_only(self) -> bool:
        """Whether the run gave strings and no floating number: dtypes may be what it is about."""
        return bool(self.facts) and not any(array.dtype.kind in "fc" for array in self.tensors.values())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the Trace as one safetensors file with a JSON header; a file of that name is replaced whole or not.

        Args:
            path: The file to write; its folder must exist.

        Raises:
            OSError: If it cannot be written; the message says what, where and the next step.
        """
        from safetensors.numpy import save

        header = {
            "format": FORMAT,
            "dtypes": dict(self.dtypes),
            "facts": dict(self.facts),
            "rounding": dict(self.rounding),
            "narrow": dict(self.narrow),
            "unreached": list(self.unreached),
            "origin": dict(self.origin),
        }
        arrays = dict(self.tensors) | {CONSTANT + name: array for name, array in self.constants.items()}
        data = save(
            {name: np.array(array, order="C") for name, array in arrays.items()},
            {"parity": json.dumps(header, sort_keys=True)},
        )
        write_atomically(Path(path), data)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Trace":
        """Read a Trace. Nothing is unpickled; sizes and offsets are checked against the file before an array is made.

        Args:
            path: A file that `save` wrote.

        Returns:
            The Trace.

        Raises:
            TraceError: If the file is missing, truncated, of another kind or of a newer format.
        """
        from safetensors import SafetensorError, safe_open

        target = Path(path)
        if not target.is_file():
            raise TraceError(f"trace: there is no file {target}; write one with Trace.save")
        try:
            with safe_open(target, framework="np") as file:
                header = _header((file.metadata() or {}).get("parity"), target)
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        except (SafetensorError, OSError) as error:
            raise TraceError(
                f"trace: {target} cannot be read: {error}; it is truncated or no safetensors file"
            ) from error
        constants = {n.removeprefix(CONSTANT): tensors.pop(n) for n in list(tensors) if n.startswith(CONSTANT)}
        return cls(
            tensors,
            header["dtypes"],
            header["facts"],
            header["rounding"],
            header["narrow"],
            constants,
            tuple(header["unreached"]),
            header["origin"],
        )


def _header(text: str | None, path: Path) -> dict[str, Any]:
    if text is None:
        raise TraceError(
            f"trace: {path} is a safetensors file, but its header has no entry 'parity'; "
            "it was not written by Trace.save"
        )
    try:
        header = json.loads(text)
    except json.JSONDecodeError as error:
        raise TraceError(f"trace: the header of {path} is no JSON: {error}") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        got = header.get("format") if isinstance(header, dict) else type(header).__name__
        raise TraceError(
            f"trace: {path} has format {got!r}, this version reads {FORMAT}; update parity, or write the file again"
        )
    wanted = {"dtypes": dict, "facts": dict, "rounding": dict, "narrow": dict, "unreached": list, "origin": dict}
    if not all(isinstance(header.get(name), kind) for name, kind in wanted.items()):
        raise TraceError(f"trace: the header of {path} lacks one of {', '.join(wanted)}; write the file again")
    return header
