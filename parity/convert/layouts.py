"""One invertible axis pattern, such as `o i kh kw -> kh kw i o`: how a torch weight lies in a JAX one, and back."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from parity.numerics.chunks import write

TOKEN = re.compile(
    r"\s*(?:(?P<held>\d+)\s*/\s*(?P<of>\d+)|(?P<one>1)(?![\w/])|(?P<name>-?[A-Za-z_]\w*)|(?P<mark>[()]))"
)


class LayoutError(ValueError):
    """A pattern that cannot be read, or that does not fit the arrays that it is given."""


@dataclass(frozen=True)
class Atom:
    """A factor of an axis: named, or held at one index of its size.

    Attributes:
        name: The name; "" where it is held.
        reverse: Whether it runs backwards.
        at, of: The index at which it is held, and the size that it then has.
    """

    name: str
    reverse: bool = False
    at: int = 0
    of: int = 1

    def __str__(self) -> str:
        if self.name:
            return f"-{self.name}" if self.reverse else self.name
        return "1" if self.of == 1 else f"{self.at}/{self.of}"


Axes = tuple[tuple[Atom, ...], ...]


@dataclass(frozen=True)
class Layout:
    """How the elements of a torch array lie in a JAX array; both directions come from the one line.

    Names stand for axes. Parentheses hold factors of one axis, the last the fastest: `(h d) i -> i h d`. `2/3` is a
    factor of size 3 held at index 2: `(2/3 h d) i -> i h d` takes the last third of a fused weight, and on the right it
    writes to a part. `-k` runs backwards. `1` is an axis of size 1.

    Attributes:
        torch, jax: The factors of each axis on either side.
        sizes: Of those names that the shapes alone do not tell.

    Examples:
        >>> layout = Layout.parse("(h d) i -> i h d", h=2)
        >>> weight = np.arange(12.0).reshape(4, 3)
        >>> kernel = layout.to_jax(weight, np.empty((3, 2, 2)))
        >>> kernel[0]
        array([[0., 3.],
               [6., 9.]])
        >>> bool((layout.to_torch(kernel, np.empty((4, 3))) == weight).all())
        True
        >>> str(layout)
        '(h d) i -> i h d'
    """

    torch: Axes
    jax: Axes
    sizes: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, **sizes: int) -> "Layout":
        """Read a pattern.

        Args:
            text: The torch side, "->", the JAX side.
            **sizes: Of names.

        Returns:
            The Layout.

        Raises:
            LayoutError: If it is no pattern, or a name does not stand once on each side.
        """
        sides = text.split("->")
        if len(sides) != 2:
            raise LayoutError(
                f"layout {text!r}: wanted one '->' between the torch and the JAX side, got {len(sides) - 1}"
            )
        torch, jax = (_axes(side, text) for side in sides)
        left, right = _names(torch), _names(jax)
        for side, found in (("torch", left), ("JAX", right)):
            twice = sorted({n for n in found if found.count(n) > 1})
            if twice:
                raise LayoutError(f"layout {text!r}: {', '.join(twice)} stands twice on the {side} side")
        if set(left) != set(right):
            raise LayoutError(
                f"layout {text!r}: {', '.join(sorted(set(left) ^ set(right)))} stands on one side only; a pattern that "
                "loses or invents an axis has no way back"
            )
        strange = sorted(set(sizes) - set(left))
        if strange:
            raise LayoutError(f"layout {text!r}: a size is given for {', '.join(strange)}, which it does not name")
        if any(not isinstance(n, int) or n < 1 for n in sizes.values()):
            raise LayoutError(f"layout {text!r}: sizes must be whole numbers from 1 on, got {sizes}")
        return cls(torch, jax, dict(sizes))

    def __str__(self) -> str:
        return f"{_written(self.torch)} -> {_written(self.jax)}"

    def unturned(self) -> "Layout":
        """The same with the factors of a torch axis in torch's order where they are one JAX axis in another.

        Examples:
            >>> str(Layout.parse("o (c y x) -> (y x c) o").unturned())
            'o (c y x) -> (c y x) o'
        """
        places = {a.name: (axis, k) for axis, atoms in enumerate(self.torch) for k, a in enumerate(atoms) if a.name}

        def in_order(group: tuple[Atom, ...]) -> tuple[Atom, ...]:
            one = all(a.name for a in group) and len({places[a.name][0] for a in group}) == 1
            return tuple(sorted(group, key=lambda a: places[a.name])) if one else group

        return Layout(self.torch, tuple(in_order(group) for group in self.jax), self.sizes)

    def to_jax(self, torch: np.ndarray, jax: np.ndarray) -> np.ndarray:
        """Write a torch array's elements to their places in a JAX array, which is returned; others stay as they are."""
        return self._copy(torch, jax, forwards=True)

    def to_torch(self, jax: np.ndarray, torch: np.ndarray) -> np.ndarray:
        """Write a JAX array's elements to their places in a torch array, which is returned."""
        return self._copy(torch, jax, forwards=False)

    def seen_by_jax(self, torch: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
        """A torch array as all of a JAX array of that shape, over the same memory where the pattern allows it.

        None where the pattern writes to a part of the JAX array, or backwards.
        """
        return self._seen(torch, np.broadcast_to(np.int8(0), shape), forwards=True)

    def seen_by_torch(self, jax: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
        """The same the other way."""
        return self._seen(np.broadcast_to(np.int8(0), shape), jax, forwards=False)

    def views(self, torch: np.ndarray, jax: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Views of both arrays with one axis for each name, in one order: equal where the map holds.

        Raises:
            LayoutError: If the pattern does not fit the shapes; it says which axis.
        """
        sizes = dict(self.sizes)
        sides = ((self.torch, torch.shape, "torch"), (self.jax, jax.shape, "JAX"))
        for axes, shape, side in sides:
            if len(axes) != len(shape):
                raise LayoutError(f"layout {self}: the {side} array has shape {shape}, the pattern {len(axes)} axes")
        for _ in range(1 + len(_names(self.torch))):
            for axes, shape, _side in sides:
                for atoms, size in zip(axes, shape, strict=True):
                    unknown = [a.name for a in atoms if a.name and a.name not in sizes]
                    rest = math.prod(sizes[a.name] if a.name else a.of for a in atoms if a.name not in unknown)
                    if len(unknown) == 1 and rest and size % rest == 0:
                        sizes[unknown[0]] = size // rest
        for axes, shape, side in sides:
            for atoms, size in zip(axes, shape, strict=True):
                unknown = [a.name for a in atoms if a.name and a.name not in sizes]
                if unknown:
                    raise LayoutError(
                        f"layout {self}: the {side} axis of size {size} does not tell {', '.join(unknown)}; give a size"
                    )
                product = math.prod(sizes[a.name] if a.name else a.of for a in atoms)
                if product != size:
                    axis = " ".join(map(str, atoms))
                    raise LayoutError(
                        f"layout {self}: the {side} axis ({axis}) has size {size} in shape {shape}, "
                        f"the pattern makes {product}"
                    )
        order = _names(self.torch)
        return _view(torch, self.torch, sizes, order), _view(jax, self.jax, sizes, order)

    def _copy(self, torch: np.ndarray, jax: np.ndarray, *, forwards: bool) -> np.ndarray:
        left, right = self.views(torch, jax)
        if forwards:
            write(left, right)
            return jax
        write(right, left)
        return torch

    def _seen(self, torch: np.ndarray, jax: np.ndarray, *, forwards: bool) -> np.ndarray | None:
        target, shape = (self.jax, jax.shape) if forwards else (self.torch, torch.shape)
        if any(atom.reverse or atom.of > 1 for group in target for atom in group):
            return None
        left, right = self.views(torch, jax)
        order = _names(self.torch)
        return (left if forwards else right).transpose([order.index(n) for n in _names(target)]).reshape(shape)


def _view(array: np.ndarray, axes: Axes, sizes: Mapping[str, int], order: Sequence[str]) -> np.ndarray:
    atoms = [atom for group in axes for atom in group]
    split = array.view()
    split.shape = tuple(sizes[a.name] if a.name else a.of for a in atoms)  # raises where it could not be a view
    index = [slice(None, None, -1 if a.reverse else None) if a.name else a.at for a in atoms]
    named = split[(*index, ...)]  # the dots keep a single element a view
    names = [a.name for a in atoms if a.name]
    return named.transpose([names.index(n) for n in order])


def _axes(text: str, whole: str) -> Axes:
    axes: list[tuple[Atom, ...]] = []
    group: list[Atom] | None = None
    position = 0
    text = text.rstrip()
    while position < len(text):
        found = TOKEN.match(text, position)
        if found is None:
            raise LayoutError(f"layout {whole!r}: cannot read {text[position:].strip()!r}")
        position = found.end()
        mark = found["mark"]
        if mark == "(" and group is None:
            group = []
        elif mark == ")" and group:
            axes.append(tuple(group))
            group = None
        elif mark:
            raise LayoutError(f"layout {whole!r}: {mark!r} has no partner or holds nothing before {text[position:]!r}")
        else:
            atom = _atom(found, whole)
            if group is None:
                axes.append((atom,))
            else:
                group.append(atom)
    if group is not None:
        raise LayoutError(f"layout {whole!r}: '(' is not closed")
    return tuple(axes)


def _atom(found: re.Match[str], whole: str) -> Atom:
    if found["name"]:
        return Atom(found["name"].removeprefix("-"), reverse=found["name"].startswith("-"))
    if found["one"]:
        return Atom("")
    at, of = int(found["held"]), int(found["of"])
    if at >= of:
        raise LayoutError(f"layout {whole!r}: {at}/{of} holds an axis of size {of} at index {at}; the last is {of - 1}")
    return Atom("", at=at, of=of)


def _names(axes: Axes) -> list[str]:
    return [atom.name for group in axes for atom in group if atom.name]


def _written(axes: Axes) -> str:
    return " ".join(str(g[0]) if len(g) == 1 else f"({' '.join(map(str, g))})" for g in axes)
