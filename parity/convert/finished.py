"""The map that a finished search stands for: patterns of its elements, and what neither side has a partner for."""

import difflib
import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.convert import fit
from parity.convert.completion import completed
from parity.convert.layouts import Layout
from parity.convert.mapping_error import MappingError
from parity.convert.pattern import Irregular
from parity.convert.weight_map import Rule, WeightMap
from parity.sides.correspondence import leaf_name

if TYPE_CHECKING:
    from parity.convert.pair import Pair
    from parity.convert.progress import State


def as_map(pair: "Pair", state: "State", merged: bool, *, proven: bool = True) -> WeightMap:
    """The patterns that a finished search stands for; what it did not need is filled in, or told.

    Args:
        pair: Both models.
        state: The end of the search.
        merged: Whether biases that torch only adds may be one in JAX.
        proven: Whether every weight must have a partner; without, one that has none stands alone and is told.

    Returns:
        The WeightMap.

    Raises:
        MappingError: If a weight has no partner, or its elements follow no pattern.
    """
    torch, jax = pair.torch, pair.jax
    plus = {m.bias: m for m in torch.merges} if merged else {}
    reserved = {m.plus: m.count for m in plus.values()}
    used = state.used.copy()
    for name, count in reserved.items():
        used[pair.torch_numbers.ids[name][:count]] = True
    rules: list[Rule] = []
    jax_alone: dict[str, str] = {}
    pending: list[str] = []
    for name, own in pair.jax_numbers.ids.items():
        numbers = state.partner[own]
        if (numbers == 0).all():
            pending.append(name)
            continue
        if (numbers > pair.torch_numbers.count).any():
            jax_alone[name] = f"{jax.kinds[name]}; nothing of torch was found for it, and it keeps its own value"
            continue
        if (numbers == 0).any():
            whole = completed(numbers, pair.torch_numbers, used)
            if whole is None:
                raise fit.Untold(
                    f"{name} (jax) is used in part, which does not tell the rest; give longer or other inputs",
                    jax_left=(name,),
                )
            numbers = whole
            used[numbers] = True
        try:
            rules += fit.rules(name, numbers, pair.torch_numbers)
        except Irregular as error:
            raise MappingError(f"{name} (jax) was matched, but {error}", jax_left=(name,)) from None
    for name in pending:
        eliminated = _eliminated(pair, name, rules, used)
        if eliminated:
            for rule in eliminated:
                used[pair.torch_numbers.ids[rule.torch]] = True
            rules += eliminated
        elif name in jax.trained and proven:
            raise fit.Untold(
                f"{name} (jax) has no influence on the outputs, and no torch leaf is left that it could be",
                jax_left=(name,),
                torch_left=unused(pair, used),
            )
        else:
            jax_alone[name] = f"{jax.kinds[name]}; torch has no such leaf"
    left = unused(pair, used)
    wrong = tuple(name for name in left if name in torch.trained)
    if wrong and proven:
        raise MappingError("the outputs agree, but torch has weights that JAX does not", torch_left=wrong)
    rules = [_one_sided(pair, rule) for rule in _summed(rules, plus)]
    return WeightMap(
        tuple(rules),
        {n: s for n, s in torch.shapes.items() if n not in left},
        {n: s for n, s in jax.shapes.items() if n not in jax_alone},
        {n: p for n, p in jax.paths.items() if n not in jax_alone},
        {a: n for a, n in torch.aliases.items() if n not in left},
        torch.alone | {n: f"a {'parameter' if n in wrong else 'buffer'}; JAX has no such leaf" for n in left},
        jax_alone,
    )


def unused(pair: "Pair", used: np.ndarray) -> tuple[str, ...]:
    """Torch leaves of which some elements have no partner."""
    return tuple(n for n, ids in pair.torch_numbers.ids.items() if ids.size and not used[ids].all())


def _eliminated(pair: "Pair", name: str, rules: list[Rule], used: np.ndarray) -> list[Rule]:
    """A leaf on which no output depends, paired with what is left of its size in the module of its siblings.

    Of a stack each layer is paired by itself: its siblings' rules tell which torch module each index is.
    """
    modules: dict[str, set[str]] = {}
    for rule in rules:
        sibling, _, index = rule.jax.partition("[")
        if _module(pair, sibling) == _module(pair, name):
            single = ",".join(itertools.takewhile(str.isdigit, index.rstrip("]").split(",")))
            modules.setdefault(single, set()).add(leaf_name(rule.torch).rpartition(".")[0])
    layers = sorted(index for index in modules if index)
    return (_by_layer(pair, name, layers, modules, used) if layers else []) or _by_layer(
        pair, name, [""], modules, used
    )


def _by_layer(pair: "Pair", name: str, layers: list[str], modules: dict[str, set[str]], used: np.ndarray) -> list[Rule]:
    """A rule for each index of a leaf, "" for all of it; none where one has no partner."""
    found: list[Rule] = []
    for index in layers:
        held = index.count(",") + 1 if index else 0
        shape = pair.jax.shapes[name][held:]
        free = [
            n
            for n, ids in pair.torch_numbers.ids.items()
            if ids.shape == shape and ids.size and not used[ids].any() and n not in {r.torch for r in found}
        ]
        near = [n for n in free if n.rpartition(".")[0] in modules.get(index, ())]
        if not near and (held or not free):
            return []
        own = name.rpartition(".")[2]
        best = max(near or free, key=lambda n: difflib.SequenceMatcher(None, own, n.rpartition(".")[2]).ratio())
        axes = " ".join(f"a{k}" for k in range(len(shape)))
        note = "paired by elimination: no output depends on it here"
        found.append(Rule(best, f"{name}[{index}]" if index else name, Layout.parse(f"{axes} -> {axes}"), note=note))
    return found


def _module(pair: "Pair", name: str) -> str:
    """The path of a JAX leaf's module; of a Linen one without the collection: it has one for statistics."""
    parent = name.rpartition(".")[0]
    collection, _, rest = parent.partition(".")
    return rest if collection == pair.jax.kinds.get(name) else parent


def _one_sided(pair: "Pair", rule: Rule) -> Rule:
    """A rule between what one side trains and the other does not, with a note of it."""
    name = leaf_name(rule.torch)
    torch = name in pair.torch.parameters
    if torch == (leaf_name(rule.jax) in pair.jax.trained) or rule.note:
        return rule
    told = "torch trains it, JAX keeps it as state" if torch else "torch keeps it as a buffer, JAX trains it"
    return replace(rule, note=told)


def _summed(rules: list[Rule], plus: dict[str, Any]) -> Iterator[Rule]:
    """Rules for biases that JAX has as one."""
    for rule in rules:
        name, bracket, index = rule.torch.partition("[")
        merge = plus.get(name)
        if merge is None:
            yield rule
            continue
        start, stop = (int(n) for n in index.rstrip("]").split(":")) if bracket else (0, 0)
        if bracket and start >= merge.count:
            yield rule
            continue
        if bracket and stop > merge.count:
            raise MappingError(f"{rule.jax} (jax) holds gates whose two biases are added, and gates where they are not")
        note = "JAX has one bias, the sum; back, torch's second is zero. It trains at half the speed of torch's two"
        yield Rule(rule.torch, rule.jax, rule.layout, plus=f"{merge.plus}{bracket}{index}", note=note)
