"""From element to pattern: the axis patterns that say, as a few lines, which element of a weight lies where."""

import itertools
from collections.abc import Iterator

import numpy as np

from parity.convert.layouts import Atom
from parity.convert.mapping_error import MappingError
from parity.convert.numbering import Numbering
from parity.convert.pattern import Block, Irregular, described
from parity.convert.weight_map import Rule


class Untold(MappingError):
    """What the run used of a leaf does not tell where the rest of it comes from."""


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
    first, last = torch.leaf(np.array([block.numbers.min(), block.numbers.max()]))
    if first == last:
        try:
            described(block, torch)
        except Irregular:
            yield from _cut_where_it_jumps(block, torch)
        else:
            yield block
        return
    leaf = torch.leaf(block.numbers)
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
        for start, stop in itertools.pairwise(edges):
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
                    described(part, torch)
            except Irregular:
                continue
            yield from parts
            return
    raise Irregular("its elements follow no axis pattern")


def _part(block: Block, axis: int, start: int, stop: int) -> Block:
    """A stretch of one axis, or one place of it, which then is no axis any more."""
    place = next(k for k, group in enumerate(block.groups) if axis in group)
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
    count, runs = len(set(kinds)), {b - a for a, b in itertools.pairwise(edges)}
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


def _rule(jax_name: str, block: Block, torch: Numbering) -> Rule:
    name, index, layout = described(block, torch)
    return Rule(_placed(name, index), _placed(jax_name, block.index), layout)


def _placed(name: str, index: tuple[str, ...]) -> str:
    parts = list(index)
    while parts and parts[-1] == ":":
        parts.pop()
    return f"{name}[{','.join(parts)}]" if parts else name
