"""The axis pattern between a part of a JAX leaf and the torch leaf whose elements it holds."""

import math
from dataclasses import dataclass

import numpy as np

from parity.convert.layouts import Atom, Axes, Layout, LayoutError
from parity.convert.numbering import Numbering

NAMES = {
    1: ("o",),
    2: ("o", "i"),
    3: ("o", "i", "k"),
    4: ("o", "i", "kh", "kw"),
    5: ("o", "i", "kd", "kh", "kw"),
}
"""What the axes of a torch weight are called, by their number."""

FACTORS = {("o", 2): ("h", "d"), ("i", 3): ("c", "y", "x"), ("i", 2): ("ih", "id")}
"""What the factors of an axis are called; any other are numbered."""


class Irregular(ValueError):
    """The elements of a leaf lie in no axis pattern."""


@dataclass(frozen=True)
class Block:
    """A part of a JAX leaf that holds elements of one torch leaf.

    Attributes:
        numbers: The torch numbers, in an array with the axes of `groups`.
        index: The NumPy index of the part, a text for each axis of the leaf.
        groups: For each axis of the part, its axes in `numbers`, or an Atom that is held.
    """

    numbers: np.ndarray
    index: tuple[str, ...]
    groups: tuple[tuple[int | Atom, ...], ...]


@dataclass
class Digit:
    """A factor of a JAX axis: its size and how far its steps reach in the torch leaf."""

    size: int
    stride: int
    name: str = ""


def described(block: Block, torch: Numbering) -> tuple[str, tuple[str, ...], Layout]:
    """The torch leaf, the index of the part of it, and the pattern between that and the block."""
    leaf = int(torch.leaf(block.numbers.flat[:1])[0])
    name = torch.names[leaf]
    shape = torch.shapes[name]
    flat, index, inner = _within(block.numbers - block.numbers.dtype.type(torch.starts[leaf]), shape)
    digits = [_digits(_line(flat, axis)) for axis in range(flat.ndim)]
    regular = np.full((1,) * flat.ndim, flat.flat[0], flat.dtype)
    for axis in range(flat.ndim):
        steps = (_line(flat, axis) - flat.flat[0]).reshape([-1 if k == axis else 1 for k in range(flat.ndim)])
        regular = regular + steps
    if (regular != flat).any():
        raise Irregular("its axes are mixed")
    axes = _torch_axes(digits, int(flat.min()), inner)
    groups = []
    for group in block.groups:
        atoms: list[Atom] = []
        for a in group:
            atoms += [a] if isinstance(a, Atom) else [Atom(d.name, reverse=d.stride < 0) for d in digits[a]]
        groups.append(tuple(atoms) or (Atom(""),))
    sizes = {d.name: d.size for found in digits for d in found}
    return name, tuple(index), _layout(axes, tuple(groups), sizes, inner, block)


def _within(numbers: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, list[str], list[int]]:
    """Numbers of a leaf's elements as numbers in the smallest part of it that holds them, its index, and its shape."""
    if not shape:
        return np.zeros(numbers.shape, np.int64), [], []
    low, high = int(numbers.min()), int(numbers.max()) + 1
    row = math.prod(shape[1:])
    if high - low == numbers.size and low % row == high % row == 0:  # whole rows: no coordinate has to be looked at
        rows = (low // row, high // row)
        whole = ":" if rows == (0, shape[0]) else f"{rows[0]}:{rows[1]}"
        return numbers - low, [whole, *(":" for _ in shape[1:])], [rows[1] - rows[0], *shape[1:]]
    index, inner, shifted = [], [], []
    for along, size in zip(np.unravel_index(numbers, shape), shape, strict=True):
        low, high = int(along.min()), int(along.max()) + 1
        index.append(":" if (low, high) == (0, size) else f"{low}:{high}")
        inner.append(high - low)
        shifted.append(along - low)
    return np.ravel_multi_index(shifted, inner), index, inner


def _line(flat: np.ndarray, axis: int) -> np.ndarray:
    return flat[tuple(slice(None) if k == axis else 0 for k in range(flat.ndim))]


def _digits(line: np.ndarray) -> list[Digit]:
    """The factors of one axis, the slowest first."""
    found: list[Digit] = []
    while len(line) > 1:
        stride = int(line[1] - line[0])
        even = np.flatnonzero(np.diff(line) != stride)
        run = int(even[0]) + 1 if even.size else len(line)
        rest = line[::run]
        if len(line) % run or stride == 0 or (line.reshape(-1, run) != rest[:, None] + stride * np.arange(run)).any():
            raise Irregular("an axis follows no pattern")
        found.insert(0, Digit(run, stride))
        line = rest
    return found


def _torch_axes(digits: list[list[Digit]], base: int, shape: list[int]) -> Axes:
    """The torch axes' factors; a factor that spans two axes is cut, a gap is an axis that is held."""
    axes: list[tuple[Atom, ...]] = []
    reach = 1  # of one step of what comes next
    left = sorted(((d, owner) for owner in digits for d in owner), key=lambda pair: abs(pair[0].stride))
    parts: list[Digit | Atom]
    names = NAMES.get(len(shape), tuple(f"a{k}" for k in range(len(shape))))
    for axis in reversed(range(len(shape))):
        size, parts = shape[axis], []
        while size > 1:
            digit, owner = left[0] if left else (None, None)
            if digit is None or owner is None or abs(digit.stride) > reach:
                gap = min(size, abs(digit.stride) // reach if digit else size)
                if size % gap or (digit and abs(digit.stride) % reach):
                    raise Irregular("a gap that is no axis")
                parts.insert(0, Atom("", at=base // reach % gap, of=gap))
                size, reach = size // gap, reach * gap
                continue
            if abs(digit.stride) != reach:
                raise Irregular("steps overlap")
            if digit.size > size:
                if digit.size % size:
                    raise Irregular("an axis ends inside a factor")
                outer = Digit(digit.size // size, digit.stride * size)
                position = owner.index(digit)
                # A factor that runs backwards is slowest first all the same.
                owner.insert(position, outer)
                digit.size = size
                left[0] = (outer, owner)
            else:
                left.pop(0)
            if size % digit.size:
                raise Irregular("a factor does not divide its axis")
            parts.insert(0, digit)
            size, reach = size // digit.size, reach * digit.size
        axes.insert(0, _named(parts, names[axis]))
    if left:
        raise Irregular("an element stands twice")
    return tuple(axes)


def _named(parts: list[Digit | Atom], axis: str) -> tuple[Atom, ...]:
    free = [p for p in parts if isinstance(p, Digit)]
    names = (
        (axis,) if len(free) == 1 else FACTORS.get((axis, len(free)), tuple(f"{axis}{k + 1}" for k in range(len(free))))
    )
    for digit, name in zip(free, names, strict=True):
        digit.name = name
    return tuple(Atom(p.name) if isinstance(p, Digit) else p for p in parts) or (Atom(""),)


def _layout(axes: Axes, groups: Axes, sizes: dict[str, int], torch_shape: list[int], block: Block) -> Layout:
    """The pattern, with sizes only where the shapes do not tell them."""
    known = {name: size for name, size in sizes.items() if name}
    jax_shape = [math.prod(known[a.name] if a.name else a.of for a in group) for group in groups]
    needed: dict[str, int] = {}
    for name in [None, *known]:
        if name:
            needed[name] = known[name]
        layout = Layout(axes, groups, dict(needed))
        try:
            layout.views(np.empty(torch_shape, np.int8), np.empty(jax_shape, np.int8))
        except LayoutError:
            continue
        for extra in list(needed):
            fewer = Layout(axes, groups, {n: s for n, s in needed.items() if n != extra})
            try:
                fewer.views(np.empty(torch_shape, np.int8), np.empty(jax_shape, np.int8))
            except LayoutError:
                continue
            needed.pop(extra)
            layout = fewer
        return layout
    raise Irregular("its pattern does not fit its shape")
