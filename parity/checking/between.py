"""What lies between layers, judged with torch's recorded outputs in place of the layers'."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.checking.teacher import Lesson, Step, arrays_of, judged, name_of
from parity.checking.work import Task, examine
from parity.numerics import Finding
from parity.sides.inputs import leaves
from parity.sides.jax_teacher import between_function
from parity.sides.spool import Stored

CHUNK = 1 << 28
"""Bytes of recorded outputs that are read at once, unless one layer's alone are more. GPT-2's smallest model has
less, of 128 tokens."""

HEAD = 1024
"""Numbers that stand for an output outside of the chunk, repeated: of the output's own, so that they have its size."""


def judge_between(lesson: Lesson, step: Step | None) -> tuple[list[Finding], Any]:
    """What lies between the layers before a step and the step itself, with torch's outputs in place of theirs.

    Args:
        lesson: The two models.
        step: The call at which it arrives; None for the models' end.

    Returns:
        (one Finding an array that arrives, and one an array that it was given, for the gradient; the inputs of both
        functions).
    """
    functions = between_functions(lesson, step)
    return judge_functions(lesson, *functions), functions


def judge_all_between(lesson: Lesson) -> list[Finding]:
    """All that lies between layers, with torch's outputs in place of theirs.

    That is one program where the outputs fit a CHUNK. Else it is one for each stretch of layers whose outputs do: what
    arrives at them is judged with their outputs, those of the layer before them, and of each other layer a few numbers,
    repeated. So the memory does not grow with depth, and each array that arrives is still judged, by outputs and by
    gradients.
    """
    found: list[Finding] = []
    stretches = _stretches(lesson)
    for before, steps in zip([[], *stretches], stretches, strict=False):
        found += _judge_stretch(lesson, steps, [*before[-1:], *steps], end=steps is stretches[-1])
    return found


def _stretches(lesson: Lesson) -> list[list[Step]]:
    """The steps in order, as many together as have a CHUNK of outputs."""
    found: list[list[Step]] = [[]]
    size = 0
    for step in lesson.steps:
        own = sum(_bytes(call) for call in step.calls)
        if found[-1] and size + own > CHUNK:
            found.append([])
            size = 0
        found[-1].append(step)
        size += own
    return found


def _judge_stretch(lesson: Lesson, steps: list[Step], whole: list[Step], *, end: bool) -> list[Finding]:
    forced = Forced.of(lesson, lesson.steps, whole)
    keys = {(s.meeting.path, s.meeting.number): s for s in steps}
    names = {key: str(i) for i, key in enumerate(keys)}
    first = {(s.calls[0].path, s.calls[0].number): name_of(s.calls[0]) for s in steps}
    torch = lesson.torch.between(forced.nests, None, first)
    meetings = {(s.meeting.path, s.meeting.number): s.meeting for s in lesson.steps}
    sources = {(s.meeting.path, s.meeting.number): lesson.source(s.part, s.calls) for s in lesson.steps}
    jax = between_function(lesson.jax, lesson.values, meetings, sources, None, names)

    def of_torch(inputs: Any, forced: Any) -> Any:
        arrived = torch(inputs, outputs(forced))["arrived"]
        named = {
            f"{names[key]} {p.jax}": p.arrangement.to_jax(arrived[f"{name_of(s.calls[0])} {p.torch}"])
            for key, s in keys.items()
            for p in s.meeting.given
        }
        ends = [t for name, t in arrived.items() if name.partition(" ")[0] not in first.values()]
        return {"arrived": named, **({"end": ends} if end else {})}

    def of_jax(inputs: Any, forced: Any) -> Any:
        arrived = jax(inputs, outputs(forced))["arrived"]
        named = {n: a for n, a in arrived.items() if n.partition(" ")[0] in names.values() and " " in n}
        return {"arrived": named, **({"end": [a for n, a in arrived.items() if n not in named]} if end else {})}

    outputs = forced.outputs
    return judge_functions(lesson, of_torch, of_jax, forced.arguments(lesson))


def judge_functions(lesson: Lesson, of_torch: Any, of_jax: Any, arrays: Any) -> list[Finding]:
    """Judge two functions of the models' inputs and torch's outputs of layers."""
    from parity.sides import side

    task = Task("between", arrays, wrt=("inputs", "forced"))
    return judged(examine(side("torch", of_torch), side("jax", of_jax), task, dtypes=(lesson.dtype,)))


def between_functions(lesson: Lesson, step: Step | None) -> tuple[Any, Any, dict[str, Any]]:
    """Both sides' code between the layers before a step and the step itself, as functions, and their inputs."""
    before = [s for s in lesson.steps if step is None or s.place < step.place]
    forced = Forced.of(lesson, before, _nearest(before))
    wanted = None if step is None else (step.calls[0].path, step.calls[0].number)
    torch = lesson.torch.between(forced.nests, wanted)
    outputs = forced.outputs

    def of_torch(inputs: Any, forced: Any) -> Any:
        arrived = torch(inputs, outputs(forced))["arrived"]
        if step is None:
            return {"arrived": list(arrived.values())}
        return {"arrived": {p.jax: p.arrangement.to_jax(arrived[p.torch]) for p in step.meeting.given}}

    meetings = {(s.meeting.path, s.meeting.number): s.meeting for s in lesson.steps}
    sources = {(s.meeting.path, s.meeting.number): lesson.source(s.part, s.calls) for s in lesson.steps}
    key = None if step is None else (step.meeting.path, step.meeting.number)
    own = between_function(lesson.jax, lesson.values, meetings, sources, key)

    def of_jax(inputs: Any, forced: Any) -> Any:
        arrived = own(inputs, outputs(forced))["arrived"]
        return {"arrived": list(arrived.values()) if step is None else arrived}

    return of_torch, of_jax, forced.arguments(lesson)


def _nearest(before: Sequence[Step]) -> list[Step]:
    """The last steps whose outputs fit a CHUNK; the last in any case."""
    found: list[Step] = []
    size = 0
    for step in reversed(before):
        size += sum(_bytes(call) for call in step.calls)
        if found and size > CHUNK:
            break
        found.append(step)
    return found


@dataclass(frozen=True)
class Forced:
    """Torch's outputs of layers as arguments of a function: some whole, of the others a few numbers.

    Attributes:
        nests: For each call, its name and the nest of its output.
        stored: By name and path, where each output is.
        whole: Names of the calls whose outputs are given whole.
    """

    nests: dict[tuple[str, int], tuple[str, Any]]
    stored: dict[str, dict[str, Stored]]
    whole: frozenset[str]

    @classmethod
    def of(cls, lesson: Lesson, steps: Iterable[Step], whole: Iterable[Step]) -> "Forced":
        """The outputs of some steps, those of some of them whole."""
        calls = {name_of(call): call for s in steps for call in s.calls}
        stored = {name: dict(_stored(call)) for name, call in calls.items()}
        nests = {(c.path, c.number): (name, c.output) for name, c in calls.items()}
        return cls(nests, stored, frozenset(name_of(call) for s in whole for call in s.calls))

    def arguments(self, lesson: Lesson) -> dict[str, Any]:
        """The models' inputs, and the outputs as they are given."""
        forced = {
            name: arrays_of(
                lesson.spool.read(own)
                if name in self.whole
                else {p: lesson.spool.head(place, HEAD) for p, place in own.items()}
            )
            for name, own in self.stored.items()
        }
        return {"inputs": {str(i): v for i, v in enumerate(lesson.inputs)}, "forced": forced}

    def outputs(self, given: Any) -> Any:
        """Whole outputs of those that were given, of any framework."""
        return {name: {p: spread(a, self.stored[name][p].shape) for p, a in own.items()} for name, own in given.items()}


def spread(numbers: Any, shape: tuple[int, ...]) -> Any:
    """The numbers, repeated until they fill a shape; as they are where they have it.

    Examples:
        >>> spread(np.array([1.0, 2.0]), (3,))
        array([1., 2., 1.])
    """
    if tuple(numbers.shape) == shape:
        return numbers
    size = int(np.prod(shape, dtype=np.int64))
    times = -(-size // numbers.shape[0])
    if hasattr(numbers, "permute"):
        return numbers.repeat(times)[:size].reshape(shape)
    rows = numbers[None].repeat(times, 0)  # a copy of each number for each row, of NumPy and of JAX
    return rows.reshape(-1)[:size].reshape(shape)


def _stored(call: Any) -> list[tuple[str, Stored]]:
    return [(p, leaf) for p, leaf in leaves(call.output) if isinstance(leaf, Stored)]


def _bytes(call: Any) -> int:
    return sum(place.bytes for _, place in _stored(call))
