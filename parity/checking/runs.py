"""Four runs of one task: each side at float64 and at the working dtype, and how the result answers to its inputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.numerics import float_format
from parity.sides import MissingFramework
from parity.sides.inputs import rounded
from parity.trace import Trace

ENSEMBLE = 8
"""Members of the ensemble that measures a sensitivity. The root mean square of 8 samples is within a factor 2 of its
limit nine times in ten, and the bound has lambda > 5 of those to give."""

RESPONSE_STEP = 2.0**-24
"""Size of the relative errors with which a float64 run is disturbed: one unit roundoff of float32. It is so large that
float64 rounding (2^-53) changes the quotient by 1e-9 only, and it is the error that float32 itself makes: a kink or a
tie within the reach of float32 shows in the response as it will show in the float32 run."""


class SideError(RuntimeError):
    """One side raised while it ran."""


def run_side(side: Any, inputs: dict[str, Any], **options: Any) -> Trace:
    """Run a side; whatever it raises comes back as a SideError that names it.

    Args:
        side: A TorchSide or JaxSide.
        inputs: Its inputs.
        **options: As for its `run`.

    Returns:
        The Trace.

    Raises:
        SideError: With the side's name, the dtype and the original message; the original is its cause.
    """
    try:
        return side.run(inputs, **options)
    except MissingFramework:
        raise
    except Exception as error:
        raise SideError(
            f"the {side.framework} side raised in its {options.get('dtype')} run: {_first_line(error)}"
        ) from error


@dataclass(frozen=True)
class Runs:
    """What four runs from the same rounded inputs gave.

    Attributes:
        inputs: The inputs, float64; rounded to the working dtype but for a training curve.
        torch64, jax64, torch, jax: The Traces.
        dtype: The working dtype.
        wrt, stage: As they were run.
    """

    inputs: dict[str, Any]
    torch64: Trace
    jax64: Trace
    torch: Trace
    jax: Trace
    dtype: str
    wrt: tuple[str, ...] | None
    stage: str

    @classmethod
    def of(
        cls,
        torch: Any,
        jax: Any,
        task: Any,
        *,
        dtype: str,
        device: str,
        inputs: dict[str, Any] | None = None,
        stage: str | None = None,
    ) -> "Runs":
        """Run a task four times; `inputs` and `stage` replace the task's own."""
        stage = stage or task.stage
        given = task.inputs if inputs is None else inputs
        if stage != "curve":
            # A curve is judged at float64 alone, and from the start that its source had; rounding that start to
            # float32 would be another run, which a thousand steps later shares no digit with the printed one.
            given = rounded(given, dtype)
        # What trains or returns gradients has used up its own differentiation; only a forward stage is differentiated
        # here.
        wrt = task.wrt if stage == "forward" else ()
        traces = {}
        for precision in dict.fromkeys(("float64", dtype)):
            for side in (torch, jax):
                traces[side.framework, precision] = run_side(
                    side, given, dtype=precision, device=device, wrt=wrt, stage=stage
                )
        return cls(
            given,
            traces["torch", "float64"],
            traces["jax", "float64"],
            traces["torch", dtype],
            traces["jax", dtype],
            dtype,
            wrt,
            stage,
        )

    def arrays(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """One tensor of every run: torch and JAX at float64, torch and JAX at the working dtype."""
        return (
            self.torch64.tensors[name],
            self.jax64.tensors[name],
            self.torch.tensors[name],
            self.jax.tensors[name],
        )


def response(
    side: Any, runs: Runs, names: list[str], *, device: str, members: int, size: float | None = None
) -> tuple[dict[str, np.ndarray], Mapping[str, np.ndarray]]:
    """How each tensor answers to relative errors of size h, measured at float64.

    The root mean square over the members of |f_h - f| / h, where f_h is a run that errs by h xi, xi = +1 or -1 at
    random, in its inputs (JAX) or in its inputs and in every operation (torch). Unlike a forward-mode derivative it
    needs nothing of the function but that it runs, so custom gradients, loops and in-place code are measured as they
    are; it sees sums whose terms cancel; and where f has a kink or a tie within the reach of h it gives the jump.

    Args:
        side: The side that is probed.
        runs: The runs around which to probe.
        names: Tensors to measure.
        device: Where.
        members: Number of samples; with none, nothing is measured and nothing returned.
        size: h; one unit roundoff of the working dtype and never less than RESPONSE_STEP where not given.

    Returns:
        (response of each floating tensor, where each other tensor changed), by name.
    """
    if members == 0:
        return {}, {}
    h = max(RESPONSE_STEP, float_format(runs.dtype).unit_roundoff) if size is None else size
    base = (runs.torch64 if side.framework == "torch" else runs.jax64).tensors
    squares = {n: np.zeros(base[n].shape) for n in names if base[n].dtype.kind == "f"}
    flips = {n: np.zeros(base[n].shape, bool) for n in names if n not in squares}
    for member in range(members):
        try:
            trace = side.disturbed(runs.inputs, h, member, device=device, wrt=runs.wrt, stage=runs.stage)
        except Exception as error:
            raise SideError(
                f"the {side.framework} side raised while its sensitivity was measured: {_first_line(error)}"
            ) from error
        for name in names:
            other = trace.tensors.get(name)
            if other is None or other.shape != base[name].shape:
                continue  # a shape that depends on values: the exact comparison will say so
            if name in squares:
                with np.errstate(invalid="ignore", over="ignore"):
                    change = (other - base[name]) / h
                    # Infinity against infinity is no change; a NaN on both sides neither.
                    squares[name] += np.where(np.isfinite(change), change, 0.0) ** 2
            else:
                flips[name] |= other != base[name]
    return {name: np.sqrt(total / members) for name, total in squares.items()}, flips


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
