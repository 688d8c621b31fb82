"""Random numbers made once on the host and replayed into both sides: the same masks, noise and shuffles in each.

Each draw of a run gets numbers that depend on the seed and on its place in the order of execution alone. Where both
sides draw the same things in the same order they get the same numbers; where they do not, that is a finding.
"""

import contextlib
import itertools
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from parity.sides.tape import Draw, Tape
from parity.trace import Trace

SEED = 0
"""Where no seed was asked for: without one each run would have draws of its own."""

_ACTIVE: list["Replay"] = []
_ONE_AT_A_TIME = threading.RLock()  # the frameworks' functions are replaced for every thread
_NUMBERS = itertools.count(1)


class Replay:
    """One seed's random numbers for both sides of a check, and what each side drew.

    Args:
        seed: A non-negative integer.

    Raises:
        ValueError: If it is negative.

    Examples:
        >>> import torch, jax
        >>> replay = Replay(0)
        >>> with replay.on("torch"):
        ...     kept = torch.bernoulli(torch.full((2, 8), 0.5))
        >>> with replay.on("jax"):
        ...     mask = jax.random.bernoulli(jax.random.key(7), 0.5, (2, 8))
        >>> bool((kept.bool().numpy() == mask).all()), replay.parted()
        (True, None)
    """

    def __init__(self, seed: int) -> None:
        if seed < 0:
            raise ValueError(f"replay: the seed is {seed}, wanted 0 or more")
        self.seed = seed
        self.draws: dict[str, tuple[Draw, ...]] = {}
        self.number = next(_NUMBERS)

    @contextlib.contextmanager
    def on(self, framework: str) -> Iterator[Tape]:
        """Serve every draw of one framework from the host, from the first one again.

        NumPy's and Python's own global generators are seeded too, and put back afterwards. What runs inside is a
        function that `replayable` has wrapped.

        Args:
            framework: "torch" or "jax".

        Yields:
            The Tape of this run.

        Raises:
            Unreplayable: From inside, at a draw that cannot be served.
        """
        tape = Tape(self.seed)
        with _ONE_AT_A_TIME, _host_generators_kept(), _served(framework, tape):
            tape.restart()
            _ACTIVE.append(self)
            try:
                yield tape
            finally:
                _ACTIVE.pop()
        # A program that was compiled before draws nothing when it runs again; the first run of a side has told all.
        if tape.draws:
            self.draws.setdefault(framework, tuple(tape.draws))

    def parted(self) -> str | None:
        """Where the sides drew different things, or None: the place, rate or order of a dropout, a missing one.

        Returns:
            One sentence that names both draws, torch first.
        """
        torch, jax = self.draws.get("torch", ()), self.draws.get("jax", ())
        for place, (left, right) in enumerate(zip(torch, jax, strict=False)):
            what = _difference(left, right)
            if what:
                return f"random draw {place} differs in its {what}: torch draws {left}, jax {right}"
        if len(torch) == len(jax):
            return None
        shorter = min(len(torch), len(jax))
        side, extra = ("torch", torch[shorter]) if len(torch) > shorter else ("jax", jax[shorter])
        return (
            f"torch draws random numbers {len(torch)} times, jax {len(jax)} times; "
            f"without a partner is draw {shorter} of {side}: {extra}"
        )


class ReplayedSide:
    """A side whose every run is served by a Replay, from the first draw.

    Args:
        side: A TorchSide, or a JaxSide of a function that `replayable` has wrapped.
        replay: The numbers; both sides of a check share one.
    """

    def __init__(self, side: Any, replay: Replay) -> None:
        self.side = side
        self.replay = replay
        self.framework: str = side.framework

    def run(self, inputs: dict[str, Any], **options: Any) -> Trace:
        """As the side's own."""
        with self.replay.on(self.framework):
            return self.side.run(inputs, **options)

    def disturbed(self, inputs: dict[str, Any], size: float, seed: int, **options: Any) -> Trace:
        """As the side's own; the masks stay as they are."""
        with self.replay.on(self.framework):
            return self.side.disturbed(inputs, size, seed, **options)


def replayable(framework: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A side's function, made ready to be run while draws are served.

    Torch runs as it is. JAX may evaluate a function more than once in a run, and traces the body of a loop only once;
    while draws are served each evaluation starts from the first draw, and Python runs the loops and the inner jits
    (`jax.disable_jit`), so that each turn draws anew.

    Args:
        framework: "torch" or "jax".
        function: Of its arrays.

    Returns:
        A function of the same arguments, which does the same where nothing is served.
    """
    if framework == "torch":
        return function
    from parity.sides.jax_replay import evaluated

    return evaluated(function)


def active() -> int | None:
    """The number of the Replay that is on, or None: a compiled program with masks in it belongs to one of them."""
    return _ACTIVE[-1].number if _ACTIVE else None


def _difference(left: Draw, right: Draw) -> str | None:
    if left.kind != right.kind:
        return "kind"
    if not _same_order(left.shape, right.shape):
        return "shape"
    given = bool(left.parameters and right.parameters)
    # Half of float32's digits: a probability may have been computed, but a rate of 0.1 is not one of 0.1001.
    if given and not np.allclose(left.parameters, right.parameters, rtol=1e-6, atol=0.0):
        return "probability" if left.kind == "bernoulli" else "range"
    return None


def _same_order(left: tuple[int, ...], right: tuple[int, ...]) -> bool:
    """Whether two shapes hold the same numbers in the same order: one only splits the other's axes, or adds ones."""
    cuts = [set(itertools.accumulate((n for n in shape if n != 1), int.__mul__)) for shape in (left, right)]
    whole = [int(np.prod(shape)) for shape in (left, right)]
    return whole[0] == whole[1] and (cuts[0] <= cuts[1] or cuts[1] <= cuts[0])


def _served(framework: str, tape: Tape) -> contextlib.AbstractContextManager[object]:
    if framework == "torch":
        from parity.sides.torch_replay import TorchReplay

        return TorchReplay(tape)
    from parity.sides.jax_replay import served

    return served(tape)


@contextlib.contextmanager
def _host_generators_kept() -> Iterator[None]:
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
