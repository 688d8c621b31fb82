"""Four runs of one task: each side at float64 and at the working dtype, and how the result answers to its inputs."""

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.checking.moved import changes, moved_ahead
from parity.checking.recorded import RecordedSide
from parity.checking.watch import announce
from parity.numerics import FORMATS
from parity.numerics.dtypes import REFERENCE
from parity.numerics.moderation import MEMBERS
from parity.sides import MissingFramework, NoFloat64, raised
from parity.sides.inputs import perturbed, rounded
from parity.trace import Trace

ENSEMBLE = MEMBERS
"""Members of the ensemble that measures a sensitivity; what so few do not know, `moderated` makes up for."""

RESPONSE_STEP = 2.0**-24
"""Size of the relative errors with which a float64 run is disturbed: one unit roundoff of float32. It is so large that
float64 rounding (2^-53) changes the quotient by 1e-9 only, and it is the error that float32 itself makes: a kink or a
tie within the reach of float32 shows in the response as it will show in the float32 run."""

COARSE_STEP = 2.0**-12
"""The same where the reference itself has float32 only: its own rounding then changes the quotient by 2^-12."""


class SideError(RuntimeError):
    """One side raised while it ran, or both did."""


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
        NoFloat64: Where the side has no float64 to run at; the caller can do with less.
        MissingFramework: Where it is not installed.
    """
    announce(f"{side.framework} at {options.get('dtype')}")
    try:
        return side.run(inputs, **options)
    except (MissingFramework, NoFloat64):
        raise
    except Exception as error:
        when = f"in its {options.get('dtype')} run"
        raise SideError(f"the {side.framework} side {_raised(error, when)}") from error


@dataclass(frozen=True)
class Runs:
    """What four runs from the same rounded inputs gave.

    Attributes:
        inputs: The inputs, float64; rounded to the working dtype but for a training curve.
        torch64, jax64, torch, jax: The Traces; where a side has no float64, its first is the working dtype's again.
        dtype: The working dtype.
        wrt, stage: As they were run.
        lacking: Why a side has no float64 run, by framework.
        apart: First parts of the paths of outputs that are not differentiated.
        ahead: What torch's first disturbed run moved, where it was made already; it is taken out as it is read.
    """

    inputs: dict[str, Any]
    torch64: Trace
    jax64: Trace
    torch: Trace
    jax: Trace
    dtype: str
    wrt: tuple[str, ...] | None
    stage: str
    lacking: Mapping[str, str] = field(default_factory=dict)
    apart: tuple[str, ...] = ()
    ahead: dict[str, np.ndarray] = field(default_factory=dict)

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
        many: int | None = None,
    ) -> "Runs":
        """Run a task four times; `inputs` and `stage` replace the task's own.

        From so `many` elements on, torch is disturbed once right after its float64 run: what that run needed is free
        then, and what the other runs leave is not there yet.
        """
        stage = stage or task.stage
        given = task.inputs if inputs is None else inputs
        if stage != "curve":
            # A curve is judged at float64 alone, and from the start that its source had; rounding that start to
            # float32 would be another run, which a thousand steps later shares no digit with the printed one.
            given = rounded(given, dtype)
        wrt = task.wrt if stage == "forward" else ()
        traces: dict[tuple[str, str], Trace] = {}
        ahead: dict[str, np.ndarray] = {}
        lacking: dict[str, str] = {}
        plans: dict[str, dict[str, Any]] = {"reference": {"dtype": "float64"}, "working": {"dtype": dtype}}
        if dtype == "float64" and stage == "curve":
            del plans["working"]  # a curve is judged at float64 alone, and a second run of it would cost as much again
        elif dtype == "float64":
            plans["working"]["lift"] = False  # the user's program as it is, whose own casts count
        for plan, options in plans.items():
            errors: list[SideError] = []
            for side in (torch, jax):
                if plan == "reference" and side is jax and ("torch", plan) in traces:
                    options = options | {"constants": traces["torch", plan].constants}
                asked: dict[str, Any] = {"device": device, "wrt": wrt, "stage": stage, **options}
                made = task.begun.taken(given, **asked) if side is torch and task.begun is not None else None
                try:
                    traces[side.framework, plan] = run_side(side, given, **asked) if made is None else made
                except NoFloat64 as error:
                    if dtype == "float64":
                        raise SideError(f"the {side.framework} side has no float64: {error}") from error
                    lacking[side.framework] = f"{side.framework} has no float64 here: {error}"
                except SideError as error:
                    errors.append(error)
                else:
                    if many is not None and side is torch and plan == "reference":
                        ahead = moved_ahead(torch, traces[side.framework, plan], given, asked, RESPONSE_STEP, many)
            if errors:  # both sides run first, so that a fault that both have is not told of one
                raise SideError("; ".join(map(str, errors))) from errors[0].__cause__

        def kept(framework: str, plan: str, other: str) -> Trace:
            return traces[framework, plan if (framework, plan) in traces else other]

        return cls(
            given,
            kept("torch", "reference", "working"),
            kept("jax", "reference", "working"),
            kept("torch", "working", "reference"),
            kept("jax", "working", "reference"),
            dtype,
            wrt,
            stage,
            lacking,
            task.apart,
            ahead,
        )

    def arrays(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """One tensor of every run: torch and JAX at float64, torch and JAX at the working dtype."""
        return (
            self.torch64.tensors[name],
            self.jax64.tensors[name],
            self.torch.tensors[name],
            self.jax.tensors[name],
        )

    def reference(self, name: str) -> tuple[str, str]:
        """The precision that the float64 runs of a tensor really had, and why that is not float64.

        Args:
            name: The tensor.

        Returns:
            ("float64", "") where it was float64 all through; else the lower precision, and what could not be lifted,
            where.
        """
        if self.lacking:
            return self.dtype, "; ".join(self.lacking.values())
        both = (("torch", self.torch64), ("jax", self.jax64))
        narrow = "; ".join(f"{side}: {trace.narrow[name]}" for side, trace in both if name in trace.narrow)
        named = [f for f in FORMATS.values() if f.name in narrow]
        return min(named, key=lambda f: f.mantissa_bits, default=REFERENCE).name, narrow


def response(
    side: Any,
    runs: Runs,
    names: list[str],
    *,
    device: str,
    members: int = ENSEMBLE,
    size: float | None = None,
    operations: bool = True,
    toward: Mapping[str, np.ndarray] | None = None,
    hold: Callable[[], MutableMapping[str, np.ndarray]] = dict,
) -> tuple[MutableMapping[str, np.ndarray], Mapping[str, np.ndarray]]:
    """How each tensor answers to relative errors of size h, measured at float64.

    The root mean square over the members of |f_h - f| / h, where f_h is a run that errs by h xi, xi random of mean
    square 1, in its inputs (JAX) or in its inputs and in every operation (torch). Unlike a forward-mode derivative it
    needs nothing of the function but that it runs, so custom gradients, loops and in-place code are measured as they
    are; it sees sums whose terms cancel; and where f has a kink or a tie within the reach of h it gives the jump.

    Args:
        side: The side that is probed.
        runs: The runs around which to probe.
        names: Tensors to measure.
        device: Where.
        members: Number of samples; with none, nothing is measured and nothing returned.
        size: h; RESPONSE_STEP where not given.
        operations: Whether torch's operations err too; without, the inputs alone do.
        toward: Values of tensors that are not floating; a change counts where it led to these.
        hold: Makes what the results are put into, and what they are summed in.

    Returns:
        (response of each floating tensor, where each other tensor changed), by name.
    """
    if isinstance(side, RecordedSide):
        return side.response(names, coarse=size is not None, operations=operations, toward=toward)
    if members == 0:
        return {}, {}
    lacking = side.framework in runs.lacking
    h = (COARSE_STEP if lacking else RESPONSE_STEP) if size is None else size
    base = (runs.torch64 if side.framework == "torch" else runs.jax64).tensors
    squares, flips = hold(), hold()
    options: dict[str, Any] = {"device": device, "wrt": runs.wrt, "stage": runs.stage}
    made = side.framework == "torch" and not lacking and operations and size is None and toward is None
    for member in range(members):
        if made and member == 0 and runs.ahead:
            for name in names:
                if name in runs.ahead:
                    (squares if base[name].dtype.kind == "f" else flips)[name] = runs.ahead.pop(name)
            runs.ahead.clear()
            continue
        announce(f"{side.framework}, disturbed")
        try:
            if operations and not lacking:
                trace = side.disturbed(runs.inputs, h, member, **options)
            else:
                moved = perturbed(runs.inputs, h, member)
                trace = side.run(moved, dtype=runs.dtype if lacking else "float64", **options)
        except Exception as error:
            raise SideError(
                f"the {side.framework} side {_raised(error, 'while its sensitivity was measured')}"
            ) from error
        for name, change in changes(trace, base, names, h, toward):
            if base[name].dtype.kind == "f":
                squares[name] = np.add(change, squares[name], out=change) if name in squares else change
            else:
                flips[name] = flips[name] | change if name in flips else change
        del trace  # before the next run, whose arrays are as many
    for name in names:
        found, dtype = (squares, np.float64) if base[name].dtype.kind == "f" else (flips, bool)
        if name not in found:
            found[name] = np.zeros(base[name].shape, dtype)
        elif found is squares:
            total = squares[name]
            squares[name] = np.sqrt(np.divide(total, members, out=total), out=total)
    return squares, flips


def _raised(error: BaseException, when: str) -> str:
    """What a side did, and when."""
    verb, _, told = raised(error).partition(": ")
    return f"{verb} {when}: {told}"


def first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
