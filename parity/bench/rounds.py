"""Timing in turns: warm-up apart, every variant once a round, the median and its quartiles told."""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROUNDS, FEWEST = 15, 3
WARM_UP = 2
SECONDS = 3.0  # that each variant may take in the mean, where FEWEST rounds take no longer
SAMPLE = 1e-3  # seconds that one sample lasts at least: a clock's own reading is then a part in a thousand of it

Clock = Callable[[], float]


@dataclass(frozen=True)
class Spread:
    """What one variant took, in seconds a call.

    Attributes:
        median: Over the rounds.
        low, high: The first and the third quartile.
        rounds: How many there were.
        repeats: Calls in each.
        first: The first call of all, in which what compiles compiles.
    """

    median: float
    low: float
    high: float
    rounds: int
    repeats: int
    first: float

    @property
    def compile(self) -> float:
        """What the first call took beyond a later one."""
        return max(0.0, self.first - self.median)


def spread(samples: list[float], *, repeats: int = 1, first: float = 0.0) -> Spread:
    """The median and the quartiles of samples.

    Examples:
        >>> spread([4.0, 1.0, 2.0, 3.0, 5.0])
        Spread(median=3.0, low=2.0, high=4.0, rounds=5, repeats=1, first=0.0)
    """
    if len(samples) == 1:
        return Spread(samples[0], samples[0], samples[0], 1, repeats, first)
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return Spread(statistics.median(samples), low, high, len(samples), repeats, first)


def take_turns(
    calls: Mapping[str, Callable[[], object]],
    *,
    firsts: Mapping[str, float] | None = None,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    clock: Clock = time.perf_counter,
) -> dict[str, Spread]:
    """Time variants of one thing, each once a round, so that what else the machine does falls on all alike.

    Args:
        calls: Each does the work once and waits for its result.
        firsts: Seconds of each one's first call, where it was made already.
        rounds: How many at most.
        seconds: That a variant may take in the mean; there are fewer rounds where they take longer, three at least.
        clock: Gives seconds.

    Returns:
        A Spread for each.

    Examples:
        >>> ticks = iter(range(1000))
        >>> take_turns({"one": lambda: None}, clock=lambda: float(next(ticks)), seconds=3.0)["one"].median
        1.0
    """
    first = {name: timed(call, 1, clock) for name, call in calls.items()} if firsts is None else firsts
    usual = dict(first)
    for name, call in calls.items():
        for _ in range(WARM_UP):
            usual[name] = timed(call, 1, clock)
            if usual[name] * FEWEST > seconds:
                break  # warm enough: another of the same length tells nothing
    repeats = {name: max(1, math.ceil(SAMPLE / max(took, 1e-9))) for name, took in usual.items()}
    whole = sum(usual[name] * repeats[name] for name in calls)
    many = rounds if whole <= 0 else max(min(FEWEST, rounds), min(rounds, int(seconds * len(calls) / whole)))
    samples: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    for turn in range(many):
        for place in range(len(names)):
            name = names[(place + turn) % len(names)]  # who begins changes
            samples[name].append(timed(calls[name], repeats[name], clock))
    return {name: spread(samples[name], repeats=repeats[name], first=first[name]) for name in names}


def timed(call: Callable[[], object], repeats: int = 1, clock: Clock = time.perf_counter) -> float:
    """Seconds a call, over some calls in a row."""
    start = clock()
    for _ in range(repeats):
        call()
    return (clock() - start) / repeats
