"""Past a stop: where JAX computes something else, torch's numbers are put in its place, and the search goes on."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.convert import jax_arithmetic
from parity.convert.affine import KNOWN, Affine
from parity.convert.candidates import Candidates
from parity.convert.lockstep import Lockstep, State, Unresolved
from parity.convert.mapping_error import Stop
from parity.convert.parts import Pairs, as_products, paired, selections, turnings
from parity.convert.torch_events import Convolution
from parity.convert.values import rearrangements

STOPS = 64
"""Places that are passed at most: a model that differs in more is another model."""

UNLIKE = 0.5
"""Relative distance from which on numbers are not taken for a torch layer's by themselves."""

PART = 3.0
"""Times by which the distance counts where a part of a torch weight is taken, and not the whole."""

LATER = 0.5
"""What each compatible torch call that would be passed over adds to the distance of a later one, as a share of it."""


@dataclass(frozen=True)
class Guess:
    """What a step that found nothing exact may stand for.

    Attributes:
        distance: Between what JAX has here and what torch has, relative.
        pairs: JAX weights and torch weights.
        put: JAX's operand with torch's numbers, by its place among the operands; nothing where shapes differ.
        result: The step's result with torch's numbers, where that is known at once.
        ids: Of the torch call.
    """

    distance: float
    pairs: Pairs
    put: tuple[int, np.ndarray] | None
    result: np.ndarray | None
    ids: np.ndarray


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
        guess = _best(search, state, why.value.ids, list(_of_scaling(search.candidates, why.value, state)))
        if guess is None:
            fallback = list(_of_leaf(search.candidates, why.value, state))
            guess = _best(search, state, why.value.ids, fallback)
        if guess is None:
            _alone(search, state, why.value.ids)
            return at
        search.assign(state, guess.pairs)
        if guess.put is not None and why.variable is not None:
            state.values[why.variable] = guess.put[1]
        return at
    step = search.steps.steps[at]
    operands = [search.value(o, state) for o in step.operands]
    weights = next(o for o in operands if isinstance(o, Affine))
    guess = _best(search, state, weights.ids, list(_of_contraction(search, step, operands, state)))
    if guess is None:
        return None
    search.assign(state, guess.pairs)
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
        likely = (guess.distance + 1e-9) * (1.0 + LATER * rank) * (1.0 if not beside else 0.1 if kin else 10.0)
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
                search.assign(state, pairs)
                return True
    return False


def _alone(search: Lockstep, state: State, ids: np.ndarray) -> None:
    """Weights that torch has nothing for keep their own values."""
    own = np.unique(ids[ids != KNOWN])
    own = own[state.partner[own] == 0]
    state.partner[own] = search.candidates.torch.count + own


def _of_scaling(candidates: Candidates, value: Affine, state: State) -> Iterator[Guess]:
    """Torch's scales and shifts of as many elements."""
    events = candidates.plain if value.uniform else [e for e, _ in candidates.scalings]
    for event in events:
        theirs = event.value
        if theirs.ids.size != value.ids.size or state.used[theirs.weighted_ids].all():
            continue
        laid: list[tuple[float, np.ndarray]] = []
        for order in turnings(np.arange(theirs.ids.size).reshape(theirs.shape), value.shape):
            index = order.reshape(value.shape)
            coef, off = theirs.coef.ravel()[index], theirs.off.ravel()[index]
            gap = _apart(value.coef, coef) + (_unequal(value, theirs) if value.uniform else _apart(value.off, off))
            if _one_to_one(value.ids, theirs.ids.ravel()[index]):
                laid.append((gap, index))
        if not laid:
            continue
        near = _likeliest(laid)
        coef, ids, off = (a.ravel()[near[1]] for a in (theirs.coef, theirs.ids, theirs.off))
        numbers = coef * candidates.theta[ids] + off
        yield Guess(near[0], paired(value.ids, ids), (0, numbers), None, theirs.weighted_ids)


def _of_leaf(candidates: Candidates, value: Affine, state: State) -> Iterator[Guess]:
    """Where the arrays have other shapes: a torch leaf of the JAX leaf's shape that stands in an event of this kind."""
    names = candidates.jax.names_of(value.weighted_ids)
    if len(names) != 1:
        return
    own = candidates.jax.ids[names[0]]
    for event in (*candidates.plain, *(e for e, _ in candidates.scalings)):
        for name in candidates.torch.names_of(event.value.weighted_ids):
            ids = candidates.torch.ids[name]
            if ids.shape == own.shape and not state.used[ids].any():
                gap = abs(float(np.mean(event.value.coef)) - float(np.mean(value.coef)))
                yield Guess(UNLIKE * gap / (1.0 + gap), (own.ravel(), ids.ravel()), None, None, ids)


def _of_contraction(search: Lockstep, step: Any, operands: list[Any], state: State) -> Iterator[Guess]:
    if step.name == "conv_general_dilated":
        yield from _of_convolution(search, step, operands, state)
        return
    numbers, ids, out_shape = as_products(step.params["dimension_numbers"], operands)
    held = [k for k in range(len(ids)) if (ids[k] != KNOWN).any() and numbers[k].any()]
    if not held:
        return
    candidates, rows, own = search.candidates, numbers[held[0]], ids[held[0]]
    for event, _ in candidates.products:
        if event.inputs.shape[1] != rows.shape[1] or state.used[event.ids].all():
            continue
        matched = _rows(rows, event.inputs)
        gap, columns = _likeliest([(_apart(rows, matched[:, order]), order) for order in _orders(rows.shape[1])])
        put = None
        if len(ids) == 1 and matched.shape == rows.shape:
            put = _as_operand(step, operands, matched[:, columns])
        for chosen in selections(own.shape[1], event.ids.shape[1], out_shape, 1):
            theirs = event.ids[np.ix_(columns, chosen)]
            if not state.used[theirs].any():
                part = 1.0 if len(chosen) == event.ids.shape[1] else PART
                yield Guess(gap * part, paired(own, theirs), put, None, theirs)
                break
    yield from _side_by_side(search, step, operands, rows, own, state)


def _side_by_side(
    search: Lockstep, step: Any, operands: list[Any], rows: np.ndarray, own: np.ndarray, state: State
) -> Iterator[Guess]:
    """Torch calls with one input, one after the other in one JAX call."""
    groups: dict[bytes, list[Any]] = {}
    for event, _ in search.candidates.products:
        narrow = event.inputs.shape[1] == rows.shape[1] and event.ids.shape[1] < own.shape[1]
        if narrow and not state.used[event.ids].any():
            groups.setdefault(event.inputs.tobytes(), []).append(event)
    for events in groups.values():
        for start in range(len(events)):
            for stop in range(start + 2, len(events) + 1):
                theirs = np.concatenate([e.ids for e in events[start:stop]], axis=1)
                if theirs.shape == own.shape:
                    matched = _rows(rows, events[start].inputs)
                    put = _as_operand(step, operands, matched) if matched.shape == rows.shape else None
                    yield Guess(_apart(rows, matched), paired(own, theirs), put, None, theirs)


def _of_convolution(search: Lockstep, step: Any, operands: list[Any], state: State) -> Iterator[Guess]:
    dims = step.params["dimension_numbers"]
    if not isinstance(operands[1], Affine):
        return
    numbers = np.asarray(operands[0]).transpose(dims.lhs_spec)
    ids = operands[1].ids.transpose(dims.rhs_spec)
    back = np.argsort(dims.rhs_spec)
    for event in search.candidates.convolutions:
        if event.ids.shape != ids.shape or state.used[event.ids].any():
            continue
        channels = _channels(numbers, event)
        theirs = event.ids[:, channels]
        weights = search.theta[theirs].transpose(back) * operands[1].coef.flat[0]
        (found,) = jax_arithmetic.evaluate(step.name, step.primitive, step.params, [operands[0], weights])
        shape = np.asarray(found).transpose(dims.out_spec).shape
        result = event.outputs.transpose(np.argsort(dims.out_spec)) if shape == event.outputs.shape else found
        gap = _apart(numbers, event.inputs[:, channels] if event.groups == 1 else event.inputs)
        yield Guess(gap, paired(ids, theirs), None, np.asarray(result), theirs)


def _channels(numbers: np.ndarray, event: Convolution) -> np.ndarray:
    every = np.arange(event.ids.shape[1])
    if event.groups != 1 or numbers.shape != event.inputs.shape:
        return every
    return _likeliest([(_apart(numbers, event.inputs[:, order]), order) for order in _orders(len(every))])[1]


def _likeliest(laid: list[tuple[float, np.ndarray]]) -> tuple[float, np.ndarray]:
    """The first order, as the numbers lie; another only where it is near, and much nearer: chance makes none so."""
    first, best = laid[0], min(laid, key=lambda pair: pair[0])
    return best if best[0] < UNLIKE / 2 and best[0] < first[0] / 2 else first


def _orders(count: int) -> list[np.ndarray]:
    """An axis as it is, and as its factors in another order."""
    return [np.arange(count), *rearrangements(count)] if count <= 4096 else [np.arange(count)]


def _rows(rows: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Torch's rows beside JAX's: one for one, or of more of them the nearest to each."""
    if len(rows) >= len(theirs):
        return theirs
    nearest = [int(np.argmin(np.square(theirs - row).sum(1))) for row in rows]
    return theirs[nearest]


def _as_operand(step: Any, operands: list[Any], rows: np.ndarray) -> tuple[int, np.ndarray]:
    """Rows of a product, laid out as the operand that they stand in place of."""
    (left_summed, right_summed), (left_batch, right_batch) = step.params["dimension_numbers"]
    place = 1 if isinstance(operands[0], Affine) else 0
    summed, batch = ((left_summed, left_batch), (right_summed, right_batch))[place]
    numbers, weights = np.asarray(operands[place]), operands[1 - place]
    rest = [k for k in range(numbers.ndim) if k not in (*summed, *batch)]
    order = [*batch, *rest, *summed]
    factor = weights.coef[weights.ids != KNOWN][0]
    laid = rows.reshape([numbers.shape[k] for k in order]).transpose(np.argsort(order)) / factor
    return place, laid


def _one_to_one(own: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether each weight stands with one weight of the other side, and nothing with nothing."""
    both = np.unique(np.stack([own.ravel(), theirs.ravel()]), axis=1)
    return all(len(np.unique(row)) == both.shape[1] for row in both)


def _unequal(own: Affine, theirs: Affine) -> float:
    """Of one number that is added to all weights, such as an epsilon: how far it is from another, of its own sign."""
    first, second = (float(v.off[v.weighted].flat[0]) for v in (own, theirs))
    if first == second:
        return 0.0
    orders = abs(np.log10(first / second)) if first * second > 0.0 else 10.0
    return float(orders / (2.0 + orders))


def _apart(own: np.ndarray, theirs: np.ndarray) -> float:
    """Relative distance of two arrays; 2 where they cannot be compared, or are as far apart as opposites."""
    if own.shape != theirs.shape:
        return 2.0
    finite = np.isfinite(own) & np.isfinite(theirs)
    size = float(np.linalg.norm(theirs[finite])) + float(np.linalg.norm(own[finite]))
    lost = 1.0 - float(finite.mean()) if finite.size else 0.0
    return min(2.0, 2.0 * float(np.linalg.norm(own[finite] - theirs[finite])) / size + lost) if size else lost
