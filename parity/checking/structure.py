"""Structure: names, shapes, dtypes and facts. Values are compared only where these hold."""

import math

import numpy as np

from parity.checking.runs import Runs
from parity.numerics import Finding, Verdict
from parity.trace import Trace

KINDS = {"f": "floating", "i": "integer", "u": "integer", "b": "boolean", "c": "complex"}


def compare_structure(runs: Runs) -> tuple[list[Finding], list[str]]:
    """Compare what both sides returned, before any value is looked at.

    Dtypes and facts are those of the working run, which is the user's program as it is: in the float64 reference casts
    are lifted, so that a dtype there, or a fact told of one, is nobody's. Integers count as one dtype whatever their
    width: torch's int64 is JAX's int32 by default.

    Args:
        runs: The four runs.

    Returns:
        (findings of stage "structure": one for each difference, or one that says that there is none; names of the
        tensors whose values can be compared).
    """
    found: list[Finding] = []
    found += _differences(runs.torch, runs.jax, runs.dtype)
    known = {f.torch_path for f in found}
    reference = _differences(runs.torch64, runs.jax64, runs.dtype, lifted=True)
    found += [f for f in reference if f.torch_path not in known]
    bad = {f.torch_path for f in found}
    names = [n for n in runs.torch64.tensors if n in runs.jax64.tensors and n.partition("/")[2] not in bad]
    if not found:
        facts = f" and {len(runs.torch64.facts)} facts" if runs.torch64.facts else ""
        found.append(
            Finding(
                "structure",
                "",
                "",
                Verdict.AGREE,
                f"{len(names)} tensors{facts} of the same names, shapes and dtypes on both sides",
                runs.dtype,
            )
        )
    return found, names


def _differences(torch: Trace, jax: Trace, dtype: str, *, lifted: bool = False) -> list[Finding]:
    precision = "float64" if lifted else dtype
    found = []

    def differ(name: str, message: str, step: str = "") -> None:
        stage, _, path = name.partition("/")
        note = f"next: {step}" if step and stage == "forward" else ""
        found.append(Finding("structure", path, path, Verdict.STRUCTURE, message, dtype, note=note))

    everything = dict.fromkeys([*torch.tensors, *torch.facts, *jax.tensors, *jax.facts])
    for name in everything:
        sides = [
            side for side, trace in (("torch", torch), ("jax", jax)) if name in trace.tensors or name in trace.facts
        ]
        if len(sides) == 1:
            differ(name, f"only the {sides[0]} side returns it", "return it from both sides, or from none")
        elif (name in torch.facts) != (name in jax.facts):
            differ(name, "a string on one side, a tensor on the other")
        elif name in torch.facts:
            if not lifted and torch.facts[name] != jax.facts[name]:
                differ(name, f"torch {torch.facts[name]!r}, jax {jax.facts[name]!r}")
        elif torch.tensors[name].shape != jax.tensors[name].shape:
            shapes = torch.tensors[name].shape, jax.tensors[name].shape
            differ(name, f"shapes differ: torch {shapes[0]}, jax {shapes[1]}", _reshaped(*shapes))
        else:
            left, right = (_kind(t, name) if lifted else _dtype(t, name) for t in (torch, jax))
            if left != right:
                step = f"make it {left} on the jax side: look for .astype, dtype= and param_dtype= there"
                differ(name, f"dtypes differ in the {precision} run: torch {left}, jax {right}", step)
    return found


def _reshaped(torch: tuple[int, ...], jax: tuple[int, ...]) -> str:
    """What brings JAX's array into torch's shape, as far as shapes tell.

    Examples:
        >>> _reshaped((2, 3, 8, 9), (2, 8, 9, 3))
        "the axes are torch's in another order: return jnp.transpose(y, (0, 3, 1, 2))"
    """
    if sorted(torch) == sorted(jax):
        if len(set(torch)) < len(torch):
            return "the axes are torch's in another order: return jnp.transpose(y, ...) by torch's"
        return f"the axes are torch's in another order: return jnp.transpose(y, {tuple(map(jax.index, torch))})"
    if math.prod(torch) == math.prod(jax):
        return f"as many numbers: return y.reshape({torch}), transposed before where torch flattens channels first"
    return "return as many numbers from both: compare the layer sizes, paddings and slices before it"


def _kind(trace: Trace, name: str) -> str:
    return KINDS.get(trace.tensors[name].dtype.kind, "other")


def _dtype(trace: Trace, name: str) -> str:
    """The framework's dtype; the kind alone for integers, and for plain Python numbers that have none."""
    kind, label = _kind(trace, name), trace.dtypes.get(name)
    return label if label and kind in ("floating", "complex") else kind


def leading_steps(arrays: dict[str, np.ndarray]) -> int:
    """The number of steps of a training curve: the length of the first output that has an axis; 0 where none has."""
    return next((len(a) for a in arrays.values() if a.ndim > 0), 0)
