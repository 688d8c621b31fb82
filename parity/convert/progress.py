"""How far a run in lockstep has come, and what it lacks where it stops."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.convert.affine import Affine
from parity.convert.mapping_error import Stop
from parity.convert.parts import Pairs


@dataclass(frozen=True)
class Mark:
    """A place that a state can be taken back to: the values of variables then, and how many assignments there were."""

    values: dict[int, Any]
    assigned: int


@dataclass
class State:
    """How far a run has come.

    There is one of a search, which is taken back where another choice is tried: the partners of a large model's weights
    are too many to be copied at each.

    Attributes:
        values: Of variables that something still asks for.
        partner: The torch weight that each JAX weight is, by number; 0 where that is not known.
        used: Whether a torch weight is some JAX weight's.
        assigned: The pairs in the order in which they were assigned.
    """

    values: dict[int, Any]
    partner: np.ndarray
    used: np.ndarray
    assigned: list[Pairs] = field(default_factory=list)

    def copy(self) -> "State":
        """One that goes another way; its assignments stand."""
        return State(dict(self.values), self.partner.copy(), self.used.copy())

    def assign(self, pairs: Pairs) -> None:
        """Let weights be partners; those that are already stay so."""
        own, theirs = pairs
        new = self.partner[own] == 0
        if not new.all():
            own, theirs = own[new], theirs[new]
        self.partner[own] = theirs
        self.used[theirs] = True
        self.assigned.append((own, theirs))

    def drop(self, variables: Iterable[int]) -> None:
        """Forget values that nothing asks for any more."""
        for variable in variables:
            self.values.pop(variable, None)

    def mark(self) -> Mark:
        """Here."""
        return Mark(dict(self.values), len(self.assigned))

    def rewind(self, mark: Mark) -> None:
        """Back to a place where it was."""
        self.values = dict(mark.values)
        while len(self.assigned) > mark.assigned:
            own, theirs = self.assigned.pop()
            self.partner[own] = 0
            self.used[theirs] = False


class Unresolved(Exception):
    """A step needs weights that are not known; it carries the ways to choose them."""

    def __init__(
        self,
        choices: Iterator[Pairs],
        ids: np.ndarray,
        what: str,
        values: np.ndarray | None,
        consumed: tuple[Affine, int | None] | None = None,
    ) -> None:
        self.choices, self.ids, self.what, self.values = choices, ids, what, values
        # What holds the weights, where something consumes them other than a contraction, and its variable.
        self.value: Affine | None = consumed[0] if consumed else None
        self.variable: int | None = consumed[1] if consumed else None


@dataclass
class Furthest:
    """The step that the best attempt stopped at, or the proof that its end failed.

    Attributes:
        step, mapped: Which step, and how many weights were known.
        stop: What is told of it.
        state, why: The run there, and what it lacked.
        proof: Of an end that could not be proven.
    """

    step: int = -1
    mapped: int = 0
    stop: Stop | None = None
    state: State | None = None
    why: Unresolved | None = None
    proof: Any = None

    @property
    def partner(self) -> np.ndarray | None:
        return None if self.state is None else self.state.partner
