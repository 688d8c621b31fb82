"""Parts of a torch weight that a JAX weight may be: blocks, heads in turn, axes in another order."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.convert.affine import KNOWN, Affine
from parity.convert.numbering import Numbering
from parity.convert.torch_record import Convolution
from parity.convert.values import column_maps, same

Pairs = tuple[np.ndarray, np.ndarray]
"""JAX weights and the torch weights that they are, by number."""


def pattern_of(ids: np.ndarray) -> np.ndarray:
    """Each element as the place where it first stood."""
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    return first[inverse.ravel()]


def turnings(ids: np.ndarray, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """An array in its own order, and in each order of axes that gives a shape."""
    yield ids
    wanted = [n for n in shape if n != 1]
    squeezed = ids.reshape([n for n in ids.shape if n != 1])
    if squeezed.ndim == len(wanted) <= 5:
        for order in itertools.permutations(range(squeezed.ndim)):
            turned = squeezed.transpose(order)
            if list(turned.shape) == wanted and order != tuple(range(squeezed.ndim)):
                yield turned


def paired(own: np.ndarray, theirs: np.ndarray) -> Pairs:
    if own.all():
        return own.ravel(), theirs.ravel()
    held = own != KNOWN
    return own[held], theirs[held]


def chosen_part(array: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Rows and columns of a matrix; a view of it where they follow one another, as those of a whole weight do."""
    index = [slice(int(n[0]), int(n[-1]) + 1) if (np.diff(n) == 1).all() else n for n in (rows, columns)]
    if not any(isinstance(n, slice) for n in index):
        return array[np.ix_(rows, columns)]
    return array[index[0]][:, index[1]]


def spent(ids: np.ndarray, used: np.ndarray) -> bool:
    """Whether all weights of a call are some other weights' partners already."""
    return not ids.size or (bool(used[ids.flat[0]]) and bool(used[ids].all()))


def untouched(ids: np.ndarray, used: np.ndarray) -> bool:
    """Whether no weight of a call is another weight's partner."""
    return not ids.size or (not used[ids.flat[0]] and not used[ids].any())


def joined_leaf(value: Affine, numbering: Numbering) -> Affine | None:
    """The first leaf that stands in an array as it is, beside sums: a class token before the rows of a sequence.

    Nothing but which of its elements repeat where tells such a leaf, and values tell the rest, so it is looked for by
    itself.

    Args:
        value: An array in which weights are wanted.
        numbering: Of them.

    Returns:
        The part of the array that holds the leaf and nothing else; None where there is no such part, or no rest.
    """
    if value.uniform:
        return None
    bare = value.weighted & (value.off == 0.0)
    if not bare.any():
        return None
    leaf = np.where(value.weighted, numbering.leaf(value.ids), -1)
    for which in np.unique(leaf[bare]):
        own = leaf == which
        if bare[own].all() and np.ptp(value.coef[own]) == 0.0:
            box = np.ix_(*(np.unique(places) for places in np.nonzero(own)))
            if own[box].all():
                return Affine(value.coef[box], value.ids[box], value.off[box])
    return None


def as_products(dimensions: Any, operands: list[Any]) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """A dot_general as (batch, n, i) numbers and (batch, i, o) weights, and the shape of o."""
    (left_summed, right_summed), (left_batch, right_batch) = dimensions
    if isinstance(operands[0], Affine):
        weights, numbers = operands[0], np.asarray(operands[1])
        summed, batch, own_summed, own_batch = right_summed, right_batch, left_summed, left_batch
    else:
        numbers, weights = np.asarray(operands[0]), operands[1]
        summed, batch, own_summed, own_batch = left_summed, left_batch, right_summed, right_batch
    rest = [k for k in range(numbers.ndim) if k not in (*summed, *batch)]
    own_rest = [k for k in range(weights.ids.ndim) if k not in (*own_summed, *own_batch)]
    width = int(np.prod([numbers.shape[k] for k in summed], dtype=np.int64))
    batches = int(np.prod([numbers.shape[k] for k in batch], dtype=np.int64))
    out_shape = tuple(weights.ids.shape[k] for k in own_rest)
    factor = weights.coef.flat[0] if weights.alike else weights.coef[weights.ids != KNOWN][0]
    rows = numbers.transpose(*batch, *rest, *summed).reshape(batches, -1, width) * factor
    ids = weights.ids.transpose(*own_batch, *own_summed, *own_rest).reshape(batches, width, -1)
    return rows, ids, out_shape


def channel_map(numbers: np.ndarray, event: Convolution) -> np.ndarray | None:
    """Which input channel of torch's convolution each of the JAX one's is."""
    if numbers.shape == event.inputs.shape and same(numbers, event.inputs):
        return np.arange(numbers.shape[1])
    if numbers.shape != event.inputs.shape or event.groups != 1:
        return None
    own, theirs = (np.moveaxis(a, 1, -1).reshape(-1, a.shape[1]) for a in (numbers, event.inputs))
    return next(column_maps(own, theirs), None)


def leaf_blocks(leaf: np.ndarray) -> int:
    """How many equal blocks of leaves stand side by side; 1 where they are not equal."""
    edges = np.flatnonzero(np.diff(leaf)) + 1
    sizes = np.diff([0, *edges, len(leaf)])
    return len(sizes) if len(set(sizes)) == 1 else 1


def selections(wanted: int, available: int, out_shape: tuple[int, ...], blocks: int) -> Iterator[np.ndarray]:
    """The columns of a torch weight that a JAX weight may be, the most natural first."""
    every = np.arange(available)
    if wanted == available:
        yield every
        if blocks > 1:
            for order in itertools.islice(itertools.permutations(range(blocks)), 1, 24):
                yield every.reshape(blocks, -1)[list(order)].ravel()
        if len(out_shape) > 1:
            yield every.reshape(out_shape[::-1]).transpose().ravel()
        return
    if wanted > available:
        return
    told: set[int] = set()
    for step in (wanted, int(np.gcd(wanted, available))):
        for start in range(0, available - wanted + 1, step):
            if start not in told:
                told.add(start)
                yield every[start : start + wanted]
    if available % wanted == 0:
        parts = available // wanted
        heads = [n for n in out_shape[:1] if len(out_shape) > 1 and wanted % n == 0]
        for count in [*heads, *(h for h in range(2, wanted) if wanted % h == 0 and h not in heads)]:
            for part in range(parts):
                yield every.reshape(count, parts, -1)[:, part].ravel()
        for part in range(parts):
            yield every.reshape(wanted, parts)[:, part]
