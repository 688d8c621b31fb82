"""A Trace: named NumPy arrays that one run of one side produced, and where they came from."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.markup import listing
from parity.trace.header import arrays_of, list_of, mapping_of, numbers_of
from parity.trace.tensorfile import TraceError, read, write

TENSOR, CONSTANT = "tensors/", "constants/"  # prefixes of an array's name in a file


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

    Examples:
        >>> trace = Trace({"forward/y": np.array([[1.0, 2.0]])}, origin={"framework": "torch"})
        >>> trace.tensors["forward/y"].shape, trace.origin["framework"]
        ((1, 2), 'torch')
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
            path: The file to write, its folder must exist; or a URL that fsspec knows.

        Raises:
            OSError: If it cannot be written; the message says what, where and the next step.
        """
        write(path, self.arrays(), {"kind": "trace", "trace": self.header()})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Trace":
        """Read a Trace. Nothing is unpickled; sizes and offsets are checked against the file before an array is made.

        Args:
            path: A file that `save` wrote.

        Returns:
            The Trace.

        Raises:
            TraceError: If the file is missing, truncated, damaged, of another kind or of another format.
        """
        arrays, header = read(path, "trace")
        try:
            return cls.of(header.get("trace"), arrays)
        except TraceError as error:
            raise TraceError(f"trace: {path}: {error}") from error

    def _repr_html_(self) -> str:
        rows = [
            (name, str(a.shape), self.dtypes.get(name, a.dtype.name), *_range(a)) for name, a in self.tensors.items()
        ]
        rows += [(name, "", "fact", text, "") for name, text in self.facts.items()]
        notes = [f"{name}: not float64 all through: {why}" for name, why in self.narrow.items()]
        notes += [f"no output depends on {name}" for name in self.unreached]
        notes += [", ".join(f"{key} {value}" for key, value in self.origin.items())] if self.origin else []
        return listing(
            f"Trace of {len(self.tensors):,} tensors", ("tensor", "shape", "dtype", "least", "most"), rows, notes
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays under the names that they have in a file."""
        return {name: group[own] for name, (group, own) in self.places().items()}

    def places(self, prefix: str = "") -> dict[str, tuple[Mapping[str, np.ndarray], str]]:
        """Where each array is to be had, by the name that it has in a file: one of the mappings, and its name there."""
        named = {f"{prefix}{TENSOR}{name}": (self.tensors, name) for name in self.tensors}
        return named | {f"{prefix}{CONSTANT}{name}": (self.constants, name) for name in self.constants}

    def header(self) -> dict[str, Any]:
        """Everything else, as JSON holds it; names in the order of the run, which is the order of a report."""
        return {
            "tensors": list(self.tensors),
            "constants": list(self.constants),
            "dtypes": dict(self.dtypes),
            "facts": dict(self.facts),
            "rounding": dict(self.rounding),
            "narrow": dict(self.narrow),
            "unreached": list(self.unreached),
            "origin": dict(self.origin),
        }

    @classmethod
    def of(cls, header: Any, arrays: Mapping[str, np.ndarray], prefix: str = "") -> "Trace":
        """A Trace from what `header` and `arrays` gave; wrong types are refused by name.

        Raises:
            TraceError: Without the file's name, which the caller knows.
        """
        if not isinstance(header, dict):
            raise TraceError(f"the header of a run is a {type(header).__name__}, wanted an object")
        return cls(
            arrays_of(arrays, {name: f"{prefix}{TENSOR}{name}" for name in list_of(header, "tensors")}),
            mapping_of(header, "dtypes"),
            mapping_of(header, "facts"),
            numbers_of(header, "rounding"),
            mapping_of(header, "narrow"),
            arrays_of(arrays, {name: f"{prefix}{CONSTANT}{name}" for name in list_of(header, "constants")}),
            tuple(list_of(header, "unreached")),
            mapping_of(header, "origin"),
        )


def _range(array: np.ndarray) -> tuple[str, str]:
    """The least and the largest number; what is not finite says so, and what has no order has none."""
    if array.size == 0 or array.dtype.kind not in "fiub":
        return "", ""
    return f"{array.min():.6g}", f"{array.max():.6g}"
