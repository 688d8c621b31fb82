"""What a JAX step that has no torch call's numbers may stand for: torch calls of its shape, by distance."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.convert import jax_arithmetic
from parity.convert.affine import KNOWN, Affine
from parity.convert.candidates import Candidates
from parity.convert.lockstep import Lockstep
from parity.convert.parts import (
    Pairs,
    as_products,
    chosen_part,
    paired,
    selections,
    spent,
    turnings,
    untouched,
)
from parity.convert.progress import State
from parity.convert.torch_record import Convolution
from parity.convert.values import rearrangements

UNLIKE = 0.5
"""Relative distance from which on numbers are not taken for a torch layer's by themselves."""

PART = 3.0
"""Times by which the distance counts where a part of a torch weight is taken, and not the whole."""


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


def of_scaling(candidates: Candidates, value: Affine, state: State) -> Iterator[Guess]:
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


def of_leaf(candidates: Candidates, value: Affine, state: State) -> Iterator[Guess]:
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


def of_contraction(search: Lockstep, step: Any, operands: list[Any], state: State) -> Iterator[Guess]:
    """Torch's products or convolutions for a JAX one, in order, with torch's numbers as operand or result."""
    if step.name == "conv_general_dilated":
        yield from _of_convolution(search, step, operands, state)
        return
    numbers, ids, out_shape = as_products(step.params["dimension_numbers"], operands)
    held = [k for k in range(len(ids)) if (ids[k] != KNOWN).any() and numbers[k].any()]
    if not held:
        return
    candidates, rows, own = search.candidates, numbers[held[0]], ids[held[0]]
    for event, _ in candidates.products:
        if event.inputs.shape[1] != rows.shape[1] or spent(event.ids, state.used):
            continue
        matched = _rows(rows, event.inputs)
        gap, columns = _likeliest([(_apart(rows, matched[:, order]), order) for order in _orders(rows.shape[1])])
        put = None
        if len(ids) == 1 and matched.shape == rows.shape:
            put = _as_operand(step, operands, matched[:, columns])
        for chosen in selections(own.shape[1], event.ids.shape[1], out_shape, 1):
            theirs = chosen_part(event.ids, columns, chosen)
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
        if narrow and untouched(event.ids, state.used):
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
        if event.ids.shape != ids.shape or not untouched(event.ids, state.used):
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
