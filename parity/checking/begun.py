"""A run that was made before a check asks for it: the outline of a torch model is read from its judged float32 run."""

from typing import Any

import numpy as np

from parity.sides.inputs import element_dtype, is_float, leaves
from parity.trace import Trace


class Begun:
    """The Trace of a run, to be had once; then it is let go.

    Args:
        trace: What the run gave.
        inputs: What it was made on.
        **options: How, as for a side's `run`.
    """

    def __init__(self, trace: Trace, inputs: dict[str, Any], **options: Any) -> None:
        self._trace: Trace | None = trace
        self._inputs, self._options = inputs, options

    def taken(self, inputs: dict[str, Any], **options: Any) -> Trace | None:
        """The Trace, where a run on these would be that run again; None where it would not, and once it was taken.

        Args:
            inputs: Nests as those of the run; floating arrays may be held wider than the run has them.
            **options: How they would be run.

        Returns:
            The Trace or None.
        """
        if self._trace is None or options != self._options:
            return None
        ours, theirs = dict(leaves(self._inputs)), dict(leaves(inputs))
        if list(ours) != list(theirs) or not all(_same(ours[p], theirs[p], options["dtype"]) for p in ours):
            return None
        trace, self._trace, self._inputs = self._trace, None, {}
        return trace


def _same(one: Any, other: Any, dtype: str) -> bool:
    """Whether two leaves are the same once they are at a run's dtype."""
    if one is other:
        return True
    if not isinstance(one, np.ndarray) or not isinstance(other, np.ndarray) or one.shape != other.shape:
        return False
    if is_float(one) and is_float(other) and one.dtype.kind == other.dtype.kind:
        narrow = element_dtype(one, dtype)
        with np.errstate(over="ignore"):
            one, other = one.astype(narrow), other.astype(narrow)
    return one.dtype == other.dtype and one.tobytes() == other.tobytes()
