"""`parity.map_weights`: which weight of a torch model is which of a JAX model, found by running both, and proven."""

import difflib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.convert import fit
from parity.convert.completion import completed
from parity.convert.layouts import Layout
from parity.convert.mapping_error import MappingError, ModelRaised, left_over
from parity.convert.numbering import Numbering
from parity.convert.weight_map import Rule, WeightMap
from parity.sides import require

if TYPE_CHECKING:
    from parity.convert.jax_model import JaxModel
    from parity.convert.lockstep import Furthest, State
    from parity.convert.torch_model import TorchModel

SEEDS = (0, 2, 3)
"""Of the weights that the search runs both models with: the next where units were off under those of one."""

ENDINGS = 8
"""Ways to the end of a search that are proven; each that fails has the outputs of torch and other gradients."""


def map_weights(torch_model: Any, jax_model: Any, *inputs: Any, weights: WeightMap | None = None) -> WeightMap:
    """Find which weight of a torch model is which of a JAX model, without rules of names, and prove it.

    Torch runs once under random weights at float64, and what it does with each weight is recorded. The JAX model then
    runs operation by operation: each that needs a weight is matched with a torch call that has the same input, in any
    order of axes, and goes on with the right weights and the right activations. Where several fit, they are tried in
    turn; names decide only which is tried first. Both models run in eval mode where they have one.

    Args:
        torch_model: A torch.nn.Module, or a parity.TorchSide.
        jax_model: An nnx.Module, or a parity.JaxSide: with the variables of a Linen module.
        *inputs: NumPy arrays, or nests of them; a few rows are enough, but more than one.
        weights: A map to prove instead of finding one, such as an edited one.

    Returns:
        The WeightMap; `print` shows it as a table.

    Raises:
        MappingError: If none can be proven: it says how far it came, which layers stopped it, by how much they differ
            and what is left on either side.
        ModelRaised: If a model cannot be run on these inputs; the message names each side that raised.
        MissingFramework: If one is not installed.

    Examples:
        >>> import torch
        >>> from flax import nnx
        >>> x = np.random.default_rng(0).standard_normal((3, 4))
        >>> found = map_weights(torch.nn.Linear(4, 2), nnx.Linear(4, 2, rngs=nnx.Rngs(0)), x)
        >>> [str(rule) for rule in found.rules]
        ['bias  o -> o  bias', 'weight  o i -> i o  kernel']
    """
    require("torch")
    require("jax")
    torch_module, torch_call = _torch_parts(torch_model)
    jax_module, variables, jax_call = _jax_parts(jax_model)
    best: tuple[Any, ...] | None = None
    for training in (False, None):
        pair = _Pair.of(torch_module, torch_call, jax_module, variables, jax_call, inputs, training)
        if weights is not None:
            return _proven(weights, pair)
        for merged in pair.sums():
            found, furthest = _attempt_alive(pair, merged)
            if found is not None:
                return found
            if best is None or furthest.mapped > best[0].mapped:
                best = furthest, pair
        if _in_one_mode(torch_module, training):
            break
    assert best is not None
    raise _unmapped(*best)


@dataclass(frozen=True)
class _Pair:
    """Both models in one mode, and the numbers of their weights."""

    torch: "TorchModel"
    jax: "JaxModel"
    torch_numbers: Numbering
    jax_numbers: Numbering
    inputs: tuple[Any, ...]

    @classmethod
    def of(
        cls,
        torch_module: Any,
        torch_call: Callable[..., Any] | None,
        jax_module: Any,
        variables: Any,
        jax_call: Callable[..., Any] | None,
        inputs: tuple[Any, ...],
        training: bool | None,
    ) -> "_Pair":
        from parity.convert.jax_model import JaxModel
        from parity.convert.torch_model import TorchModel

        torch = TorchModel(torch_module, torch_call, training=training)
        jax = JaxModel(jax_module, variables, jax_call, training=training)
        return cls(torch, jax, Numbering(torch.shapes), Numbering(jax.shapes), inputs)

    def sums(self) -> list[bool]:
        """Whether biases that torch only adds may be one weight in JAX: what fits the number of weights first."""
        if not self.torch.merges:
            return [False]
        fewer = self.torch_numbers.count - sum(m.count for m in self.torch.merges)
        nearer = abs(self.jax_numbers.count - fewer) < abs(self.jax_numbers.count - self.torch_numbers.count)
        return [True, False] if nearer else [False, True]


def _attempt_alive(pair: _Pair, merged: bool) -> tuple[WeightMap | None, "Furthest"]:
    """One attempt; again with other weights where under these some of a model was off, as units of a ReLU may be."""
    for seed in SEEDS[:-1]:
        try:
            return _attempt(pair, merged, seed)
        except fit.Untold:
            continue
    return _attempt(pair, merged, SEEDS[-1])


def _both_run(pair: _Pair, ids: dict[str, Any]) -> tuple[Any, Any]:
    """The record of torch's run and the steps of JAX's; both are tried, to tell whether one raises or both."""
    runs = {"torch": lambda: pair.torch.record(ids, pair.inputs), "jax": lambda: pair.jax.steps(pair.inputs)}
    done, raised = [], {}
    for framework, run in runs.items():
        try:
            done.append(run())
        except MappingError:
            raise
        except Exception as error:
            first = (str(error).strip().splitlines() or [""])[0]
            raised[framework] = f"the {framework} side raised: {type(error).__name__}: {first}", error
    if raised:
        alone = "" if len(raised) == 2 else f" (the {'jax' if 'torch' in raised else 'torch'} side runs)"
        texts, errors = zip(*raised.values(), strict=True)
        raise ModelRaised("; ".join(texts) + alone) from errors[0]
    return done[0], done[1]


def _attempt(pair: _Pair, merged: bool, seed: int) -> tuple[WeightMap | None, "Furthest"]:
    from parity.convert.candidates import Candidates
    from parity.convert.lockstep import Lockstep
    from parity.convert.proof import prove

    arrays = pair.torch.random(seed)
    ids = {name: numbers.copy() for name, numbers in pair.torch_numbers.ids.items()}
    for merge in pair.torch.merges if merged else ():
        arrays[merge.plus][: merge.count] = 0.0
        ids[merge.plus][: merge.count] = 0
    pair.torch.load(arrays)
    record, steps = _both_run(pair, ids)
    theta = pair.torch_numbers.values(arrays)
    outputs = list(record.outputs.values())
    if len(outputs) != len(steps.outputs):
        raise MappingError(
            f"torch returns {len(outputs)} arrays ({', '.join(str(o.shape) for o in outputs)}), "
            f"jax {len(steps.outputs)}; let both return the same, by call= of parity.TorchSide or parity.JaxSide"
        )
    candidates = Candidates(record, pair.torch_numbers, pair.jax_numbers, theta)
    search = Lockstep(steps, list(pair.jax_numbers.ids.values()), candidates, theta, outputs)
    for state in itertools.islice(search.search(), ENDINGS):
        found = _as_map(pair, state, merged)
        proof = prove(found, pair.torch, pair.jax, pair.inputs)
        if proof:
            return _with(found, str(proof)), search.furthest
        search.furthest.proof = proof
    return None, search.furthest


def _as_map(pair: _Pair, state: "State", merged: bool) -> WeightMap:
    """The patterns that a finished search stands for; what it did not need is filled in, or told."""
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
        except fit.Irregular as error:
            raise MappingError(f"{name} (jax) was matched, but {error}", jax_left=(name,)) from None
    for name in pending:
        rule = _eliminated(pair, name, rules, used)
        if rule is not None:
            used[pair.torch_numbers.ids[rule.torch]] = True
            rules.append(rule)
        elif name in jax.trained:
            raise fit.Untold(
                f"{name} (jax) has no influence on the outputs, and no torch leaf is left that it could be",
                jax_left=(name,),
                torch_left=_unused(pair, used),
            )
        else:
            jax_alone[name] = f"{jax.kinds[name]}; torch has no such leaf"
    left = _unused(pair, used)
    wrong = tuple(name for name in left if name in torch.trained)
    if wrong:
        raise MappingError("the outputs agree, but torch has weights that JAX does not", torch_left=wrong)
    rules = list(_summed(rules, plus))
    return WeightMap(
        tuple(rules),
        {n: s for n, s in torch.shapes.items() if n not in left},
        {n: s for n, s in jax.shapes.items() if n not in jax_alone},
        {n: p for n, p in jax.paths.items() if n not in jax_alone},
        {a: n for a, n in torch.aliases.items() if n not in left},
        torch.alone | dict.fromkeys(left, "a buffer; JAX has no such leaf"),
        jax_alone,
    )


def _unused(pair: _Pair, used: np.ndarray) -> tuple[str, ...]:
    return tuple(n for n, ids in pair.torch_numbers.ids.items() if ids.size and not used[ids].all())


def _eliminated(pair: _Pair, name: str, rules: list[Rule], used: np.ndarray) -> Rule | None:
    """A leaf on which no output depends, paired with the one of its size that is left in the module of its siblings."""
    shape = pair.jax.shapes[name]
    parent = name.rpartition(".")[0]
    near = {r.torch.partition("[")[0].rpartition(".")[0] for r in rules if r.jax.rpartition(".")[0] == parent}
    free = [n for n, ids in pair.torch_numbers.ids.items() if ids.shape == shape and ids.size and not used[ids].any()]
    free = [n for n in free if n.rpartition(".")[0] in near] or free
    if not free:
        return None
    own = name.rpartition(".")[2]
    best = max(free, key=lambda n: difflib.SequenceMatcher(None, own, n.rpartition(".")[2]).ratio())
    axes = " ".join(f"a{k}" for k in range(len(shape)))
    return Rule(
        best, name, Layout.parse(f"{axes} -> {axes}"), note="paired by elimination: no output depends on it here"
    )


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


def _proven(given: WeightMap, pair: _Pair) -> WeightMap:
    from parity.convert.proof import prove

    for side, wanted, got in (
        ("torch", pair.torch.shapes, given.torch_shapes),
        ("jax", pair.jax.shapes, given.jax_shapes),
    ):
        wrong = tuple(n for n in got if wanted.get(n) != got[n])
        if wrong:
            raise left_over(f"the map is for another {side} model: {', '.join(wrong)} differ", side, wrong)
    proof = prove(given, pair.torch, pair.jax, pair.inputs)
    if proof:
        return _with(given, str(proof))
    raise MappingError(_disproved(proof))


def _disproved(proof: Any) -> str:
    wrong = [f for f in proof.findings if not f]
    if not wrong:
        return f"the map changes {', '.join(proof.broken)} on the way there and back"
    told = "\n".join(f"  {f.stage} of {f.torch_path} (torch) / {f.jax_path} (jax): {f.message}" for f in wrong[:6])
    return f"the map could not be proven: {len(wrong)} of {len(proof.findings)} comparisons differ\n{told}"


def _with(given: WeightMap, proof: str) -> WeightMap:
    return replace(given, proof=proof)


def _unmapped(furthest: "Furthest", pair: _Pair) -> MappingError:
    if furthest.proof is not None:
        return MappingError(_disproved(furthest.proof))
    partner = furthest.partner
    if partner is None:
        return MappingError("the weights could not be mapped: nothing was matched", stop=furthest.stop)
    used = np.zeros(pair.torch_numbers.count + 1, bool)
    used[partner] = True
    jax_left = tuple(n for n, ids in pair.jax_numbers.ids.items() if (partner[ids] == 0).any())
    total = len(pair.jax.shapes)
    return MappingError(
        "the weights could not be mapped: from one layer on the two models compute something else",
        stop=furthest.stop,
        mapped=(total - len(jax_left), total),
        torch_left=_unused(pair, used),
        jax_left=jax_left,
    )


def _in_one_mode(module: Any, training: bool | None) -> bool:
    """Whether the models as they are have been tried already."""
    return training is None or not any(m.training for m in module.modules())


def _torch_parts(model: Any) -> tuple[Any, Callable[..., Any] | None]:
    import torch

    module = model if isinstance(model, torch.nn.Module) else getattr(model, "model", model)
    if not isinstance(module, torch.nn.Module):
        raise MappingError(
            f"the torch model is a {type(module).__name__}; "
            "wanted a torch.nn.Module or parity.TorchSide(module, call=...)"
        )
    return module, None if module is model else getattr(model, "call", None)


def _jax_parts(model: Any) -> tuple[Any, Any, Callable[..., Any] | None]:
    if hasattr(model, "module") and hasattr(model, "variables") and hasattr(model, "call"):
        return model.module, model.variables, model.call
    return model, None, None
