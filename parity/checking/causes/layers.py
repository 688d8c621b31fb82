"""Why one layer differs: its configuration on both sides compared, and JAX's patched to torch's."""

from dataclasses import replace
from typing import Any

from parity.checking.causes.layer_catalogue import suspects
from parity.checking.causes.suspect import Suspect, proven, told, untold
from parity.checking.teacher import Lesson, Step, judge_layer
from parity.numerics import Finding
from parity.sides.inputs import rebuild


def explain_layer(lesson: Lesson, step: Step, findings: list[Finding]) -> list[Finding]:
    """Name the cause of a layer's difference, where a patch makes it go.

    Args:
        lesson: The two models.
        step: The call of the layer.
        findings: What was judged there, some of it different.

    Returns:
        The findings, those that differ with `cause` and `fix` where a cause was proven.
    """
    layer = lesson.jax.layer(step.part.jax)
    module = lesson.torch.module(step.part.torch[0])

    def experiment(chosen: tuple[Suspect, ...]) -> list[Finding]:
        attributes: dict[str, Any] = {}
        arguments: dict[str, Any] = {}
        torch = lesson.torch.layer(step.part.torch, lesson.spool.read(step.calls[0].arguments), step.part.rows)
        for suspect in chosen:
            attributes |= suspect.attributes
            arguments |= suspect.arguments
            torch = suspect.torch(torch) if suspect.torch else torch
        meeting = step.meeting
        if arguments:
            changed = rebuild(meeting.arguments, lambda path, leaf: arguments.get(path, leaf))
            meeting = replace(meeting, arguments=changed)
        patched = layer.patched(**attributes) if attributes else layer
        return judge_layer(lesson, replace(step, meeting=meeting), patched, torch=torch)

    fitting = list(suspects(lesson, step, module, layer))
    found = proven(fitting, experiment)
    if found is None:
        nothing = "nothing, since its settings fit no entry of the catalogue"
        return untold(findings, [s.cause for s in fitting] or [nothing])
    return told(findings, *found)
