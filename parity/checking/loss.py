"""A loss that differs: by itself, fed the same output, or because the outputs do; and by itself, why."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.checking.question import Question
from parity.checking.runs import first_line
from parity.numerics import Finding, Verdict
from parity.report import CaseResult

if TYPE_CHECKING:
    from parity.checking.models import Models

DIFFERENT = (Verdict.SEMANTIC, Verdict.UNSTABLE, Verdict.PRECISION)


def with_loss(models: "Models", question: Question, result: CaseResult) -> tuple[CaseResult, bool]:
    """Feed both losses torch's output, where the losses of the two models differ.

    Args:
        models: The models.
        question: What is asked.
        result: Of the whole models.

    Returns:
        (the result, whether the losses differ by themselves). The finding then says so, and has the cause that an
        experiment proves.
    """
    differing = [f for f in result.findings if f.stage == "loss" and not f and f.verdict in DIFFERENT]
    if not differing or isinstance(question.loss, str):  # by name, both sides have one formula
        return result, False
    try:
        proven = _explained(models, question)
    except Exception as error:
        return replace(result, remarks=(*result.remarks, f"the loss was not tried alone: {first_line(error)}")), False
    if proven is None:
        return result, False
    note, cause, fix = proven

    def told(finding: Finding) -> Finding:
        own = finding in differing
        return (
            replace(finding, note="; ".join(filter(None, (finding.note, note))), cause=cause, fix=fix)
            if own
            else finding
        )

    return replace(result, findings=tuple(map(told, result.findings))), True


def _explained(models: "Models", question: Question) -> tuple[str, str, str] | None:
    """What is said of losses that differ on the same output: a note, the cause and its fix; None where they agree."""
    from parity.checking.causes import explain_loss
    from parity.checking.causes.functions import judge_loss

    output = _output(models, question)
    if output is None:
        return None
    losses = question.of("torch", "loss"), question.of("jax", "loss")
    if all(judge_loss(*losses, output, question.targets)):
        return None
    cause, fix = explain_loss(*losses, output, question.targets) or ("", "")
    return "fed the same output, the two losses alone differ", cause, fix


def _output(models: "Models", question: Question) -> np.ndarray | None:
    """Torch's output at float64; None where that is not one array."""
    from parity.sides import side, torch_forward

    run: Any = side("torch", torch_forward.forward(models.torch))
    trace = run.run(models.arguments(), dtype="float64", device=question.device, wrt=())
    outputs = [array for name, array in trace.tensors.items() if name.startswith("forward/output.")]
    return outputs[0] if len(outputs) == 1 and "forward/output.output" in trace.tensors else None
