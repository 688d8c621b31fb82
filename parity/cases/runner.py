"""Runs the built-in cases and gathers one Report."""

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace

import numpy as np

from parity.cases.case import Case, Published
from parity.cases.registry import cases_of, resolve
from parity.checking import Task, examine
from parity.checking.api import validate
from parity.checking.consequences import with_consequences
from parity.checking.runs import Runs
from parity.doctor import fingerprints
from parity.environment import environment
from parity.report import CaseResult, PublishedNumber, Report
from parity.sides import FRAMEWORKS, MissingFramework, require, side
from parity.sides.inputs import leaves


def run(
    concepts: Sequence[str] = (),
    *,
    dtypes: tuple[str, ...] = ("float64", "float32"),
    devices: tuple[str, ...] = ("cpu",),
    jobs: int = 1,
    progress: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> Report:
    """Check built-in pairs.

    Args:
        concepts: Names of pairs; none means all.
        dtypes: Precisions to run at.
        devices: "cpu", "cuda" or both.
        jobs: Processes that share the pairs, each with both frameworks; 1 for this process alone.
        progress: Called with what is at work or done, the number of cases that are done, and their number.

    Returns:
        The Report, its results in the order of the pairs whatever the number of processes.

    Raises:
        UnknownConcept: For a name that is none.
        ValueError: For an unknown dtype or device, or fewer than one job.

    Examples:
        >>> report = run(["losses"], dtypes=("float64",))
        >>> bool(report), list(report.stages)
        (True, ['structure', 'forward', 'gradient'])
    """
    if jobs < 1:
        raise ValueError(f"jobs: got {jobs}, wanted at least 1")
    for device in devices:
        validate(dtypes, device)
    work = [(concept, device) for device in devices for concept in resolve(concepts)]
    sizes = [len(cases_of(concept)) for concept, _ in work]
    total, done = sum(sizes), 0
    results: list[CaseResult] = []
    if jobs == 1 or len(work) == 1:
        for concept, device in work:
            for case in cases_of(concept):
                progress(case.name, len(results), total)
                results.append(run_case(case, dtypes=dtypes, device=device))
    else:
        progress(f"{jobs} processes", done, total)
        # Fresh processes: a copy of one in which a framework has started its threads may hang.
        with ProcessPoolExecutor(min(jobs, len(work)), multiprocessing.get_context("spawn")) as pool:
            try:
                futures = [pool.submit(_run_concept, concept, dtypes, device) for concept, device in work]
                for _ in as_completed(futures):
                    done = sum(size for size, future in zip(sizes, futures, strict=True) if future.done())
                    progress(f"{jobs} processes", done, total)
                results = [result for future in futures for result in future.result()]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return Report(tuple(results), environment() | _fingerprints(devices), tuple(dtypes))


def _run_concept(concept: str, dtypes: tuple[str, ...], device: str) -> list[CaseResult]:
    return [run_case(case, dtypes=dtypes, device=device) for case in cases_of(concept)]


def _fingerprints(devices: tuple[str, ...]) -> dict[str, str]:
    """What each backend does on each device; nothing where a framework is missing, as the results say already."""
    try:
        return {name: line for device in devices for name, line in fingerprints(device).items()}
    except MissingFramework:
        return {}


def run_case(case: Case, *, dtypes: tuple[str, ...] = ("float64", "float32"), device: str = "cpu") -> CaseResult:
    """Check one case.

    Args:
        case: The case.
        dtypes: Precisions to run at.
        device: "cpu" or "cuda".

    Returns:
        Its CaseResult; a missing framework is told there.
    """
    try:
        for framework in FRAMEWORKS:
            require(framework)  # before an implementation is imported, which would say less
        torch = side("torch", case.function("torch_impl"))
        jax = side("jax", case.function("jax_impl"), jit=case.jit)
    except MissingFramework as error:
        return CaseResult(case.name, error=str(error), missing=True, device=device)
    try:
        inputs = case.inputs(np.random.default_rng(case.seed))
    except (OSError, ValueError) as error:  # files that the user named: the other cases' results are not lost
        return CaseResult(case.name, error=f"its inputs cannot be read: {error}", device=device)
    remarks: list[str] = []

    def published(runs: Runs, bounds: Mapping[str, np.ndarray]) -> tuple[PublishedNumber, ...]:
        return tuple(number for p in case.published for number in _numbers(p, case, runs, bounds))

    task = Task(
        case.name,
        inputs,
        stage=case.stage,
        wrt=case.wrt,
        carry=case.carry,
        forced=case.forced,
        segment=case.segment,
        conventions=case.conventions,
        published=published,
    )
    result = examine(torch, jax, task, dtypes=dtypes, device=device)
    if case.witness is not None:
        remarks += [f"{name}, a third witness: {_short(value)}" for name, value in leaves(case.witness(inputs))]
    findings = with_consequences(result.findings)
    return replace(result, findings=findings, remarks=(*result.remarks, *remarks))


def _numbers(published: Published, case: Case, runs: Runs, bounds: Mapping[str, np.ndarray]) -> list[PublishedNumber]:
    name = f"{case.stage}/{published.output}"
    both = [trace.tensors[name] for trace in (runs.torch64, runs.jax64)]
    positions = np.arange(both[0].size).reshape(both[0].shape)
    at = (
        positions[published.at]
        if isinstance(published.at, slice)
        else positions.reshape(-1)
        if published.at is None
        else positions.reshape(-1)[list(published.at)]
    )
    torch, jax = (a.reshape(-1)[at.reshape(-1)] for a in both)
    slack = np.broadcast_to(bounds.get(published.output, np.zeros(())), both[0].shape).reshape(-1)[at.reshape(-1)]
    if len(torch) != len(published.values):
        raise ValueError(
            f"case {case.name}: {published.output} has {len(torch)} values at the published places, "
            f"the source prints {len(published.values)}; mend `at`"
        )
    half = 0.5 * 10.0**-published.decimals
    numbers = []
    for i, printed in enumerate(published.values):
        label = (
            published.labels[i]
            if published.labels
            else published.output
            if len(torch) == 1
            else f"{published.output} [{at.reshape(-1)[i]}]"
        )
        # Half a unit of the last place, a rounding of that half, and what rounding may have done to the curve by then.
        allowed = half * (1 + 2.0**-40) + float(slack[i]) + 2.0**-48 * abs(printed)
        numbers.append(
            PublishedNumber(
                published.source, label, f"{printed:.{published.decimals}f}", float(torch[i]), float(jax[i]), allowed
            )
        )
    return numbers


def _short(value: object) -> str:
    array = np.asarray(value)
    return np.array2string(array, threshold=40, max_line_width=10_000, separator=", ") if array.ndim else str(array)
