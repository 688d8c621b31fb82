"""Past a stop: where JAX computes something else, torch's numbers are put in its place, and the search goes on."""

from dataclasses import replace

import numpy as np

from parity.convert import jax_arithmetic
from parity.convert.affine import KNOWN, Affine
from parity.convert.guesses import UNLIKE, Guess, of_contraction, of_leaf, of_scaling
from parity.convert.lockstep import Lockstep
from parity.convert.mapping_error import Stop
from parity.convert.progress import State, Unresolved

STOPS = 64
"""Places that are passed at most: a model that differs in more is another model."""

LATER = 0.5
"""What each compatible torch call that would be passed over adds to the distance of a later one, as a share of it."""


def go_on(search: Lockstep, own: np.ndarray) -> tuple[State, tuple[Stop, ...]] | None:
    """Take a search that has stopped to the end.

    At each stop the torch call that comes nearest in its numbers, in the order of execution and in the module that
    it belongs to is taken for the JAX step's, and JAX goes on with torch's numbers, exact again: so that the next stop
    is the next fault. What comes out is no proven map; each layer alone, fed torch's input, proves its part of it.

    Args:
        search: Stopped; it is used up.
        own: The value of each JAX weight by number, for those that torch has nothing for.

    Returns:
        (the state at the end, what stopped it on the way), or None where some step has no torch call of its shape.
    """
    search.widen(own)
    stops: list[Stop] = []
    while len(stops) < STOPS:
        furthest = search.furthest
        if furthest.state is None or furthest.why is None or furthest.stop is None:
            return None
        stops.append(furthest.stop)
        state = furthest.state.copy()
        if furthest.step >= len(search.steps.steps) and not furthest.why.ids.size:
            return state, tuple(stops)
        before = state.partner.copy()
        following = _passed(search, furthest.step, state, furthest.why)
        if following is None:
            return None
        taken = search.candidates.torch.names_of(_torch_ids(search, state.partner[state.partner != before]))
        stops[-1] = replace(furthest.stop, torch_path=taken[0].rpartition(".")[0] if taken else "")
        done = next(search.search(following, state), None)
        if done is not None:
            return done, tuple(stops)
    return None


def _torch_ids(search: Lockstep, partners: np.ndarray) -> np.ndarray:
    return partners[partners <= search.candidates.torch.count]


def _passed(search: Lockstep, at: int, state: State, why: Unresolved) -> int | None:
    """Choose for the step that is stuck, in place; the step to go on with."""
    if why.value is not None:
        if why.value.uniform and _settled_beside(search, state, why.value):
            return at
        guess = _best(search, state, why.value.ids, list(of_scaling(search.candidates, why.value, state)))
        if guess is None:
            fallback = list(of_leaf(search.candidates, why.value, state))
            guess = _best(search, state, why.value.ids, fallback)
        if guess is None:
            _alone(search, state, why.value.ids)
            return at
        state.assign(guess.pairs)
        if guess.put is not None and why.variable is not None:
            state.values[why.variable] = guess.put[1]
        return at
    step = search.steps.steps[at]
    operands = [search.value(o, state) for o in step.operands]
    weights = next(o for o in operands if isinstance(o, Affine))
    guess = _best(search, state, weights.ids, list(of_contraction(search, step, operands, state)))
    if guess is None:
        return None
    state.assign(guess.pairs)
    if guess.result is not None:
        state.values[step.results[0]] = guess.result
        return at + 1
    return at if guess.put is None else _evaluated(search, at, state, guess.put)


def _evaluated(search: Lockstep, at: int, state: State, put: tuple[int, np.ndarray]) -> int:
    step = search.steps.steps[at]
    operands = [search.value(o, state) for o in step.operands]
    operands[put[0]] = put[1]
    if any(isinstance(o, Affine) for o in operands):
        return at  # a part of the weights is not known yet; the step looks for it again
    results = jax_arithmetic.evaluate(step.name, step.primitive, step.params, operands)
    state.values.update(zip(step.results, results, strict=True))
    return at + 1


def _best(search: Lockstep, state: State, ids: np.ndarray, guesses: list[Guess]) -> Guess | None:
    """The guess that fits best, by distance, by order, and by the module that the JAX module's other weights are in."""
    theirs = search.candidates.torch
    beside = _modules_beside(search, state, ids)
    best: tuple[float, Guess] | None = None
    rank = 0
    for guess in guesses:
        if not search.fits(state, guess.pairs):
            continue
        modules = {n.rpartition(".")[0] for n in theirs.names_of(guess.ids.ravel())}
        kin = bool(beside & modules)
        order = 1.0 if kin else 1.0 + LATER * rank  # inside of one module the numbers alone decide
        likely = (guess.distance + 1e-9) * order * (1.0 if not beside else 0.1 if kin else 10.0)
        rank += 1
        if len(beside) == 1 and not kin and guess.distance > UNLIKE:
            continue
        if best is None or likely < best[0]:
            best = likely, guess
    return None if best is None else best[1]


def _modules_beside(search: Lockstep, state: State, ids: np.ndarray) -> set[str]:
    """The torch modules of those weights that the same JAX module holds and that are known."""
    own, theirs = search.candidates.jax, search.candidates.torch
    parents = {n.rpartition(".")[0] for n in own.names_of(ids[ids != KNOWN])}
    found: set[str] = set()
    for name in own.names:
        if name.rpartition(".")[0] in parents:
            partners = state.partner[own.ids[name]]
            partners = partners[(partners > 0) & (partners <= theirs.count)]
            found |= {n.rpartition(".")[0] for n in theirs.names_of(partners)}
    return found


def _settled_beside(search: Lockstep, state: State, value: Affine) -> bool:
    """Whether a weight of the same module is waiting whose numbers tell it exactly, and now is known."""
    own = search.candidates.jax
    parents = {n.rpartition(".")[0] for n in own.names_of(value.weighted_ids)}
    for variable in list(state.values):
        waiting = search.value(variable, state)
        if not isinstance(waiting, Affine) or waiting.uniform:
            continue
        if not parents & {n.rpartition(".")[0] for n in own.names_of(waiting.weighted_ids)}:
            continue
        for pairs in search.candidates.of_scaling(waiting, state.used):
            if search.fits(state, pairs):
                state.assign(pairs)
                return True
    return False


def _alone(search: Lockstep, state: State, ids: np.ndarray) -> None:
    """Weights that torch has nothing for keep their own values."""
    own = np.unique(ids[ids != KNOWN])
    own = own[state.partner[own] == 0]
    state.partner[own] = search.candidates.torch.count + own
