"""A small model's training in torch and in JAX on the same gradients, for the tests of what goes over."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import optax
import torch

SHAPES = {"conv.weight": (4, 3, 2, 2), "fc.weight": (5, 4), "fc.bias": (5,), "scale": ()}
MATRICES = {"q.weight": (6, 4), "o.weight": (3, 6)}  # Muon takes nothing else

OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "SGD, momentum": ("SGD", {"lr": 0.05, "momentum": 0.9}),
    "SGD, dampened": ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    "SGD, Nesterov": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "maximize": True}),
    "Adam": ("Adam", {"lr": 0.01, "weight_decay": 0.01}),
    "Adam, amsgrad": ("Adam", {"lr": 0.01, "amsgrad": True, "maximize": True}),
    "AdamW": ("AdamW", {"lr": 0.01, "betas": (0.8, 0.95)}),
    "Adamax": ("Adamax", {"lr": 0.01}),
    "NAdam": ("NAdam", {"lr": 0.01, "decoupled_weight_decay": True, "weight_decay": 0.01}),
    "RAdam": ("RAdam", {"lr": 0.01}),
    "RMSprop": ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.9}),
    "RMSprop, plain": ("RMSprop", {"lr": 0.01}),
    "Adagrad": ("Adagrad", {"lr": 0.05, "lr_decay": 0.1, "initial_accumulator_value": 0.1}),
    "Adadelta": ("Adadelta", {"lr": 0.5, "weight_decay": 0.01}),
    "ASGD": ("ASGD", {"lr": 0.01, "t0": 12}),
    "Rprop": ("Rprop", {"lr": 0.01}),
    "Adafactor": ("Adafactor", {"lr": 0.01}),
    "Muon": ("Muon", {"lr": 0.01}),
    "SparseAdam": ("SparseAdam", {"lr": 0.01}),
}
"""Every optimizer that holds a state per parameter, with options that bring out all of its slots."""


def shapes_of(kind: str) -> dict[str, tuple[int, ...]]:
    return MATRICES if kind == "Muon" else SHAPES


def start(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def gradients(shapes: Mapping[str, tuple[int, ...]], step: int) -> dict[str, np.ndarray | None]:
    """Of one step: of a quadratic's size, with rows of zeros; one parameter has none at every third step."""
    rng = np.random.default_rng(1000 + step)
    names = sorted(shapes)  # JAX sorts the names of a dict
    found: dict[str, np.ndarray | None] = {name: rng.normal(size=shapes[name]) for name in names}
    first, last = names[0], names[-1]
    found[first][0] = 0.0
    if step % 3 == 0:
        found[last] = None
    return found


class TorchRun:
    """Parameters and an optimizer of torch."""

    def __init__(self, make: Callable[[Any], torch.optim.Optimizer], arrays: Mapping[str, np.ndarray], dtype="float64"):
        kind = getattr(torch, dtype)
        self.parameters = {name: torch.nn.Parameter(torch.tensor(a, dtype=kind)) for name, a in arrays.items()}
        self.optimizer = make(list(self.parameters.items()))

    def steps(self, first: int, last: int) -> "TorchRun":
        for step in range(first, last):
            for name, g in gradients({n: tuple(p.shape) for n, p in self.parameters.items()}, step).items():
                p = self.parameters[name]
                p.grad = None if g is None else torch.tensor(g, dtype=p.dtype)
                if isinstance(self.optimizer, torch.optim.SparseAdam) and g is not None:
                    p.grad = p.grad.to_sparse()
            self.optimizer.step()
        return self

    def arrays(self) -> dict[str, np.ndarray]:
        return {name: p.detach().numpy().copy() for name, p in self.parameters.items()}

    def put(self, arrays: Mapping[str, Any]) -> None:
        with torch.no_grad():
            for name, p in self.parameters.items():
                p.copy_(torch.tensor(np.array(arrays[name])))


def jax_steps(tx: Any, params: Any, state: Any, first: int, last: int) -> tuple[Any, Any]:
    """Steps of a translated optimizer on the same gradients, compiled once for each set of parameters that has one."""
    compiled = jax.jit(tx.update)
    for step in range(first, last):
        given = gradients({name: tuple(p.shape) for name, p in params.items()}, step)
        moved = {n: None if g is None else jax.numpy.asarray(g, params[n].dtype) for n, g in given.items()}
        updates, state = compiled(moved, state, params)
        params = optax.apply_updates(params, updates)
    return params, state


def apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """The largest difference, as a share of the largest parameter."""
    size = max(float(np.abs(np.asarray(a)).max()) for a in other.values())
    return max(float(np.abs(np.asarray(one[n]) - np.asarray(other[n])).max()) for n in other) / size


def same(one: Any, other: Any) -> bool:
    """Two state_dicts of torch, bit for bit and type for type."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


class Held(torch.nn.Module):
    """A model that only holds the parameters of a run, and a buffer."""

    def __init__(self, run: TorchRun) -> None:
        super().__init__()
        for name, parameter in run.parameters.items():
            self.register_parameter(name.replace(".", "_"), parameter)
        self.register_buffer("mean", torch.full((2,), 0.25))


def jax_part(run: Any, first: int, last: int, **extra: Any) -> tuple[Any, Any]:
    """Steps of a run that was loaded, whose names are those of Held; `extra` gives update() a value of each step."""
    params, state = run.params, run.state
    compiled = jax.jit(run.optimizer.update)
    for step in range(first, last):
        given = {name.replace(".", "_"): g for name, g in gradients(SHAPES, step).items()}
        moved = {name: None if g is None else jax.numpy.asarray(g, params[name].dtype) for name, g in given.items()}
        told = {name: values[step] for name, values in extra.items()}
        updates, state = compiled(moved, state, params, **told)
        params = optax.apply_updates(params, updates)
    return params, state
