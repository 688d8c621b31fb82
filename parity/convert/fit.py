"""From element to pattern: the axis patterns that say, as a few lines, which element of a weight lies where."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from parity.convert.layouts import Atom, Axes, Layout, LayoutError
from parity.convert.numbering import Numbering
from parity.convert.weight_map import Rule

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


def rules(jax_name: str, numbers: np.ndarray, torch: Numbering) -> list[Rule]:
    """The rules for one JAX leaf.

    Args:
        jax_name: Its path.
        numbers: In the leaf's shape, the number of the torch element that each of its elements is.
        torch: The numbering.

    Returns:
        One rule for each torch leaf that has a part in it, as a rule.

    Raises:
        Irregular: If no pattern describes it.

    Examples:
        >>> torch = Numbering({"w": (2, 3)})
        >>> [str(rule) for rule in rules("kernel", torch.ids["w"].T, torch)]
        ['w  o i -> i o  kernel']
    """
    if numbers.size == 0:
        raise Irregular(f"{jax_name} has no elements")
    return [_rule(jax_name, block, torch) for block in _blocks(numbers, torch)]


def _blocks(numbers: np.ndarray, torch: Numbering) -> list[Block]:
    whole = Block(numbers, (":",) * numbers.ndim, tuple((k,) for k in range(numbers.ndim)))
    return list(_split(whole, torch))


def _split(block: Block, torch: Numbering) -> Iterator[Block]:
    """Blocks of one torch leaf each, cut where the leaf changes along an axis; and where one leaf is not regular."""
    leaf = torch.leaf(block.numbers)
    if (leaf == leaf.flat[0]).all():
        try:
            _described(block, torch)
        except Irregular:
            yield from _cut_where_it_jumps(block, torch)
        else:
            yield block
        return
    for axis in range(leaf.ndim):
        lines = np.moveaxis(leaf, axis, 0).reshape(leaf.shape[axis], -1)
        edges = [0, *(np.flatnonzero((lines[1:] != lines[:-1]).any(1)) + 1), len(lines)]
        if len(edges) == 2:
            continue
        kinds = [lines[e].tobytes() for e in edges[:-1]]
        if len(set(kinds)) < len(kinds) and (interleaved := _interleaved(block, axis, edges, kinds)):
            for part in interleaved:
                yield from _split(part, torch)
            return
        for start, stop in zip(edges[:-1], edges[1:], strict=True):
            yield from _split(_part(block, axis, start, stop), torch)
        return


def _cut_where_it_jumps(block: Block, torch: Numbering) -> Iterator[Block]:
    for axis in range(block.numbers.ndim):
        size = block.numbers.shape[axis]
        if len(block.groups[axis]) > 1 or block.index[axis] != ":":
            continue
        for count in (n for n in range(2, 9) if size % n == 0):
            parts = [_part(block, axis, k * size // count, (k + 1) * size // count) for k in range(count)]
            try:
                for part in parts:
                    _described(part, torch)
            except Irregular:
                continue
            yield from parts
            return
    raise Irregular("its elements follow no axis pattern")


def _part(block: Block, axis: int, start: int, stop: int) -> Block:
    """A stretch of one axis, or one place of it, which then is no axis any more."""
    place = [k for k, group in enumerate(block.groups) if axis in group][0]
    position = [k for k, text in enumerate(block.index) if not text.lstrip("-").isdigit()][place]
    before = int(block.index[position].partition(":")[0] or 0)
    single = stop - start == 1
    index = list(block.index)
    index[position] = str(before + start) if single else f"{before + start}:{before + stop}"
    if not single:
        return Block(np.take(block.numbers, range(start, stop), axis), tuple(index), block.groups)
    groups = [
        tuple(a - (a > axis) if isinstance(a, int) else a for a in group) for group in block.groups if axis not in group
    ]
    return Block(np.take(block.numbers, start, axis), tuple(index), tuple(groups))


def _interleaved(block: Block, axis: int, edges: list[int], kinds: list[bytes]) -> list[Block]:
    """Parts that take turns along an axis: an axis of (turns, kinds, run), each kind held."""
    count, runs = len(set(kinds)), {b - a for a, b in zip(edges[:-1], edges[1:], strict=True)}
    turns = len(kinds) // count
    if len(runs) > 1 or kinds != kinds[:count] * turns:
        return []
    shape = block.numbers.shape
    split = block.numbers.reshape(*shape[:axis], turns, count, runs.pop(), *shape[axis + 1 :])
    parts = []
    for kind in range(count):
        held = Atom("", at=kind, of=count)

        def shifted(group: tuple[int | Atom, ...], held: Atom = held) -> tuple[int | Atom, ...]:
            found: list[int | Atom] = []
            for a in group:
                if isinstance(a, int) and a == axis:
                    found += [axis, held, axis + 1]
                else:
                    found.append(a + (a > axis) if isinstance(a, int) else a)
            return tuple(found)

        parts.append(Block(split.take(kind, axis + 1), block.index, tuple(map(shifted, block.groups))))
    return parts


@dataclass
class Digit:
    """A factor of a JAX axis: its size and how far its steps reach in the torch leaf."""

    size: int
    stride: int
    name: str = ""


def _rule(jax_name: str, block: Block, torch: Numbering) -> Rule:
    name, index, layout = _described(block, torch)
    return Rule(_placed(name, index), _placed(jax_name, block.index), layout)


def _placed(name: str, index: tuple[str, ...]) -> str:
    parts = list(index)
    while parts and parts[-1] == ":":
        parts.pop()
    return f"{name}[{','.join(parts)}]" if parts else name


def _described(block: Block, torch: Numbering) -> tuple[str, tuple[str, ...], Layout]:
    """The torch leaf, the index of the part of it, and the pattern between that and the block."""
    leaf = int(torch.leaf(block.numbers.flat[:1])[0])
    name = torch.names[leaf]
    shape = torch.shapes[name]
    coordinates = np.unravel_index(block.numbers - torch.starts[leaf], shape) if shape else ()
    index, inner, shifted = [], [], []
    for along, size in zip(coordinates, shape, strict=True):
        low, high = int(along.min()), int(along.max()) + 1
        index.append(":" if (low, high) == (0, size) else f"{low}:{high}")
        inner.append(high - low)
        shifted.append(along - low)
    flat = np.ravel_multi_index(shifted, inner) if inner else np.zeros(block.numbers.shape, np.int64)
    digits = [_digits(_line(flat, axis)) for axis in range(flat.ndim)]
    regular = np.full(flat.shape, flat.flat[0])
    for axis, found in enumerate(digits):
        regular = regular + (_line(flat, axis) - flat.flat[0]).reshape(
            [-1 if k == axis else 1 for k in range(flat.ndim)]
        )
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


def completed(numbers: np.ndarray, torch: Numbering, used: np.ndarray) -> np.ndarray | None:
    """A leaf whose elements are known in part, in full: by the axis order of the one torch leaf that they are in.

    Rows of an embedding that no token asks for are such elements.

    Args:
        numbers: Torch numbers in the JAX leaf's shape, 0 where unknown.
        torch: The numbering.
        used: Torch numbers that other JAX elements have.

    Returns:
        The numbers without gaps; None where no order of axes agrees with what is known.
    """
    known = numbers > 0
    leaves = np.unique(torch.leaf(numbers[known])) if known.any() else []
    if len(leaves) != 1:
        return None
    return _ordered(numbers, torch.ids[torch.names[int(leaves[0])]], used)


def _ordered(numbers: np.ndarray, ids: np.ndarray, used: np.ndarray) -> np.ndarray | None:
    known = numbers > 0
    orders = [tuple(range(ids.ndim)), *itertools.permutations(range(ids.ndim))] if ids.ndim <= 5 else []
    for order in orders:
        turned = ids.transpose(order)
        for axis, size in enumerate(turned.shape or (1,)):
            part = numbers.size * size // max(turned.size, 1)
            if part < 1 or turned.size % numbers.size or size % part:
                continue
            for start in range(0, size, part):
                piece = np.take(turned, range(start, start + part), axis) if turned.ndim else turned
                if piece.size != numbers.size:
                    continue
                shaped = piece.reshape(numbers.shape)
                if (shaped[known] == numbers[known]).all() and not used[shaped[~known]].any():
                    return shaped
    return None
