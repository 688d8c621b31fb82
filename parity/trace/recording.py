"""A Recording: all that one side's runs give a comparison, so that neither framework is needed to make it."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from parity.trace.header import arrays_of, list_of, mapping_of, objects_of, text_of
from parity.trace.models import RecordedModel, model_of
from parity.trace.spooled import Spooled
from parity.trace.tensorfile import TraceError, read, write
from parity.trace.trace import Trace

FRAMEWORKS, PLANS = ("torch", "jax"), ("reference", "working")
LAYERS = "layers/"  # prefix of an array's name in a file


@dataclass(frozen=True)
class Measured:
    """How the tensors of a float64 run answer to errors, each by the tensor's name.

    Attributes:
        response: Root mean square change per unit of relative error in every input and operation.
        flips: Where such errors changed what is no floating number.
        coarse, coarse_flips: The same for errors as large as the working dtype's roundoff, where that is larger.
        conditioning: The same as `response` for errors in the inputs alone.
        alternatives: Values that integers took in runs with errors of the size of float64's rounding, one layer a run.

    Examples:
        >>> Measured(response={"forward/y": np.array([0.5, 2.0])}).response["forward/y"].max()
        np.float64(2.0)
    """

    response: Mapping[str, np.ndarray] = field(default_factory=dict)
    flips: Mapping[str, np.ndarray] = field(default_factory=dict)
    coarse: Mapping[str, np.ndarray] = field(default_factory=dict)
    coarse_flips: Mapping[str, np.ndarray] = field(default_factory=dict)
    conditioning: Mapping[str, np.ndarray] = field(default_factory=dict)
    alternatives: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Recorded:
    """What one side gave at one working dtype.

    Attributes:
        dtype: The working dtype.
        working: The Trace at that dtype.
        reference: The Trace at float64; None where the side has none.
        lacking: Why it has none, "" where it has one.
        inputs: Fingerprint of every input after rounding, by path: dtype, shape and a digest.
        constant: Value of every floating input that is the same everywhere, by path.
        measured: How the float64 run answers to errors.

    Examples:
        >>> working = Trace({"forward/y": np.zeros(3, "float32")})
        >>> part = Recorded("float32", working, reference=None, lacking="fused_norm has no float64")
        >>> part.full is working
        True
    """

    dtype: str
    working: Trace
    reference: Trace | None
    lacking: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    constant: Mapping[str, float] = field(default_factory=dict)
    measured: Measured = field(default_factory=Measured)

    @property
    def full(self) -> Trace:
        """The float64 run; where there is none the working dtype's stands in."""
        return self.working if self.reference is None else self.reference

    def validate(self) -> None:
        """Make sure that every tensor is there at both precisions, and that what was measured of it has its shape.

        Raises:
            TraceError: With the tensor's name; a shape that depends on values may differ between precisions.
        """
        for name, array in self.full.tensors.items():
            working = self.working.tensors.get(name)
            if working is None or working.shape != array.shape or working.dtype.kind != array.dtype.kind:
                raise TraceError(f"{name} is not one tensor of one shape at float64 and at {self.dtype}")
        _measured(self)


@dataclass(frozen=True)
class Recording:
    """What one side gave, at every dtype that was asked for; `parity.compare` takes two of them.

    Attributes:
        framework: "torch" or "jax".
        parts: One Recorded a working dtype.
        device: "cpu" or "cuda".
        gradient: Whether gradients were recorded.
        randomness: The seed of replayed draws, or None.
        draws: The random draws that were served: kind, shape, parameters and where, as plain values.
        beside: Whether the other side's recording was at hand, whose captured constants this one then took.
        name: What was recorded.
        environment: Versions, devices and threads of the host, by name.
        model: Of a model: torch's weights, or where JAX's leaves stand beside them; None of a function.
        layers: Of a model: what its layers gave and the gradients that reached them, one Recorded a working dtype.
            Their arrays lie in a temporary file and are read one by one as they are asked for.
    """

    framework: str
    parts: tuple[Recorded, ...]
    device: str = "cpu"
    gradient: bool = True
    randomness: int | None = None
    draws: tuple[Mapping[str, Any], ...] = ()
    beside: bool = False
    name: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    model: RecordedModel | None = None
    layers: tuple[Recorded, ...] = ()

    def __str__(self) -> str:
        tensors = len(self.parts[0].working.tensors) if self.parts else 0
        dtypes = ", ".join(part.dtype for part in self.parts)
        what = "outputs and gradients" if self.gradient else "outputs"
        layers = sum(name.startswith("forward/layer.") for part in self.layers[:1] for name in part.working.tensors)
        more = f"; {layers} tensors of layers" if layers else ""
        return f"{self.framework} on {self.device}: {tensors} tensors ({what}) at float64 and {dtypes}{more}"

    def part(self, dtype: str) -> Recorded | None:
        """What was recorded at a working dtype, or None."""
        return next((part for part in self.parts if part.dtype == dtype), None)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the Recording as one safetensors file with a JSON header; a file of that name is replaced whole or not.

        Args:
            path: The file to write, its folder must exist; or a URL that fsspec knows.

        Raises:
            OSError: If it cannot be written; the message says what, where and the next step.
        """
        places = {name: place for part in self.parts for name, place in _places(part)}
        places |= {f"{LAYERS}{name}": place for part in self.layers for name, place in _places(part)}
        weights = {} if self.model is None else self.model.arrays()
        places |= {name: (weights, name) for name in weights}
        header = {
            "kind": "recording",
            "framework": self.framework,
            "device": self.device,
            "gradient": self.gradient,
            "randomness": self.randomness,
            "draws": [dict(draw) for draw in self.draws],
            "beside": self.beside,
            "name": self.name,
            "environment": dict(self.environment),
            "parts": [_header(part) for part in self.parts],
            "model": None if self.model is None else self.model.header(),
            "layers": [_header(part) for part in self.layers],
        }
        write(path, _Arrays(places), header)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Recording":
        """Read a Recording without trusting the file.

        Args:
            path: A file that `save` wrote, or a URL that fsspec knows.

        Returns:
            The Recording.

        Raises:
            TraceError: If the file is missing, truncated, damaged, of another kind or of another format.
        """
        layers = Spooled()
        arrays, header = read(path, "recording", {LAYERS: layers})
        try:
            framework = text_of(header, "framework", FRAMEWORKS)
            return cls(
                framework,
                tuple(_part(part, arrays) for part in objects_of(header, "parts")),
                text_of(header, "device", ("cpu", "cuda")),
                _flag(header, "gradient"),
                _seed(header.get("randomness")),
                tuple(_draw(draw) for draw in objects_of(header, "draws")),
                _flag(header, "beside"),
                text_of(header, "name"),
                mapping_of(header, "environment"),
                model_of(header.get("model"), framework, arrays),
                tuple(_part(part, layers, LAYERS) for part in objects_of(header, "layers")),
            )
        except TraceError as error:
            raise TraceError(f"trace: {path}: {error}") from error


Place = tuple[Mapping[str, np.ndarray], str]
"""Where an array is to be had: one of the mappings, and its name there."""


class _Arrays(Mapping[str, np.ndarray]):
    """Arrays under the names that they have in a file, each fetched when it is asked for."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        self._places = places

    def __getitem__(self, name: str) -> np.ndarray:
        group, own = self._places[name]
        return group[own]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _places(part: Recorded) -> Iterator[tuple[str, Place]]:
    for plan in PLANS:
        trace = getattr(part, plan)
        if trace is not None:
            yield from trace.places(f"{part.dtype}/{plan}/").items()
    for kind in fields(Measured):
        group = getattr(part.measured, kind.name)
        for name in group:
            yield f"{part.dtype}/{kind.name}/{name}", (group, name)


def _header(part: Recorded) -> dict[str, Any]:
    return {
        "dtype": part.dtype,
        "lacking": part.lacking,
        "inputs": dict(part.inputs),
        # An input may be infinite all over, and JSON has no infinity.
        "constant": {path: repr(float(value)) for path, value in part.constant.items()},
        "measured": {kind.name: list(getattr(part.measured, kind.name)) for kind in fields(Measured)},
        **{plan: None if (trace := getattr(part, plan)) is None else trace.header() for plan in PLANS},
    }


def _part(header: dict[str, Any], arrays: Mapping[str, np.ndarray], prefix: str = "") -> Recorded:
    dtype = text_of(header, "dtype", ("float64", "float32", "bfloat16", "float16"))
    lacking = text_of(header, "lacking")
    traces = {
        plan: Trace.of(header[plan], arrays, f"{prefix}{dtype}/{plan}/") if header.get(plan) is not None else None
        for plan in PLANS
    }
    working, reference = traces["working"], traces["reference"]
    if working is None or (reference is None) != bool(lacking):
        raise TraceError(f"the run at {dtype} has no working dtype, or no float64 and no reason why")
    names = header.get("measured")
    if not isinstance(names, dict):
        raise TraceError("the header's 'measured' is no object")
    measured = Measured(
        **{
            kind.name: arrays_of(
                arrays, {name: f"{prefix}{dtype}/{kind.name}/{name}" for name in list_of(names, kind.name)}
            )
            for kind in fields(Measured)
        }
    )
    part = Recorded(dtype, working, reference, lacking, mapping_of(header, "inputs"), _constants(header), measured)
    part.validate()
    return part


def _measured(part: Recorded) -> None:
    full = part.full.tensors
    for kind in fields(Measured):
        layers = kind.name == "alternatives"
        for name, array in getattr(part.measured, kind.name).items():
            told = full.get(name)
            if told is None or array.shape[layers:] != told.shape or (layers and array.ndim == 0):
                raise TraceError(f"the {kind.name} of {name} has not the tensor's shape")
            wanted = told.dtype.kind if layers else "b" if kind.name.endswith("flips") else "f"
            if array.dtype.kind != wanted:
                raise TraceError(f"the {kind.name} of {name} has dtype {array.dtype}")


def _constants(header: Mapping[str, Any]) -> dict[str, float]:
    try:
        return {path: float(value) for path, value in mapping_of(header, "constant").items()}
    except ValueError:
        raise TraceError("the header's 'constant' has a value that is no number") from None


def _flag(header: Mapping[str, Any], key: str) -> bool:
    value = header.get(key)
    if not isinstance(value, bool):
        raise TraceError(f"the header's {key!r} is no boolean")
    return value


def _seed(value: Any) -> int | None:
    if value is not None and (type(value) is not int or value < 0):
        raise TraceError("the header's 'randomness' is no seed")
    return value


def _draw(draw: dict[str, Any]) -> dict[str, Any]:
    shape, parameters = draw.get("shape"), draw.get("parameters")
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise TraceError("a random draw has a shape that is none")
    if not isinstance(parameters, list) or not all(type(p) in (int, float) and abs(p) < 1e308 for p in parameters):
        raise TraceError("a random draw has parameters that are no numbers")
    known = {"kind": text_of(draw, "kind"), "where": text_of(draw, "where")}
    return known | {"shape": tuple(shape), "parameters": tuple(float(p) for p in parameters)}
