"""What a disturbed run moved, tensor by tensor; of a large model it is made before the runs that hold the most."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from parity.checking.recorded import RecordedSide
from parity.checking.watch import announce
from parity.trace import Trace


def moved_ahead(
    torch: Any, reference: Trace, inputs: dict[str, Any], asked: Mapping[str, Any], h: float, many: int
) -> dict[str, np.ndarray]:
    """What torch's first disturbed run moves, made right after the run that it is compared with.

    Args:
        torch: The side.
        reference: Its float64 run.
        inputs: Of that run.
        asked: How that was run: "device", "wrt" and "stage" are as there.
        h: The relative size of an error.
        many: Elements of a run from which this is worth the while.

    Returns:
        As from `changes`; nothing where the run is small, is recorded, or raises, which is told where it is asked for.
    """
    if isinstance(torch, RecordedSide) or sum(a.size for a in reference.tensors.values()) < many:
        return {}
    announce("torch, disturbed")
    try:
        trace = torch.disturbed(inputs, h, 0, **{name: asked[name] for name in ("device", "wrt", "stage")})
    except Exception:
        return {}
    return dict(changes(trace, reference.tensors, list(reference.tensors), h))


def changes(
    trace: Any,
    base: Mapping[str, np.ndarray],
    names: list[str],
    h: float,
    toward: Mapping[str, np.ndarray] | None = None,
) -> Iterator[tuple[str, np.ndarray]]:
    """What a disturbed run moved.

    Args:
        trace: Of the disturbed run; its tensors are taken out as they are read, for they are as many as the base's.
        base: Tensors of the run as it is.
        names: Which to read.
        h: The relative size of an error.
        toward: Values of tensors that are not floating; a change counts where it led to these.

    Yields:
        A name with ((f_h - f) / h)^2, or, where it is not floating, with where it changed. One whose shape changed is
        left out.
    """
    for name in names:
        other = trace.tensors.pop(name, None)
        if other is None or other.shape != base[name].shape:
            continue  # a shape that depends on values: the exact comparison will say so
        if base[name].dtype.kind == "f":
            yield name, _squared(other, base[name], h)
        else:
            yield name, (other != base[name]) & (toward is None or other == toward[name])


def _squared(other: np.ndarray, base: np.ndarray, h: float) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):
        change = other - base
        change /= h
        finite = np.isfinite(change)
        if not finite.all():
            # Infinity against infinity is no change, nor NaN against NaN; a number that one rounding turns into either
            # has no bound.
            change = np.where(finite, change, np.where(np.isfinite(base), np.inf, 0.0))
        return np.square(change, out=np.asarray(change))
