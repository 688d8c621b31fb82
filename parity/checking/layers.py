"""Which layer of the torch model is which of the JAX model: those that hold the same weights by the map's rules."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.sides.carrying import NOWHERE, Carried
from parity.sides.correspondence import leaf_name


@dataclass(frozen=True)
class Part:
    """One layer of the JAX model beside what it is in torch.

    Attributes:
        torch: Paths of torch's modules; more than one where JAX has fused what torch has apart.
        jax: Path of JAX's module.
        carried: Where each of its leaves comes from; tensors are named "<place in torch>.<name in the module>".
        rows: Which features of torch's output, those of several modules joined, this layer gives; None for all.
        leaves: The model's name of each leaf.
    """

    torch: tuple[str, ...]
    jax: str
    carried: tuple[Carried, ...]
    rows: tuple[int, ...] | None = None
    leaves: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def torch_path(self) -> str:
        """Torch's path, as a reader should see it."""
        return " + ".join(self.torch)

    def tensors(self, named: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Its torch tensors by local name, of the model's by full name."""
        wanted = {name for c in self.carried for name in c.names}
        return {n: named[self.full(n)] for n in sorted(wanted) if self.full(n) in named}

    def full(self, local: str) -> str:
        """The model's name of a local one."""
        place, _, name = local.partition(".")
        return f"{self.torch[int(place)]}.{name}"


@dataclass(frozen=True)
class Matching:
    """All layers that were matched, and what could not be.

    Attributes:
        parts: The layers.
        between: Torch weights that no single layer holds: parameters of the model itself, stacks that JAX scans.
    """

    parts: tuple[Part, ...]
    between: tuple[str, ...]


def matched(weights: Any, owner: Callable[[str], str], called: Iterable[str], lifted: Mapping[str, str]) -> Matching:
    """Match layers by the rules of a WeightMap.

    Rules tie torch's modules to JAX's; modules tied together are one layer. Where several JAX modules are tied, the
    module around them is the layer if it holds nothing else (LSTM, attention); else each is judged by the rows of
    torch's output that are its own (a fused QKV against three projections).

    Args:
        weights: A WeightMap.
        owner: The JAX module of a JAX leaf.
        called: Paths of torch's modules that were called and ran none that was recorded itself.
        lifted: JAX modules that could not be seen apart, with the modules around them that stand in for them.

    Returns:
        The Matching.
    """
    seen = set(called)
    every = {leaf_name(rule.jax): owner(leaf_name(rule.jax)) for rule in weights.rules}
    groups: list[tuple[set[str], set[str], list[Any]]] = []
    between: list[str] = []
    for rule in weights.rules:
        places = [p for p in (rule.torch, rule.plus) if p]
        modules = {_called(leaf_name(p).rpartition(".")[0], seen) for p in places}
        if None in modules:
            between += [leaf_name(p) for p in places]
            continue
        torch, jax, rules = {m for m in modules if m is not None}, {every[leaf_name(rule.jax)]}, [rule]
        for group in [g for g in groups if g[0] & torch or g[1] & jax]:
            groups.remove(group)
            torch, jax, rules = torch | group[0], jax | group[1], group[2] + rules
        groups.append((torch, jax, rules))
    parts: list[Part] = []
    for torch, jax, rules in groups:
        found = _parts(weights, torch, jax, rules, every, lifted)
        if found is None:
            between += sorted({leaf_name(r.torch) for r in rules})
        else:
            parts += found
    return Matching(tuple(parts), tuple(dict.fromkeys(between)))


def _parts(
    weights: Any, torch: set[str], jax: set[str], rules: list[Any], every: Mapping[str, str], lifted: Mapping[str, str]
) -> list[Part] | None:
    modules = _ordered(torch, rules)
    whole = _around(jax, every, lifted)
    if whole is not None and len(modules) == 1:
        carried, names = _carried(weights, rules, modules, whole, every)
        return [Part(modules, whole, carried, None, names)]
    directions = _directions(weights, modules, rules, every, lifted)
    if directions is not None:
        return directions
    if not all(_one_matrix(weights, module, rules) for module in modules):
        return None
    parts = []
    for module in dict.fromkeys(every[leaf_name(r.jax)] for r in rules):
        carried, names = _carried(weights, rules, modules, module, every)
        rows = _rows(carried, modules)
        if rows is None:
            return None
        parts.append(Part(modules, module, carried, rows, names))
    return parts


def _one_matrix(weights: Any, module: str, rules: list[Any]) -> bool:
    """Whether a torch module's output are the rows of one weight; those of attention, of several, are within it."""
    names = {leaf_name(r.torch) for r in rules}
    return sum(n.startswith(f"{module}.") and len(weights.torch_shapes[n]) == 2 for n in names) <= 1


def _directions(
    weights: Any, modules: tuple[str, ...], rules: list[Any], every: Mapping[str, str], lifted: Mapping[str, str]
) -> list[Part] | None:
    """A recurrent layer of torch's that runs both ways, and is two in JAX: each gives one half of the features."""
    names = {leaf_name(r.torch) for r in rules}
    hidden = [weights.torch_shapes[n][1] for n in names if n.endswith(".weight_hh_l0")]
    if len(modules) != 1 or len(hidden) != 1 or any("_l1" in n for n in names):
        return None
    parts = []
    for back in (False, True):
        own = [r for r in rules if leaf_name(r.torch).endswith("_reverse") == back]
        whole = _around({every[leaf_name(r.jax)] for r in own}, every, lifted) if own else None
        if whole is None:
            return None
        carried, leaves = _carried(weights, own, modules, whole, every)
        parts.append(Part(modules, whole, carried, tuple(range(back * hidden[0], (1 + back) * hidden[0])), leaves))
    return parts


def _ordered(torch: set[str], rules: list[Any]) -> tuple[str, ...]:
    found = [next(m for m in torch if leaf_name(r.torch).startswith(f"{m}.")) for r in rules]
    return tuple(dict.fromkeys(found))


def _around(jax: set[str], every: Mapping[str, str], lifted: Mapping[str, str]) -> str | None:
    """The smallest module that holds these and no other's weights; None where there is none below the root."""
    common = sorted(jax)[0]
    while any(not (m == common or m.startswith(f"{common}.")) for m in jax):
        common = common.rpartition(".")[0]
        if not common:
            return None
    while common in lifted:
        common = lifted[common]
    inside = {m for m in every.values() if m == common or m.startswith(f"{common}.")}
    return common if common and inside == jax else None


def _carried(
    weights: Any, rules: list[Any], modules: tuple[str, ...], module: str, every: Mapping[str, str]
) -> tuple[tuple[Carried, ...], dict[str, str]]:
    """Where each leaf of a JAX module comes from, and its name in the model: the map carries elements' numbers."""
    names = list(dict.fromkeys(leaf_name(p) for r in rules for p in (r.torch, r.plus) if p))
    leaves = list(dict.fromkeys(leaf_name(r.jax) for r in rules))
    shapes = {n: tuple(weights.torch_shapes[n]) for n in names}
    small = dataclasses.replace(
        weights,
        rules=tuple(rules),
        torch_shapes=shapes,
        jax_shapes={n: weights.jax_shapes[n] for n in leaves},
        jax_paths={n: weights.jax_paths[n] for n in leaves},
        aliases={},
        torch_alone={},
        jax_alone={},
    )
    added = {leaf_name(r.plus) for r in rules if r.plus}
    count, numbered = 0, {}
    for name, shape in shapes.items():
        size = math.prod(shape)
        numbers = np.arange(count + 1, count + 1 + size, dtype=np.complex128).reshape(shape)
        numbered[name] = numbers * 1j if name in added else numbers  # a sum of two keeps both numbers apart
        count += size
    local = {
        n: f"{place}.{n.removeprefix(f'{m}.')}"
        for n in names
        for place, m in enumerate(modules)
        if n.startswith(f"{m}.")
    }
    found, full = [], {}
    for leaf, array in flat(small.to_jax(numbered)).items():
        if every[leaf] != module and not every[leaf].startswith(f"{module}."):
            continue
        main = np.where(array.real > 0, array.real, array.imag).astype(np.int64) - 1
        plus = np.where((array.real > 0) & (array.imag > 0), array.imag, 0).astype(np.int64) - 1
        own = {local[n]: s for n, s in shapes.items()}
        full[_inside(leaf, module, every[leaf])] = leaf
        found.append(
            Carried.of(_inside(leaf, module, every[leaf]), own, main, plus if (plus != NOWHERE).any() else None)
        )
    return tuple(found), full


def _rows(carried: tuple[Carried, ...], modules: tuple[str, ...]) -> tuple[int, ...] | None:
    """Of a linear layer that is part of another: which of torch's output features its output is; None for others."""
    kernels = [c for c in carried if all(len(s) == 2 for s in c.shapes) and c.main.ndim >= 2 and c.plus is None]
    if len(kernels) != 1 or any(len(s) > 2 for c in carried for s in c.shapes):
        return None
    kernel = kernels[0]
    features = {s[1] for s in kernel.shapes}
    if len(features) != 1:
        return None
    if {int(n.partition(".")[0]) for n in kernel.names} != set(range(len(modules))) and len(modules) > 1:
        return None
    row = kernel.main // features.pop()
    varying = [axis for axis in range(row.ndim) if (np.diff(row, axis=axis) != 0).any()]
    index = tuple(slice(None) if axis in varying else 0 for axis in range(row.ndim))
    return tuple(int(i) for i in row[index].reshape(-1))


def _called(path: str, called: set[str]) -> str | None:
    """The module whose call uses a weight of this module's: itself, or the nearest one around it that was called."""
    while path and path not in called:
        path = path.rpartition(".")[0]
    return path or None


def _inside(leaf: str, module: str, owner: str) -> str:
    """A leaf's name in its module: without the module's path; a Linen collection in front stays."""
    place = f"{owner}.{leaf.rpartition('.')[2]}"
    return leaf.removesuffix(place) + place.removeprefix(f"{module}.")


def flat(tree: Any, path: str = "") -> dict[str, np.ndarray]:
    """The arrays of nested dicts by dotted path."""
    if isinstance(tree, Mapping):
        found: dict[str, np.ndarray] = {}
        for key, child in tree.items():
            found |= flat(child, f"{path}.{key}" if path else str(key))
        return found
    return {path: np.asarray(tree)}
