"""Teacher forcing: each JAX layer gets torch's recorded input, so that it is judged by the error that it adds."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from parity.checking.layers import Matching, Part, flat, matched
from parity.checking.work import Task, examine
from parity.numerics import Finding, Verdict
from parity.numerics.reading import bound, confidence_factor
from parity.sides.inputs import is_float, leaves, rebuild, rounded
from parity.sides.jax_teacher import Meeting, Source, layer_function, meet
from parity.sides.spool import Spool

KEPT = 256
"""Compiled layers that are kept for the next model; a model's equal layers share one."""


@dataclass(frozen=True)
class Step:
    """One call of a layer on both sides.

    Attributes:
        part: The layer.
        number: How often it was called before.
        calls: Torch's calls, the last of which gives the step its place.
        meeting: JAX's.
        gap: How far what JAX's own code brought to it is from torch's, in roundings of the largest element: at most 1
            where nothing but rounding can lie between.
    """

    part: Part
    number: int
    calls: tuple[Any, ...]
    meeting: Meeting
    gap: float

    @property
    def place(self) -> int:
        """In torch's order of execution."""
        return max(call.place for call in self.calls)


@dataclass
class Lesson:
    """Two models, torch's run recorded, JAX's layers each met once.

    Attributes:
        torch, jax: TorchLayers and JaxLayers.
        inputs: Of the models, rounded to the working dtype.
        values: JAX's leaves: torch's by the map.
        spool: Holds torch's activations.
        calls: Torch's calls in order.
        matching: The layers.
        steps: Every call that was matched, in torch's order of execution.
        end: How far JAX's output, every layer forced, is from torch's; as Step.gap.
        outputs: Torch's output as NumPy.
        refused: JAX layers that could not be forced, with the reason.
        dtype: The working dtype.
    """

    torch: Any
    jax: Any
    inputs: tuple[Any, ...]
    values: Mapping[str, np.ndarray]
    spool: Spool
    dtype: str
    calls: list[Any] = field(default_factory=list)
    matching: Matching = field(default_factory=lambda: Matching((), ()))
    steps: list[Step] = field(default_factory=list)
    end: float = 0.0
    outputs: Any = None
    refused: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, torch: Any, jax: Any, weights: Any, inputs: tuple[Any, ...], dtype: str, spool: Spool) -> "Lesson":
        """Record torch, then run JAX with torch's activations in place of its own.

        Args:
            torch, jax: TorchLayers and JaxLayers.
            weights: A WeightMap.
            inputs: NumPy pytrees.
            dtype: The working dtype, to which inputs are rounded.
            spool: Where activations go.

        Returns:
            The Lesson.
        """
        given = rounded(inputs, dtype)
        own = {n: a for n, a in {**torch.parameters, **torch.buffers}.items() if n in weights.torch_shapes}
        values = flat(weights.to_jax(own))
        lesson = cls(torch, jax, given, jax.values | values, spool, dtype)
        owners = {name.rpartition(".")[0] for name in (*torch.parameters, *torch.buffers)}
        kept = {p for p in torch.children() if p in owners or any(o.startswith(f"{p}.") for o in owners)}
        lesson.calls, lesson.outputs = torch.record(given, kept, spool)
        called = {call.path for call in lesson.calls if call.path in kept}
        lifted: dict[str, str] = {}
        while True:
            lesson.matching = matched(weights, jax.owner, called, lifted)
            lesson.steps, lesson.refused = [], {}
            lesson._meet()
            met = {step.part.jax for step in lesson.steps}
            unseen = [p.jax for p in lesson.matching.parts if p.jax not in met | lifted.keys() and "." in p.jax]
            if not unseen:
                break
            lifted |= {path: path.rpartition(".")[0] for path in unseen}
        lesson.steps.sort(key=lambda step: step.place)
        return lesson

    def _meet(self) -> None:
        by_path = {part.jax: part for part in self.matching.parts}
        by_call = {(call.path, call.number): call for call in self.calls}

        def sources(path: str, number: int) -> tuple[Any, ...] | None:
            calls = tuple(by_call.get((module, number)) for module in by_path[path].torch)
            return None if any(call is None for call in calls) else calls

        def known(path: str, number: int) -> Any:
            calls = sources(path, number)
            if calls is None:
                return None
            return self.arguments(calls[0]), self.source(by_path[path], calls).outputs(self.named(calls))

        def met(meeting: Meeting) -> None:
            calls = sources(meeting.path, meeting.number)
            assert calls is not None
            arguments = self.arguments(calls[0])
            pairs = [(p.arrangement.to_jax(arguments[p.torch]), meeting.arrived[p.jax]) for p in meeting.given]
            gap = max(roundings(torch, jax) for torch, jax in pairs)
            self.steps.append(Step(by_path[meeting.path], meeting.number, calls, _light(meeting), gap))

        output, self.refused = meet(self.jax, self.values, self.inputs, set(by_path), known, met)
        self.end = max((roundings(t, j) for t, j in _outputs(self.outputs, output)), default=0.0)

    def arguments(self, call: Any) -> dict[str, np.ndarray]:
        """The arrays of a torch call's arguments by path."""
        return arrays_of(self.spool.read(call.arguments))

    def named(self, calls: tuple[Any, ...]) -> dict[str, dict[str, np.ndarray]]:
        """The arrays of torch calls' outputs, by call and path."""
        return {name_of(call): arrays_of(self.spool.read(call.output)) for call in calls}

    @staticmethod
    def source(part: Part, calls: tuple[Any, ...]) -> Source:
        """Where torch's side of a layer's call stands."""
        return Source(tuple(map(name_of, calls)), part.rows)


def judge_layer(lesson: Lesson, step: Step, layer: Any = None, *, torch: Any = None) -> list[Finding]:
    """One layer, forwards and backwards, on torch's recorded input.

    Args:
        lesson: The two models.
        step: The call.
        layer: In place of JAX's own layer: the same, patched.
        torch: In place of torch's own function of the layer: an emulation.

    Returns:
        One Finding a tensor, under the names that the layer's tensors have by themselves.
    """
    from parity.sides.torch_side import TorchSide

    part, meeting = step.part, step.meeting
    layer = lesson.jax.layer(part.jax) if layer is None else layer
    everything = lesson.arguments(step.calls[0])
    tied = _tied(everything)
    given = tuple(replace(p, torch=tied[p.torch]) for p in meeting.given)
    inputs = {p.torch: everything[p.torch] for p in given}
    fixed = {f"torch {p}": a for p, a in everything.items() if tied[p] not in inputs}
    fixed |= {p: leaf for p, leaf in leaves(meeting.arguments) if is_float(leaf)}
    parameters, buffers = part.tensors(lesson.torch.parameters), part.tensors(lesson.torch.buffers)
    own = torch or lesson.torch.layer(part.torch, lesson.spool.read(step.calls[0].arguments), part.rows)

    def of_torch(inputs: Any, parameters: Any, buffers: Any, constants: Any) -> Any:
        again = {p: inputs[first] for p, first in tied.items() if first in inputs}
        rest = {p.removeprefix("torch "): t for p, t in constants.items() if p.startswith("torch ")}
        result = own({**rest, **again}, parameters, buffers)
        wanted = {p.torch for p in meeting.returned}
        return {**result, "output": {p: t for p, t in result["output"].items() if p in wanted}}

    jax = _compiled(layer, part, replace(meeting, given=given))
    arrays = {"inputs": inputs, "parameters": parameters, "buffers": buffers, "constants": fixed}
    task = Task(part.jax, arrays, wrt=("inputs", "parameters"))
    result = examine(TorchSide(of_torch), jax, task, dtypes=(lesson.dtype,))
    return judged(result)


def roundings(torch: np.ndarray, jax: np.ndarray) -> float:
    """The largest difference, in bounds of a tensor all of whose elements err as the largest does.

    It decides only where a judgement is worth its cost: a difference below it is one of rounding.
    """
    if torch.shape != jax.shape or not np.array_equal(np.isfinite(torch), np.isfinite(jax)):
        return np.inf
    if torch.dtype.kind not in "fc":
        return 0.0 if np.array_equal(torch, jax) else np.inf
    finite = np.isfinite(torch)
    if not finite.any():
        return 0.0
    largest = np.abs(torch[finite]).max()
    limit = bound(np.asarray(largest), 0.0, "float64", confidence_factor(torch.size))
    return float(np.abs(torch[finite] - jax[finite]).max() / limit)


def name_of(call: Any) -> str:
    """A torch call's name: its path, and which call of it where it is not the first."""
    return call.path.replace(".", "/") + (f"#{call.number}" if call.number else "")


_SIDES: dict[Any, Any] = {}


def _compiled(layer: Any, part: Part, meeting: Meeting) -> Any:
    """The JAX side of a layer, shared by all layers of the same class, shapes and configuration."""
    from parity.sides.jax_side import JaxSide

    own = {c.leaf for c in part.carried}
    rest = tuple((n, np.asarray(v).tobytes()) for n, v in layer.values.items() if n not in own)
    template = tuple((p, repr(leaf) if not is_float(leaf) else "float") for p, leaf in leaves(meeting.arguments))
    key = (layer.key, tuple(c.key for c in part.carried), meeting.given, meeting.returned, template, rest)
    if key not in _SIDES:
        if len(_SIDES) >= KEPT:
            del _SIDES[next(iter(_SIDES))]
        _SIDES[key] = JaxSide(layer_function(layer, part.carried, meeting))
    return _SIDES[key]


def judged(result: Any) -> list[Finding]:
    """The findings of an examination; what raised is one too."""
    if result.error is not None:
        return [*result.findings, Finding("structure", "", "", Verdict.STRUCTURE, result.error)]
    return list(result.findings)


def _tied(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Each argument with the first one that is the same array, as the three of self-attention are."""
    first: dict[str, str] = {}
    for path, array in arrays.items():
        same = (p for p in first.values() if arrays[p].shape == array.shape and np.array_equal(arrays[p], array))
        first[path] = next(same, path)
    return first


def _light(meeting: Meeting) -> Meeting:
    """A meeting without the arrays that torch has too."""
    given, returned = {p.jax for p in meeting.given}, {p.jax for p in meeting.returned}
    return replace(
        meeting,
        arguments=rebuild(meeting.arguments, lambda p, leaf: 0 if p in given else leaf),
        output=rebuild(meeting.output, lambda p, leaf: 0 if p in returned else leaf),
        arrived={},
    )


def _outputs(torch: Any, jax: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    both = [list(arrays_of(tree).values()) for tree in (torch, jax)]
    return list(zip(*both, strict=False))


def arrays_of(tree: Any) -> dict[str, np.ndarray]:
    """The arrays of a nest by path."""
    return {p: leaf for p, leaf in leaves(tree) if isinstance(leaf, np.ndarray)}
