"""A side that does not run: what it gave, and how it answered to errors, stands in a Recording."""

from collections.abc import Mapping

import numpy as np

from parity.trace import Recorded

APART = "recorded apart, so it was not tried whether {}; parity check, with both frameworks in one place, tries it"


class RecordedSide:
    """One side of a comparison of recordings; it answers what further runs would have told.

    Args:
        framework: "torch" or "jax".
        part: What it gave at the working dtype that is judged.
    """

    def __init__(self, framework: str, part: Recorded) -> None:
        self.framework = framework
        self.part = part

    def response(
        self,
        names: list[str],
        *,
        coarse: bool,
        operations: bool,
        toward: Mapping[str, np.ndarray] | None,
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """As `parity.checking.runs.response`, from what was measured when the side was recorded.

        Args:
            names: Tensors.
            coarse: Whether the errors are as large as the working dtype's roundoff.
            operations: Whether torch's operations err too; without, the inputs alone do.
            toward: Values of integers; a change counts where it led to these.

        Returns:
            (response of each floating tensor, where each other tensor changed), by name.
        """
        measured = self.part.measured
        if toward is not None:
            base = self.part.full.tensors
            ties = {n: measured.alternatives.get(n, np.zeros((0, *base[n].shape), base[n].dtype)) for n in names}
            return {}, {n: ((a == toward[n]) & (a != base[n])).any(axis=0) for n, a in ties.items()}
        if not operations:
            return {n: measured.conditioning[n] for n in names if n in measured.conditioning}, {}
        response, flips = (measured.coarse, measured.coarse_flips) if coarse else (measured.response, measured.flips)
        return {n: response[n] for n in names if n in response}, {n: flips[n] for n in names if n in flips}
