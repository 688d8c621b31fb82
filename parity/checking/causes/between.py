"""Why what lies between two layers differs: both sides' code is recognised, and torch's replaced by what JAX has."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from parity.checking.between import judge_functions
from parity.checking.causes.arrived import activated, added, rearranged, scaled, stopped
from parity.checking.causes.case import Case, Trial
from parity.checking.causes.recognised import NAMES, numbered, recognised
from parity.checking.causes.suspect import untold
from parity.checking.teacher import Lesson, Step
from parity.numerics import Finding, Verdict


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
    case = Case.of(lesson, step, of_torch, of_jax, arrays)
    if case is None:
        return untold(findings, ["nothing, since not one array arrives there that depends on another"])
    for trial in trials(case):
        proof = judge_functions(lesson, trial.torch or of_torch, trial.jax or of_jax, arrays)
        if all(proof):
            left = max((r for f in proof for r in (f.ratio64, f.ratio) if math.isfinite(r)), default=0.0)
            text = f"{trial.cause}. {trial.experiment} the difference falls to {left:.2g} x the bound ({trial.source})"
            return [f if f else replace(f, cause=text, fix=trial.fix) for f in findings]
    return untold(findings, case.tried)


def trials(case: Case) -> Iterator[Trial]:
    """Every cause that may be behind a difference there, the likeliest first."""
    yield from rearranged(case)
    yield from stopped(case)
    yield from recognised(case, both=True)  # a sum in place of a mean is told as that, not as a factor
    yield from scaled(case)
    yield from numbered(case)
    yield from added(case)
    yield from activated(case)
    yield from recognised(case, both=False)


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
