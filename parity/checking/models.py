"""The check of two models: their parameters matched, then outputs, loss, state and gradients, then training."""

import re
import time
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.checking.consequences import with_consequences
from parity.checking.located import with_layers
from parity.checking.loss import with_loss
from parity.checking.matching import Match, match
from parity.checking.outline import DRAWS, Outline, outlined
from parity.checking.question import Question
from parity.checking.runs import SideError
from parity.checking.work import Task, apply_conventions, examine
from parity.numerics import Finding, Verdict
from parity.report import CaseResult
from parity.sides import side
from parity.sides.given import JaxSide, TorchSide, as_jax_side, as_torch_side
from parity.sides.mapped import FIXED, INPUTS, OWN, PARAMETERS, STATE, TARGETS, MappedSide
from parity.sides.replay import Replay, ReplayedSide, replayable


@dataclass(frozen=True)
class Models:
    """Two models that have been matched and traced once.

    Attributes:
        torch, jax: The TorchModel and the JaxModel.
        match: Of their weights.
        outline: Of their outputs.
        inputs, targets: As NumPy arrays.
    """

    torch: Any
    jax: Any
    match: Match
    outline: Outline
    inputs: tuple[Any, ...]
    targets: Any

    def arguments(self) -> dict[str, Any]:
        """What both sides are handed, under the names in `parity.sides.mapped`."""
        assert self.match.correspondence is not None
        return arguments(self.torch, self.jax, self.match, self.inputs, self.targets)

    def told(self, finding: Finding) -> Finding:
        """A finding under the names that both models' users know."""
        return told(finding, self.match.beside, self.outline.beside)


def check_models(torch_given: Any, jax_given: Any, inputs: tuple[Any, ...], question: Question) -> CaseResult:
    """Compare two models.

    Args:
        torch_given, jax_given: As for `check`.
        inputs: NumPy pytrees.
        question: What is asked.

    Returns:
        The CaseResult.

    Raises:
        TypeError: If a side is of the wrong kind.
        ValueError: If the question does not hold together.
    """
    from parity.sides.torch_model import random_state_kept

    began = time.perf_counter()
    question.validate()
    with random_state_kept():
        result = _checked(torch_given, jax_given, inputs, question)
    return replace(result, seconds=time.perf_counter() - began)


def _checked(torch_given: Any, jax_given: Any, inputs: tuple[Any, ...], question: Question) -> CaseResult:
    from parity.sides.jax_model import jax_model
    from parity.sides.torch_model import TorchModel

    torch_side = as_torch_side(torch_given)
    torch = TorchModel(torch_side, train=question.train, narrow=question.optimizer is None)
    given = as_jax_side(jax_given)
    if given.kind == "function" and given.variables is None and hasattr(question.weights, "to_jax"):
        given = replace(given, variables=question.weights.to_jax(torch.weights))
    mode = torch.training if question.train is None else question.train
    jax = jax_model(given, mode=mode, forced=question.train is not None)
    modes = modes_parted(torch, jax) if question.train is None else ()
    try:
        found = match(torch, jax, question.weights, (torch_given, jax_given), inputs)
    except SideError as error:
        return CaseResult(question.name, modes, error=str(error), device=question.device)
    first = (*modes, *found.findings, *_held(torch, jax, found, question))
    if found.correspondence is None:
        return CaseResult(question.name, first, device=question.device, remarks=found.remarks)
    try:
        outline = outlined(torch, jax, found, inputs, question)
    except SideError as error:
        return CaseResult(question.name, first, error=str(error), device=question.device, remarks=found.remarks)
    parted = next((f for f in outline.findings if f.torch_path == DRAWS and not f), None)
    alike = None if parted is None else _without_dropout(torch_side, given, mode, inputs, question, found, parted)
    if alike is not None:
        return alike
    models = Models(torch, jax, found, outline, inputs, question.targets)
    result = _forward(models, question)
    result, alone = with_loss(models, question, result)
    if question.optimizer is not None and result.error is None:
        from parity.checking.training import train

        result = train(models, question, result)
    findings = _without_repeats([*first, *outline.findings, *result.findings])
    if result.error is None:
        findings = apply_conventions(findings, question.conventions)
    remarks = (*found.remarks, *outline.remarks, *map(without_kinds, result.remarks))
    result = replace(result, findings=tuple(findings), remarks=remarks)
    drawn = question.randomness is not None or outline.randomness is not None
    result = with_layers(result, torch_side, given, found, inputs, question, mode=mode, drawn=drawn)
    return replace(result, findings=with_consequences(result.findings, apart=("loss",) if alone else ()))


def _without_dropout(
    torch: TorchSide,
    jax: JaxSide,
    mode: bool | None,
    inputs: tuple[Any, ...],
    question: Question,
    found: Match,
    parted: Finding,
) -> CaseResult | None:
    """The check of two models that draw other numbers, with dropout off; None where that is not what draws them."""
    from parity.checking.causes import without_dropout

    copies = without_dropout(torch, jax, mode, inputs)
    if copies is None:
        return None
    weights = question.weights if found.weights is None else found.weights
    result = _checked(copies.torch, copies.jax, inputs, replace(question, weights=weights))
    if any(f.stage == "structure" and not f and "draw" in f.message for f in result.findings):
        return None
    first = copies.told(parted, sum(not f for f in result.findings))
    remark = "dropout: on in one side alone, so everything below was compared with dropout off"
    return replace(result, findings=(first, *result.findings), remarks=(remark, *result.remarks))


def _held(torch: Any, jax: Any, found: Match, question: Question) -> list[Finding]:
    """Weights of a JAX model that its user has filled from torch, where they are not torch's by the map."""
    if found.weights is None or found.correspondence is None or not isinstance(question.weights, str):
        return []
    from parity.checking.causes import explain_held
    from parity.checking.layers import flat

    own = {n: a for n, a in torch.weights.items() if n in found.weights.torch_shapes}
    names = {p: n for n, paths in reversed(list(found.correspondence.sources.items())) for p in paths}
    added = found.correspondence.added

    def without(absent: set[str]) -> dict[str, np.ndarray]:
        left = {n: np.zeros_like(a) if n in absent else a for n, a in own.items()}
        return flat(found.weights.to_jax(left)) if absent else {}

    halves = [("the first", without(set(added))), ("the second", without(set(added.values())))]
    return explain_held({**jax.parameters, **jax.state}, flat(found.weights.to_jax(own)), names, halves)


def _forward(models: Models, question: Question) -> CaseResult:
    """Outputs, the loss and the state after the call, and the gradients."""
    from parity.sides import jax_forward, torch_forward

    found = models.match
    assert found.correspondence is not None
    state = tuple(dict.fromkeys(p for name in found.state for p in found.correspondence.sources[name]))
    torch, jax = sides(
        models,
        question,
        torch_forward.forward(models.torch, loss=question.of("torch", "loss"), state=found.state),
        jax_forward.forward(models.jax, loss=question.of("jax", "loss"), state=state, renamed=models.outline.renamed),
    )
    task = Task(
        question.name,
        models.arguments(),
        wrt=(PARAMETERS, INPUTS) if question.gradient else (),
        apart=(STATE,) if question.loss is None else (STATE, "output"),
        told=models.told,
        begun=models.outline.begun,
    )
    return examine(torch, jax, task, dtypes=question.dtypes, device=question.device)


def sides(
    models: Models,
    question: Question,
    torch_function: Callable[..., Any],
    jax_function: Callable[..., Any],
    *,
    slots: Mapping[str, str] | None = None,
) -> tuple[Any, Any]:
    """Both sides of a function of the models; their random draws replayed where there are any."""
    require_both()
    functions = {"torch": torch_function, "jax": jax_function}
    seed = question.randomness if question.randomness is not None else models.outline.randomness
    made: dict[str, Any] = {}
    if seed is None:
        made = {name: side(name, function, jit=question.jit) for name, function in functions.items()}
    else:
        replay = Replay(seed)
        for name, function in functions.items():
            made[name] = ReplayedSide(side(name, replayable(name, function), jit=question.jit), replay)
    return made["torch"], mapped(made["jax"], models.torch, models.jax, models.match, slots=slots)


def mapped(jax_side: Any, torch: Any, jax: Any, found: Match, *, slots: Mapping[str, str] | None = None) -> MappedSide:
    """A JAX side under torch's names."""
    assert found.correspondence is not None
    return MappedSide(
        jax_side, found.correspondence, tuple(jax.parameters), jax_state(jax, found), found.compared, slots or {}
    )


def jax_state(jax: Any, found: Match) -> tuple[str, ...]:
    """Paths of the state of JAX's that is an input: all that torch has a buffer or a parameter for."""
    assert found.correspondence is not None
    reached = {p for paths in found.correspondence.sources.values() for p in paths}
    return tuple(p for p in jax.state if p in reached)


def arguments(torch: Any, jax: Any, found: Match, inputs: tuple[Any, ...], targets: Any) -> dict[str, Any]:
    """What both sides are handed: torch's values by name, those that JAX keeps, inputs and targets."""
    correspondence = found.correspondence
    assert correspondence is not None
    sources = correspondence.sources
    everything = ChainMap(jax.state, jax.parameters)  # each is widened where it is asked for
    reached = {p for paths in sources.values() for p in paths}
    wanted = (*jax.parameters, *jax_state(jax, found))
    kept = wanted if correspondence.keeps_values else [p for p in wanted if p not in reached]
    return {
        PARAMETERS: {n: a for n, a in torch.parameters.items() if n in found.compared},
        FIXED: {n: a for n, a in torch.parameters.items() if n not in found.compared},
        STATE: {n: a for n, a in torch.buffers.items() if sources.get(n)},
        OWN: {p: everything[p] for p in kept},
        INPUTS: {str(i): value for i, value in enumerate(inputs)},
        **({} if targets is None else {TARGETS: targets}),
    }


def told(finding: Finding, beside: Callable[[str], str], outputs: Mapping[str, str]) -> Finding:
    """A finding under the models' own names: torch's and the JAX path beside it; state and loss are stages."""
    kind, _, name = finding.torch_path.partition(".")
    stage = finding.stage
    if kind in (PARAMETERS, STATE):
        jax = beside(name)
        stage = STATE if kind == STATE and stage == "forward" else stage
        message = finding.message.replace(f"{stage}/{kind}.", f"{stage}/")
        return replace(finding, stage=stage, torch_path=name, jax_path=jax, message=message)
    if kind == "output":
        return replace(finding, torch_path=name, jax_path=outputs.get(name, name))
    if finding.torch_path == "loss" and stage == "forward":
        return replace(finding, stage="loss")
    return finding


def without_kinds(remark: str) -> str:
    """A remark on tensors by the models' own names."""
    return re.sub(rf"\b{OWN}\.", "jax's ", re.sub(rf"\b({PARAMETERS}|{FIXED}|{STATE})\.", "", remark))


def modes_parted(torch: Any, jax: Any) -> tuple[Finding, ...]:
    """Whether each side, as its user has it, is in the mode that the other is in."""
    others = [place for place, train in jax.modes.items() if torch.training is not None and train != torch.training]
    if not others:
        return ()
    mode, other = ("train", "eval") if torch.training else ("eval", "train")
    message = (
        f"torch is in {mode} mode, jax in {other} mode: {', '.join(others[:4])}"
        f"{f' and {len(others) - 4} more' if len(others) > 4 else ''}; call jax_model.{mode}(), or set both with "
        f"train={torch.training}"
    )
    return (Finding("structure", "mode", "mode", Verdict.STRUCTURE, message),)


def _without_repeats(findings: list[Finding]) -> list[Finding]:
    """Findings, but of structure only the first that tells of a path: the match says more than a missing name does."""
    told: set[tuple[str, str]] = set()
    kept = []
    for f in findings:
        key = (f.torch_path, f.jax_path)
        if f.stage == "structure" and not f and key in told:
            continue
        if not f and f.verdict is Verdict.STRUCTURE:
            told.add(key)
        kept.append(f)
    return kept


def require_both() -> None:
    """Both frameworks, or an error that says what to install.

    Raises:
        MissingFramework: If one is not installed.
    """
    from parity.sides import require

    for framework in ("torch", "jax"):
        require(framework)
