"""`parity.map_weights`: which weight of a torch model is which of a JAX model, found by running both, and proven."""

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.convert import fit
from parity.convert.finished import as_map, unused
from parity.convert.mapping_error import MappingError, Stop, left_over
from parity.convert.pair import Pair, both_run, pairs
from parity.convert.weight_map import WeightMap
from parity.sides import require

if TYPE_CHECKING:
    from parity.convert.lockstep import Lockstep
    from parity.convert.progress import Furthest

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
    if weights is not None:
        require("torch")
        require("jax")
        return _proven(weights, next(pairs(torch_model, jax_model, inputs)))
    found, attempts = _searched(torch_model, jax_model, inputs)
    if found is None:
        raise attempts.error()
    return found


@dataclass(frozen=True)
class Onwards:
    """A map that was made past the places where JAX computes something else.

    Attributes:
        weights: The WeightMap: proven, or what each layer alone must prove.
        error: Of the search where it is not proven.
        stops: What was passed, in order of execution; none where outputs agree and a gradient does not.
    """

    weights: WeightMap
    error: MappingError | None = None
    stops: tuple[Stop, ...] = ()


def map_onwards(torch_model: Any, jax_model: Any, *inputs: Any) -> Onwards:
    """Map the weights of two models; where the search stops, go on with torch's numbers in place of JAX's.

    Args:
        torch_model, jax_model, *inputs: As for `map_weights`.

    Returns:
        The map, with the error of the search where it is not proven.

    Raises:
        MappingError: If the search stopped, and could not go on.
        ModelRaised, MissingFramework: As for `map_weights`.

    Examples:
        >>> import torch
        >>> from flax import nnx
        >>> rngs = nnx.Rngs(0)
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
        >>> port = nnx.Sequential(nnx.Linear(4, 3, rngs=rngs), nnx.silu, nnx.Linear(3, 2, rngs=rngs))
        >>> onwards = map_onwards(model, port, np.random.default_rng(0).standard_normal((3, 4)))
        >>> len(onwards.weights.rules), [stop.jax_path for stop in onwards.stops]
        (4, ['layers.2.kernel'])
    """
    found, attempt = _searched(torch_model, jax_model, inputs)
    if found is not None:
        return Onwards(found)
    error = attempt.error()  # going on searches anew, and forgets what stopped the search
    further = attempt.onwards(error)
    if further is None:
        raise error
    return further


def _searched(torch_model: Any, jax_model: Any, inputs: tuple[Any, ...]) -> tuple[WeightMap | None, "_Attempt"]:
    """The proven map; else none, and the attempt that came furthest."""
    require("torch")
    require("jax")
    best: _Attempt | None = None
    for pair in pairs(torch_model, jax_model, inputs):
        for merged in pair.sums():
            attempt = _attempt_alive(pair, merged)
            if attempt.found is not None:
                return attempt.found, attempt
            if best is None or attempt.search.furthest.mapped > best.search.furthest.mapped:
                best = attempt
    assert best is not None
    return None, best


@dataclass
class _Attempt:
    """One search, over.

    Attributes:
        pair, merged: What was searched.
        search: The search.
        found: The proven map, if there is one.
        unproven: A map under which the outputs are torch's and some gradient is not.
        off: Whether some torch layer was given zeros alone, which tell nothing of its weights.
    """

    pair: Pair
    merged: bool
    search: "Lockstep"
    found: WeightMap | None = None
    unproven: WeightMap | None = None
    off: bool = False

    def error(self) -> MappingError:
        """What stopped it."""
        return _unmapped(self.search.furthest, self.pair)

    def onwards(self, error: MappingError) -> Onwards | None:
        """The map past its stop, which that error tells; None where it cannot go on."""
        from parity.convert.onwards import go_on

        if self.unproven is not None:
            return Onwards(self.unproven, error)
        own = np.concatenate([self.pair.jax.values[n].ravel() for n in self.pair.jax.shapes])
        end = go_on(self.search, own)
        if end is None:
            return None
        try:
            weights = as_map(self.pair, end[0], self.merged, proven=False)
        except MappingError:
            return None
        told = f"not proven: the search was taken past {len(end[1])} places where jax computes something else"
        return Onwards(replace(weights, proof=told), error, end[1])


def _attempt_alive(pair: Pair, merged: bool) -> _Attempt:
    """One attempt; again with other weights where under these some of a model was off, as units of a ReLU may be."""
    for seed in SEEDS[:-1]:
        try:
            attempt = _attempt(pair, merged, seed)
        except fit.Untold:
            continue
        if attempt.found is not None or not attempt.off:
            return attempt
    return _attempt(pair, merged, SEEDS[-1])


def _attempt(pair: Pair, merged: bool, seed: int) -> _Attempt:
    from parity.convert.candidates import Candidates
    from parity.convert.lockstep import Lockstep
    from parity.convert.proof import prove

    arrays = pair.torch.random(seed)
    ids = {name: numbers.copy() for name, numbers in pair.torch_numbers.ids.items()}
    for merge in pair.torch.merges if merged else ():
        arrays[merge.plus][: merge.count] = 0.0
        ids[merge.plus][: merge.count] = 0
    pair.torch.load(arrays)
    record, steps = both_run(pair, ids)
    theta = pair.torch_numbers.values(arrays)
    outputs = list(record.outputs.values())
    candidates = Candidates(record, pair.torch_numbers, pair.jax_numbers, theta)
    search = Lockstep(steps, list(pair.jax_numbers.ids.values()), candidates, theta, outputs)
    off = any(not event.inputs.any() for _, event in (*record.products, *record.convolutions))
    attempt = _Attempt(pair, merged, search, off=off)
    for state in itertools.islice(search.search(), ENDINGS):
        found = as_map(pair, state, merged)
        proof = prove(found, pair.torch, pair.jax, pair.inputs)
        if proof:
            left = f"; no part of it: {', '.join(pair.left)}, which one side alone gives" if pair.left else ""
            attempt.found = _with(found, f"{proof}{left}")
            break
        search.furthest.proof = proof
        attempt.unproven = attempt.unproven or found
    return attempt


def _proven(given: WeightMap, pair: Pair) -> WeightMap:
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


def _unmapped(furthest: "Furthest", pair: Pair) -> MappingError:
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
        stop=furthest.stop and _recognised(furthest.stop, pair),
        mapped=(total - len(jax_left), total),
        torch_left=unused(pair, used),
        jax_left=jax_left,
    )


def _recognised(stop: Stop, pair: Pair) -> Stop:
    """The stop with its reason where it is that of a layer for which no weights make the two equal."""
    import torch

    layer = dict(pair.torch.module.named_modules()).get(stop.torch_path)
    bare = stop.jax_path.endswith("dense_h.kernel") and stop.jax_path[: -len("kernel")] + "bias" not in pair.jax.shapes
    if not (isinstance(layer, torch.nn.GRU | torch.nn.GRUCell) and layer.bias and bare):
        return stop
    why = (
        "nnx.GRUCell has no bias inside its reset gate, where torch has one for the new gate, so that no weights make "
        "the two equal (flax#5594); linen.GRUCell and jax_impl.nn.GRU have it"
    )
    return replace(stop, what=f"{why}: {stop.what}")
