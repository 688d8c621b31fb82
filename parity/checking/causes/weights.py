"""Why a JAX weight holds other numbers than torch's: transposed, swapped, in another order, never set."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from parity.checking.teacher import Lesson
from parity.numerics import Finding, Verdict, round_to
from parity.sides.inputs import is_float

Found = tuple[str, str, str]


def explain_weights(lesson: Lesson) -> list[Finding]:
    """Compare JAX's own values with torch's by the map, exactly, and say how those that differ do.

    Args:
        lesson: The two models; its values are torch's.

    Returns:
        One Finding of stage "weights" a leaf that differs. The experiment is a rearrangement of torch's numbers that
        gives JAX's, bit for bit: put back, nothing is left.
    """
    torch_names = {
        part.leaves[c.leaf]: " + ".join(part.full(n) for n in c.names)
        for part in lesson.matching.parts
        for c in part.carried
    }
    return _judged(lesson.jax.values, lesson.values, torch_names, lesson.dtype)


def explain_held(
    held: Mapping[str, np.ndarray],
    wanted: Mapping[str, np.ndarray],
    names: Mapping[str, str],
    halves: Sequence[tuple[str, Mapping[str, np.ndarray]]] = (),
) -> list[Finding]:
    """What a JAX model that was filled from torch holds in another way than the map has it.

    Args:
        held: The JAX model's own values.
        wanted: Torch's, by the map.
        names: Torch's names of JAX's leaves.
        halves: ("the first", values) and ("the second", values): of leaves that are the sum of two of torch's tensors
            what each of the two alone would make of them.

    Returns:
        One Finding of stage "weights" a leaf that differs, where at least half of those that can tell hold torch's
        values bit for bit; none of a model that was never filled.
    """
    telling = [n for n in wanted if n in held and is_float(wanted[n]) and np.ptp(wanted[n]) > 0.0]
    equal = [n for n in telling if np.array_equal(_single(held[n]), _single(wanted[n]), equal_nan=True)]
    if len(equal) * 2 < len(telling) or not equal:
        return []
    own = {n: _single(held[n]) for n in wanted if n in held and is_float(wanted[n])}
    found = _judged(own, {n: _single(wanted[n]) for n in own}, names, "float32")
    told = f"jax's own values are torch's in {len(equal)} of {len(telling)} leaves, and here they are not; "
    return [replace(_halved(f, held, wanted, halves), message=told + f.message) for f in found]


def _halved(
    finding: Finding,
    held: Mapping[str, np.ndarray],
    wanted: Mapping[str, np.ndarray],
    halves: Sequence[tuple[str, Mapping[str, np.ndarray]]],
) -> Finding:
    """Whether a leaf that should be the sum of two of torch's tensors, a recurrent layer's biases, is one of them."""
    name = finding.jax_path
    alone = [which for which, values in halves if name in values and _alike(values[name], held[name])]
    if len(alone) != 1 or _alike(wanted[name], held[name]):
        return finding
    other = "second" if alone[0] == "the first" else "first"
    cause = f"it is {alone[0]} of torch's two biases alone: the {other} is to be added"
    cause = f"{cause}. With it added, every element is equal (several converters)"
    return replace(finding, cause=cause, fix=f"set {name} to the sum of both: bias_ih + bias_hh")


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    return np.array_equal(_single(one), _single(other), equal_nan=True)


def _single(array: Any) -> np.ndarray:
    return np.asarray(array, np.float32)


def _judged(
    own: Mapping[str, Any], wanted: Mapping[str, np.ndarray], names: Mapping[str, str], dtype: str
) -> list[Finding]:
    differing = {
        n: (_as_held(wanted[n], a), np.asarray(a)) for n, a in own.items() if n in wanted and is_float(np.asarray(a))
    }
    differing = {n: pair for n, pair in differing.items() if not np.array_equal(*pair, equal_nan=True)}
    found = []
    for name, (theirs, mine) in differing.items():
        count = int((theirs != mine).sum())
        message = f"{count} of {mine.size} elements are not torch's by the map"
        finding = Finding("weights", names.get(name, name), name, Verdict.SEMANTIC, message, dtype)
        cause = next(_explanations(name, theirs, mine, wanted), None)
        if cause is not None:
            finding = replace(finding, cause=f"{cause[0]}. Put back, every element is equal ({cause[2]})", fix=cause[1])
        found.append(finding)
    return found


def _explanations(name: str, theirs: np.ndarray, mine: np.ndarray, wanted: Mapping[str, np.ndarray]) -> Iterator[Found]:
    if mine.size > 1 and np.all(mine == mine.reshape(-1)[0]) and not np.all(theirs == theirs.reshape(-1)[0]):
        value = float(mine.reshape(-1)[0])
        yield f"{value:g} everywhere: never filled from torch", f"set {name} from torch's", "several converters"
    for other, array in wanted.items():
        if (
            other != name
            and array.shape == mine.shape
            and np.ptp(mine) > 0
            and np.array_equal(_as_held(array, mine), mine)
        ):
            yield f"swapped: it holds what belongs to {other}", f"exchange {name} and {other}", "statedict2pytree"
    for order in itertools.permutations(range(mine.ndim)):
        if order != tuple(range(mine.ndim)) and np.array_equal(theirs.transpose(order), mine):
            how = "transposed" if mine.ndim == 2 else f"its axes in the order {order}"
            told = f"the kernel is {how}; it is square, so that no shape tells"
            yield told, f"{name}: bring axes {order} back", "Flax's torch guide"
    for axis in range(mine.ndim):
        if mine.ndim > 1 and np.array_equal(np.flip(theirs, axis), mine):
            yield f"flipped along axis {axis}", f"{name}: flip axis {axis}", "jax#11252"
        yield from _reordered(name, theirs, mine, axis)


def _reordered(name: str, theirs: np.ndarray, mine: np.ndarray, axis: int) -> Iterator[Found]:
    """Blocks of an axis in another order (gates; query, key, value), or its two factors exchanged (flatten order)."""
    size = mine.shape[axis]
    rows, own = np.moveaxis(theirs, axis, 0).reshape(size, -1), np.moveaxis(mine, axis, 0).reshape(size, -1)
    for blocks in (2, 3, 4):
        if size % blocks or size == blocks:
            continue
        parts = rows.reshape(blocks, size // blocks, -1)
        for order in itertools.permutations(range(blocks)):
            if order != tuple(range(blocks)) and np.array_equal(parts[list(order)].reshape(own.shape), own):
                what = {3: "query, key and value (or a GRU's gates)", 4: "an LSTM's gates i, f, g, o"}.get(
                    blocks, "halves"
                )
                yield (
                    f"{what} in the order {order} along axis {axis}",
                    f"{name}: order the {blocks} blocks",
                    ("several converters; flax#3746"),
                )
    for factor in range(2, size):
        if size % factor == 0 and size != factor:
            swapped = rows.reshape(factor, size // factor, -1).swapaxes(0, 1).reshape(own.shape)
            if np.array_equal(swapped, own):
                yield (
                    f"axis {axis} is flattened in the other order: torch has ({factor}, {size // factor})",
                    f"{name}: reshape axis {axis} to ({factor}, {size // factor}), swap the two, flatten",
                    "Flax's torch guide",
                )


def _as_held(wanted: np.ndarray, own: Any) -> np.ndarray:
    """Torch's numbers at the dtype in which JAX holds its own."""
    own = np.asarray(own)
    return (
        np.asarray(round_to(wanted, own.dtype.name), own.dtype)
        if own.dtype.name in ("float32", "float16")
        else np.asarray(wanted)
    )
