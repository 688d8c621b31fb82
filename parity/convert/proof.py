"""The proof of a map: other random weights, float64, outputs and all gradients equal, round trip bit for bit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.convert.leaves import jax_arrays
from parity.convert.lockstep import aligned
from parity.convert.weight_map import WeightMap
from parity.numerics import Finding, Reading, judge
from parity.numerics.pooling import MANY, pooled
from parity.sides.correspondence import leaf_name
from parity.sides.jax_side import JaxSide
from parity.sides.torch_side import TorchSide

SEED = 1
"""Of the weights that a map is proven with; the search draws from another."""

MEMBERS = 8
"""Disturbed runs that measure how each tensor answers to rounding; see `parity.checking.runs.ENSEMBLE`."""

STEP = 2.0**-24
"""Size of their relative errors; see `parity.checking.runs.RESPONSE_STEP`."""


@dataclass(frozen=True)
class Proof:
    """What was compared.

    Attributes:
        findings: One for each output and each trained torch leaf.
        broken: Leaves that a round trip changed.
    """

    findings: tuple[Finding, ...]
    broken: tuple[str, ...]

    def __bool__(self) -> bool:
        return not self.broken and all(self.findings)

    def __str__(self) -> str:
        outputs = sum(f.stage == "forward" for f in self.findings)
        worst = max((f.ratio64 for f in self.findings), default=0.0)
        return (
            f"proven at float64 with random weights: {outputs} output{'s' * (outputs != 1)} and "
            f"{len(self.findings) - outputs} gradients within {worst:.2g} of the rounding bound; round trip bit for bit"
        )


def prove(mapped: WeightMap, torch: Any, jax: Any, inputs: tuple[Any, ...]) -> Proof:
    """Judge a map by the verdict rule.

    Args:
        mapped: The map.
        torch, jax: The TorchModel and the JaxModel.
        inputs: Of both.

    Returns:
        The Proof; truthy where everything agrees.
    """
    weights = torch.random(SEED)
    for rule in mapped.rules:
        if rule.plus:
            weights[leaf_name(rule.plus)] *= 0.5  # not zero: the sum is part of what is proven
    theirs = _jax_arrays(mapped, jax, weights)
    trained = {name for name in torch.trained if name in mapped.torch_shapes}
    partners = {leaf_name(r.jax) for r in mapped.rules if leaf_name(r.torch) in trained}
    left = {"weights": _only(weights, trained), "buffers": _only(weights, weights.keys() - trained), "inputs": inputs}
    right = {"weights": _only(theirs, partners), "buffers": _only(theirs, theirs.keys() - partners), "inputs": inputs}
    torch_side = TorchSide(lambda weights, buffers, inputs: torch.function({**weights, **buffers}, inputs))
    jax_side = JaxSide(lambda weights, buffers, inputs: jax.function({**weights, **buffers}, inputs))
    options: dict[str, Any] = {"wrt": ("weights",), "device": "cpu"}
    traces = [side.run(given, dtype="float64", **options) for side, given in ((torch_side, left), (jax_side, right))]
    own, other = (trace.tensors for trace in traces)
    large = sum(array.size for array in own.values()) >= MANY
    findings: list[Finding] = []
    for members in (1, MEMBERS) if large else (MEMBERS,):  # of a large model one is tried first, as in a check
        answers = _answers(own, members, lambda seed: torch_side.disturbed(left, STEP, seed, **options).tensors)
        findings = _compared(mapped, own, other, answers, trained)
        if all(findings):
            break
    return Proof(tuple(findings), round_trip(mapped, weights))


def _compared(
    mapped: WeightMap,
    own: Mapping[str, np.ndarray],
    other: Mapping[str, np.ndarray],
    answers: Mapping[str, np.ndarray],
    trained: set[str],
) -> list[Finding]:
    """Torch's outputs and gradients, and JAX's in torch's layouts."""
    findings: list[Finding] = []

    def compare(stage: str, name: str, jax_name: str, key: str, found: np.ndarray, where: Any = ...) -> None:
        theirs = own[key][where]
        reading = Reading(theirs, found, theirs, found, dtype="float64", sensitivity=answers[key][where])
        findings.append(judge(reading, stage=stage, torch_path=name, jax_path=jax_name))

    for key in (k for k in own if k.startswith("forward/")):
        name = f"output {key.removeprefix('forward/')}"
        compare("forward", name, name, key, aligned(other[key], own[key])[0])
    gradients = {n: other.get(f"gradient/weights.{n}", np.zeros(shape)) for n, shape in mapped.jax_shapes.items()}
    back = mapped.to_torch_arrays(gradients)
    covered = mapped.to_torch_arrays({n: np.ones(shape, bool) for n, shape in mapped.jax_shapes.items()})
    partner = {leaf_name(r.torch): r.jax for r in mapped.rules}
    for name in sorted(trained):
        where = ... if covered[name].all() else covered[name]
        if covered[name].any():
            compare("gradient", name, partner[name], f"gradient/weights.{name}", back[name][where], where)
    return findings


def _answers(
    own: Mapping[str, np.ndarray], members: int, disturbed: Callable[[int], Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """How each element answers to one rounding: root mean square of disturbed runs, one of which is held at a time."""
    sums = {key: np.zeros(array.shape) for key, array in own.items()}
    for seed in range(members):
        tensors = disturbed(seed)
        for key, total in sums.items():
            change = np.subtract(tensors[key], own[key], dtype=np.float64)
            total += np.square(change)
    for total in sums.values():
        total /= members * STEP**2
        np.sqrt(total, out=total)
    return sums if members == MEMBERS else {key: pooled(total) for key, total in sums.items()}


def round_trip(mapped: WeightMap, weights: dict[str, np.ndarray]) -> tuple[str, ...]:
    """Leaves that come back other than they went, there and back and from either side."""
    arrays = {name: weights[name].astype(np.float32) for name in mapped.torch_shapes}
    there = mapped.to_jax(arrays)
    back = {name: tensor.numpy() for name, tensor in mapped.to_torch(there).items()}
    again = mapped.to_jax({name: back[name] for name in mapped.torch_shapes})
    summed = {leaf_name(place) for r in mapped.rules if r.plus for place in (r.torch, r.plus)}
    broken = [n for n in mapped.torch_shapes if n not in summed and back[n].tobytes() != arrays[n].tobytes()]
    first, second = jax_arrays(there), jax_arrays(again)
    return (*broken, *(n for n in first if first[n].tobytes() != second[n].tobytes()))


def _jax_arrays(mapped: WeightMap, jax: Any, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    found = jax_arrays(mapped.to_jax({name: weights[name] for name in mapped.torch_shapes}))
    return {**{name: jax.values[name] for name in jax.shapes if name not in found}, **found}


def _only(arrays: dict[str, np.ndarray], names: Any) -> dict[str, np.ndarray]:
    return {name: array for name, array in arrays.items() if name in names}
