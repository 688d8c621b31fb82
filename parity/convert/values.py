"""Numbers found among numbers: under random weights a value says where it comes from, whatever the axes' order."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from parity.convert.affine import KNOWN, Affine

ALIKE = 2.0**-30
"""Values whose relative difference is below this are one number. It only proposes: rounding at float64 differs by 2^-53
times some thousand, float32's by 2^-24; what is returned is judged by the proof."""

ROWS = 12
"""Rows that a column is told apart by."""

SHIFT = 0.618033988749895


class Index:
    """The elements of a scaling by what multiplies and what is added.

    Args:
        value: Weights times numbers plus numbers.
    """

    def __init__(self, value: Affine) -> None:
        self.value = value
        self._ids = value.ids[value.weighted]
        self._keys = keys(value)

    @cached_property
    def _sorted(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        order = np.argsort(self._keys, kind="stable")
        ids = self._ids[order]
        return self._keys[order], ids, np.concatenate([[0], np.cumsum(ids[1:] != ids[:-1])])

    @property
    def size(self) -> int:
        return len(self._keys)

    def find(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which weight stands with each key.

        Returns:
            (its identity, or KNOWN where no element has that key; whether elements of several weights have it).
        """
        if not self.size:
            return np.full(wanted.shape, KNOWN), np.zeros(wanted.shape, bool)
        known, ids, runs = self._sorted
        margin = ALIKE * (np.abs(wanted) + scale(known))
        low, high = np.searchsorted(known, wanted - margin), np.searchsorted(known, wanted + margin, side="right")
        found = high > low
        low, last = np.minimum(low, len(known) - 1), np.maximum(high - 1, 0)
        return np.where(found, ids[low], KNOWN), found & (runs[low] != runs[last])


def keys(value: Affine) -> np.ndarray:
    """One number for each weight in an array, which tells it from others wherever they stand.

    c w + o = c (w + o / c): the ratio, which a scale that is applied before or after does not change; where it is the
    same for all, as in x w or in x (1 + w), the coefficient.
    """
    held = value.weighted
    ratio = value.off[held] / value.coef[held]
    if ratio.size and same(ratio, np.full(ratio.shape, ratio[0])):
        return value.coef[held] + SHIFT * ratio
    return ratio


def scale(values: np.ndarray) -> float:
    """Root mean square; 0 of nothing."""
    return float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0


def same(left: np.ndarray, right: np.ndarray) -> bool:
    """Whether two arrays of one shape are the same numbers but for rounding."""
    return bool((np.abs(left - right) <= ALIKE * (scale(right) + np.abs(right))).all())


def distance(left: np.ndarray, right: np.ndarray) -> float:
    """Largest difference between the sorted values of two arrays of one size; infinity where the sizes differ."""
    if left.size != right.size or not left.size:
        return np.inf
    return float(np.abs(np.sort(left, axis=None) - np.sort(right, axis=None)).max())


class Rows:
    """Rows of numbers that can be found again when the numbers of each stand in another order.

    Args:
        rows: (n, i).
    """

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows
        self.prints = np.stack([rows.sum(1), np.square(rows).sum(1), (rows**3).sum(1)], axis=1)
        self.order = np.argsort(self.prints[:, 0], kind="stable")
        self.sorted = self.prints[self.order]

    def find(self, others: "Rows") -> tuple[np.ndarray, np.ndarray] | None:
        """Rows of another matrix among these.

        Returns:
            (the largest of the others' rows, ROWS at most; these rows that hold the same numbers); None where a row
            that is not zero is not here.
        """
        if self.rows.shape[1] != others.rows.shape[1]:
            return None
        width = ALIKE * others.rows.shape[1]
        margin = width * (scale(self.rows) + np.abs(others.prints))
        low = np.searchsorted(self.sorted[:, 0], others.prints[:, 0] - margin[:, 0])
        left: list[int] = []
        right: list[int] = []
        for k in np.argsort(-np.abs(others.rows).sum(1), kind="stable"):
            if not others.rows[k].any():
                continue
            at = int(low[k])
            while at < len(self.sorted) and (np.abs(self.sorted[at] - others.prints[k]) > margin[k]).any():
                if self.sorted[at, 0] > others.prints[k, 0] + margin[k, 0]:
                    return None
                at += 1
            if at == len(self.sorted):
                return None
            left.append(int(k))
            right.append(int(self.order[at]))
        return np.array(left[:ROWS], int), np.array(right[:ROWS], int)


def column_maps(rows: np.ndarray, others: np.ndarray) -> Iterator[np.ndarray]:
    """Which column of `others` each column of `rows` is, given rows that hold the same numbers pairwise.

    Columns that no row tells apart, such as those of units that are off in every row, are placed by the axis pattern
    that the others follow.

    Args:
        rows, others: (k, i) each.

    Yields:
        Maps of the columns, the most natural first.
    """
    count = rows.shape[1]
    if same(rows, others):
        yield np.arange(count)
        return
    rng = np.random.default_rng(0)
    mix = rng.standard_normal(len(rows))
    own, theirs = mix @ rows, mix @ others
    order = np.argsort(theirs, kind="stable")
    margin = ALIKE * len(rows) * (scale(theirs) + np.abs(own))
    low, high = np.searchsorted(theirs[order], own - margin), np.searchsorted(theirs[order], own + margin, side="right")
    if (high <= low).any():
        return
    told = np.where(high - low == 1, order[np.minimum(low, count - 1)], -1)
    patterned = [m for m in rearrangements(count) if (m[told >= 0] == told[told >= 0]).all()]
    for pattern in patterned:
        if same(rows, others[:, pattern]):
            yield pattern
    if not patterned:
        sorted_own = np.argsort(own, kind="stable")
        free = np.empty(count, int)
        free[sorted_own] = order
        if same(rows, others[:, free]):
            yield free


def rearrangements(count: int) -> Iterator[np.ndarray]:
    """Orders that an axis of a size can have when it is up to three axes in another order: (h w c) for (c h w)."""
    factors = [k for k in range(2, count) if count % k == 0]
    for a in factors:
        yield np.arange(count).reshape(a, -1).T.ravel()
    for a in factors:
        for b in (k for k in factors if count % (a * k) == 0 and a * k < count):
            cube = np.arange(count).reshape(a, b, -1)
            for order in ((2, 1, 0), (0, 2, 1), (1, 0, 2)):
                yield cube.transpose(order).ravel()
