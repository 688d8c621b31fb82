"""Arrays that still hold unknown weights: each element is coefficient x weight + offset, or a number."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

KNOWN = 0
"""The identity of an element that holds no weight; weights count from 1, so that zeros, padding and masks mean this."""


@dataclass(frozen=True)
class Affine:
    """coef * weight[ids] + off, element by element.

    A weight that has been moved, sliced, broadcast, scaled or added to is still such an array, so a model's own order
    of scaling and adding does not matter: only what the sum holds when something else consumes it.

    Whole leaves, which nothing has been done to, have one coefficient and one offset: these are views of one number, so
    that an embedding of forty million weights takes the memory of its identities alone.

    Attributes:
        coef, off: Arrays of float64.
        ids: Integers of the same shape: which weight, or KNOWN.
    """

    coef: np.ndarray
    ids: np.ndarray
    off: np.ndarray

    @classmethod
    def weights(cls, ids: np.ndarray) -> "Affine":
        """Weights as they are."""
        return cls(np.broadcast_to(1.0, ids.shape), ids, np.broadcast_to(0.0, ids.shape))

    @classmethod
    def number(cls, array: np.ndarray) -> "Affine":
        """Numbers that hold no weight."""
        array = np.asarray(array, np.float64)
        return cls(np.zeros(array.shape), np.zeros(array.shape, np.int64), array)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.ids.shape

    def substituted(self, partner: np.ndarray, theta: np.ndarray) -> "Affine | np.ndarray":
        """With the weights that are known by now put in; an array where none is left.

        Whole weights stay as they are until all of them are known, as those of an embedding of which a run has used
        some rows.

        Args:
            partner: The identity of the torch weight that each weight is; KNOWN where that is not known yet.
            theta: The value of each torch weight by identity.
        """
        partners = partner[self.ids]
        if partners.all():
            return self.off + self.coef * theta[partners]
        if self.alike:
            return self
        settled = (partners != KNOWN) | (self.coef == 0.0)
        off = np.where(settled, self.off + self.coef * theta[partners], self.off)
        if settled.all():
            return off
        return Affine(np.where(settled, 0.0, self.coef), np.where(settled, KNOWN, self.ids), off)

    def moved(self, ids: np.ndarray) -> "Affine":
        """Some of whole weights, or all in another order: only identities move."""
        return Affine(np.broadcast_to(self.coef.flat[0], ids.shape), ids, np.broadcast_to(self.off.flat[0], ids.shape))

    def scaled(self, factor: np.ndarray | np.floating) -> "Affine":
        """Times numbers, with broadcasting."""
        if self.alike and not np.ndim(factor) and factor:
            coef, off = (np.broadcast_to(a.flat[0] * factor, self.shape) for a in (self.coef, self.off))
            return Affine(coef, self.ids, off)
        coef, off = self.coef * factor, self.off * factor
        return Affine(coef, np.array(np.broadcast_to(self.ids, coef.shape)), off)

    def shifted(self, term: np.ndarray | np.floating) -> "Affine":
        """Plus numbers, with broadcasting."""
        off = self.off + term
        coef, ids = (np.array(np.broadcast_to(a, off.shape)) for a in (self.coef, self.ids))
        return Affine(coef, ids, off)

    def plus(self, other: "Affine") -> "Affine | None":
        """Plus another; None where an element would hold two weights."""
        coef, ids, off = self.coef + other.coef, self.ids + other.ids, self.off + other.off
        if ((self.ids != KNOWN) & (other.ids != KNOWN)).any():
            return None
        return Affine(coef, ids, off)

    @cached_property
    def alike(self) -> bool:
        """Whether each element is a weight, and its coefficient and its offset are views of one number."""
        one = all(s == 0 or n == 1 for a in (self.coef, self.off) for s, n in zip(a.strides, a.shape, strict=True))
        return one and self.ids.size > 0 and bool(self.coef.flat[0]) and bool(self.ids.all())

    @cached_property
    def uniform(self) -> bool:
        """Whether every weight in it has one coefficient and one offset, so that values do not tell them apart."""
        if self.alike:
            return True
        held = self.ids != KNOWN
        coef, off = self.coef[held], self.off[held]
        return bool(coef.size == 0 or ((coef == coef[0]).all() and (off == off[0]).all()))

    @cached_property
    def weighted(self) -> np.ndarray:
        """Where it holds a weight that counts."""
        if self.alike:
            return np.broadcast_to(True, self.shape)
        return (self.ids != KNOWN) & (self.coef != 0.0)

    @property
    def held_ids(self) -> np.ndarray:
        """The identities of all weights in it."""
        return self.ids.ravel() if self.alike else self.ids[self.ids != KNOWN]

    @property
    def weighted_ids(self) -> np.ndarray:
        """The identities of the weights that count."""
        return self.ids.ravel() if self.alike else self.ids[self.weighted]
