"""What a Recording of a model holds beside its runs: torch's weights, or where JAX's leaves stand beside them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.trace.header import array_of, list_of, mapping_of, objects_of, text_of
from parity.trace.tensorfile import TraceError

WEIGHTS = "weights/"  # prefix of an array's name in a file

MOST = 1 << 24
"""Features of one layer that a file is believed."""


@dataclass(frozen=True)
class RecordedWeights:
    """A torch model's weights, for the host that has the JAX model alone.

    Attributes:
        parameters, buffers: By name, float64.
        aliases: Further names of tied ones, each with the first.
        order: Names of everything that `state_dict` holds.
        frozen: Parameters that do not require a gradient.
        training: Whether the model was in train mode; None where its modules were in different ones.

    Examples:
        >>> table = np.zeros((5, 2))
        >>> tied = RecordedWeights({"embed": table}, aliases={"head": "embed"}, order=("embed", "head"))
        >>> sorted(tied.arrays()), [name for name, array in tied.weights.items() if array is table]
        (['weights/embed'], ['embed', 'head'])
    """

    parameters: Mapping[str, np.ndarray]
    buffers: Mapping[str, np.ndarray] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    frozen: frozenset[str] = frozenset()
    training: bool | None = None

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Everything that torch's state_dict holds, by every name."""
        everything = {**self.parameters, **self.buffers}
        everything |= {alias: everything[name] for alias, name in self.aliases.items() if name in everything}
        return {name: everything[name] for name in self.order if name in everything}

    def arrays(self) -> dict[str, np.ndarray]:
        """The weights under their names in a file; those that float32 holds exactly, which most do, as float32."""
        return {f"{WEIGHTS}{n}": _narrowed(a) for n, a in {**self.parameters, **self.buffers}.items()}

    def header(self) -> dict[str, Any]:
        """Everything else, as JSON holds it."""
        return {
            "parameters": list(self.parameters),
            "buffers": list(self.buffers),
            "aliases": dict(self.aliases),
            "order": list(self.order),
            "frozen": sorted(self.frozen),
            "training": self.training,
        }

    @classmethod
    def of(cls, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "RecordedWeights":
        """From what `header` and `arrays` gave; wrong types are refused by name.

        Raises:
            TraceError: Without the file's name, which the caller knows.
        """
        training = header.get("training")
        if training is not None and not isinstance(training, bool):
            raise TraceError("the header's 'training' is no boolean")
        parameters, buffers = (
            {n: _widened(array_of(arrays, f"{WEIGHTS}{n}")) for n in list_of(header, kind)}
            for kind in ("parameters", "buffers")
        )
        aliases, frozen = mapping_of(header, "aliases"), list_of(header, "frozen")
        unknown = [n for n in (*aliases.values(), *frozen) if n not in parameters and n not in buffers]
        if unknown:
            raise TraceError(f"the header names a weight {unknown[0]!r} that the file does not have")
        return cls(parameters, buffers, aliases, tuple(list_of(header, "order")), frozenset(frozen), training)


@dataclass(frozen=True)
class RecordedLayer:
    """One array that a JAX layer gives, and what of torch's it is.

    Attributes:
        name: Under which both sides' recordings of JAX's layers have it.
        jax: The layer's path, as a reader should see it.
        torch: Names of torch's calls; of several the outputs are joined along their last axis.
        rows: Places along that axis that alone are this layer's; None for all of one call's.
        place: In the output of torch's call.

    Examples:
        >>> query = RecordedLayer("layer.0", "attention.query", ("qkv",), rows=(0, 1, 2, 3))
        >>> query.header()["rows"], RecordedLayer.of(query.header()) == query
        ('0:4', True)
    """

    name: str
    jax: str
    torch: tuple[str, ...]
    rows: tuple[int, ...] | None = None
    place: str = ""

    def header(self) -> dict[str, Any]:
        """All of it, as JSON holds it; rows as ranges."""
        text = None if self.rows is None else " ".join(f"{a}:{b}" for a, b in _ranges(self.rows))
        return {"name": self.name, "jax": self.jax, "torch": list(self.torch), "rows": text, "place": self.place}

    @classmethod
    def of(cls, header: Mapping[str, Any]) -> "RecordedLayer":
        """From what `header` gave; wrong types are refused by name.

        Raises:
            TraceError: Without the file's name, which the caller knows.
        """
        rows = None if header.get("rows") is None else _rows(text_of(header, "rows"))
        torch = tuple(list_of(header, "torch"))
        if not torch:
            raise TraceError("a recorded layer is none of torch's")
        return cls(text_of(header, "name"), text_of(header, "jax"), torch, rows, text_of(header, "place"))


def _ranges(rows: tuple[int, ...]) -> list[tuple[int, int]]:
    """Places that follow each other as (first, one past the last)."""
    found: list[tuple[int, int]] = []
    for row in rows:
        if found and found[-1][1] == row:
            found[-1] = (found[-1][0], row + 1)
        else:
            found.append((row, row + 1))
    return found


def _rows(text: str) -> tuple[int, ...]:
    parts = [re.fullmatch(r"(\d{1,9}):(\d{1,9})", part) for part in text.split()]
    ranges = [range(int(p[1]), int(p[2])) for p in parts if p is not None]
    if not ranges or len(ranges) != len(parts) or sum(map(len, ranges)) > MOST:
        raise TraceError("a recorded layer has rows that are none")
    return tuple(row for part in ranges for row in part)


@dataclass(frozen=True)
class RecordedMatch:
    """Where a JAX model's leaves stand beside the torch model's, and what that alone told.

    Attributes:
        beside: JAX's paths by torch's name.
        outputs: JAX's name of an output by torch's, where they differ.
        compared: Torch's parameters whose gradients JAX has.
        state: Torch's buffers that JAX keeps as state.
        findings: Differences of structure: stage, torch, jax and message.
        remarks: What a reader should know.
        layers: What of torch's each recorded layer is.

    Examples:
        >>> match = RecordedMatch({"fc.weight": "dense.kernel"}, compared=("fc.weight",))
        >>> RecordedMatch.of(match.header(), {}) == match
        True
    """

    beside: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    compared: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    findings: tuple[Mapping[str, str], ...] = ()
    remarks: tuple[str, ...] = ()
    layers: tuple[RecordedLayer, ...] = ()

    def arrays(self) -> dict[str, np.ndarray]:
        """None: the weights are in torch's recording."""
        return {}

    def header(self) -> dict[str, Any]:
        """All of it, as JSON holds it."""
        return {
            "beside": dict(self.beside),
            "outputs": dict(self.outputs),
            "compared": list(self.compared),
            "state": list(self.state),
            "findings": [dict(f) for f in self.findings],
            "remarks": list(self.remarks),
            "layers": [layer.header() for layer in self.layers],
        }

    @classmethod
    def of(cls, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "RecordedMatch":
        """From what `header` gave; wrong types are refused by name.

        Raises:
            TraceError: Without the file's name, which the caller knows.
        """
        told = ("stage", "torch", "jax", "message")
        return cls(
            mapping_of(header, "beside"),
            mapping_of(header, "outputs"),
            tuple(list_of(header, "compared")),
            tuple(list_of(header, "state")),
            tuple({key: text_of(found, key) for key in told} for found in objects_of(header, "findings")),
            tuple(list_of(header, "remarks")),
            tuple(RecordedLayer.of(layer) for layer in objects_of(header, "layers")),
        )


RecordedModel = RecordedWeights | RecordedMatch


def model_of(header: Any, framework: str, arrays: Mapping[str, np.ndarray]) -> RecordedModel | None:
    """What a file holds of a model: None where a function was recorded.

    Raises:
        TraceError: Where it is neither.
    """
    if header is None:
        return None
    if not isinstance(header, dict):
        raise TraceError(f"the header's 'model' is a {type(header).__name__}, wanted an object")
    return (RecordedWeights if framework == "torch" else RecordedMatch).of(header, arrays)


def _narrowed(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.float64:
        return array
    with np.errstate(over="ignore"):
        narrow = array.astype(np.float32)
    return narrow if np.array_equal(narrow, array, equal_nan=True) else array


def _widened(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float64) if array.dtype == np.float32 else array
