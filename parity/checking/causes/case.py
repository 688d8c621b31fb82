"""One place between two layers whose cause is looked for: what goes in, what arrives, and what was tried."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.checking.between import between_functions
from parity.checking.teacher import Lesson, Step
from parity.sides.inputs import leaves

CLOSE = 64.0
"""How many rounding bounds of the largest element a candidate may be off and still be tried; the experiment decides."""


@dataclass(frozen=True)
class Trial:
    """One suspected cause and its experiment.

    Attributes:
        cause: What it is, with both sides' settings.
        fix: What to write.
        source: Where it was seen in public.
        torch: Torch's function with JAX's code in its place; None where JAX's is patched.
        jax: JAX's function with the fix.
    """

    cause: str
    fix: str
    source: str
    torch: Callable[..., Any] | None = None
    jax: Callable[..., Any] | None = None

    @property
    def experiment(self) -> str:
        """Half a sentence: what was put where."""
        return "With it in JAX" if self.jax is not None else "With JAX's in torch's place"


@dataclass
class Case:
    """A place, run once on either side at float64.

    Attributes:
        lesson: The two models.
        step: The layer that it arrives at; None for the models' end.
        own: JAX's function of the place.
        torch, jax: What arrives.
        sources: What it is computed from, by path.
        silent: Sources that get a gradient in torch and none in JAX.
        missing: Those of them that are not on the way itself.
        tried: What was tried, in words, in order.
        known: What torch's code was recognised as, all candidates, and the sources as tensors; None where it was not.
    """

    lesson: Lesson
    step: Step | None
    own: Callable[..., Any]
    torch: np.ndarray
    jax: np.ndarray
    sources: dict[str, Any]
    silent: tuple[str, ...]
    missing: tuple[str, ...]
    tried: list[str] = field(default_factory=list)
    known: tuple[Any, list[Any], Any] | None = None

    @classmethod
    def of(cls, lesson: Lesson, step: Step | None, of_torch: Any, of_jax: Any, arrays: Any) -> "Case | None":
        """From one run of each side; None where more than one array arrives, or none that depends on anything."""
        from parity.sides import side

        one = side("torch", of_torch).run(arrays, dtype="float64", wrt=("inputs", "forced"))
        other = side("jax", of_jax, jit=False).run(arrays, dtype="float64", wrt=("inputs", "forced"))
        names = [n for n in one.tensors if n.startswith("forward/")]
        if (
            len(names) != 1
            or names[0] not in other.tensors
            or one.tensors[names[0]].shape != other.tensors[names[0]].shape
        ):
            return None
        reached = [
            p
            for p, leaf in leaves({"inputs": arrays["inputs"], "forced": arrays["forced"]})
            if isinstance(leaf, np.ndarray)
            and (leaf.dtype.kind != "f" or any(t.tensors.get(f"gradient/{p}", np.zeros(1)).any() for t in (one, other)))
        ]
        found = dict(leaves(arrays))
        sources = {p: found[p] for p in reached}
        gradients = [(p, one.tensors.get(f"gradient/{p}"), other.tensors.get(f"gradient/{p}")) for p in reached]
        silent = tuple(p for p, t, j in gradients if t is not None and j is not None and t.any() and not j.any())
        # Of several layers that torch's code reads, the last is on the way itself: the others go around it.
        floating = [p for p, t, _ in gradients if t is not None and t.any()]
        missing = tuple(p for p in silent if floating and p != floating[-1])
        return cls(lesson, step, of_jax, one.tensors[names[0]], other.tensors[names[0]], sources, silent, missing)

    def packed(self, tensor: Any) -> Any:
        """A tensor as the function of the place gives it."""
        if self.step is None:
            return {"arrived": [tensor]}
        pair = self.step.meeting.given[0]
        return {"arrived": {pair.jax: pair.arrangement.to_jax(tensor)}}

    def unpacked(self, array: np.ndarray) -> np.ndarray:
        """What arrived, in torch's layout."""
        if self.step is None:
            return array
        pair = self.step.meeting.given[0]
        return pair.arrangement.to_torch(array, pair.shape)

    def after(self, change: Callable[..., Any]) -> Callable[..., Any]:
        """Torch's function of the place, what it gives changed: change(tensor, sources by path)."""
        of_torch = between_functions(self.lesson, self.step)[0]

        def run(inputs: Any, forced: Any) -> Any:
            given = dict(leaves({"inputs": inputs, "forced": forced}))
            arrived = of_torch(inputs, forced)["arrived"]
            if isinstance(arrived, list):
                return {"arrived": [change(t, given) for t in arrived]}
            return {"arrived": {p: change(t, given) for p, t in arrived.items()}}

        return run

    def jax_after(self, change: Callable[[Any], Any]) -> Callable[..., Any]:
        """JAX's function of the place, what it gives changed."""

        def run(inputs: Any, forced: Any) -> Any:
            arrived = self.own(inputs, forced)["arrived"]
            if isinstance(arrived, list):
                return {"arrived": [change(a) for a in arrived]}
            return {"arrived": {p: change(a) for p, a in arrived.items()}}

        return run

    def emulated(self, run: Callable[[Any], Any], shape: tuple[int, ...]) -> Callable[..., Any]:
        """A torch function of the sources, by their short names, as one of the place."""

        def function(inputs: Any, forced: Any) -> Any:
            given = {short(p): t for p, t in leaves({"inputs": inputs, "forced": forced}) if p in self.sources}
            return self.packed(run(given).reshape(shape))

        return function

    def modules(self) -> list[Any]:
        """Torch's modules without weights between the layer before and this one."""
        calls = self.lesson.calls
        place = len(calls) if self.step is None else min(call.place for call in self.step.calls)
        start = max((s.place for s in self.lesson.steps if s.place < place), default=-1)
        inside = [call.path for call in calls if start < call.place < place and call.arguments is None]
        return [self.lesson.torch.module(path) for path in inside]


def short(path: str) -> str:
    """A source's path as a reader knows it."""
    return path.removeprefix("forced.").rstrip(".").replace("/", ".")
