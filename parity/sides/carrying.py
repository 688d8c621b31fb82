"""Torch's weights as the leaves of one JAX layer, inside of a trace, so that gradients come back as torch's."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.sides import jax_backend
from parity.sides.arrangement import Arrangement, arrangements

jax = jax_backend.start()

NOWHERE = -1


@dataclass(frozen=True, eq=False)
class Carried:
    """Where the numbers of one JAX leaf come from.

    Attributes:
        leaf: Its name in the layer.
        names: Torch tensors, whose elements are counted through in this order.
        main: For each element of the leaf, which of these.
        plus: Another that is added, NOWHERE for none; None where nothing is.
        shapes: Of the tensors.
        whole: The arrangement, where the leaf is the one tensor as it is but for the order of its axes.
    """

    leaf: str
    names: tuple[str, ...]
    main: np.ndarray
    plus: np.ndarray | None
    shapes: tuple[tuple[int, ...], ...]
    whole: Arrangement | None

    @classmethod
    def of(
        cls, leaf: str, shapes: Mapping[str, tuple[int, ...]], main: np.ndarray, plus: np.ndarray | None
    ) -> "Carried":
        """Only the tensors that are used are kept, and the plain case is told from the others.

        Args:
            leaf: The leaf's name.
            shapes: Of all tensors, by name, in the order in which elements are counted.
            main, plus: See the class.
        """
        starts = np.cumsum([0, *(int(np.prod(s, dtype=np.int64)) for s in shapes.values())])
        every = [main] if plus is None else [main, plus[plus != NOWHERE]]
        used = [i for i in range(len(shapes)) if any(((e >= starts[i]) & (e < starts[i + 1])).any() for e in every)]
        names = [list(shapes)[i] for i in used]
        moved = np.concatenate([np.full(starts[i + 1] - starts[i], starts[i]) for i in range(len(shapes))])
        kept = np.cumsum([0, *(starts[i + 1] - starts[i] for i in used)])
        offset = {int(starts[i]): int(kept[k]) for k, i in enumerate(used)}

        def local(index: np.ndarray) -> np.ndarray:
            start = moved[index]
            return index - start + np.vectorize(lambda s: offset.get(int(s), 0), otypes=[np.int64])(start)

        main = local(main)
        if plus is not None:
            plus = np.where(plus == NOWHERE, NOWHERE, local(np.maximum(plus, 0)))
        own = tuple(shapes[n] for n in names)
        whole = None
        if plus is None and len(names) == 1 and main.size == np.prod(own[0], dtype=np.int64):
            count = np.arange(main.size).reshape(own[0])
            whole = next((a for a in arrangements(own[0], main.shape) if np.array_equal(a.to_jax(count), main)), None)
        return cls(leaf, tuple(names), main, plus, own, whole)

    @property
    def key(self) -> Hashable:
        """Equal for leaves that are carried alike."""
        how: Hashable = self.whole or (self.main.tobytes(), None if self.plus is None else self.plus.tobytes())
        return self.leaf, self.names, self.shapes, how

    def to_jax(self, tensors: Mapping[str, Any]) -> Any:
        """The leaf, of torch's tensors as JAX arrays."""
        if self.whole is not None:
            return self.whole.to_jax(tensors[self.names[0]])
        flat = jax.numpy.concatenate([tensors[n].reshape(-1) for n in self.names])
        if self.plus is None:
            return flat[self.main]
        return flat[self.main] + jax.numpy.where(self.plus == NOWHERE, 0, flat[np.maximum(self.plus, 0)])

    def to_torch(self, leaf: Any) -> dict[str, Any]:
        """Torch's tensors of a leaf; those of which it holds a part are zero elsewhere."""
        ends = np.cumsum([int(np.prod(s, dtype=np.int64)) for s in self.shapes])
        flat = jax.numpy.zeros(int(ends[-1]), leaf.dtype).at[self.main.reshape(-1)].set(leaf.reshape(-1))
        parts = jax.numpy.split(flat, [int(e) for e in ends[:-1]])
        return {n: p.reshape(s) for n, p, s in zip(self.names, parts, self.shapes, strict=True)}


def like(array: Any, dtype: Any) -> Any:
    """A constant in a run's dtype; integers and booleans as they are."""
    return jax.numpy.asarray(array, dtype) if np.asarray(array).dtype.kind == "f" else jax.numpy.asarray(array)
