"""Where two whole models that differ part: the layers, with their causes, before what they led to."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from parity.checking.profile import profile
from parity.checking.question import Question
from parity.checking.runs import first_line
from parity.numerics import Finding, Verdict
from parity.report import CaseResult
from parity.sides.given import JaxSide, TorchSide

STAGES = ("forward", "loss", "state", "gradient")
"""Of a whole check: a difference in one of them lies in some layer, or between two."""

DIFFERENT = (Verdict.SEMANTIC, Verdict.PRECISION, Verdict.UNSTABLE)
"""Verdicts of numbers that differ; a name or a shape that does tells its place itself."""

LAYER, GRADIENT = "layer", "layer gradient"
"""Stages of the findings of layers: what one gives, and its vector-Jacobian products."""


def with_layers(
    result: CaseResult,
    torch: TorchSide,
    jax: JaxSide,
    found: Any,
    inputs: tuple[Any, ...],
    question: Question,
    *,
    mode: bool | None,
    drawn: bool,
) -> CaseResult:
    """The result of a whole check, the layers that differ before everything else.

    Args:
        result: Of the whole check.
        torch, jax: As their users gave them.
        found: The Match of their weights.
        inputs: NumPy pytrees.
        question: What is asked.
        mode: Whether both run in train mode; None where torch's modules are in different ones.
        drawn: Whether they draw random numbers.

    Returns:
        The same where nothing differs by its numbers, or where each side kept its own weights; else with the findings
        of `parity.checking.divergence.locate` that differ, every layer's error for pictures, and a remark on those
        that agree, or on why there are none.
    """
    if question.weights is None or not any(calls_for_layers(f) for f in result.findings):
        return result
    why = "a function has no layers" if torch.kind == "function" else unfit(jax, found, drawn=drawn, train=mode)
    if why:
        return _remarked(result, f"layers: not told apart, since {why}")
    judge = partial(_located, torch, jax, inputs=inputs, question=question, mode=mode)
    try:
        layers = judge(found.weights)
        if isinstance(question.weights, str):
            layers = _unturned(layers, found.weights, judge)
    except Exception as error:
        return _remarked(result, f"layers: not told apart: {first_line(error)}")
    if not question.gradient:
        layers = tuple(f for f in layers if f.stage != GRADIENT)
    layers = accepted(layers, result.findings)
    wrong = tuple(f for f in layers if not f)
    agreeing = sum(f.compared for f in layers if f)
    if not wrong:
        result = replace(result, layers=profile(layers))
        text = f"layers: each alone, fed torch's input, agrees ({agreeing} comparisons); the difference grows over them"
        return _remarked(result, text)
    result = replace(result, findings=(*wrong, *result.findings), layers=profile(layers))
    return _remarked(result, f"layers: each alone was fed torch's input; {agreeing} comparisons agree")


def _unturned(
    layers: tuple[Finding, ...], weights: Any, judge: Callable[[Any], tuple[Finding, ...]]
) -> tuple[Finding, ...]:
    """The findings under the map without turned axes, where layers that differ then agree.

    Past a fault the search takes the order of a weight's columns that comes nearest in numbers, and what the fault
    mixed up may come nearer in another than in the right one. Fed torch's input, the layer itself tells.

    Args:
        layers: The findings under the map that was found.
        weights: That map.
        judge: Gives the findings under a map.
    """
    wrong = {f.jax_path for f in layers if not f and f.stage == LAYER}
    other = weights.unturned(wrong)
    if other is None:
        return layers
    again = judge(other)
    cleared = wrong - {f.jax_path for f in again if not f and f.stage == LAYER}
    plain = weights.unturned(cleared)  # of a layer that differs either way, the order that was found is kept
    return layers if plain is None else again if plain == other else judge(plain)


def accepted(layers: tuple[Finding, ...], whole: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The layers' findings, their kinks and ties accepted where the whole models' are.

    A kink in a layer is why a gradient of the whole model differs there, and that difference is what a user accepts by
    name. Where one of the whole model's stays unaccepted, so do all of the layers', since no name says whose it is.

    Args:
        layers: Of the layers.
        whole: Of the whole models, conventions applied.

    Returns:
        The same, in order.
    """
    named = [f for f in whole if f.verdict is Verdict.CONVENTION]
    if not named or not all(named):
        return layers
    reason = "; ".join(dict.fromkeys(f.note for f in named if f.note))
    return tuple(
        replace(f, accepted=True, note=reason) if f.verdict is Verdict.CONVENTION and not f else f for f in layers
    )


def calls_for_layers(finding: Finding) -> bool:
    """Whether a difference of a whole check lies in some layer, or between two."""
    return not finding and finding.stage in STAGES and finding.verdict in DIFFERENT


def unfit(jax: JaxSide, found: Any, *, drawn: bool, train: bool | None) -> str:
    """Why two models cannot be taken apart; nothing where they can. In eval mode it is no dropout that draws."""
    if jax.kind == "function":
        return "a function has no layers"
    if jax.kind not in ("nnx", "linen"):
        return "an Equinox module's layers cannot be run apart; Flax's can"
    if found.ties:
        return "one side ties what the other has apart, which comes first"
    if found.weights is None:
        return "the weights went by name; weights=parity.map_weights(...) tells which layer is which"
    if not hasattr(found.weights, "torch_shapes"):
        return "weights= is no parity.WeightMap, which tells which layer is which"
    way = "hand the draws in as inputs" if train is False else "train=False compares the layers without dropout's"
    return f"both sides draw random numbers; {way}" if drawn else ""


def _located(
    torch: TorchSide, jax: JaxSide, weights: Any, *, inputs: tuple[Any, ...], question: Question, mode: bool | None
) -> tuple[Finding, ...]:
    from parity.checking.divergence import locate

    dtype = next((d for d in question.dtypes if d != "float64"), "float32")
    module, call = as_run(jax, mode, forced=question.train is not None)
    return locate(
        _torch_in_mode(torch.model, question.train),
        module,
        weights,
        inputs,
        variables=jax.variables,
        torch_call=torch.call,
        jax_call=call,
        dtype=dtype,
    )


def _torch_in_mode(model: Any, train: bool | None) -> Any:
    if train is None:
        return model
    import copy

    return copy.deepcopy(model).train(train)


def as_run(jax: JaxSide, mode: bool | None, *, forced: bool) -> tuple[Any, Any]:
    """The JAX module and its call as the whole check ran them."""
    from parity.sides.jax_model import mode_argument

    options = mode_argument(type(jax.module).__call__, mode) if jax.call is None else {}
    call = (lambda run, *inputs: run(*inputs, **options)) if options else jax.call
    if jax.kind != "nnx" or not forced or mode is None:
        return jax.module, call
    from parity.sides.nnx_copies import in_mode

    return in_mode(jax.module, mode), call


def _remarked(result: CaseResult, remark: str) -> CaseResult:
    return replace(result, remarks=(*result.remarks, remark))
