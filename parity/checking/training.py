"""Training of two models: one step from a state that both are given, and the curve; a curve that parts is explained."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.checking.curves import FORCED, before_parting
from parity.checking.matching import listed
from parity.checking.models import Models, jax_state, sides
from parity.checking.parting import ORDER, Parting, explained, unstepped
from parity.checking.question import Question
from parity.checking.runs import Runs, SideError, first_line, run_side
from parity.checking.structure import compare_structure
from parity.checking.tensors import judge_tensors
from parity.checking.work import Task, examine
from parity.numerics import Finding, Verdict
from parity.report import CaseResult
from parity.sides import MissingFramework
from parity.sides.mapped import OPTIMIZER, OWN, PARAMETERS, STATE

STEP = "step"
REMEMBERED = 3
"""Steps that are run where an optimizer's state has no partner: the first shows nothing of it, the second that it is
used, the third how it fades."""
CARRIED = (PARAMETERS, STATE, OPTIMIZER)


@dataclass(frozen=True)
class Training:
    """Both sides' training steps, ready to run.

    Attributes:
        torch, jax: The sides.
        models: What they train.
        question: What is asked.
        forced: Whether a state after some steps can be handed to both.
        beside: JAX's places of the optimizer's slots, by torch's names.
    """

    torch: Any
    jax: Any
    models: Models
    question: Question
    forced: bool
    beside: Mapping[str, str]

    @property
    def steps(self) -> int:
        """How many steps the curve has: those asked for, or some where state without a partner must show itself."""
        if self.forced or self.question.batches is not None:
            return self.question.steps
        return max(self.question.steps, REMEMBERED)

    def task(self, *, steps: int, curve: bool, start: int = 0, scale: float = 1.0) -> Task:
        """The task of these steps."""
        plain: dict[str, Any] = {"start": np.array(start), "steps": steps, "scale": scale, "curve": curve}
        given = self.models.arguments()
        if not curve:
            # Of a single step the state is torch's on both sides, also where each keeps its own values.
            sources = self.models.match.correspondence.sources  # type: ignore[union-attr]  # prepared with one
            reached = {path for name in (*given[PARAMETERS], *given[STATE]) for path in sources[name]}
            given[OWN] = {path: value for path, value in given[OWN].items() if path not in reached}
        batches = self.question.batches
        if batches is not None:
            plain |= batches.stacked(start, start + steps) if curve else batches.at(start)
        return Task(
            self.question.name,
            {**given, OPTIMIZER: {}, **plain},
            stage="curve" if curve else "update",
            wrt=(),
            carry=CARRIED,
            forced=False,
            told=self.told,
        )

    def told(self, finding: Finding) -> Finding:
        """A finding under the names that the models' users know."""
        kind, _, name = finding.torch_path.partition(".")
        if kind == "gradient":
            return replace(
                finding, torch_path=f"gradient of {name}", jax_path=f"gradient of {self.models.match.beside(name)}"
            )
        if kind == PARAMETERS and finding.verdict is Verdict.STRUCTURE and self._summed(name):
            message = (
                f"torch trains {' and '.join(self._summed(name))}, of which jax has the sum alone, so that torch's two "
                "move it twice as far: freeze one of torch's, with its numbers 0, or train jax's at twice the rate"
            )
            return replace(self.models.told(finding), message=message)
        if kind == OPTIMIZER and "/" in name:
            slot, _, parameter = name.partition("/")
            jax = f"{self.beside.get(slot, slot)} of {self.models.match.beside(parameter)}"
            return replace(finding, torch_path=f"{slot} of {parameter}", jax_path=jax)
        if kind == OPTIMIZER:
            return replace(finding, torch_path=f"{name} of the optimizer", jax_path=f"{name} of the optimizer")
        return self.models.told(finding)

    def _summed(self, name: str) -> tuple[str, ...]:
        """Torch's two parameters of which JAX has the sum, where this is one of them."""
        added = self.models.match.correspondence.added  # type: ignore[union-attr]  # prepared with one
        return next(((first, second) for second, first in added.items() if name in (first, second)), ())


def train(models: Models, question: Question, result: CaseResult) -> CaseResult:
    """Add the stages "update" and "curve" to what was found of the models.

    Args:
        models: The models.
        question: What is asked, with an optimizer.
        result: What was found before.

    Returns:
        The whole CaseResult. A side that raises, or an optimizer that cannot be translated, is told there.
    """
    try:
        training, told, remarks = _prepared(models, question)
        if training is None:
            return replace(result, findings=(*result.findings, *told), remarks=(*result.remarks, *remarks))
        curves: tuple[Any, ...] = ()
        found: list[Finding] = []
        error = None
        also: tuple[int, ...] = ()
        if training.steps:
            task = training.task(steps=training.steps, curve=True)
            whole = examine(training.torch, training.jax, task, dtypes=question.dtypes, device=question.device)
            found, curves, error = list(whole.findings), whole.curves, whole.error
            also = before_parting(found)
        updates, cause = _steps(training, also) if error is None else ([], None)
    except (SideError, MissingFramework) as raised:
        missing = isinstance(raised, MissingFramework)
        return replace(result, error=str(raised), missing=missing)
    if cause is None and not training.forced and any(f.stage == "curve" and not f for f in found):
        cause = unstepped(training)
    if cause is not None:
        found = [_with(cause, f, why=cause.kinds == ORDER) if f.stage == "curve" and not f else f for f in found]
    return replace(
        result,
        findings=(*result.findings, *told, *updates, *found),
        curves=curves,
        error=error,
        remarks=(*result.remarks, *remarks),
    )


def _prepared(models: Models, question: Question) -> tuple[Training | None, list[Finding], list[str]]:
    from parity.sides import jax_training, torch_training

    found = models.match
    assert found.correspondence is not None
    lacking = [n for n in models.torch.parameters if n not in found.compared]
    if lacking or not models.torch.parameters:
        message = f"training is not compared: no parameter of jax is known for {listed(lacking) or 'any of torch'}"
        return None, [Finding("update", "weights", "weights", Verdict.STRUCTURE, message)], []
    factory = question.of("torch", "optimizer")
    try:
        shaped, tensors, other, counts = torch_training.slot_names(models.torch, factory)
        transform, by_name = _transform(models, question)
        rule = jax_training.rule_of(models.jax, transform, models.torch.parameters, by_name=by_name)
    except Exception as error:
        message = f"the optimizer cannot be used: {first_line(error)}"
        return None, [Finding("update", "optimizer", "optimizer", Verdict.STRUCTURE, message)], []
    shared = {s: places for s, places in rule.slots.items() if s in shaped}
    named = {s: places for s, places in rule.named.items() if s in (*shaped, *tensors)}
    counts = counts and rule.counts
    rule = replace(rule, slots=shared, named=named, counts=counts)
    unknown = [s for s in (*shaped, *tensors) if s not in shared and s not in named]
    remarks = []
    if unknown or other:
        remarks.append(
            f"optimizer state of torch without a partner in jax, so only the first step is compared from a state that "
            f"both are given, and the curve must show the rest: {listed([*unknown, *other])}"
        )
    state = jax_state(models.jax, found)
    torch, jax = sides(
        models,
        question,
        torch_training.training(models.torch, factory, question.of("torch", "loss"), found.state),
        jax_training.training(models.jax, rule, question.of("jax", "loss"), state),
        slots={slot: slot for slot in shared},
    )
    compared = frozenset({*shared, *named, *([STEP] if counts else [])})
    torch = _Comparable(torch, compared)
    beside = {slot: rule.at(slot) for slot in (*shared, *named)}
    return Training(torch, jax, models, question, not unknown and not other, beside), [], remarks


def _transform(models: Models, question: Question) -> tuple[Any, bool]:
    """The optax transformation, and whether it takes parameters by name: the user's own, or torch's translated."""
    if isinstance(question.optimizer, (tuple, list)):
        return question.optimizer[1], False
    from parity.sides import torch_training

    translate = importlib.import_module("parity.convert.optim").from_torch
    rule, schedule = torch_training.optimizer_of(models.torch, question.optimizer)
    weights = models.match.weights
    options = {} if schedule is None else {"scheduler": schedule, "steps": max(question.steps, 1)}
    return translate(rule, weights=weights, model=models.torch.module, **options), weights is None


@dataclass(frozen=True)
class _Comparable:
    """A torch side whose Traces hold only slots of the optimizer that JAX keeps too."""

    side: Any
    slots: frozenset[str]

    framework = "torch"

    def run(self, inputs: dict[str, Any], **options: Any) -> Any:
        return self._kept(self.side.run(inputs, **options))

    def disturbed(self, inputs: dict[str, Any], size: float, seed: int, **options: Any) -> Any:
        return self._kept(self.side.disturbed(inputs, size, seed, **options))

    def _kept(self, trace: Any) -> Any:
        prefix = f"update/{OPTIMIZER}."
        slots = {n: n.removeprefix(prefix).partition("/")[0] for n in trace.tensors if n.startswith(prefix)}
        alone = {n for n, slot in slots.items() if slot not in self.slots}
        return replace(trace, tensors={n: a for n, a in trace.tensors.items() if n not in alone})


def _steps(training: Training, also: tuple[int, ...]) -> tuple[list[Finding], Parting | None]:
    """Single steps from shared states: the first, those in FORCED, and the one at which the curve parted."""
    question = training.question
    wanted = {s for s in {*FORCED, *also} if s < max(question.steps, 1)} if training.forced else {0}
    found: list[Finding] = []
    carried: dict[str, Any] = {name: training.task(steps=1, curve=False).inputs[name] for name in CARRIED}
    at = 0
    cause: Parting | None = None
    for start in sorted(wanted):
        while at < start:
            carried, at = _carried(training, carried, at), at + 1
        for dtype in tuple(d for d in question.dtypes if d != "float64") or ("float64",):
            task = training.task(steps=1, curve=False, start=start)
            task = replace(task, inputs={**task.inputs, **carried})
            runs = Runs.of(training.torch, training.jax, task, dtype=dtype, device=question.device)
            structure, names = compare_structure(runs)
            judged = judge_tensors(training.torch, training.jax, runs, names, question.device, step=start)
            own = [f for f in (*structure, *judged) if f.stage != "structure" or not f]
            if cause is None:
                cause = explained(training, runs, own, start)
            if cause is not None:
                own = [_with(cause, f, why=cause.explains(f)) if not f and f.step == cause.step else f for f in own]
            found += [training.told(f) for f in own]
    return found, cause


def _carried(training: Training, carried: dict[str, Any], at: int) -> dict[str, Any]:
    """The state after one more step of torch's, at float64."""
    task = training.task(steps=1, curve=False, start=at)
    options = {"dtype": "float64", "device": training.question.device, "wrt": (), "stage": "update", "lift": False}
    trace = run_side(training.torch, {**task.inputs, **carried}, **options)
    after: dict[str, dict[str, np.ndarray]] = {name: {} for name in CARRIED}
    for name, array in trace.tensors.items():
        kind, _, path = name.removeprefix("update/").partition(".")
        if kind in after:
            after[kind][path] = array
    # Buffers that are given but not given back, such as counters, stay.
    return {kind: {**(carried[kind] if kind != OPTIMIZER else {}), **after[kind]} for kind in CARRIED}


def _with(parting: Parting, finding: Finding, *, why: bool) -> Finding:
    """A finding with what is known of the step at which the trainings part, and the cause where that is its own."""
    finding = replace(finding, note="; ".join(filter(None, (finding.note, parting.told))))
    return replace(finding, cause=parting.cause, fix=parting.fix) if why else finding
