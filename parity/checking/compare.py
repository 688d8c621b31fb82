"""`parity.compare`: two recordings, one of each side, judged by the rule of a check; neither framework is needed."""

import os
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from parity.checking.compare_layers import parted_layers
from parity.checking.consequences import with_consequences
from parity.checking.located import calls_for_layers
from parity.checking.models import told, without_kinds
from parity.checking.power import without_power
from parity.checking.record import difference
from parity.checking.recorded import RecordedSide
from parity.checking.runs import Runs
from parity.checking.structure import compare_structure
from parity.checking.tensors import judge_tensors
from parity.checking.work import Task, apply_conventions
from parity.numerics import Finding, Verdict
from parity.report import CaseResult, Report
from parity.sides.mapped import PARAMETERS, STATE
from parity.sides.replay import Replay
from parity.sides.tape import Draw
from parity.trace import Recorded, RecordedMatch, Recording, Trace

ALIKE = 2.0**-20
"""How near two captured arrays lie that a check would take for one constant, relative to their largest element."""

APART = (
    "compared from recordings: slopes at kinks were not probed and causes of lost precision not emulated, for which "
    "torch must run"
)


class Incomparable(ValueError):
    """Two recordings are not of one check: the same side twice, other inputs, no dtype in common."""


def compare(
    a: Recording | str | os.PathLike[str],
    b: Recording | str | os.PathLike[str],
    *,
    conventions: Mapping[str, str] | None = None,
    name: str | None = None,
) -> Report:
    """Judge what two sides gave in places and at times of their own, by the rule and with the verdicts of `check`.

    Args:
        a, b: Recordings, or files of them, one of each side in either order.
        conventions: As for `check`.
        name: What the report calls the pair; the torch recording's name where not given.

    Returns:
        A Report, truthy where everything agrees. What needs a side to run again is not in it, and it says so: a
        gradient that differs at kinks alone is SEMANTIC here, and lost precision has no cause.

    Raises:
        Incomparable: If the recordings are not of one check; the message says in what.
        TraceError: If a file is no recording.

    Examples:
        >>> import numpy as np, torch, jax.numpy as jnp
        >>> from parity.checking import record
        >>> x = np.array([[1.0, 2.0]])
        >>> report = compare(record(torch.exp, x), record(jnp.exp, x))
        >>> bool(report), list(report.stages)
        (True, ['structure', 'forward', 'gradient'])
    """
    began = time.perf_counter()
    recordings = [r if isinstance(r, Recording) else Recording.load(r) for r in (a, b)]
    if recordings[0].framework == recordings[1].framework:
        raise Incomparable(
            f"compare: both recordings are of the {recordings[0].framework} side; wanted one of torch and one of jax"
        )
    torch, jax = sorted(recordings, key=lambda r: r.framework != "torch")
    known = _match(torch, jax)
    common = _common(torch, jax)
    dtypes = [left.dtype for left, _ in common]
    findings: list[Finding] = []
    remarks: dict[str, None] = {}
    parted = _draws_parted(torch, jax)
    if parted is not None:
        findings.append(Finding("structure", "random draws", "random draws", Verdict.STRUCTURE, parted, dtypes[-1]))
    findings += [Finding(f["stage"], f["torch"], f["jax"], Verdict.STRUCTURE, f["message"]) for f in known.findings]
    remarks |= dict.fromkeys(known.remarks)
    for left, right in common:
        runs = _runs(left, right) if torch.model is None else _of_both(_runs(left, right), known)
        structure, names = compare_structure(runs)
        sides = RecordedSide("torch", left), RecordedSide("jax", right)
        judged = judge_tensors(*sides, runs, names, torch.device)
        findings += [*structure, *judged] if torch.model is None else [_named(f, known) for f in (*structure, *judged)]
        power = [without_kinds(r) for r in without_power(runs, judged)] if torch.model else without_power(runs, judged)
        remarks |= dict.fromkeys([*power, *_unmatched(torch, jax, left, right)])
        if torch.model is not None and any(calls_for_layers(f) for f in findings if f.dtype == left.dtype):
            apart, told_of = parted_layers(torch, jax, left.dtype)
            findings = [*apart, *findings]
            remarks[told_of] = None
    missed = [d for r in (torch, jax) for d in (p.dtype for p in r.parts) if d not in dtypes]
    if missed:
        remarks[f"not compared: {', '.join(missed)}, which one side alone has"] = None
    if torch.device != jax.device:
        remarks[f"torch ran on {torch.device}, jax on {jax.device}"] = None
    remarks[APART] = None
    task = Task(name or torch.name, {}, conventions=conventions or {})
    result = CaseResult(
        task.name,
        with_consequences(apply_conventions(findings, task.conventions)),
        seconds=time.perf_counter() - began,
        device=torch.device if torch.device == jax.device else f"{torch.device} and {jax.device}",
        remarks=tuple(remarks),
    )
    return Report((result,), _environment(torch, jax), ("float64", *(d for d in dtypes if d != "float64")))


def _match(torch: Recording, jax: Recording) -> RecordedMatch:
    """Which of JAX's leaves is which of torch's; nothing of two functions."""
    if (torch.model is None) != (jax.model is None):
        model, function = ("jax", "torch") if torch.model is None else ("torch", "jax")
        raise Incomparable(
            f"compare: {model} was recorded as a model, {function} as a function of arrays; record both as models"
        )
    return jax.model if isinstance(jax.model, RecordedMatch) else RecordedMatch()


def _of_both(runs: Runs, known: RecordedMatch) -> Runs:
    """The runs of two models without the torch tensors that have no partner; what they are told by is the match."""
    compared, state = set(known.compared), set(known.state)

    def wanted(name: str) -> bool:
        for prefix, names in ((f"gradient/{PARAMETERS}.", compared), (f"forward/{STATE}.", state)):
            if name.startswith(prefix):
                return name.removeprefix(prefix) in names
        return True

    def cut(trace: Trace) -> Trace:
        return replace(trace, tensors={n: a for n, a in trace.tensors.items() if wanted(n)})

    return replace(runs, torch64=cut(runs.torch64), torch=cut(runs.torch))


def _named(finding: Finding, known: RecordedMatch) -> Finding:
    """A finding under both models' own names."""
    return told(finding, lambda name: known.beside.get(name, name), known.outputs)


def _common(torch: Recording, jax: Recording) -> list[tuple[Recorded, Recorded]]:
    """What both have, one pair a working dtype, once it is sure that both were asked the same."""
    if torch.gradient != jax.gradient:
        with_them, without = ("torch", "jax") if torch.gradient else ("jax", "torch")
        raise Incomparable(
            f"compare: {with_them} was recorded with gradients, {without} without; record one of them again"
        )
    if torch.randomness != jax.randomness:
        raise Incomparable(
            f"compare: the seeds of replayed draws differ: torch {torch.randomness}, jax {jax.randomness}; record one "
            "of them again"
        )
    common = [(left, right) for left in torch.parts if (right := jax.part(left.dtype)) is not None]
    if not common:
        both = [", ".join(p.dtype for p in r.parts) or "none" for r in (torch, jax)]
        raise Incomparable(
            f"compare: no working dtype is in both: torch has {both[0]}, jax {both[1]}; record one of them again with "
            "--dtype"
        )
    for left, right in common:
        if dict(left.inputs) != dict(right.inputs):
            raise Incomparable(
                "compare: the inputs differ, torch against jax: "
                f"{difference(left.inputs, right.inputs)}; record both with the same file of inputs"
            )
    return common


def _runs(torch: Recorded, jax: Recorded) -> Runs:
    """The four runs as a check would have had them; of the inputs what the report needs, the constant ones."""
    lacking = {side: part.lacking for side, part in (("torch", torch), ("jax", jax)) if part.lacking}
    inputs = {path: np.full(2, value) for path, value in torch.constant.items()}
    return Runs(inputs, torch.full, jax.full, torch.working, jax.working, torch.dtype, None, "forward", lacking)


def _draws_parted(torch: Recording, jax: Recording) -> str | None:
    if torch.randomness is None:
        return None
    replay = Replay(torch.randomness)
    replay.draws = {r.framework: tuple(Draw(**draw) for draw in r.draws) for r in (torch, jax)}
    return replay.parted()


def _unmatched(torch: Recording, jax: Recording, left: Recorded, right: Recorded) -> list[str]:
    """Constants that each side rounded for itself: a check would have given JAX torch's, and so can a recording."""
    if torch.beside or jax.beside:
        return []
    pairs = [
        (own, other)
        for own, mine in right.full.constants.items()
        for other, theirs in left.full.constants.items()
        if _but_for_rounding(np.asarray(mine), np.asarray(theirs))
    ]
    if not pairs:
        return []
    told = ", ".join(f"jax's {own} and torch's {other}" for own, other in pairs[:3])
    return [
        f"the sides captured arrays that differ by their own rounding ({told}), which parts them at float64; "
        "record jax again with beside= (--beside) the torch recording, and it takes torch's"
    ]


def _but_for_rounding(mine: np.ndarray, theirs: np.ndarray) -> bool:
    if mine.shape != theirs.shape or mine.dtype.kind not in "fc" or theirs.dtype.kind not in "fc":
        return False
    gap = np.abs(mine - theirs).max(initial=0.0)
    return bool(0.0 < gap <= ALIKE * np.abs(mine).max(initial=0.0))


def _environment(torch: Recording, jax: Recording) -> dict[str, str]:
    """Each side's host, and what its backend does there."""
    found: dict[str, str] = {}
    for recording in (torch, jax):
        known = recording.environment
        places = [known[key] for key in ("date", "platform") if key in known]
        places += [f"{key} {known[key]}" for key in ("python", recording.framework, "gpu") if key in known]
        found[f"{recording.framework} recorded"] = ", ".join(places)
        found |= {key: value for key, value in known.items() if key.startswith(f"{recording.framework} on ")}
    return found
