"""Tensors of one run, each judged by the rule; what the rule leaves open is asked of further runs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from parity.checking.kinks import at_kinks
from parity.checking.precision import Emulations, explained
from parity.checking.recorded import APART, RecordedSide
from parity.checking.runs import ENSEMBLE, RESPONSE_STEP, Runs, response
from parity.checking.watch import announce
from parity.numerics import Finding, Reading, Verdict, asymmetric, float_format, judge
from parity.numerics.pooling import MANY, pooled

TIE_STEP = 2.0**-50
"""Relative errors that separate a tie from a difference at float64: eight roundings."""

TIE_MEMBERS = 32
"""Of a tie of four, each comes out of one disturbed run in four: one of them is missed once in ten thousand times."""


def judge_tensors(
    torch: Any, jax: Any, runs: Runs, names: list[str], device: str, *, step: int | None = None
) -> list[Finding]:
    """Judge every tensor of a run.

    Two questions cost further runs and are asked only where they decide something: how far the inputs alone move a
    tensor that one side has far better than the other (is that side unstable?), and whether indices that differ at
    float64 stand where values tie.

    Of a model with many numbers one disturbed run is made first, and what it moved is pooled among neighbours
    (`parity.numerics.pooling`); where anything but agreement comes of it, all is judged anew from the whole ensemble.

    Args:
        torch: The torch side, whose operations can be disturbed one by one.
        jax: The JAX side; it stands in where torch has no float64.
        runs: The four runs.
        names: Tensors whose structure agrees.
        device: Where.
        step: The training step, or None.

    Returns:
        One Finding a tensor.
    """
    if not apart_or_lacking(torch, runs) and sum(runs.torch64.tensors[n].size for n in names) >= MANY:
        found = _judged(torch, jax, runs, names, device, step, members=1)
        if all(finding.verdict is Verdict.AGREE for finding in found):
            return found
    return _judged(torch, jax, runs, names, device, step, members=ENSEMBLE)


def apart_or_lacking(torch: Any, runs: Runs) -> bool:
    """Whether torch cannot be asked for more runs, or has no float64 to make them at."""
    return isinstance(torch, RecordedSide) or bool(runs.lacking)


def _judged(
    torch: Any, jax: Any, runs: Runs, names: list[str], device: str, step: int | None, *, members: int
) -> list[Finding]:
    """One Finding a tensor, from an ensemble of so many members."""
    readings = _readings(torch, jax, runs, names, device, members)
    uneven = [n for n, reading in readings.items() if asymmetric(reading)]
    if uneven and not runs.lacking:
        conditioning, _ = response(torch, runs, uneven, device=device, operations=False)
        readings |= {n: replace(readings[n], conditioning=conditioning[n]) for n in uneven}
    unequal = [n for n, r in readings.items() if r.torch64.dtype.kind != "f" and (r.torch64 != r.jax64).any()]
    if unequal and not runs.lacking:
        _, ties = response(
            torch,
            runs,
            unequal,
            device=device,
            members=TIE_MEMBERS,
            size=TIE_STEP,
            toward={n: readings[n].jax64 for n in unequal},
        )
        readings |= {n: replace(readings[n], ties=ties[n]) for n in unequal}
    apart = isinstance(torch, RecordedSide)
    emulations = Emulations(torch, runs, device)
    found = []
    for name, reading in readings.items():
        stage, _, path = name.partition("/")
        finding = judge(reading, stage=stage, torch_path=path, jax_path=path, step=step)
        if finding.verdict is Verdict.SEMANTIC and stage == "gradient" and not runs.lacking:
            finding = (
                _untried(finding, "it differs at kinks alone")
                if apart
                else at_kinks(torch, runs, finding, reading, device)
            )
        if finding.verdict is Verdict.PRECISION and not runs.lacking:
            finding = (
                _untried(finding, "TF32 or a cast explains it") if apart else explained(runs, name, finding, emulations)
            )
        found.append(finding)
    return found


def _untried(finding: Finding, what: str) -> Finding:
    return replace(finding, note="; ".join(filter(None, (finding.note, APART.format(what)))))


def _readings(torch: Any, jax: Any, runs: Runs, names: list[str], device: str, members: int) -> dict[str, Reading]:
    probed = jax if "torch" in runs.lacking and "jax" not in runs.lacking else torch
    responses, flips = response(probed, runs, names, device=device, members=members)
    coarse: Mapping[str, np.ndarray] = {}
    if float_format(runs.dtype).unit_roundoff > RESPONSE_STEP and not runs.lacking:
        size = float_format(runs.dtype).unit_roundoff
        coarse, flips = response(probed, runs, names, device=device, size=size, members=members)
    announce("comparing")
    if members < ENSEMBLE:
        responses, coarse = ({n: pooled(a) for n, a in own.items()} for own in (responses, coarse))
    readings = {}
    for name in names:
        reference, narrow = runs.reference(name)
        terms = runs.jax64.rounding.get(name, 1.0)
        sensitivity: np.ndarray | float = responses.get(name, 0.0)
        truth = None
        if "torch" in runs.lacking:
            # Only the inputs erred there, so the roundings on the way are counted from the graph.
            sensitivity = sensitivity * np.sqrt(terms) + np.abs(runs.jax64.tensors[name]) * np.sqrt(terms)
            truth = runs.jax64.tensors[name]
        readings[name] = Reading(
            *runs.arrays(name),
            runs.dtype,
            sensitivity,
            flips.get(name),
            coarse=coarse.get(name),
            truth=truth,
            reference=reference,
            narrow=narrow,
            pairs=runs.torch64.dtypes.get(name, "").startswith("complex"),
            terms=terms,
        )
    return readings
