"""Where a JAX weight may come from: the torch calls that have its input, and the parts of them that fit."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.convert import jax_arithmetic
from parity.convert.affine import KNOWN, Affine
from parity.convert.numbering import Numbering
from parity.convert.parts import (
    Pairs,
    as_products,
    channel_map,
    chosen_part,
    leaf_blocks,
    paired,
    pattern_of,
    selections,
    spent,
    turnings,
    untouched,
)
from parity.convert.torch_record import Product, Record
from parity.convert.values import Index, Rows, column_maps, distance, keys, same

FUSED = 6
"""Torch calls that one JAX call may hold side by side; the four gates of an LSTM, a query, key and value."""


class Candidates:
    """What one torch run did, asked for whatever a JAX step needs.

    Args:
        record: The run.
        torch, jax: The numbering of either side's weights.
        theta: The value of each torch weight by number.
    """

    def __init__(self, record: Record, torch: Numbering, jax: Numbering, theta: np.ndarray) -> None:
        self.torch, self.jax, self.theta = torch, jax, theta
        self.products = [(event, Rows(event.inputs)) for _, event in record.products if event.inputs.any()]
        self.convolutions = [event for _, event in record.convolutions]
        scalings = [event for _, event in record.scalings]
        self.plain = [e for e in scalings if e.value.uniform and e.value.weighted.all()]
        self.scalings = [(e, Index(e.value)) for e in scalings if not e.value.uniform]
        self.remark: tuple[str, str, float] | None = None

    def of_scaling(self, value: Affine, used: np.ndarray) -> Iterator[Pairs]:
        """Partners for the weights in an array that something else consumes."""
        held = value.weighted
        if value.uniform:
            yield from self._bypattern(value, used)
            return
        ids, wanted = value.ids[held], keys(value)
        sample = np.linspace(0, len(wanted) - 1, min(16, len(wanted))).astype(int)
        partly: list[tuple[np.ndarray, np.ndarray]] = []
        told: set[bytes] = set()
        for _event, index in self._ordered(self.scalings, ids, lambda e: e[0].value.ids):
            if not index.find(wanted[sample])[0].any():
                continue
            found, several = index.find(wanted)
            if (found == KNOWN).any():
                partly.append((found, several))
                continue
            pairs = self._voted(ids, found, several, used)
            if pairs is not None and pairs[1].tobytes() not in told:
                told.add(pairs[1].tobytes())
                yield pairs
        if partly:
            found = np.max([f for f, _ in partly], axis=0)
            several = np.any([s for _, s in partly], axis=0) | (
                np.ptp([np.where(f, f, found) for f, _ in partly], axis=0) > 0
            )
            if (found != KNOWN).all():
                pairs = self._voted(ids, found, several, used)
                if pairs is not None:
                    yield pairs

    def _voted(self, ids: np.ndarray, found: np.ndarray, several: np.ndarray, used: np.ndarray) -> Pairs | None:
        """One partner for each weight, by those of its elements whose value stands for one torch weight alone."""
        clear = ~several
        own, first = np.unique(ids[clear], return_index=True)
        theirs = found[clear][first]
        agreed = np.zeros(self.jax.count + 1, found.dtype)
        agreed[own] = theirs
        if (agreed[ids[clear]] != found[clear]).any():
            return None
        unclear = np.setdiff1d(ids, own)
        if unclear.size:
            # No value tells these apart, as of units that are off in every row: they follow their neighbours.
            step = np.interp(unclear, own, theirs - own) if own.size else np.full(unclear.shape, found[0] - ids[0])
            guess = unclear + np.rint(step).astype(np.int64)
            if guess.min() < 1 or guess.max() > self.torch.count or np.isin(guess, theirs).any() or used[guess].any():
                return None
            own, theirs = np.concatenate([own, unclear]), np.concatenate([theirs, guess])
        return own, theirs

    def _bypattern(self, value: Affine, used: np.ndarray) -> Iterator[Pairs]:
        """Weights as they are, such as rows of an embedding: told apart by which of them repeat where."""
        ids = value.weighted_ids
        pattern = pattern_of(ids)
        offset = _ratio(value)
        size = self.jax.size_of(int(ids[0]))
        ordered = self._ordered(self.plain, ids, lambda e: e.value.ids)
        # Of two embeddings that are added either may be the one; that of the same size is tried first, since a wrong
        # choice shows as late as where one of them is used again, at a head that is tied to it.
        for event in sorted(ordered, key=lambda e: self.torch.size_of(int(e.value.ids.flat[0])) != size):
            theirs = event.value.ids
            if theirs.size != ids.size or spent(theirs, used) or not same(offset, _ratio(event.value)):
                continue
            for turned in turnings(theirs, value.ids.shape):
                if (pattern_of(turned.ravel()) == pattern).all():
                    yield ids, turned.ravel()

    def of_contraction(self, step: Any, operands: list[Any], used: np.ndarray) -> tuple[Iterator[Pairs], np.ndarray]:
        """Partners for weights that numbers are multiplied by and summed, and those numbers."""
        self.remark = None
        if step.name == "conv_general_dilated":
            return self._of_convolution(step, operands, used)
        numbers, ids, out_shape = as_products(step.params["dimension_numbers"], operands)
        held = [k for k in range(len(ids)) if (ids[k] != KNOWN).any() and numbers[k].any()]
        if not held:
            return iter(()), numbers
        return self._of_product(numbers[held[0]], ids[held[0]], out_shape, used), numbers[held[0]]

    def _of_product(
        self, numbers: np.ndarray, ids: np.ndarray, out_shape: tuple[int, ...], used: np.ndarray
    ) -> Iterator[Pairs]:
        rows = Rows(numbers)
        fitting: list[tuple[Product, np.ndarray]] = []
        for event, their_rows in self._ordered(self.products, ids, lambda e: e[0].ids):
            if spent(event.ids, used):
                continue
            matched = their_rows.find(rows)
            if matched is None:
                continue
            for columns in itertools.islice(column_maps(numbers[matched[0]], event.inputs[matched[1]]), 3):
                fitting.append((event, columns))
                break
        wanted = ids.shape[1]
        blocks = leaf_blocks(self.jax.leaf(ids[0]))
        for event, columns in fitting:
            for chosen in selections(wanted, event.ids.shape[1], out_shape, blocks):
                # A part of the weights may be known, as those rows of a tied embedding that tokens have asked for.
                yield paired(ids, chosen_part(event.ids, columns, chosen))
        yield from self._fused(ids, fitting, out_shape, used)

    def _fused(
        self, ids: np.ndarray, fitting: list[tuple[Product, np.ndarray]], out_shape: tuple[int, ...], used: np.ndarray
    ) -> Iterator[Pairs]:
        """Several torch calls with one input, side by side in one JAX call."""
        wanted = ids.shape[1]
        free = [(e.ids[c], e) for e, c in fitting if e.ids.shape[1] < wanted and untouched(e.ids, used)]
        distinct = {e.ids.tobytes(): i for i, e in reversed(free)}
        parts = [p for _, p in reversed(distinct.items())][:FUSED]
        for count in range(2, len(parts) + 1):
            for chosen in itertools.permutations(parts, count):
                if sum(p.shape[1] for p in chosen) != wanted:
                    continue
                yield paired(ids, np.concatenate(chosen, axis=1))
                sizes = {p.shape[1] for p in chosen}
                for heads in out_shape[:1] if len(sizes) == 1 else ():
                    if sizes.copy().pop() % heads == 0 and heads not in (1, count):
                        split = [p.reshape(len(p), heads, -1) for p in chosen]
                        yield paired(ids, np.stack(split, axis=2).reshape(len(ids), -1))

    def _of_convolution(self, step: Any, operands: list[Any], used: np.ndarray) -> tuple[Iterator[Pairs], np.ndarray]:
        dims = step.params["dimension_numbers"]
        if not isinstance(operands[1], Affine):
            return iter(()), np.asarray(operands[1])
        numbers = np.asarray(operands[0]).transpose(dims.lhs_spec)
        ids = operands[1].ids.transpose(dims.rhs_spec)
        return self._convolved(step, operands, numbers, ids, used), numbers

    def _convolved(
        self, step: Any, operands: list[Any], numbers: np.ndarray, ids: np.ndarray, used: np.ndarray
    ) -> Iterator[Pairs]:
        back = np.argsort(step.params["dimension_numbers"].rhs_spec)
        for event in self._ordered(self.convolutions, ids, lambda e: e.ids):
            if (
                event.ids.shape != ids.shape
                or not untouched(event.ids, used)
                or event.inputs.shape[:2] != numbers.shape[:2]
            ):
                continue
            channels = channel_map(numbers, event)
            if channels is None:
                continue
            theirs = event.ids[:, channels] if event.groups == 1 else event.ids
            weights = self.theta[theirs].transpose(back) * operands[1].coef.flat[0]
            (found,) = jax_arithmetic.evaluate(step.name, step.primitive, step.params, [operands[0], weights])
            found = found.transpose(step.params["dimension_numbers"].out_spec)
            if found.shape != event.outputs.shape:
                shapes = f"torch's {event.outputs.shape}, jax's {found.shape}"
                what = f"given the same input, the outputs have other shapes, {shapes}: stride or padding"
                self.remark = event.path, what, np.nan
            elif not same(found, event.outputs):
                gap = float(np.abs(found - event.outputs).max())
                self.remark = (
                    event.path,
                    f"given the same input and weights, its output differs by up to {gap:.2g}",
                    gap,
                )
            else:
                yield paired(ids, theirs)
        if all(size == 1 for size in ids.shape[2:]) and all(s == 1 for s in step.params["window_strides"]):
            rows = np.moveaxis(numbers, 1, -1).reshape(-1, numbers.shape[1])
            yield from self._of_product(rows, ids.reshape(ids.shape[:2]).T, (len(ids),), used)

    def _ordered(self, events: list[Any], ids: np.ndarray, of: Any) -> list[Any]:
        """Events in the order of execution, those whose names are alike first; names decide nothing else."""
        own = _words(self.jax.names_of(_some(ids)))

        def likeness(event: Any) -> int:
            return -len(own & _words(self.torch.names_of(_some(of(event)))))

        return sorted(events, key=likeness)

    def _path(self, event: Any) -> str:
        return event.path or ", ".join(self.torch.names_of(event.value.ids.ravel()))

    def jax_place(self, ids: np.ndarray) -> str:
        """The JAX leaves that numbers are in."""
        return ", ".join(self.jax.names_of(ids)) or "outputs"

    def nearest(
        self, kind: str, values: np.ndarray | None, used: np.ndarray, outputs: list[np.ndarray]
    ) -> tuple[str, tuple[int, ...] | None, float, np.ndarray | None]:
        """The torch call that comes nearest to what a step was given.

        Returns:
            (its path, the shape there, how far it is, the identities of its weights where it is a product).
        """
        if self.remark:
            return self.remark[0], None, self.remark[2], None
        if values is None:
            return "", None, np.nan, None
        found: list[tuple[float, str, tuple[int, ...]]] = []
        weights: dict[str, np.ndarray] = {}
        if kind == "outputs":
            found = [(distance(values, o), "outputs", o.shape) for o in outputs]
        elif kind == "dot_general":
            left = [e for e, _ in self.products if not spent(e.ids, used)]
            found = [(distance(values, e.inputs), e.path, e.inputs.shape) for e in left]
            weights = {e.path: e.ids for e in left}
        elif kind == "conv_general_dilated":
            found = [
                (distance(values, e.inputs), e.path, e.inputs.shape)
                for e in self.convolutions
                if not spent(e.ids, used)
            ]
        else:
            for event in (*self.plain, *(e for e, _ in self.scalings)):
                held = event.value.weighted
                if not used[event.value.ids[held]].all():
                    found.append((distance(values, told(event.value)), self._path(event), event.value.shape))
        gap, path, shape = min(found, default=(np.inf, "", ()))
        return (path, shape, gap, weights.get(path)) if np.isfinite(gap) else ("", None, np.nan, None)

    def sizes(self, theirs: np.ndarray | None, own: np.ndarray) -> tuple[str, str] | None:
        """Weights of a torch and a JAX product with their shapes, by their identities, where they differ in size."""
        if theirs is None or theirs.size == own.size:
            return None
        both = ((numbering, numbering.names_of(ids)) for numbering, ids in ((self.torch, theirs), (self.jax, own)))
        torch, jax = (", ".join(f"{n} {numbering.ids[n].shape}" for n in names) for numbering, names in both)
        return torch, jax


def told(value: Affine) -> np.ndarray:
    """The numbers that tell an array's weights apart: what is added to them, or else what they are multiplied by."""
    held = value.weighted
    return value.off[held] if value.off[held].any() else value.coef[held]


def _some(ids: np.ndarray) -> np.ndarray:
    """Up to some hundred identities, from all over an array."""
    return np.asarray(ids.flat[np.arange(0, ids.size, max(1, ids.size // 64))])


def _words(names: list[str]) -> set[str]:
    return set(re.findall(r"[a-z]+|\d+", " ".join(names).lower()))


def _ratio(value: Affine) -> np.ndarray:
    """What is added to weights that all have one coefficient and one offset, in units of the coefficient."""
    first = slice(1) if value.alike else np.flatnonzero(value.weighted)[:1]
    return value.off.flat[first] / value.coef.flat[first]
