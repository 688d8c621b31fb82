"""Batches of a training, one a step, and whether the two sides' own data give the same ones."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.numerics import Finding, Verdict, bound, confidence_factor
from parity.sides.inputs import leaves, rebuild
from parity.sides.mapped import INPUTS, TARGETS

BATCHES = "batches"
FORM = "wanted an iterable of (input, ..., targets), or a pair of two: torch's and jax's"


@dataclass(frozen=True)
class Batches:
    """What the steps of a training are made on.

    Attributes:
        steps: For each step its inputs, a tuple, and its targets.
    """

    steps: tuple[tuple[tuple[Any, ...], Any], ...]

    def __len__(self) -> int:
        return len(self.steps)

    def at(self, step: int) -> dict[str, Any]:
        """One step's inputs and targets, as both models' functions are handed them."""
        inputs, targets = self.steps[step]
        return {INPUTS: {str(i): value for i, value in enumerate(inputs)}, TARGETS: targets}

    def stacked(self, start: int, stop: int) -> dict[str, Any]:
        """Those of several steps as one argument, every array with a leading axis of one entry a step."""
        every = [dict(leaves(self.at(step))) for step in range(start, stop)]
        whole = rebuild(self.at(start), lambda path, _: np.stack([own[path] for own in every]))
        return {**self.at(start), BATCHES: whole}


def batches_of(given: Any, steps: int) -> tuple[Batches, tuple[Finding, ...]]:
    """The batches of a training, and how the two sides' data part where each has its own.

    Args:
        given: An iterable of batches, each (input, ..., targets) of arrays or torch tensors, such as a DataLoader; or a
            tuple of two such iterables, torch's data and jax's, of which torch's is used for both sides.
        steps: How many steps; 0 for all batches that there are.

    Returns:
        (the Batches, findings of stage "data": one that differs, or one that says that all agree, where both were
        given).

    Raises:
        TypeError: If it is neither.
        ValueError: If there are fewer batches than steps, or their shapes differ from step to step.
    """
    if isinstance(given, tuple) and len(given) == 2 and all(isinstance(own, Iterable) for own in given):
        torch, jax = (_taken(own, steps, side) for own, side in zip(given, ("torch", "jax"), strict=True))
        return torch, _parted(torch, jax)
    return _taken(given, steps, ""), ()


def _taken(given: Any, steps: int, side: str) -> Batches:
    whose = f"batches of {side}" if side else "batches"
    if not isinstance(given, Iterable) or isinstance(given, (Mapping, str)):
        raise TypeError(f"check: {whose} is a {type(given).__name__}, {FORM}")
    found = []
    for number, batch in enumerate(itertools.islice(given, steps or None)):
        if not isinstance(batch, (tuple, list)) or len(batch) < 2:
            raise TypeError(f"check: {whose}, step {number}: a {type(batch).__name__}, {FORM}")
        *inputs, targets = (rebuild(value, _as_array) for value in batch)
        found.append((tuple(inputs), targets))
    if not found or len(found) < steps:
        raise ValueError(f"check: {whose}: {len(found)} for steps={steps}; give as many, or fewer steps")
    first = _shapes(found[0])
    for number, own in enumerate(found):
        if _shapes(own) != first:
            raise ValueError(
                f"check: {whose}, step {number}: shapes {_shapes(own)}, of step 0 {first}; one compiled step takes one "
                "shape: drop the last, smaller batch (drop_last=True)"
            )
    return Batches(tuple(found))


def _as_array(path: str, leaf: Any) -> np.ndarray:
    array = np.asarray(leaf.detach().cpu() if hasattr(leaf, "detach") else leaf)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _shapes(batch: Any) -> dict[str, tuple[int, ...]]:
    (inputs, targets) = batch
    return {path: leaf.shape for path, leaf in leaves({INPUTS: inputs, TARGETS: targets})}


def _parted(torch: Batches, jax: Batches) -> tuple[Finding, ...]:
    """The first step at which the two sides' data differ, by more than float32's rounding, and how."""
    one, other = (_shapes(own.steps[0]) for own in (torch, jax))
    if one != other or len(torch) != len(jax):
        message = f"torch has {len(torch)} batches of {one}, jax {len(jax)} of {other}"
        return (Finding("data", BATCHES, BATCHES, Verdict.STRUCTURE, message),)
    arrays = [_by_step(own) for own in (torch, jax)]
    for step in range(len(torch)):
        for path in arrays[0]:
            ours, theirs = arrays[0][path][step], arrays[1][path][step]
            if not _same(ours, theirs):
                apart = np.abs(np.asarray(ours, np.float64) - np.asarray(theirs, np.float64))
                index = tuple(int(i) for i in np.unravel_index(int(np.argmax(apart)), apart.shape))
                message = f"the data differ from step {step:,} on: at {index} torch {ours[index]:.9g}, "
                message += f"jax {theirs[index]:.9g}; both are trained on torch's"
                cause, fix = next(_explained(arrays, step, path), ("", ""))
                return (Finding("data", path, path, Verdict.SEMANTIC, message, step=step, cause=cause, fix=fix),)
    count = len(torch) * len(one)
    return (Finding("data", BATCHES, BATCHES, Verdict.AGREE, f"{count:,} arrays of {len(torch):,} steps agree"),)


def _by_step(batches: Batches) -> dict[str, list[np.ndarray]]:
    every = [dict(leaves(batches.at(step))) for step in range(len(batches))]
    return {path: [own[path] for own in every] for path in every[0]}


def _same(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether two arrays agree: exactly, or where they float, as two pipelines do that scale them at float32."""
    if ours.dtype.kind != "f" or theirs.dtype.kind != "f":
        return np.array_equal(ours, theirs)
    largest = np.abs(ours).max(initial=0.0)
    limit = bound(np.asarray(largest), 0.0, "float32", confidence_factor(max(ours.size, 1)))
    return bool((np.abs(ours - theirs) <= limit).all())


def _explained(arrays: list[dict[str, list[np.ndarray]]], step: int, path: str) -> Iterator[tuple[str, str]]:
    """What JAX's batch is, where putting it back makes every number of torch's."""
    torch, jax = arrays
    for other in range(len(torch[path])):
        if other != step and all(_same(torch[p][other], jax[p][step]) for p in torch):
            yield (
                f"order of batches: jax's step {step:,} has torch's batch of step {other:,}, in every array",
                "shuffle once, and give both sides that order; start both at the same batch",
            )
    order = _order(torch[path][step], jax[path][step])
    if order is not None and all(_same(torch[p][step][order], jax[p][step]) for p in torch):
        yield "order within the batch: put in torch's order, every row is equal", "give both sides one permutation"
    if order is not None:
        yield (
            f"{path} alone is in another order: its rows are torch's, but no longer beside their own inputs or targets",
            "permute inputs and targets together",
        )
    ours, theirs = torch[path][step].ravel(), jax[path][step].ravel()
    if ours.dtype.kind == "f" and np.ptp(ours) > 0:
        factor, offset = np.polyfit(ours, theirs, 1)
        if _same(ours * factor + offset, theirs):
            yield (
                f"normalisation: jax's {path} is {factor:.6g} x torch's {offset:+.6g}, in every element",
                "use one mean and one standard deviation, and one range (0 to 1, or 0 to 255)",
            )


def _order(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray | None:
    """The rows of torch's in which JAX's stand, where they are the same rows."""
    if not ours.ndim or ours.shape != theirs.shape:
        return None
    one, other = (a.reshape(len(a), -1) for a in (ours, theirs))
    sorted_one, sorted_other = (np.lexsort(a.T[::-1]) for a in (one, other))
    if not _same(one[sorted_one], other[sorted_other]):
        return None
    order = np.empty(len(one), np.int64)
    order[sorted_other] = sorted_one
    return order
