"""The JAX side of two models under torch's names: values go in, and gradients come out, as torch has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from parity.sides.correspondence import Correspondence
from parity.trace import Trace

PARAMETERS, STATE, FIXED, OWN = "parameters", "state", "fixed", "own"
INPUTS, TARGETS, OPTIMIZER, LAYERS = "inputs", "targets", "optimizer", "layers"
"""Arguments of both models' functions, and the first parts of their tensors' names: torch's parameters and buffers that
have a partner, torch's parameters that have none, JAX's leaves that keep their own values; the rest is plain."""


@dataclass(frozen=True)
class MappedSide:
    """A JAX side whose parameters and state have JAX's paths, run as one that has torch's names.

    Attributes:
        side: Runs a function of parameters, state, inputs and what else a check hands to both.
        correspondence: Of the two models.
        parameters: JAX's paths of what is trained.
        state: JAX's paths of the state that is an input of the function; the rest of it is constant.
        compared: Torch's names of the parameters whose gradients are compared.
        slots: Optimizer state: torch's slot with JAX's, such as "exp_avg" with "0.mu".
    """

    side: Any
    correspondence: Correspondence
    parameters: tuple[str, ...]
    state: tuple[str, ...]
    compared: frozenset[str]
    slots: Mapping[str, str] = field(default_factory=dict)

    framework = "jax"

    def run(self, inputs: dict[str, Any], **options: Any) -> Trace:
        """As the side's own, inputs and Trace under torch's names."""
        return self._named(self.side.run(self.translated(inputs), **options))

    def disturbed(self, inputs: dict[str, Any], size: float, seed: int, **options: Any) -> Trace:
        """As the side's own, inputs and Trace under torch's names."""
        return self._named(self.side.disturbed(self.translated(inputs), size, seed, **options))

    def translated(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """What the JAX function is called with: its own leaves in place of torch's tensors."""
        own = inputs[OWN]
        leaves = self.correspondence.to_jax({**inputs[PARAMETERS], **inputs[FIXED], **inputs[STATE]}) | own
        plain = {n: v for n, v in inputs.items() if n not in (PARAMETERS, FIXED, STATE, OWN, OPTIMIZER)}
        translated = {
            PARAMETERS: {p: leaves[p] for p in self.parameters},
            STATE: {p: leaves[p] for p in self.state},
            **plain,
        }
        if OPTIMIZER in inputs:
            translated[OPTIMIZER] = self._slots_to_jax(inputs[OPTIMIZER])
        return translated

    def _slots_to_jax(self, optimizer: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        found |= {n: a for n, a in optimizer.items() if n.partition("/")[0] not in self.slots}
        for slot, theirs in self.slots.items():
            named = {n.partition("/")[2]: a for n, a in optimizer.items() if n.partition("/")[0] == slot}
            if named:
                leaves = self.correspondence.to_jax(named)
                found |= {f"{theirs}/{p}": leaves[p] for p in self.parameters if p in leaves}
        return found

    def _named(self, trace: Trace) -> Trace:
        """The Trace with every group of JAX's leaves (gradients, state, parameters, slots) under torch's names.

        What it is given is let go array by array: a model's gradients are not held twice.
        """
        groups = {f"gradient/{PARAMETERS}.": f"gradient/{PARAMETERS}."}
        for stage in ("forward", "update", "curve"):
            groups |= {f"{stage}/{kind}.": f"{stage}/{kind}." for kind in (PARAMETERS, STATE, "gradient")}
            groups |= {f"{stage}/{OPTIMIZER}.{t}/": f"{stage}/{OPTIMIZER}.{s}/" for s, t in self.slots.items()}
        renaming: dict[str, list[str]] = {}
        tensors: dict[str, np.ndarray] = {}
        given, dtypes = dict(trace.tensors), {n: a.dtype for n, a in trace.tensors.items()}
        trace = replace(trace, tensors={})
        for prefix in dict.fromkeys(_group(n, groups) for n in dtypes):
            if prefix is None:
                plain = {n: a for n, a in given.items() if _group(n, groups) is None}
                tensors |= plain
                renaming |= {n: [n] for n in plain}
                continue
            leaves = {n.removeprefix(prefix): given.pop(n) for n in dtypes if n.startswith(prefix)}
            back_to_torch = self.correspondence.gradients if "gradient" in prefix else self.correspondence.to_torch
            for name, back in back_to_torch(leaves).items():
                if STATE not in prefix and name not in self.compared:
                    continue
                sources = [f"{prefix}{p}" for p in self.correspondence.sources[name]]
                tensors[f"{groups[prefix]}{name}"] = np.asarray(back, dtypes[sources[0]])
                renaming[f"{groups[prefix]}{name}"] = sources
        silent = {f"gradient/{p}" for p in trace.unreached}
        return replace(
            trace,
            tensors=tensors,
            dtypes=_gathered(trace.dtypes, renaming),
            rounding={n: max(trace.rounding[s] for s in own) for n, own in _known(trace.rounding, renaming).items()},
            narrow=_gathered(trace.narrow, renaming),
            unreached=tuple(
                n.removeprefix("gradient/") for n, own in renaming.items() if own and all(s in silent for s in own)
            ),
        )


def _group(name: str, groups: Mapping[str, str]) -> str | None:
    return next((prefix for prefix in groups if name.startswith(prefix)), None)


def _known(values: Mapping[str, Any], renaming: Mapping[str, list[str]]) -> dict[str, list[str]]:
    found = {name: [s for s in sources if s in values] for name, sources in renaming.items()}
    return {name: sources for name, sources in found.items() if sources}


def _gathered(values: Mapping[str, Any], renaming: Mapping[str, list[str]]) -> dict[str, Any]:
    return {name: values[sources[0]] for name, sources in _known(values, renaming).items()}
