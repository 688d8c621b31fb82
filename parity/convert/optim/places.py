"""Where each torch parameter lies in the flax tree: a weight map as compiled code, learnt by sending numbers through.

A weight map moves elements and computes nothing, so numbered elements tell all of it. Gradients go to torch's layout by
it, updates come back, inside a compiled step. A block of a leaf with its axes in another order is a transpose, what is
cut finer a gather.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

Path = tuple[str | int, ...]


class Weights(Protocol):
    """What a weight map can do."""

    def to_jax(self, torch_state: Mapping[str, Any]) -> Any:
        """The flax tree of arrays by torch's names, in torch's layout."""

    def to_torch(self, jax_state: Any) -> Mapping[str, Any]:
        """torch's names and layout of a flax tree."""


@dataclass(frozen=True)
class Piece:
    """One array as taken from others, laid end to end.

    Attributes:
        shape: Of the array.
        sources: The others.
        index: For each element its place in them; None where `order` tells it.
        start: Where the block begins in the only source, where `order` tells the rest.
        order: The block's axes in the order of the source.
        absent: Elements that no source holds; they are zero. None where there are none.
    """

    shape: tuple[int, ...]
    sources: tuple[Any, ...]
    index: np.ndarray | None = None
    start: int = 0
    order: tuple[int, ...] = ()
    absent: np.ndarray | None = None

    def take(self, arrays: Mapping[Any, Any]) -> Any:
        """The array."""
        if self.index is None:
            block = arrays[self.sources[0]].reshape(-1)[self.start : self.start + int(np.prod(self.shape))]
            return block.reshape([self.shape[axis] for axis in self.order]).transpose(np.argsort(self.order))
        flat = jnp.concatenate([jnp.ravel(arrays[source]) for source in self.sources])
        taken = flat[self.index]
        return taken if self.absent is None else jnp.where(self.absent, 0, taken)


@dataclass(frozen=True)
class Places:
    """The map between a flax tree and torch's names.

    Attributes:
        trained: torch's names of the optimizer's parameters.
        gradients: By torch's name, of all that the map covers: how a gradient is taken from the leaves of the tree.
        values: The same for values, where they differ: of two torch parameters that one leaf is the sum of, each has
            the leaf's gradient, but the first has the whole value and the second is zero.
        backward: By path, how the updates of a leaf with trained elements are taken from torch's.
        added: Of the leaves that are sums, the second part.
        shapes: Of the leaves.
    """

    trained: tuple[str, ...]
    gradients: Mapping[str, Piece]
    values: Mapping[str, Piece]
    backward: Mapping[Path, Piece]
    added: Mapping[Path, Piece]
    shapes: Mapping[Path, tuple[int, ...]]

    @classmethod
    def learn(cls, weights: Weights, trained: Iterable[str], shapes: Mapping[str, tuple[int, ...]]) -> "Places":
        """Send numbers through a weight map.

        Args:
            weights: The map.
            trained: The parameters that the optimizer trains.
            shapes: torch's shapes of everything that the map wants, buffers too.

        Returns:
            The Places.

        Raises:
            ValueError: If the map lacks a trained parameter or loses an element.
        """
        trained = tuple(trained)
        ends = np.cumsum([1, *(int(np.prod(shape)) for shape in shapes.values())])  # 0 is what no element is
        numbered = {
            name: np.arange(end, end + int(np.prod(shape))).reshape(shape)
            for (name, shape), end in zip(shapes.items(), ends, strict=False)
        }
        tree = weights.to_jax(numbered)
        sent, structure = _leaves(tree)
        ends = np.cumsum([1, *(leaf.size for leaf in sent.values())])
        own = {
            path: np.arange(end, end + leaf.size).reshape(leaf.shape)
            for (path, leaf), end in zip(sent.items(), ends, strict=False)
        }
        there = weights.to_torch(jax.tree.unflatten(structure, list(own.values())))
        back = {name: np.asarray(value) for name, value in there.items()}
        lost = [name for name in trained if name not in back]
        if lost:
            raise ValueError(f"optim: the weight map does not cover {', '.join(lost[:8])}, which the optimizer trains")
        # A leaf that is a sum of two torch parameters comes back as the first; nothing comes back to the second.
        alone = {
            name: np.where(back[name] == 0, number, 0) if name in back else np.zeros_like(number)
            for name, number in numbered.items()
        }
        added = _leaves(weights.to_jax(alone))[0]
        first = {path: leaf - added[path] for path, leaf in sent.items()}
        place = np.zeros(sum(number.size for number in numbered.values()) + 1, np.int64)
        for side in (first, added):
            for path, leaf in side.items():
                place[leaf.ravel()] = own[path].ravel()
        place[0] = 0
        wanted = {name: place[number] for name, number in numbered.items() if name in back}
        lost = [name for name in trained if (wanted[name] == 0).any()]
        if lost:
            raise ValueError(
                f"optim: the weight map puts a part of {', '.join(lost[:8])} nowhere, so its gradient is lost"
            )
        turned = [name for name in trained if ((back[name] != 0) & (back[name] != wanted[name])).any()]
        if turned:
            raise ValueError(f"optim: the weight map's two directions contradict each other in {', '.join(turned[:8])}")
        known = np.concatenate([numbered[name].ravel() for name in trained])
        mine = {name: numbered[name] for name in trained}
        backward, second = (
            {path: _piece(leaf, mine) for path, leaf in side.items() if np.isin(leaf, known).any()}
            for side in (first, added)
        )
        return cls(
            trained,
            {name: _piece(number, own) for name, number in wanted.items()},
            {name: _gather(wanted[name], own, alone[name] != 0) for name in wanted if alone[name].any()},
            backward,
            second,
            {path: leaf.shape for path, leaf in own.items()},
        )

    def to_torch(self, tree: Any, what: str, *, gradients: bool = False) -> dict[str, Any]:
        """torch's arrays of a flax tree; None for a parameter all of whose elements lie in leaves that are None.

        Args:
            tree: With at least the leaves that hold what the optimizer trains.
            what: What it is, for the message.
            gradients: Whether the tree holds gradients, rather than values.

        Returns:
            The trained parameters by torch's name, in torch's layout.

        Raises:
            ValueError: If a leaf is missing from the tree.
        """
        leaves = _leaves(tree)[0]
        pieces = self.gradients if gradients else {**self.gradients, **self.values}
        for name in self.trained:
            missing = [path for path in pieces[name].sources if path not in leaves]
            if missing:
                raise ValueError(
                    f"optim: the {what} have no leaf {_dotted(missing[0])}, where torch's {name} lies; they have "
                    f"{', '.join(map(_dotted, list(leaves)[:8]))}"
                )
        return {name: self._take(pieces[name], leaves) for name in self.trained}

    def all_to_torch(self, tree: Any) -> dict[str, Any]:
        """torch's arrays of all that a flax tree holds, buffers and frozen parameters too, by torch's name."""
        leaves = _leaves(tree)[0]
        pieces = {**self.gradients, **self.values}
        whole = {name: piece for name, piece in pieces.items() if all(path in leaves for path in piece.sources)}
        return {name: self._take(piece, leaves) for name, piece in whole.items()}

    def _take(self, piece: Piece, leaves: Mapping[Path, Any]) -> Any:
        parts = {path: leaves[path] for path in piece.sources}
        known = [part for part in parts.values() if part is not None]
        # One torch tensor from several leaves, some without a gradient: torch's own gradient is zero there.
        filled = {
            path: jnp.zeros(self.shapes[path], known[0].dtype) if part is None and known else part
            for path, part in parts.items()
        }
        return piece.take(filled) if known else None

    def to_jax(self, arrays: Mapping[str, Any], like: Any) -> Any:
        """The flax tree of torch's arrays; zero where nothing is trained.

        Args:
            arrays: By torch's name.
            like: A tree of the structure, shapes and dtypes.

        Returns:
            The tree.
        """

        def leaf(path: Any, old: Any) -> Any:
            place = _path(path)
            if place not in self.backward:
                return jnp.zeros_like(old)
            new = self.backward[place].take(arrays).astype(old.dtype)
            return new + self.added[place].take(arrays) if place in self.added else new

        return jax.tree_util.tree_map_with_path(leaf, like)


def _piece(wanted: np.ndarray, numbered: Mapping[Any, np.ndarray]) -> Piece:
    """How an array of these elements is taken from arrays whose elements are numbered, each in a block of its own."""
    held = {name: number for name, number in numbered.items() if np.isin(number, wanted).any()}
    if len(held) == 1 and not (wanted == 0).any():
        ((name, number),) = held.items()
        order = _block(wanted)
        if order is not None:
            return Piece(wanted.shape, (name,), start=int(wanted.min() - number.min()), order=order)
    return _gather(wanted, numbered, wanted == 0)


def _gather(wanted: np.ndarray, numbered: Mapping[Any, np.ndarray], absent: np.ndarray) -> Piece:
    held = {name: number for name, number in numbered.items() if np.isin(number, wanted).any()}
    order = np.concatenate([number.ravel() for number in held.values()])
    sorter = np.argsort(order)
    at = np.minimum(np.searchsorted(order, wanted, sorter=sorter), len(order) - 1)
    absent = absent | (order[sorter[at]] != wanted)
    return Piece(wanted.shape, tuple(held), sorter[at].astype(np.int32), absent=absent if absent.any() else None)


def _block(wanted: np.ndarray) -> tuple[int, ...] | None:
    """The axes of an array in the order in which its elements are numbered without gaps; None where they are not."""
    corner = (0,) * wanted.ndim
    steps = [
        int(wanted[(*corner[:axis], 1, *corner[axis + 1 :])] - wanted[corner]) if size > 1 else 0
        for axis, size in enumerate(wanted.shape)
    ]
    order = tuple(sorted(range(wanted.ndim), key=lambda axis: -steps[axis]))
    run = np.arange(wanted.size).reshape([wanted.shape[axis] for axis in order]) + wanted.min()
    return order if (run.transpose(np.argsort(order)) == wanted).all() else None


def _leaves(tree: Any) -> tuple[dict[Path, Any], Any]:
    """The leaves of a tree by path, None among them, and its structure; a flax variable's value goes by its name."""
    found, structure = jax.tree_util.tree_flatten_with_path(tree, is_leaf=lambda leaf: leaf is None)
    return {_path(path): leaf for path, leaf in found}, structure


def _path(keys: Any) -> Path:
    steps: list[Any] = [getattr(key, "key", getattr(key, "idx", getattr(key, "name", None))) for key in keys]
    in_variable = len(steps) > 1 and isinstance(keys[-1], jax.tree_util.GetAttrKey) and steps[-1] == "value"
    return tuple(steps[:-1]) if in_variable else tuple(steps)


def _dotted(path: Path) -> str:
    return ".".join(map(str, path))
