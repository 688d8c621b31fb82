"""The first divergence of two models in execution order, judged layer by layer, with its cause where one is proven."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from parity.checking.bare import held, released
from parity.checking.between import judge_all_between, judge_between
from parity.checking.causes import explain_between, explain_layer, explain_weights
from parity.checking.located import GRADIENT, LAYER
from parity.checking.teacher import Lesson, Step, judge_layer
from parity.numerics import Finding, Verdict, worst

FORWARD, BACKWARD = LAYER, GRADIENT


@dataclass(frozen=True)
class Judged:
    """One layer, or what lies between two, with everything that was compared there."""

    torch: str
    jax: str
    findings: tuple[Finding, ...]
    layer: bool

    def __bool__(self) -> bool:
        return all(self.findings)


def locate(
    torch_model: Any,
    jax_model: Any,
    weights: Any,
    inputs: tuple[Any, ...],
    *,
    variables: Any = None,
    torch_call: Callable[..., Any] | None = None,
    jax_call: Callable[..., Any] | None = None,
    dtype: str = "float32",
    own_weights: bool = False,
    causes: bool = True,
) -> tuple[Finding, ...]:
    """Find where two models part, and why.

    Torch runs once, and what each of its layers took and gave is kept on disk. Then each JAX layer is run on torch's
    recorded input, and what lies between layers on torch's recorded outputs, so that each is judged by the error that
    it adds and a second fault is seen beside the first. The verdict rule decides, at float64 and at the working dtype,
    for outputs, state, and the VJPs to parameters and inputs.

    Args:
        torch_model: The nn.Module.
        jax_model: A Flax NNX module, or a Linen module with `variables`.
        weights: A WeightMap of the two.
        inputs: NumPy pytrees, as both models get them.
        variables: Of a Linen module.
        torch_call, jax_call: As for TorchSide and JaxSide.
        dtype: The working dtype beside float64.
        own_weights: Whether JAX's own values are compared with torch's first; else they are taken to be torch's.
        causes: Whether to look for causes.

    Returns:
        Findings in torch's order of execution, those of a layer under stage "layer" and "layer gradient": one for all
        that agrees of a stage, and each that differs, which tells how many layers before it agree; a
        proven cause stands in `cause` and `fix`.
    """
    from parity.sides.held import is_a_layer
    from parity.sides.jax_layers import jax_layers
    from parity.sides.spool import Spool
    from parity.sides.torch_layers import TorchLayers

    alone = is_a_layer(torch_model) or is_a_layer(jax_model)
    torch = TorchLayers(torch_model, torch_call, held=alone)
    jax = jax_layers(jax_model, variables, jax_call, held=alone)
    weights = held(weights, linen=variables is not None) if alone else weights
    found: list[Finding] = []
    with Spool() as spool:
        lesson = Lesson.of(torch, jax, weights, inputs, dtype, spool)
        if own_weights:
            found += explain_weights(lesson)
        if not torch.same_under_hooks:
            message = "torch gives other numbers with hooks on its layers than without them"
            found.append(Finding("structure", "hooks", "hooks", Verdict.STRUCTURE, message, dtype))
        judged = [item for step in lesson.steps for item in _step(lesson, step, causes)]
        if lesson.end > 1.0:
            judged += _between(lesson, None, causes)
        if all(judged):
            judged += _backwards(lesson, causes)
        found += _refused(lesson, told=not all(judged))
    found += _told(_without_echoes(judged))
    return tuple(released(found) if alone else found)


def _refused(lesson: Lesson, *, told: bool) -> list[Finding]:
    """Layers that could not be fed torch's input.

    A scan around a layer is no fault. Nor is a shape that differs where the numbers tell of one: honest sides may pad
    outside a convolution and inside it, and such a layer is judged with what lies between its neighbours.

    Args:
        lesson: The two models.
        told: Whether something was found by its numbers.
    """
    found = []
    for part in lesson.matching.parts:
        why = lesson.refused.get(part.jax)
        if why is not None:
            verdict = Verdict.STRUCTURE if "shape" in why and not told else Verdict.AGREE
            message = f"not judged apart, but as what lies between its neighbours: {why}"
            found.append(Finding("layer", part.torch_path, part.jax, verdict, message, lesson.dtype, compared=False))
    return found


def _step(lesson: Lesson, step: Step, causes: bool) -> list[Judged]:
    """What arrives at a layer, where it is not torch's but for rounding, then the layer."""
    items = _between(lesson, step, causes) if step.gap > 1.0 else []
    findings = judge_layer(lesson, step)
    if causes and not all(findings):
        findings = explain_layer(lesson, step, findings)
    torch, jax = step.part.torch_path, step.part.jax
    call = f" (call {step.number + 1})" if step.number else ""
    named = tuple(_layer_finding(step, f) for f in findings)
    return [*items, Judged(torch + call, jax + call, named, layer=True)]


def _between(lesson: Lesson, step: Step | None, causes: bool) -> list[Judged]:
    findings, functions = judge_between(lesson, step)
    torch, jax = between(lesson, step)
    if all(findings):
        return []
    if causes:
        findings = explain_between(lesson, step, findings, functions)
    named = tuple(replace(f, stage=_stage(f), torch_path=torch, jax_path=jax) for f in findings if not f)
    return [Judged(torch, jax, named, layer=False)]


def _backwards(lesson: Lesson, causes: bool) -> list[Judged]:
    """Where all values agree, the gradients of what lies between: the first that differs."""
    if all(judge_all_between(lesson)):
        return []
    for step in [*lesson.steps[1:], None]:
        if items := _between(lesson, step, causes):
            return items
    return []


def between(lesson: Lesson, step: Step | None) -> tuple[str, str]:
    """What lies before a step, as both sides call it: torch's modules without weights there, else both neighbours."""
    place = len(lesson.calls) if step is None else min(call.place for call in step.calls)
    before = [s for s in lesson.steps if s.place < place]
    start = before[-1].place if before else -1
    kept = {call.place for s in lesson.steps for call in s.calls}
    others = [call.path for call in lesson.calls if start < call.place < place and call.place not in kept]
    inside = [path for path in others if type(lesson.torch.module(path)).__name__ != "Identity"]
    last = before[-1] if before else None
    torch = ("input" if last is None else last.part.torch_path, "output" if step is None else step.part.torch_path)
    jax = ("input" if last is None else last.part.jax, "output" if step is None else step.part.jax)
    return " + ".join(inside) or f"{torch[0]} .. {torch[1]}", f"{jax[0]} .. {jax[1]}"


def _layer_finding(step: Step, finding: Finding) -> Finding:
    part, path = step.part, finding.torch_path
    kind, _, name = path.partition(".")
    torch, jax = part.torch_path, part.jax
    if kind in ("parameters", "state"):
        leaf = next((c.leaf for c in part.carried if name in c.names), "")
        torch, jax = part.full(name), part.leaves.get(leaf, part.jax)
    elif kind == "inputs":
        torch, jax = f"{torch} (input)", f"{jax} (input)"
    return replace(finding, stage=_stage(finding), torch_path=torch, jax_path=jax)


def _stage(finding: Finding) -> str:
    return {"forward": FORWARD, "gradient": BACKWARD}.get(finding.stage, finding.stage)


def _without_echoes(judged: list[Judged]) -> list[Judged]:
    """Without the arrivals whose difference is one that arrived before: a residual stream carries it on."""
    kept: list[Judged] = []
    seen: list[tuple[float, float]] = []
    for item in judged:
        errors = next((f.errors64 for f in item.findings if not f and f.stage == FORWARD and f.errors64), None)
        if item.layer or errors is None:
            kept.append(item)
            continue
        size = errors.max_abs, errors.rms
        if any(_same(size[0], a) and _same(size[1], b) for a, b in seen):
            continue
        seen.append(size)
        kept.append(item)
    return kept


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= 2.0**-30 * max(abs(one), abs(other))


def _told(judged: list[Judged]) -> list[Finding]:
    """One finding for each that agrees, all that differ of each that does not; with how many agree before."""
    wrong = [item for item in judged if not item]
    found: list[Finding] = []
    agreeing = 0
    for item in judged:
        if item:
            agreeing += item.layer
            found += _folded(item)
            continue
        alone = "this layer alone differs" if item.layer else "what lies between them alone differs"
        more = alone if len(wrong) == 1 else f"this is one of {len(wrong)} places that differ"
        note = f"{_counted(agreeing)}; fed the same input, {more}"
        differing = [replace(f, note="; ".join(filter(None, (note, f.note)))) for f in item.findings if not f]
        found += [f for f in _folded(item) if f]
        # What one place gives wrong makes its gradients wrong: one fault, told once.
        found += [differing[0], *(replace(f, follows=differing[0].label) for f in differing[1:])]
    return found


def _folded(item: Judged) -> list[Finding]:
    folded = []
    for stage in (FORWARD, BACKWARD):
        own = [f for f in item.findings if f.stage == stage]
        if own:
            least = max(
                own, key=lambda f: (f.verdict.severity, max(f.ratio64, f.ratio) if f.ratio64 == f.ratio64 else 0.0)
            )
            message = f"{len(own)} tensors: {least.message}" if len(own) > 1 else least.message
            folded.append(replace(least, torch_path=item.torch, jax_path=item.jax, verdict=worst(own), message=message))
    return folded


def _counted(layers: int) -> str:
    return "1 layer before it agrees" if layers == 1 else f"{layers} layers before it agree"
