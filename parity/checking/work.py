"""The order of work: structure first, then every tensor by its stage, at each working dtype beside float64."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from parity.checking.begun import Begun
from parity.checking.curves import before_parting, teacher_forced, training_curves
from parity.checking.power import without_power
from parity.checking.runs import Runs, SideError
from parity.checking.structure import compare_structure
from parity.checking.tensors import judge_tensors
from parity.numerics import Finding, Verdict
from parity.numerics.pooling import MANY
from parity.report import CaseResult, Curve, PublishedNumber
from parity.sides import MissingFramework

Inputs = dict[str, Any]


class Side(Protocol):
    """What the check needs of a side: a name, and runs that give Traces."""

    framework: str

    def run(self, inputs: Inputs, *, dtype: str, device: str, wrt: tuple[str, ...] | None, stage: str) -> Any: ...


@dataclass(frozen=True)
class Task:
    """One comparison: two sides, their inputs, and what the outputs are.

    Attributes:
        name: What the report calls it.
        inputs: Nests of NumPy arrays and plain values by argument name.
        stage: "forward", "gradient", "update" or "curve": what the outputs are.
        wrt: Arguments to differentiate; None for every floating one, () for none.
        carry: Arguments that the outputs give back: a training state.
        forced: Whether to compare single steps from shared states.
        segment: segment(inputs, start, stop): the inputs of those training steps alone.
        conventions: Paths whose difference is accepted, with the reason.
        published: Makes the PublishedNumbers from the two float64 Traces and a bound for each element of an output.
        apart: First parts of the paths of outputs that are not differentiated.
        told: Puts the names that a user knows into a finding; it comes before conventions, which use these names.
        begun: A run of torch's that was made before; None where there is none.

    Examples:
        >>> Task("tanh", {"x": np.zeros(3)}, wrt=()).stage  # its outputs alone, and no gradient
        'forward'
    """

    name: str
    inputs: Inputs
    stage: str = "forward"
    wrt: tuple[str, ...] | None = None
    carry: tuple[str, ...] = ()
    forced: bool = True
    segment: Callable[[Inputs, int, int], Inputs] | None = None
    conventions: Mapping[str, str] = field(default_factory=dict)
    published: Callable[[Runs, Mapping[str, np.ndarray]], tuple[PublishedNumber, ...]] | None = None
    apart: tuple[str, ...] = ()
    told: Callable[[Finding], Finding] = lambda finding: finding
    begun: Begun | None = None


def examine(torch: Side, jax: Side, task: Task, *, dtypes: tuple[str, ...], device: str = "cpu") -> CaseResult:
    """Run both sides and judge all that they give.

    Args:
        torch, jax: The two sides.
        task: What to compare.
        dtypes: Precisions; float64 is the reference and always run, every other one is judged beside it.
        device: "cpu" or "cuda".

    Returns:
        The CaseResult. A side that raises is reported there, with its name; nothing is raised here.

    Examples:
        >>> from parity.sides import side
        >>> both = side("torch", lambda x: x.tanh()), side("jax", lambda x: x / (1 + x**2) ** 0.5)
        >>> result = examine(*both, Task("squash", {"x": np.array([0.5, -1.0])}, wrt=()), dtypes=("float32",))
        >>> {stage: str(verdict) for stage, verdict in result.stages.items()}
        {'structure': 'AGREE', 'forward': 'SEMANTIC'}
    """
    began = time.perf_counter()
    findings: list[Finding] = []
    curves: list[Curve] = []
    published: tuple[PublishedNumber, ...] = ()
    remarks: dict[str, None] = {}
    try:
        for dtype in _working(dtypes):
            many = None if task.stage == "curve" else MANY
            runs = Runs.of(torch, jax, task, dtype=dtype, device=device, many=many)
            structure, names = compare_structure(runs)
            findings += structure
            if task.stage == "curve":
                found, drawn, bounds = training_curves(jax, task, runs, names, device)
                findings += found
                curves += drawn
                if task.carry and task.forced:
                    findings += teacher_forced(torch, jax, task, runs, device, also=before_parting(found))
            else:
                judged = judge_tensors(torch, jax, runs, names, device)
                findings += judged
                remarks |= dict.fromkeys(without_power(runs, judged))
                bounds = {}
            if task.published is not None and not published and all(structure):
                published = task.published(runs, bounds)
    except (MissingFramework, SideError) as error:
        missing = isinstance(error, MissingFramework)
        return CaseResult(
            task.name,
            tuple(map(task.told, findings)),
            published,
            tuple(curves),
            str(error),
            missing,
            time.perf_counter() - began,
            device,
        )
    return CaseResult(
        task.name,
        tuple(apply_conventions([task.told(f) for f in findings], task.conventions)),
        published,
        tuple(curves),
        seconds=time.perf_counter() - began,
        device=device,
        remarks=tuple(remarks),
    )


def _working(dtypes: tuple[str, ...]) -> tuple[str, ...]:
    """The dtypes to judge beside float64; float64 itself where nothing else is asked for."""
    return tuple(d for d in dtypes if d != "float64") or ("float64",)


def apply_conventions(findings: list[Finding], conventions: Mapping[str, str]) -> list[Finding]:
    """Name the accepted differences, and complain of those that do not occur: a stale exception hides a fault."""
    seen: dict[str, Finding] = {}
    result = []
    for finding in findings:
        key = next((k for k in (finding.torch_path, f"{finding.stage}/{finding.torch_path}") if k in conventions), None)
        if key is None:
            result.append(finding)
            continue
        if finding:
            result.append(finding)
            seen.setdefault(key, finding)
        else:
            reason = conventions[key]
            result.append(
                replace(
                    finding,
                    verdict=Verdict.CONVENTION,
                    message=f"{reason} ({finding.message})",
                    note=reason,
                    accepted=True,
                )
            )
            seen[key] = result[-1]
    for key in conventions:
        if key not in seen or seen[key].verdict is not Verdict.CONVENTION:
            message = f"listed as a convention, but both sides agree here; remove {key!r} from the case's conventions"
            result.append(Finding("structure", key, key, Verdict.STRUCTURE, message))
    return result
