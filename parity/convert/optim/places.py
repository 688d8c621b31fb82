"""Where each torch parameter lies in the flax tree: a weight map as compiled code, learnt by sending numbers through it.

A weight map moves elements and computes nothing, so numbered elements tell all of it. Gradients go to torch's layout by
it, updates come back, inside a compiled step; a block of a leaf with its axes in another order becomes a transpose, what
is cut finer a gather.
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
    """The map between a flax tree and torch's names, for the parameters of an optimizer.

    Attributes:
        names: torch's names of those that the optimizer trains.
        forward: Of each of them, how it is taken from the leaves of the tree.
        backward: Of each leaf with trained elements, how its updates are taken from torch's.
        added: Of the leaves that are sums of two torch parameters, the second part.
        shapes: torch's shapes of all that the map covers.
    """

    names: tuple[str, ...]
    forward: Mapping[str, Piece]
    backward: Mapping[Path, Piece]
    added: Mapping[Path, Piece]
    shapes: Mapping[str, tuple[int, ...]]

    @classmethod
    def learn(cls, weights: Weights, names: Iterable[str], shapes: Mapping[str, tuple[int, ...]]) -> "Places":
        """Send numbers through a weight map.

        Args:
            weights: The map.
            names: The parameters that the optimizer trains.
            shapes: torch's shapes of everything that the map wants, buffers too.

        Returns:
            The Places.

        Raises:
            ValueError: If the map lacks a trained parameter or loses an element.
        """
        names = tuple(names)
        numbered, end = {}, 1  # 0 is what no element is
        for name, shape in shapes.items():
            size = int(np.prod(shape))
            numbered[name] = np.arange(end, end + size).reshape(shape)
            end += size
        leaves = dict(_named(weights.to_jax(numbered)))
        sizes = np.cumsum([0, *(np.size(leaf) for leaf in leaves.values())]) + 1
        own = {
            path: np.arange(start, start + np.size(leaf)).reshape(np.shape(leaf))
            for (path, leaf), start in zip(leaves.items(), sizes, strict=False)
        }
        back = {name: np.asarray(value) for name, value in weights.to_torch(_nest(own)).items()}
        lost = [name for name in names if name not in back]
        if lost:
            raise ValueError(f"optim: the weight map does not cover {', '.join(lost[:8])}, which the optimizer trains")
        # A sum of two torch parameters comes back in the first; the second is found by sending it alone.
        second = {name: np.where(back[name] == 0, numbered[name], 0) if name in back else numbered[name] * 0 for name in shapes}
        added = {path: np.asarray(leaf) for path, leaf in _named(weights.to_jax(second))}
        first = {path: np.asarray(leaf) - added[path] for path, leaf in leaves.items()}
        place = np.zeros(end, np.int64)
        for path, leaf in own.items():
            for numbers in (first[path], added[path]):
                place[numbers.ravel()] = leaf.ravel()
        place[0] = 0
        forward = {}
        for name in names:
            wanted = place[numbered[name]]
            if (wanted == 0).any():
                raise ValueError(f"optim: the weight map puts a part of {name} nowhere, so its gradient is not known")
            forward[name] = _piece(wanted, own)
        trained = {name: numbered[name] for name in names}
        tables = [
            {path: _piece(leaf, trained) for path, leaf in side.items() if np.isin(leaf, _all(trained)).any()}
            for side in (first, added)
        ]
        return cls(names, forward, tables[0], tables[1], dict(shapes))

    def to_torch(self, tree: Any, what: str) -> dict[str, Any]:
        """torch's arrays of a flax tree; None for a parameter all of whose elements lie in leaves that are None.

        Args:
            tree: With at least the leaves that hold what the optimizer trains.
            what: What it is, for the message.

        Returns:
            By torch's name, in torch's layout.

        Raises:
            ValueError: If a leaf is missing from the tree.
        """
        leaves = dict(_named(tree))
        found: dict[str, Any] = {}
        for name, piece in self.forward.items():
            missing = [path for path in piece.sources if path not in leaves]
            if missing:
                raise ValueError(
                    f"optim: the {what} have no leaf {_dotted(missing[0])}, where torch's {name} lies; they have "
                    f"{', '.join(map(_dotted, list(leaves)[:8]))}"
                )
            parts = {path: leaves[path] for path in piece.sources}
            known = [part for part in parts.values() if part is not None]
            # One torch tensor from several leaves, some without a gradient: torch's own gradient is zero there.
            filled = {path: self._zeros(path, known) if part is None else part for path, part in parts.items()}
            found[name] = piece.take(filled) if known else None
        return found

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
            new = self.backward[place].take(arrays)
            return new + self.added[place].take(arrays) if place in self.added else new

        return jax.tree_util.tree_map_with_path(leaf, like)

    def _zeros(self, path: Path, known: list[Any]) -> Any:
        return jnp.zeros(self.leaf_shapes[path], known[0].dtype)
