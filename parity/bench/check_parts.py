"""Where the processor time of a check goes: the runs that it makes, carrying weights over, comparing, and the rest."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from parity.checking.outline import OUTLINING

RUNS, DISTURBED, CARRIED, COMPARED, REST = PARTS = (
    "the four runs",
    "the disturbed run",
    "weights carried over",
    "comparing",
    "matching, outline, rest",
)
"""The parts; the four runs are those that a user makes too, and what is read from JAX's programs besides."""

CARRYING = ("translated", "_named")
"""Methods of a mapped side: torch's weights to JAX's leaves, and JAX's gradients back to torch's names."""


class Clock:
    """Processor seconds by part.

    Attributes:
        spent: Of each part so far.
    """

    def __init__(self) -> None:
        self.spent = dict.fromkeys(PARTS, 0.0)
        self._part, self._since = REST, time.process_time()

    def turn(self, part: str) -> str:
        """From now on it is another part's time; the part that it was is returned."""
        now = time.process_time()
        self.spent[self._part] += now - self._since
        before, self._part, self._since = self._part, part, now
        return before

    def announced(self, what: str) -> None:
        """What a check says when it begins something."""
        told = {COMPARED: COMPARED, OUTLINING: REST}
        self.turn(told.get(what, DISTURBED if "disturbed" in what else RUNS))


@contextlib.contextmanager
def parts() -> Iterator[Clock]:
    """While this is entered, a check's time is told apart.

    Yields:
        The Clock; it stands still once this is left.
    """
    from parity.checking.watch import watched
    from parity.sides.mapped import MappedSide

    clock = Clock()
    plain = {name: getattr(MappedSide, name) for name in CARRYING}
    for name, method in plain.items():
        setattr(MappedSide, name, _timed(method, clock))
    try:
        with watched(clock.announced):
            yield clock
    finally:
        clock.turn(REST)
        for name, method in plain.items():
            setattr(MappedSide, name, method)


def _timed(method: Callable[..., Any], clock: Clock) -> Callable[..., Any]:
    def timed(*arguments: Any) -> Any:
        before = clock.turn(CARRIED)
        try:
            return method(*arguments)
        finally:
            clock.turn(before)

    return timed
