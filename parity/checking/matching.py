"""Which parameter of the torch model is which of the JAX model, and what that alone says of the two."""

import importlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from parity.checking.runs import SideError, first_line
from parity.numerics import Finding, Verdict
from parity.sides.correspondence import ByMap, ByName, Correspondence

SHOWN = 4
"""Names that a sentence lists before it counts the rest."""

BY_NAME = "weights: both models have the same names and shapes, so torch's values go by name"

COUNTERS = ("num_batches_tracked",)
"""Buffers of torch's that count calls and enter no output while momentum is a number."""


@dataclass(frozen=True)
class Match:
    """Two models' parameters and state, side by side.

    Attributes:
        correspondence: What carries numbers over; None where the two cannot be compared yet.
        compared: Torch's names of parameters whose gradients are compared.
        state: Torch's names of buffers that JAX keeps as state too.
        findings, remarks: What the match alone tells.
        weights: The WeightMap, where there is one.
        ties: Whether one side ties what the other has apart: no layer's own numbers are then to blame.
    """

    correspondence: Correspondence | None
    compared: frozenset[str] = frozenset()
    state: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    remarks: tuple[str, ...] = ()
    weights: Any = None
    ties: bool = False

    def beside(self, name: str) -> str:
        """The JAX paths of a torch name; the name itself where it has none."""
        found = self.correspondence.sources.get(name, ()) if self.correspondence else ()
        return " + ".join(found) or name


@dataclass
class _Told:
    findings: list[Finding] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def differ(self, torch: str, jax: str, message: str, stage: str = "structure") -> None:
        self.findings.append(Finding(stage, torch, jax, Verdict.STRUCTURE, message))


def match(torch: Any, jax: Any, weights: Any, given: tuple[Any, Any], inputs: tuple[Any, ...]) -> Match:
    """Match the parameters and the state of two models.

    Args:
        torch: A TorchModel.
        jax: A JaxModel.
        weights: "auto", None or a WeightMap.
        given: Both models as their user gave them, for "auto".
        inputs: Of the models, for "auto".

    Returns:
        The Match; without a correspondence where a map was asked for and could not be had.
    """
    told = _Told()
    if weights is None:
        return _by_name(torch, jax, told)
    if isinstance(weights, str):
        if not torch.parameters and not jax.parameters:
            return Match(ByName({}, {}))
        weights = _inferred(torch, jax, given, inputs, told)
        if weights is None:
            return Match(None, findings=tuple(told.findings))
        if isinstance(weights, Match):
            return weights
    try:
        correspondence = ByMap(weights, torch.weights, torch.aliases)
    except Exception as error:
        told.differ("weights", "weights", f"the WeightMap does not fit torch's state: {first_line(error)}")
        return Match(None, findings=tuple(told.findings))
    return _matched(torch, jax, correspondence, told, weights)


def _inferred(torch: Any, jax: Any, given: tuple[Any, Any], inputs: tuple[Any, ...], told: _Told) -> Any:
    """The WeightMap of lockstep inference, proven or taken past its stops; names where all are the same; else None."""
    at = ("", "")
    try:
        further = importlib.import_module("parity.convert").map_onwards(*given, *inputs)
        if further.error is None:
            told.remarks += _laid_otherwise(further.weights)
            return further.weights
        why = str(further.error)
    except ModuleNotFoundError as error:
        further, why = None, f"weights='auto' needs parity.map_weights, which is not there ({error})"
    except Exception as error:
        if type(error).__name__ == "ModelRaised":
            raise SideError(str(error)) from error
        if type(error).__name__ != "MappingError":
            raise
        stop = getattr(error, "stop", None)
        further, why, at = None, str(error), (getattr(stop, "torch_path", ""), getattr(stop, "jax_path", ""))
    by_name = match_names(torch, jax)
    if by_name is not None:
        return by_name
    tied = _tied_otherwise(torch, jax, given, inputs)
    if tied is not None:
        return tied
    if further is not None:
        told.remarks.append(_passed(further.stops))
        return further.weights
    message = f"{why}; give weights=None to compare both as they are, or weights=a parity.WeightMap"
    told.differ(at[0] or "weights", at[1] or "weights", message)
    return None


def _laid_otherwise(weights: Any) -> list[str]:
    """What is told of a proven map that no one would guess: what agrees under it differs under the plain layout."""
    rules = [f"{rule.jax} ({rule.layout})" for rule in weights.laid_otherwise()]
    if not rules:
        return []
    return [
        f"weights: the two agree where jax is given torch's weights by the map that was found, in which an axis runs "
        f"backwards or its parts stand in another order in {listed(rules)}; print(parity.map_weights(...)) shows it"
    ]


def _tied_otherwise(torch: Any, jax: Any, given: tuple[Any, Any], inputs: tuple[Any, ...]) -> Any:
    """The map of models one of which ties weights that the other has apart, which the match then tells; else None."""
    theirs, ours = (sum(a.size for a in model.parameters.values()) for model in (torch, jax))
    if theirs == ours:
        return None
    try:
        return importlib.import_module("parity.convert.ties").map_with_other_ties(*given, *inputs, tie=ours < theirs)
    except ModuleNotFoundError:
        return None


def _passed(stops: tuple[Any, ...]) -> str:
    """What is told of a map that was taken past the places where the search for it stopped."""
    if not stops:
        return "weights: under the map the outputs agree and a gradient does not, so it is judged layer by layer"
    places = listed([f"{s.torch_path or 'nothing'} / {s.jax_path}" for s in stops])
    return (
        f"weights: the search stopped where jax computes something else, went on with torch's numbers there, and each "
        f"layer alone must prove its part of the map; {len(stops)} stop{'s' if len(stops) > 1 else ''}: {places}"
    )


def match_names(torch: Any, jax: Any) -> Match | None:
    """Match two models by name, torch's values on both sides; None where names or shapes differ.

    What one side trains may be a buffer on the other, and two of JAX's may be one tensor that torch ties: that is told.

    Args:
        torch: A TorchModel, or the weights of a recorded one.
        jax: A JaxModel.

    Returns:
        The Match.
    """
    theirs = {**torch.parameters, **torch.buffers}
    theirs |= {alias: theirs[name] for alias, name in torch.aliases.items() if name in theirs}
    ours = {**jax.parameters, **jax.state}
    shapes = [{n: a.shape for n, a in held.items()} for held in (theirs, ours)]
    wanted = (*torch.parameters, *jax.parameters)
    if any(n not in shapes[0] or n not in shapes[1] or shapes[0][n] != shapes[1][n] for n in wanted):
        return None
    told = _Told()
    found = _matched(torch, jax, ByName(theirs, ours, keeps_values=False, aliases=torch.aliases), told)
    return replace(found, remarks=(*found.remarks, BY_NAME))


def _by_name(torch: Any, jax: Any, told: _Told) -> Match:
    """Both sides with their own values; what has one name and one shape on both is one parameter."""
    correspondence = ByName({**torch.parameters, **torch.buffers}, {**jax.parameters, **jax.state})
    shared = [n for n in torch.parameters if n in jax.parameters]
    if not shared:
        if torch.parameters or jax.parameters:
            told.remarks.append(
                f"weights: each side has its own, and of {len(torch.parameters)} parameters of torch and "
                f"{len(jax.parameters)} of jax no name is the same, so no parameter's gradient is compared; "
                "weights=parity.map_weights(...) compares them all"
            )
        return Match(correspondence, remarks=tuple(told.remarks))
    for name in dict.fromkeys([*torch.parameters, *jax.parameters]):
        if name not in jax.parameters and name not in jax.state:
            told.differ(name, "", "only the torch side has this parameter")
        elif name not in torch.parameters and name not in torch.buffers:
            told.differ("", name, "only the jax side has this parameter")
        elif name in shared and torch.parameters[name].shape != jax.parameters[name].shape:
            shapes = f"torch {torch.parameters[name].shape}, jax {jax.parameters[name].shape}"
            told.differ(name, name, f"shapes differ: {shapes}")
    for name in correspondence.sources:
        values = (
            torch.parameters.get(name, torch.buffers.get(name)),
            jax.parameters.get(name, jax.state.get(name)),
        )
        if not np.array_equal(*values, equal_nan=True):
            told.differ(name, name, f"the values differ, and each side keeps its own: {_gap(*values)}")
    told.remarks.append(f"weights: each side has its own; {len(correspondence.sources)} have the same name and shape")
    return _matched(torch, jax, correspondence, told)


def _matched(torch: Any, jax: Any, correspondence: Correspondence, told: _Told, weights: Any = None) -> Match:
    """What the two sides make of each weight: trained on both, state on both, or not the same."""
    sources = correspondence.sources
    compared, state = set(), []
    for name, paths in sources.items():
        trained = bool(paths) and all(p in jax.parameters for p in paths)
        if name in torch.parameters and trained:
            compared.add(name)
        elif name in torch.parameters and paths:
            message = "torch trains it as a parameter; jax keeps it as state, which no optimizer moves"
            told.differ(name, " + ".join(paths), message, stage="gradient")
        elif name in torch.buffers and trained:
            message = "torch keeps it as a buffer, which no optimizer moves; jax trains it as a parameter"
            told.differ(name, " + ".join(paths), message, stage="gradient")
        elif name in torch.buffers and paths:
            state.append(name)
    if weights is not None:
        _unmapped(torch, jax, correspondence, told)
    ties = _ties(torch, jax, correspondence, told)
    for name, first in correspondence.added.items():
        told.remarks.append(
            f"{name} and {first} of torch are one in jax, {listed(list(sources[first]))}: their sum; where they are "
            "trained, the two move it twice as far"
        )
    frozen = [n for n in torch.parameters if n in torch.frozen]
    if frozen:
        told.remarks.append(
            f"torch has requires_grad=False for {listed(frozen)}; the gradient is compared all the same"
        )
    alone = [n for n in torch.buffers if not sources.get(n) and n.rpartition(".")[2] not in COUNTERS]
    if alone:
        told.remarks.append(f"buffers of torch without a partner, taken for constants: {listed(alone)}")
    findings, remarks = tuple(told.findings), tuple(told.remarks)
    return Match(correspondence, frozenset(compared), tuple(state), findings, remarks, weights, ties)


def _unmapped(torch: Any, jax: Any, correspondence: Correspondence, told: _Told) -> None:
    reached = {p for paths in correspondence.sources.values() for p in paths}
    for name in torch.parameters:
        if not correspondence.sources.get(name):
            told.differ(name, "", "the WeightMap takes this parameter of torch's to no leaf of jax")
    for path in jax.parameters:
        if path not in reached:
            told.differ("", path, "the WeightMap fills this parameter of jax from nothing of torch; it keeps its value")


def _ties(torch: Any, jax: Any, correspondence: Correspondence, told: _Told) -> bool:
    """Whether one tensor of one side is two on the other: the same numbers now, other gradients, other training."""
    before = len(told.findings)
    sources = correspondence.sources
    for alias, name in torch.aliases.items():
        one, other = sources.get(name, ()), sources.get(alias, ())
        if one and other and set(one) != set(other):
            told.differ(
                f"{name} = {alias}",
                f"{' + '.join(one)}, {' + '.join(other)}",
                "torch ties the two, one parameter with two names; jax has two parameters, each with its own gradient",
            )
    held = Counter(sources.values())
    holders: dict[tuple[str, ...], str] = {}
    for name, paths in sources.items():
        whole = held[paths] > 1 and name in torch.parameters and len(paths) == 1 and paths[0] in jax.parameters
        if not whole or name in correspondence.added or jax.parameters[paths[0]].size != torch.parameters[name].size:
            continue
        first = holders.setdefault(paths, name)
        if first != name:
            told.differ(
                f"{first}, {name}",
                paths[0],
                "jax ties the two, one parameter used twice; torch has two parameters, each with its own gradient",
            )
    return len(told.findings) > before


def listed(names: list[str]) -> str:
    """Some names, and how many more there are.

    Examples:
        >>> listed(["a", "b"]), listed(list("abcdef"))
        ('a, b', 'a, b, c, d and 2 more')
    """
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _gap(torch: np.ndarray, jax: np.ndarray) -> str:
    distance = np.abs(torch - jax)
    at = np.unravel_index(int(np.argmax(distance)), distance.shape)
    where = tuple(int(i) for i in at)
    return f"largest difference {distance[at]:.2g} at {where}, torch {torch[at]:.6g}, jax {jax[at]:.6g}"
