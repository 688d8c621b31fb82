"""How far a run in lockstep has come, and what it lacks where it stops."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.convert.affine import Affine
from parity.convert.mapping_error import Stop
from parity.convert.parts import Pairs


@dataclass
class State:
    """How far a run has come: the values of variables, and the partner of each JAX weight."""

    values: dict[int, Any]
    partner: np.ndarray
    used: np.ndarray

    def copy(self) -> "State":
        return State(dict(self.values), self.partner.copy(), self.used.copy())


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
