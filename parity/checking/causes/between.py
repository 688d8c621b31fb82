"""Why what lies between two layers differs: both sides' code is recognised, and torch's replaced by what JAX has."""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from parity.checking.between import between_functions, judge_functions
from parity.checking.teacher import Lesson, Step, roundings
from parity.numerics import Finding, Verdict
from parity.sides.inputs import leaves, rebuild

CLOSE = 64.0
"""How many rounding bounds of the largest element a candidate may be off and still be tried; the experiment decides."""

APART = 2
"""Settings of attention in which JAX's may differ from torch's: of a thousand candidates a hundred are left."""

TRIED = 3
"""Candidates that give JAX's numbers at float64 and are put to the experiment."""

FIXES = {
    "gelu (erf)": "nnx.gelu(x, approximate=False)",
    "gelu (tanh)": "nnx.gelu(x, approximate=True)",
}
NAMES = {
    "gelu": "litgpt PR#1004, tinygrad PR#16162",
    "pooling": "flax PR#1848, pytorch/xla#746",
    "resize": "cmmd-pytorch PR#5, jax#15768, jax#11206",
    "attention": "transformers#19897; several converters",
    "dropout": "AlgoPerf PR#884, #886",
    "flatten": "Flax's guide",
    "cast": "openpi#738, PR#978",
}


def explain_between(
    lesson: Lesson, step: Step | None, findings: list[Finding], functions: tuple[Any, Any, Any]
) -> list[Finding]:
    """Name the cause of a difference between layers, where an emulation of JAX's code makes it go.

    Args:
        lesson: The two models.
        step: The layer that it arrives at; None for the models' end.
        findings: What was judged there, some of it different.
        functions: (torch's, JAX's, their inputs), as `judge_between` ran them.

    Returns:
        The findings, with `cause` and `fix` where a cause was proven.
    """
    of_torch, of_jax, arrays = functions
    if any(f.verdict is Verdict.PRECISION for f in findings) and (named := _cast(lesson, of_torch, of_jax, arrays)):
        return [f if f else replace(f, cause=named[0], fix=named[1]) for f in findings]
    case = _Case.of(lesson, step, of_torch, of_jax, arrays)
    if case is None:
        return findings
    for cause, fix, source, emulated in case.suspects():
        proof = judge_functions(lesson, emulated, of_jax, arrays)
        if all(proof):
            left = max((r for f in proof for r in (f.ratio64, f.ratio) if math.isfinite(r)), default=0.0)
            text = f"{cause}. With JAX's in torch's place the difference falls to {left:.2g} x the bound ({source})"
            return [f if f else replace(f, cause=text, fix=fix) for f in findings]
    return findings


def _cast(lesson: Lesson, of_torch: Any, of_jax: Any, arrays: Any) -> tuple[str, str] | None:
    """A cast to half precision in JAX's code without which, at the working dtype, the difference is gone."""
    from parity.sides.jax_casts import casts, without_casts

    places = casts(lambda given: of_jax(**given), arrays)
    if not places:
        return None
    proof = judge_functions(lesson, of_torch, without_casts(of_jax), arrays)
    if not all(proof):
        return None
    left = max((r for f in proof for r in (f.ratio64, f.ratio) if math.isfinite(r)), default=0.0)
    cause = f"jax casts to {'; '.join(places[:2])}. Without its casts the difference falls to {left:.2g} x the bound"
    return f"{cause} ({NAMES['cast']})", "compute at the dtype that comes in: remove .astype and dtype= there"


class _Case:
    """One place between layers: what goes in, and what arrives on either side, at float64."""

    def __init__(
        self,
        lesson: Lesson,
        step: Step | None,
        arrays: Any,
        arrived: tuple[Any, Any],
        sources: Any,
        pack: Any,
        silent: tuple[str, ...],
        missing: tuple[str, ...],
    ) -> None:
        self.lesson, self.step, self.arrays = lesson, step, arrays
        self.torch, self.jax = arrived
        self.sources, self.pack, self.silent, self.missing = sources, pack, silent, missing

    @classmethod
    def of(cls, lesson: Lesson, step: Step | None, of_torch: Any, of_jax: Any, arrays: Any) -> "_Case | None":
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
        pair = None if step is None else step.meeting.given[0]

        def pack(tensor: Any) -> Any:
            if pair is None:
                return {"arrived": [tensor]}
            return {"arrived": {pair.jax: pair.arrangement.to_jax(tensor)}}

        return cls(
            lesson, step, arrays, (one.tensors[names[0]], other.tensors[names[0]]), sources, pack, silent, missing
        )

    def suspects(self) -> Iterator[tuple[str, str, str, Callable[..., Any]]]:
        """(cause, fix, source, torch's function with JAX's code in its place)."""
        yield from self._rearranged()
        yield from self._stopped()
        yield from self._recognised(both=True)  # a sum in place of a mean is told as that, not as a factor
        yield from self._scaled()
        yield from self._recognised(both=False)

    def _rearranged(self) -> Iterator[tuple[str, str, str, Callable[..., Any]]]:
        """JAX's array is torch's in another order."""
        from parity.sides.torch_emulations import changed, tensor

        whole = tensor(self.torch)
        for text, change in changed(whole):
            moved = change(whole).numpy()
            if moved.shape == self.jax.shape and roundings(moved, self.jax) <= CLOSE:
                fix = "transpose to torch's order before the reshape, such as jnp.transpose(x, (0, 3, 1, 2))"
                yield text, fix, NAMES["flatten"], self._after(change)

    def _scaled(self) -> Iterator[tuple[str, str, str, Callable[..., Any]]]:
        """JAX's array is torch's times one number."""
        size = float(np.vdot(self.torch, self.torch).real)
        factor = float(np.vdot(self.torch, self.jax).real) / size if size else 0.0
        if factor and roundings(self.torch * factor, self.jax) <= CLOSE:
            known = _numbers(self.torch.shape, *(a.shape for a in self.sources.values()))
            nice = min((abs(factor / v - 1.0), n) for n, v in known.items())
            told = nice[1] if nice[0] < 1e-9 else f"{factor:.9g}"
            value = known[nice[1]] if nice[0] < 1e-9 else factor
            yield (
                f"JAX's is {told} times torch's",
                f"multiply by {1 / value:.6g}",
                "measured",
                self._after(lambda x: x * value),
            )

    def _recognised(self, *, both: bool) -> Iterator[tuple[str, str, str, Callable[..., Any]]]:
        """JAX's code is in the catalogue, and torch's too, or not."""
        from parity.sides.torch_attention import unusual
        from parity.sides.torch_emulations import candidates, result_of, tensor

        tensors = {p.rpartition(".")[0] if p.endswith(".") else p: tensor(a) for p, a in self.sources.items()}
        tensors = {_short(p): t for p, t in tensors.items()}
        target, jax = self._unpacked(self.torch), self._unpacked(self.jax)
        modules = [self.lesson.torch.module(path) for path in _inside(self.lesson, self.step)]

        def gives(candidate: Any, array: np.ndarray) -> bool:
            result = result_of(candidate, tensors)
            if result is None or result.numel() != array.size:
                return False
            return roundings(array, result.numpy().reshape(array.shape)) <= CLOSE

        every = list(candidates(tensors, modules, tensor(target)))
        theirs = next((c for c in every if gives(c, target)), None)
        if (theirs is not None) != both:
            return
        if theirs is not None:
            if theirs.family == "attention":
                every += unusual(theirs, theirs.names)
            # What is mistaken for torch's differs in a setting or two; anything else comes after.
            every.sort(key=lambda c: (c.family != theirs.family, len(c.but(theirs))))
        tried = (c for c in every if theirs is None or c.family != "attention" or len(c.but(theirs)) <= APART)
        for own in itertools.islice((c for c in tried if gives(c, jax)), TRIED):
            cause, fix, source = _said(own, theirs, modules)
            if theirs is None and self.missing:
                # What torch does with it is not in the catalogue, so no more is said than how it looks.
                cause = f"{cause}, and what arrives from {', '.join(map(_short, self.missing))} is missing"
                cause = f"{cause}, as without the residual connection"
                fix = "let what arrives from there reach the result: a residual connection adds it"
            yield cause, fix, source, self._emulated(own, target.shape)

    def _stopped(self) -> Iterator[tuple[str, str, str, Callable[..., Any]]]:
        """No gradient goes through in JAX, though the values are torch's."""
        if roundings(self.torch, self.jax) > CLOSE or not self.silent:
            return
        of_torch = between_functions(self.lesson, self.step)[0]

        def run(inputs: Any, forced: Any) -> Any:
            def cut(path: str, leaf: Any) -> Any:
                return leaf.detach() if path in self.silent else leaf

            both = rebuild({"inputs": inputs, "forced": forced}, cut)
            return of_torch(**both)

        names = ", ".join(map(_short, self.silent))
        yield f"no gradient passes from {names} in JAX", "remove jax.lax.stop_gradient", "jax#22101", run

    def _unpacked(self, array: np.ndarray) -> np.ndarray:
        """What arrived, in torch's layout."""
        if self.step is None:
            return array
        pair = self.step.meeting.given[0]
        return pair.arrangement.to_torch(array, pair.shape)

    def _after(self, change: Callable[[Any], Any]) -> Callable[..., Any]:
        of_torch = between_functions(self.lesson, self.step)[0]

        def run(inputs: Any, forced: Any) -> Any:
            arrived = of_torch(inputs, forced)["arrived"]
            if isinstance(arrived, list):
                return {"arrived": [change(t) for t in arrived]}
            return {"arrived": {p: change(t) for p, t in arrived.items()}}

        return run

    def _emulated(self, emulation: Any, shape: tuple[int, ...]) -> Callable[..., Any]:
        def run(inputs: Any, forced: Any) -> Any:
            given = {_short(p): t for p, t in leaves({"inputs": inputs, "forced": forced}) if p in self.sources}
            return self.pack(emulation.run(given).reshape(shape))

        return run


def _said(own: Any, theirs: Any, modules: list[Any]) -> tuple[str, str, str]:
    from parity.sides.torch_attention import UNUSUAL

    dropping = [m for m in modules if "Dropout" in type(m).__name__ and m.training and m.p > 0]
    if theirs is None and dropping:
        return (
            f"dropout is on in torch (p = {dropping[0].p:g}) and off in JAX",
            "call torch_model.eval(), or give both sides the same masks: randomness=0",
            NAMES["dropout"],
        )
    settings = ", ".join(f"{n} {v}" for n, v in own.settings.items())
    if theirs is None and own.settings == {"sum of": own.settings.get("sum of"), "activation": "identity"}:
        return (
            f"JAX passes on {own.settings['sum of']} as it is, and torch does more with it",
            "write what torch has",
            "measured",
        )
    if theirs is None or own.family != theirs.family:
        told = f"torch has {theirs.family} of {theirs.settings}" if theirs else "torch has something else"
        return f"JAX has {own.family} ({settings}); {told}", "write what torch has", "measured"
    apart = own.but(theirs)
    if any(setting in UNUSUAL for setting, *_ in apart):  # behind such a fault nothing tells a query from a key
        apart = [each for each in apart if each[0] != "order"]
    cause = "; ".join(_apart(own.family, *each) for each in apart)
    fix = "; ".join(FIXES.get(b, f"{n}: {b}") for n, _, b in apart)
    key = "gelu" if any("gelu" in v for _, *pair in apart for v in pair) else own.family
    return cause, fix, NAMES.get(key, "measured")


def _apart(family: str, setting: str, own: str, theirs: str) -> str:
    """One setting that differs, in words."""
    if setting == "sum of":
        mine, others = set(own.split(" + ")), set(theirs.split(" + "))
        without, more = " + ".join(sorted(others - mine)), " + ".join(sorted(mine - others))
        parts = [f"without the residual connection of {without}"] if without else []
        return " and ".join(parts + ([f"with {more} added, which torch does not"] if more else []))
    where = "" if family == setting else f"{family}: "
    return f"{where}{setting} {own}, torch has {theirs}"


def _inside(lesson: Lesson, step: Step | None) -> list[str]:
    """Torch's modules without weights between the layer before and this one."""
    place = len(lesson.calls) if step is None else min(call.place for call in step.calls)
    start = max((s.place for s in lesson.steps if s.place < place), default=-1)
    return [call.path for call in lesson.calls if start < call.place < place and call.arguments is None]


def _short(path: str) -> str:
    return path.removeprefix("forced.").rstrip(".").replace("/", ".")


def _numbers(*shapes: tuple[int, ...]) -> dict[str, float]:
    """Factors that a reader knows by name."""
    named = {"2": 2.0, "1/2": 0.5, "-1": -1.0, "1/255": 1 / 255, "255": 255.0, "sqrt(2)": math.sqrt(2.0)}
    for width in dict.fromkeys(shape[-1] for shape in shapes if shape):
        named |= {f"sqrt({width})": math.sqrt(width), f"1 / sqrt({width})": width**-0.5, f"1/{width}": 1.0 / width}
    return named
