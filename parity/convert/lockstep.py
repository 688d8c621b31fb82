"""Lockstep inference: a JAX model is run operation by operation, its weights found by what torch did with its own."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.convert import jax_arithmetic
from parity.convert.affine import KNOWN, Affine
from parity.convert.candidates import Candidates, told
from parity.convert.jax_steps import Number, Operand, Step, Steps
from parity.convert.mapping_error import Stop
from parity.convert.parts import Pairs, joined_leaf
from parity.convert.progress import Furthest, Mark, State, Unresolved
from parity.convert.values import same

PATIENCE = 60.0
"""Seconds of search, after which it says how far it came. A model whose calls are in another order takes some hundred
restarts of a part, a second or two."""

SPEED = 1e6
"""Weights for each of which a microsecond more is given: a run through a large model takes as long as its weights."""

TIES = 24
"""Choices that stop at one step and are compared by how near their numbers are to torch's: the orders of four gates."""

STALE = 200
"""Choices tried since it last came further than before. The orders of q, k and v in one layer are 6, those of an
LSTM's gates 24, and a wrong one is seen at the next layer."""


class Lockstep:
    """The search.

    Args:
        steps: The JAX model.
        ids: Identities of its weights, one array for each of the program's inputs.
        candidates: What torch did, as places that a JAX weight may come from.
        theta: The value of each torch weight by identity.
        outputs: Torch's outputs.
    """

    def __init__(
        self, steps: Steps, ids: list[np.ndarray], candidates: Candidates, theta: np.ndarray, outputs: list[np.ndarray]
    ) -> None:
        self.steps, self.candidates, self.theta, self.outputs = steps, candidates, theta, outputs
        count = sum(i.size for i in ids)
        self.start = State(
            {v: Affine.weights(i) if i.size else np.zeros(i.shape) for v, i in zip(steps.inputs, ids, strict=True)},
            np.zeros(count + 1, np.int32 if len(theta) + count < 2**31 - 1 else np.int64),
            np.zeros(len(theta), bool),
        )
        self.furthest = Furthest()
        self.patience = PATIENCE + len(theta) / SPEED
        self.last_uses = _last_uses(steps)
        self.attempts = 0
        self._stale = 0
        self._started = 0.0

    def widen(self, own: np.ndarray) -> None:
        """Let weights that torch has nothing for have partners too: themselves, after torch's."""
        self.theta = np.concatenate([self.theta, own])
        if self.furthest.state is not None:
            used = self.furthest.state.used
            self.furthest.state.used = np.concatenate([used, np.zeros(len(own), bool)])

    def search(self, at: int = 0, state: State | None = None) -> Iterator[State]:
        """Every way to the end in which each step found what it needs, the most natural first.

        Args:
            at, state: Where to begin; None for the beginning.

        Yields:
            States at the end; where there is none, `furthest` tells how far it came.
        """
        self._started = time.monotonic()
        self._stale, self.furthest = 0, Furthest()
        pending: list[tuple[int, Mark, Iterator[Pairs]]] = []
        state = self.start.copy() if state is None else state
        while True:
            arrived = self._run(at, state)
            if arrived is None:
                yield state
            else:
                pending.append((arrived[0], state.mark(), arrived[1]))
            next_at = self._next(pending, state)
            if next_at is None:
                return
            at = next_at

    def _next(self, pending: list[tuple[int, Mark, Iterator[Pairs]]], state: State) -> int | None:
        """The latest step that has another choice, with that choice taken in a state taken back to it."""
        while pending and time.monotonic() - self._started < self.patience and self._stale < STALE:
            at, mark, choices = pending[-1]
            state.rewind(mark)
            pairs = next(choices, None)
            if pairs is None:
                pending.pop()
                continue
            self.attempts += 1
            self._stale += 1
            state.assign(pairs)
            return at
        return None

    def _run(self, at: int, state: State) -> tuple[int, Iterator[Pairs]] | None:
        """Steps from one on; None at the end, else the step that has a choice, with the choices."""
        while True:
            try:
                while at < len(self.steps.steps):
                    self._step(self.steps.steps[at], state)
                    state.drop(self.last_uses.get(at, ()))
                    at += 1
                self._finish(state)
            except Unresolved as unresolved:
                choices = (pairs for pairs in unresolved.choices if self.fits(state, pairs))
                first, second = next(choices, None), next(choices, None)
                if first is None:
                    self._stopped(at, state, unresolved)
                    return at, iter(())
                if second is not None:
                    return at, itertools.chain([first, second], choices)
                state.assign(first)
                continue
            return None

    def _step(self, step: Step, state: State) -> None:
        whole = self._raw(step.operands[0], state) if step.name in jax_arithmetic.WHOLE else None
        operands = [self.value(o, state) for o in step.operands[whole is not None :]]
        operands = operands if whole is None else [whole, *operands]
        if not any(isinstance(o, Affine) for o in operands):
            results: list[Any] = jax_arithmetic.evaluate(step.name, step.primitive, step.params, operands)
        else:
            results = self._with_weights(step, operands, state)
        state.values.update(zip(step.results, results, strict=True))

    def value(self, operand: Any, state: State) -> Any:
        if isinstance(operand, Number):
            return operand.value
        value = state.values[operand]
        if not isinstance(value, Affine):
            return value
        found = value.substituted(state.partner, self.theta)
        state.values[operand] = found
        return found

    def _raw(self, operand: Any, state: State) -> Affine | None:
        """Whole weights as they are, for what only moves them, whether they are known or not."""
        value = None if isinstance(operand, Number) else state.values[operand]
        return value if isinstance(value, Affine) and value.alike else None

    def _with_weights(self, step: Step, operands: list[Any], state: State) -> list[Any]:
        results = jax_arithmetic.moved(step.name, step.primitive, step.params, operands)
        if results is None:
            results = _arithmetic(step.name, operands)
        if results is not None:
            if step.name == "gather":
                self._rows(results[0].substituted(state.partner, self.theta), state)
            return results
        if step.name in ("dot_general", "conv_general_dilated"):
            found = self._contraction(step, operands, state)
            if found is not None:
                return [found]
        held = [(o, v) for o, v in zip(operands, step.operands, strict=True) if isinstance(o, Affine)]
        for operand, variable in sorted(held, key=lambda pair: pair[0].uniform):
            self._resolve(operand, state, variable)
        raise AssertionError("a step without unknown weights was not evaluated")

    def _rows(self, value: Affine | np.ndarray, state: State) -> None:
        """Rows that indices ask for: which of them repeat where tells the table, better than a part of them later."""
        if isinstance(value, Affine) and value.uniform and value.weighted.any():
            choices = (pairs for pairs in self.candidates.of_scaling(value, state.used) if self.fits(state, pairs))
            first = next(choices, None)
            if first is not None:
                raise Unresolved(itertools.chain([first], choices), value.ids, "", None)

    def _resolve(self, value: Affine, state: State, variable: Operand | None) -> None:
        what = "what it multiplies or is added to is in no torch layer"
        part = joined_leaf(value, self.candidates.jax)
        value, variable = (value, variable) if part is None else (part, None)
        choices = self.candidates.of_scaling(value, state.used)
        consumed = value, variable if isinstance(variable, int) else None
        raise Unresolved(choices, value.held_ids, what, told(value), consumed)

    def _contraction(self, step: Step, operands: list[Any], state: State) -> np.ndarray | None:
        left, right = operands
        if isinstance(left, Affine) and isinstance(right, Affine):
            return None
        weights = left if isinstance(left, Affine) else right
        if not weights.uniform or (weights.off.flat[0] if weights.alike else weights.off[weights.ids != KNOWN].any()):
            return None
        numbers = np.asarray(right if isinstance(left, Affine) else left)
        if not numbers.any():  # whatever the weights are, as at the first step of a recurrence
            filled = [np.zeros(o.shape) if isinstance(o, Affine) else o for o in operands]
            return jax_arithmetic.evaluate(step.name, step.primitive, step.params, filled)[0]
        choices, rows = self.candidates.of_contraction(step, operands, state.used)
        what = "no torch layer has the input that it is given here"
        raise Unresolved(choices, weights.held_ids, what, rows)

    def fits(self, state: State, pairs: Pairs) -> bool:
        """Whether weights get one partner each that no other has."""
        own, theirs = pairs
        now = state.partner[own]
        if now.any():
            new = now == 0
            if (now[~new] != theirs[~new]).any() or not new.any():
                return False
            own, theirs = own[new], theirs[new]
        if not own.size or state.used[theirs].any():
            return False
        return _function(own, theirs, len(state.partner)) and _function(theirs, own, len(self.theta))

    def _finish(self, state: State) -> None:
        """The outputs; they must be torch's."""
        found = [self.value(o, state) for o in self.steps.outputs]
        for value, variable in zip(found, self.steps.outputs, strict=True):
            if isinstance(value, Affine):
                self._resolve(value, state, variable)
        for own, theirs in zip(found, self.outputs, strict=True):
            if not same(*aligned(np.asarray(own, np.float64), theirs)):
                raise Unresolved(iter(()), np.zeros(0, np.int64), "the outputs differ", np.asarray(own, np.float64))

    def _stopped(self, at: int, state: State, why: Unresolved) -> None:
        mapped = int((state.partner > 0).sum())
        further = (at, mapped) > (self.furthest.step, self.furthest.mapped)
        beside = (at, mapped) == (self.furthest.step, self.furthest.mapped) and self._stale < TIES
        if not further and not beside:
            return
        step = self.steps.steps[at] if at < len(self.steps.steps) else None
        path, shape, gap, weights = self.candidates.nearest(
            step.name if step else "outputs", why.values, state.used, self.outputs
        )
        shapes = tuple(s for s in (shape, None if why.values is None else why.values.shape) if s is not None)
        what = self.candidates.remark[1] if self.candidates.remark else why.what
        sizes = self.candidates.sizes(weights, why.ids)
        stop = Stop(path, self.candidates.jax_place(why.ids), what, shapes, gap, sizes)
        if further:
            self._stale = 0
        elif self.furthest.stop is None or not gap < self.furthest.stop.difference:
            return  # of two that stop at one step, the one whose numbers are nearer to torch's is kept
        self.furthest = Furthest(at, mapped, stop, state.copy(), why)


def _function(numbers: np.ndarray, values: np.ndarray, count: int) -> bool:
    """Whether each number, below a count, has one value wherever it stands."""
    held = np.zeros(count, values.dtype)  # of which only the places that are written to take memory
    held[numbers] = values
    return bool((held[numbers] == values).all())


def aligned(own: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A JAX output in torch's axes: as it is, or channels moved to the front; arrays that differ where neither fits."""
    if own.shape == theirs.shape:
        return own, theirs
    if own.ndim == theirs.ndim > 2 and np.moveaxis(own, -1, 1).shape == theirs.shape:
        return np.moveaxis(own, -1, 1), theirs
    return np.zeros(1), np.ones(1)


def _last_uses(steps: Steps) -> dict[int, list[int]]:
    """Variables by the step after which nothing asks for them any more, so that a deep model's are not all kept."""
    last = {operand: at for at, step in enumerate(steps.steps) for operand in step.operands if isinstance(operand, int)}
    last |= {result: at for at, step in enumerate(steps.steps) for result in step.results if result not in last}
    found: dict[int, list[int]] = {}
    for variable, at in last.items():
        if variable not in steps.outputs:
            found.setdefault(at, []).append(variable)
    return found


def _arithmetic(name: str, operands: list[Any]) -> list[Any] | None:
    """What keeps each element one weight times a number plus a number."""
    affine = [isinstance(o, Affine) for o in operands]
    if name == "neg":
        return [operands[0].scaled(np.float64(-1.0))]
    if name == "mul" and not all(affine):
        return [operands[0].scaled(operands[1]) if affine[0] else operands[1].scaled(operands[0])]
    if name == "div" and affine == [True, False]:
        return [operands[0].scaled(1.0 / np.asarray(operands[1]))]
    if name in ("add", "add_any", "sub"):
        left, right = operands
        if name == "sub":
            right = right.scaled(np.float64(-1.0)) if affine[1] else -np.asarray(right)
        if all(affine):
            both = left.plus(right) if left.shape == right.shape else None
            return None if both is None else [both]
        return [left.shifted(right) if affine[0] else right.shifted(left)]
    return None
