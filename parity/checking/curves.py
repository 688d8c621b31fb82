"""Training curves: float64 in lockstep up to a measured horizon, and single steps from a shared state."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from parity.checking.runs import Runs, response
from parity.checking.structure import compare_structure, leading_steps
from parity.checking.tensors import judge_tensors
from parity.numerics import CurveReading, Finding, Verdict, confidence_factor, curve_bound, judge_curve
from parity.report import Curve
from parity.sides.inputs import rebuild

CURVE_MEMBERS = 4
"""Ensemble members for a whole training run: their spread matters by its decade only, and each costs a run."""

CURVE_STEP = 2.0**-44
"""Relative change of the start that measures how a run amplifies rounding. 2^9 roundings of float64, so that the
response is good to a percent; so small that a growth of 1e10 over ten thousand steps is still linear."""

FORCED = (0, 10, 100, 1000)
"""Steps from which both sides are given the same state and make one step."""


def training_curves(
    side: Any, task: Any, runs: Runs, names: list[str], device: str
) -> tuple[list[Finding], list[Curve], dict[str, np.ndarray]]:
    """Judge every output of a training run.

    Outputs with a leading axis of one entry a step are curves. The state that is carried out, and what has no such axis
    (an accuracy), belong to the end of the run: they are compared at float64 where its horizon reaches that far.

    Args:
        side: The JAX side, for the ensemble.
        task: The task; `task.carry` names its state.
        runs: The four runs.
        names: Tensors whose structure agrees.
        device: Where.

    Returns:
        (findings, curves for pictures, float64 bound of every floating curve by output path).
    """
    own = {n: runs.torch64.tensors[n] for n in names if n.partition("/")[2].partition(".")[0] not in task.carry}
    # Counts are compared exactly; only what floats has a sensitivity worth the runs of an ensemble.
    floating = any(array.dtype.kind == "f" for array in own.values())
    members = CURVE_MEMBERS if floating else 0
    responses, _ = response(side, runs, names, device=device, members=members, size=CURVE_STEP)
    steps = leading_steps(own)
    found: list[Finding] = []
    drawn: list[Curve] = []
    bounds: dict[str, np.ndarray] = {}
    horizon = steps
    final: list[str] = []
    for name in names:
        array = runs.torch64.tensors[name]
        if name not in own or array.ndim == 0 or len(array) != steps:
            final.append(name)
            continue
        reading = _reading(runs, name, responses, runs.jax64.rounding.get(name, 1.0) / steps)
        path = name.partition("/")[2]
        finding = judge_curve(reading, torch_path=path, jax_path=path)
        found.append(finding)
        horizon = min(horizon, steps if finding.horizon is None else finding.horizon)
        if array.dtype.kind == "f":
            bounds[path], _ = curve_bound(reading, confidence_factor(array.size))
        if array.ndim == 1:
            drawn.append(
                Curve(
                    path,
                    reading.torch64,
                    reading.jax64,
                    reading.torch,
                    reading.jax,
                    bounds.get(path, np.zeros(steps)),
                    finding.horizon or 0,
                    runs.dtype,
                )
            )
    found = _first_to_part(found)
    for name in final:
        found.append(_end(runs, name, responses, horizon, steps))
        bounds[name.partition("/")[2]] = np.zeros(runs.torch64.tensors[name].shape)
    return found, drawn, bounds


def _first_to_part(found: list[Finding]) -> list[Finding]:
    """Every curve that parts says which of a run's curves parted first, and which had not by then."""
    steps = {f.torch_path: f.step for f in found if not f and f.step is not None}
    if not steps or len(found) == 1:
        return found
    first = min(steps.values())
    parted = [path for path, step in steps.items() if step == first]
    whole = [f.torch_path for f in found if f.torch_path not in parted]
    told = f"first to part, at step {first:,}: {', '.join(parted)}"
    told += f"; equal until then: {', '.join(whole)}" if whole else ""
    return [f if f else replace(f, note="; ".join(filter(None, (told, f.note)))) for f in found]


def before_parting(found: list[Finding]) -> tuple[int, ...]:
    """The step whose update parted the curves: the one before the first loss that differs, or none.

    Args:
        found: What `training_curves` found.

    Returns:
        No step or one.
    """
    parted = [f.step for f in found if f.stage == "curve" and f.verdict is Verdict.SEMANTIC and f.step is not None]
    return (max(0, min(parted) - 1),) if parted else ()


def _reading(runs: Runs, name: str, responses: Mapping[str, np.ndarray], n: float) -> CurveReading:
    torch64, jax64, torch_p, jax_p = runs.arrays(name)
    return CurveReading(torch64, jax64, torch_p, jax_p, runs.dtype, responses.get(name, np.zeros(())), max(1.0, n))


def _end(runs: Runs, name: str, responses: Mapping[str, np.ndarray], horizon: int, steps: int) -> Finding:
    """The state after the last step, as one more entry of a curve."""
    path = name.partition("/")[2]
    unjudged = Finding("curve", path, path, Verdict.AGREE, "", runs.dtype, step=steps, compared=False)
    if not responses:
        return replace(unjudged, message=f"after step {steps:,}: told by the counts, which are compared exactly")
    reading = _reading(runs, name, responses, runs.jax64.rounding.get(name, 1.0))
    torch64, jax64, torch_p, jax_p = (np.asarray(a)[None] for a in runs.arrays(name))
    sensitivity = _of_the_whole(reading)[None]
    one = CurveReading(torch64, jax64, torch_p, jax_p, runs.dtype, sensitivity, reading.n)
    finding = judge_curve(one, torch_path=path, jax_path=path)
    if horizon < steps or finding.horizon == 0:
        message = (
            f"after step {steps:,} rounding alone decides it (the losses' horizon is {horizon:,}); "
            "single steps are compared instead"
        )
        return replace(unjudged, message=message)
    if finding.verdict is Verdict.AGREE:
        return replace(finding, step=steps, message=f"after step {steps:,}: {finding.ratio64:.2g} of the float64 bound")
    message = finding.message.replace("the curves part at step 0", f"after step {steps:,} the two differ")
    return replace(finding, step=steps, message=message)


def _of_the_whole(reading: CurveReading) -> np.ndarray:
    """The sensitivity of a state's elements, none below the root mean square of its tensor.

    A step errs by one rounding of its terms, also in elements in which they cancel: where a class is certain, p - 1 is
    1e-9 and wrong by 1e-16. A change of the start does not show that, so small elements are measured against the whole;
    the single steps, where every operation is disturbed, measure each by itself. Without this two elements of 48,000 in
    LeNet's momentum, 1e-10 and wrong by 1e-19, were 77 times beyond their bound after 2,000 honest steps.
    """
    own = np.abs(reading.torch64) + reading.sensitivity
    with np.errstate(invalid="ignore", over="ignore"):
        return np.maximum(reading.sensitivity, np.sqrt(np.mean(np.square(own))) if own.size else 0.0)


def teacher_forced(
    torch: Any, jax: Any, task: Any, runs: Runs, device: str, *, also: tuple[int, ...] = ()
) -> list[Finding]:
    """Give both sides the same state and batch, and compare one step: the check that holds at the working dtype too.

    The states are those of the torch side's float64 run after 0, 10, 100 and 1,000 steps.

    Args:
        torch, jax: The two sides.
        task: The task, with a carried state.
        runs: Its full runs.
        device: Where.
        also: Further steps, such as the one at which the curves part: its tensors tell what parted there.

    Returns:
        Findings of stage "update", each with its step.
    """
    own = {n: a for n, a in runs.torch64.tensors.items() if n.partition("/")[2].partition(".")[0] not in task.carry}
    steps = leading_steps(own)
    found: list[Finding] = []
    state, at = {name: task.inputs[name] for name in task.carry}, 0
    for start in sorted(s for s in {*FORCED, *also} if s < steps):
        if start > at:
            # Any state will do that both sides are given, so that nothing need be lifted on the way to it.
            trace = torch.run(
                {**segment(task, at, start), **state},
                dtype="float64",
                device=device,
                wrt=(),
                stage="update",
                lift=False,
            )
            state, at = _carried(trace, state), start
        found += _one_step(torch, jax, task, {**segment(task, start, start + 1), **state}, start, runs.dtype, device)
    return found


def _one_step(
    torch: Any, jax: Any, task: Any, inputs: dict[str, Any], step: int, dtype: str, device: str
) -> list[Finding]:
    runs = Runs.of(torch, jax, task, dtype=dtype, device=device, inputs=inputs, stage="update")
    structure, names = compare_structure(runs)
    return [f for f in structure if not f] + judge_tensors(torch, jax, runs, names, device, step=step)


def segment(task: Any, start: int, stop: int) -> dict[str, Any]:
    """The task's inputs for the training steps start to stop alone."""
    if task.segment is not None:
        return task.segment(task.inputs, start, stop)
    if "order" in task.inputs:
        return {**task.inputs, "order": task.inputs["order"][start:stop]}
    if "steps" in task.inputs:
        return {**task.inputs, "steps": stop - start}
    raise ValueError(
        f"case {task.name}: its training steps cannot be told apart: no input 'order' or 'steps'; give it a segment"
    )


def _carried(trace: Any, like: dict[str, Any]) -> dict[str, Any]:
    """The state that a Trace gave back, in the shape in which it went in."""
    return rebuild(like, lambda path, leaf: trace.tensors[f"update/{path}"] if isinstance(leaf, np.ndarray) else leaf)
