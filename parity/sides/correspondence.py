"""Which parameter of one side is which of the other, and numbers carried over in both directions."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from parity.sides.inputs import is_float, widened

Arrays = dict[str, np.ndarray]


class Correspondence(Protocol):
    """Torch's names and JAX's paths, and what carries numbers between them."""

    @property
    def sources(self) -> Mapping[str, tuple[str, ...]]:
        """For each torch name the JAX leaves that its numbers stand in; none for a name without a partner."""
        ...

    @property
    def keeps_values(self) -> bool:
        """Whether JAX runs on its own values, and not on torch's."""
        ...

    @property
    def added(self) -> Mapping[str, str]:
        """Torch tensors that are added to another, with that other: one leaf of JAX's is the sum of the two."""
        ...

    def to_jax(self, named: Mapping[str, np.ndarray]) -> Arrays:
        """JAX's leaves, by path, of values by torch name."""
        ...

    def to_torch(self, leaves: Arrays) -> Arrays:
        """Values by torch name of JAX's leaves; only of names all of whose leaves are there.

        The leaves may be taken out of what is given as they are carried over, so that no more than one is held twice.
        """
        ...

    def gradients(self, leaves: Arrays) -> Arrays:
        """The same of gradients: of two torch tensors whose sum is one leaf, both have the leaf's."""
        ...


class ByName:
    """Leaves that have one name and one shape on both sides.

    Args:
        torch: Torch's values by name.
        jax: JAX's by path.
        keeps_values: Whether each side runs on its own values.
        aliases: Further names of torch's tied tensors, each with the first.

    Examples:
        >>> same = ByName({"w": np.ones(2), "b": np.ones(1)}, {"w": np.zeros(2)})
        >>> dict(same.sources), same.to_jax({"w": np.ones(2)})
        ({'w': ('w',)}, {'w': array([1., 1.])})
    """

    def __init__(
        self,
        torch: Mapping[str, np.ndarray],
        jax: Mapping[str, np.ndarray],
        *,
        keeps_values: bool = True,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self.keeps_values = keeps_values
        self.aliases = dict(aliases or {})
        self.added: dict[str, str] = {}
        self.sources = {n: (n,) for n, a in torch.items() if n in jax and jax[n].shape == a.shape}

    def to_jax(self, named: Mapping[str, np.ndarray]) -> Arrays:
        given = dict(named) | {alias: named[n] for alias, n in self.aliases.items() if n in named}
        return {n: a for n, a in given.items() if n in self.sources}

    def to_torch(self, leaves: Arrays) -> Arrays:
        return {n: a for n, a in leaves.items() if n in self.sources}

    gradients = to_torch


class ByMap:
    """A WeightMap's rules, used on NumPy arrays of float64.

    Where a torch tensor's numbers stand is read from the rules; of a map that has none it is found by carrying the
    number of each JAX leaf back to torch.

    Args:
        weights: Has `to_jax(torch state dict) -> tree` and `to_torch(tree) -> torch state dict`, both on NumPy arrays.
        torch: Torch's values by every name.
        aliases: Further names of tied tensors, each with the first.
    """

    keeps_values = False

    def __init__(self, weights: Any, torch: Mapping[str, np.ndarray], aliases: Mapping[str, str]) -> None:
        self.weights = weights
        self.torch, self.aliases = dict(torch), dict(aliases)
        self._ruled = hasattr(weights, "to_torch_arrays")
        carried = self._carried(self.torch)
        # Kept for its structure: a number with a shape has no memory of its own.
        self._tree = _filled(carried, {p: np.broadcast_to(0.0, np.shape(a)) for p, a in self._flat(carried).items()})
        del carried
        paths = list(self._flat(self._tree))
        # A rule may add a second torch tensor to the first, or a part to a part: a recurrent layer's two biases.
        sums = [r for r in getattr(weights, "rules", ()) if getattr(r, "plus", "")]
        self.added: dict[str, str] = {leaf_name(rule.plus): leaf_name(rule.torch) for rule in sums}
        self.sources: dict[str, tuple[str, ...]] = self._by_rule(paths) if self._ruled else self._by_number(paths)
        if not self._ruled:
            self.sources |= {other: self.sources[first] for other, first in self.added.items() if first in self.sources}

    def _by_rule(self, paths: list[str]) -> dict[str, tuple[str, ...]]:
        """The leaves of each tensor by the rules, which cover every element of a tensor once."""
        places = {p: i for i, p in enumerate(paths)}
        found: dict[str, set[str]] = {}
        for rule in self.weights.rules:
            for torch in map(leaf_name, filter(None, (rule.torch, rule.plus))):
                own = found.setdefault(torch, set())
                if np.size(self.torch[torch]):
                    own.add(leaf_name(rule.jax))
        whole = {n: tuple(sorted(own, key=places.__getitem__)) for n, own in found.items()}
        return whole | {a: whole[n] if a in self.torch else () for a, n in self.weights.aliases.items() if n in whole}

    def _by_number(self, paths: list[str]) -> dict[str, tuple[str, ...]]:
        shapes = {p: np.shape(a) for p, a in self._flat(self._tree).items()}
        numbered = {p: np.broadcast_to(1.0 + i, shapes[p]) for i, p in enumerate(paths)}
        sources: dict[str, tuple[str, ...]] = {}
        for name, found in self._returned(numbered).items():
            places = _distinct(found)
            whole = name in self.torch and places.size and np.all((places == np.round(places)) & (places > 0.0))
            sources[name] = tuple(paths[int(i) - 1] for i in places) if whole else ()
        return sources

    def to_jax(self, named: Mapping[str, np.ndarray]) -> Arrays:
        given = self.torch | dict(named) | {a: named[n] for a, n in self.aliases.items() if n in named}
        return {p: np.asarray(a) for p, a in self._flat(self._carried(given)).items()}

    def to_torch(self, leaves: Arrays) -> Arrays:
        return self._back(leaves, gradients=False)

    def gradients(self, leaves: Arrays) -> Arrays:
        return self._back(leaves, gradients=True)

    def _back(self, leaves: Arrays, *, gradients: bool) -> Arrays:
        whole = self._flat(self._tree) | leaves
        wanted = {n for n, paths in self.sources.items() if paths and all(p in leaves for p in paths)}
        leaves.clear()
        found = self._returned(whole, gradients=gradients)
        return {n: a for n, a in found.items() if n in wanted and (gradients or n not in self.added)}

    def _carried(self, named: Mapping[str, np.ndarray]) -> Any:
        if self._ruled:  # over the memory of those given: what is carried is read and never written
            return self.weights.to_jax(dict(named), views=True)
        from parity.sides.jax_tree import jax

        with jax.enable_x64(True):
            return self.weights.to_jax({n: widened(a) if is_float(a) else a for n, a in named.items()})

    def _returned(self, leaves: dict[str, Any], *, gradients: bool = False) -> Arrays:
        if self._ruled:  # a WeightMap needs no torch for it, which a recording of the JAX side has not
            whole = self.weights.to_torch_arrays_of(leaves, gradients=gradients)
            return whole | {alias: whole[n] for alias, n in self.weights.aliases.items() if n in whole}
        from parity.sides.jax_tree import jax

        with jax.enable_x64(True):
            back = {n: np.asarray(a) for n, a in self.weights.to_torch(_filled(self._tree, leaves)).items()}
        return back | {other: back[first] for other, first in self.added.items() if gradients and first in back}

    @staticmethod
    def _flat(tree: Any) -> dict[str, Any]:
        from parity.sides.jax_tree import flat

        return flat(tree)


def leaf_name(place: str) -> str:
    """The leaf that a rule of a map names, or names a part of: "qkv.weight" of "qkv.weight[0:8]"."""
    return place.partition("[")[0]


def _filled(tree: Any, leaves: Mapping[str, Any]) -> Any:
    from parity.sides.jax_tree import filled

    return filled(tree, leaves)


def _distinct(numbers: np.ndarray) -> np.ndarray:
    """The few values that a large array takes, in order; to sort or to hash it would take longer than a pass for each.

    Where one is no number, NaN alone: it is no leaf's number then.

    Examples:
        >>> _distinct(np.array([2.0, 1.0, 2.0])).tolist()
        [1.0, 2.0]
    """
    found, rest = [], numbers.reshape(-1)
    if not np.isfinite(rest).all():
        return np.array([np.nan])
    while rest.size:
        found.append(rest[0])
        rest = rest[rest != rest[0]]
    return np.sort(np.array(found))
