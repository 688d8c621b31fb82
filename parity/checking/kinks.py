"""Kinks: where a gradient differs because a function has two slopes there, and each side took a valid one."""

from dataclasses import replace
from typing import Any

import numpy as np

from parity.checking.runs import Runs, run_side
from parity.numerics import Finding, Reading, Verdict
from parity.numerics.reading import limits
from parity.sides.inputs import cotangent, leaves, rebuild

PROBED = 32
"""Elements whose one-sided slopes are measured; where more differ, these are spread evenly over them."""

STEP = 2.0**-20
"""Distance, relative to the input, at which a one-sided slope is taken; half of it tells how good that slope is."""


def at_kinks(torch: Any, runs: Runs, finding: Finding, reading: Reading, device: str) -> Finding:
    """Ask whether a gradient that differs does so at kinks alone.

    With L the outputs' product with the cotangent, the slopes of L to the right and to the left of one element of the
    input are measured at float64. Where they differ and both sides' values lie between them, both are subgradients: the
    finding becomes a CONVENTION, which is accepted by name alone. One element that has no kink keeps it SEMANTIC, and
    so does one that differs at the working dtype alone, since to accept the kinks would accept it unseen.

    Args:
        torch: The torch side.
        runs: The four runs.
        finding: A SEMANTIC finding of stage "gradient"; its path is the input's.
        reading: What it was judged from.
        device: Where.

    Returns:
        The finding, or the CONVENTION with the slopes that were found.
    """
    left, right = reading.torch64, reading.jax64
    limit64, limit = limits(reading, finding.lam)
    with np.errstate(invalid="ignore"):
        beyond = np.flatnonzero(~(np.abs(left - right) <= limit64))
        beyond_too = np.flatnonzero(~(np.abs(reading.torch - reading.jax) <= limit))
    if not set(beyond_too) <= set(beyond):
        return finding
    if reading.pairs or not (np.isfinite(left.reshape(-1)[beyond]) & np.isfinite(right.reshape(-1)[beyond])).all():
        return finding
    tried = beyond[np.unique(np.linspace(0, len(beyond) - 1, min(PROBED, len(beyond))).astype(int))]
    told = ""
    here = _product(torch, runs, runs.inputs, device)
    for flat in tried:
        lower, upper, error = _slopes(torch, runs, finding.torch_path, int(flat), here, device)
        pair = float(left.reshape(-1)[flat]), float(right.reshape(-1)[flat])
        if not (upper - lower > 4 * error and all(lower - error <= g <= upper + error for g in pair)):
            return finding
        told = told or (
            f"torch {pair[0]:.6g}, jax {pair[1]:.6g} at {_index(int(flat), left.shape)}, where the slopes on either "
            f"side are {lower:.6g} and {upper:.6g}"
        )
    count = f"{len(tried)} of {len(beyond)} tried" if len(tried) < len(beyond) else f"{len(beyond)} of {left.size}"
    message = (
        f"they differ at kinks alone ({count} elements), and both are subgradients: {told}; accept it by name: "
        f"conventions={{'gradient/{finding.torch_path}': 'why'}}"
    )
    return replace(finding, verdict=Verdict.CONVENTION, message=message)


def _slopes(torch: Any, runs: Runs, path: str, flat: int, here: float, device: str) -> tuple[float, float, float]:
    """The smaller and the larger one-sided slope of L along one element of an input, and how far off either may be."""
    leaf = next(leaf for where, leaf in leaves(runs.inputs) if where == path)
    size = max(abs(float(leaf.reshape(-1)[flat])), float(np.sqrt(np.mean(leaf**2))), STEP)

    def one_sided(h: float) -> float:
        moved = leaf.copy()
        moved.reshape(-1)[flat] += h * size
        inputs = rebuild(runs.inputs, lambda where, other: moved if where == path else other)
        return (_product(torch, runs, inputs, device) - here) / (h * size)

    slopes = [(one_sided(h), one_sided(h / 2)) for h in (STEP, -STEP)]
    noise = 2.0**-50 * abs(here) / (STEP * size)
    error = 2 * max(abs(far - near) for far, near in slopes) + noise
    near = sorted(near for _, near in slopes)
    return near[0], near[1], error


def _product(torch: Any, runs: Runs, inputs: dict[str, Any], device: str) -> float:
    """L: the floating outputs' product with their cotangents, at float64."""
    trace = run_side(torch, inputs, dtype="float64", device=device, wrt=(), stage=runs.stage)
    return sum(
        float(np.vdot(_weights(trace, name), array))
        for name, array in trace.tensors.items()
        if array.dtype.kind == "f" and name.partition("/")[2].partition(".")[0] not in runs.apart
    )


def _weights(trace: Any, name: str) -> np.ndarray:
    """The cotangent of an output, as it stands in a Trace: complex numbers as pairs."""
    path, shape = name.partition("/")[2], trace.tensors[name].shape
    if not trace.dtypes.get(name, "").startswith("complex"):
        return cotangent(path, shape, "float64")
    complex_one = cotangent(path, shape[:-1], "float64", pairs=True)
    return np.stack([complex_one.real, complex_one.imag], axis=-1)


def _index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(flat, shape))
