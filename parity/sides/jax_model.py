"""A JAX model of any kind as a function of its parameters, its state and its inputs."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.sides import jax_backend
from parity.sides.given import JaxSide
from parity.sides.jax_tree import Hosts, filled, flat

jax = jax_backend.start()

State = Mapping[str, Any]
TRAIN_ARGUMENTS = {"train": True, "training": True, "is_training": True}
EVAL_ARGUMENTS = {"deterministic": True, "use_running_average": True, "inference": True}


@dataclass(frozen=True)
class JaxModel:
    """A model of any of the four kinds; the user's own is never written to.

    Attributes:
        parameters: What is trained, by path, float64.
        state: What a call may change and no optimizer does: batch statistics, caches.
        run: run(parameters, state, inputs) -> (output, the state after the call); of state, values for some are enough.
        tree: The parameters as the tree that an optimizer is given.
        modes: Modules that know a train mode, with whether they are in it.
    """

    parameters: Mapping[str, np.ndarray]
    state: Mapping[str, np.ndarray]
    run: Callable[[State, State, tuple[Any, ...]], tuple[Any, dict[str, Any]]]
    tree: Any
    modes: Mapping[str, bool] = field(default_factory=dict)

    def __call__(self, parameters: State, state: State, inputs: tuple[Any, ...]) -> tuple[Any, dict[str, Any]]:
        """Run once; see `run`."""
        return self.run(parameters, state, inputs)


def jax_model(given: JaxSide, *, mode: bool | None = None, forced: bool = False) -> JaxModel:
    """A JAX model, ready to run.

    Args:
        given: The model, its variables and its call.
        mode: Whether to train, for a module whose call takes that as an argument (`train`, `deterministic`,
            `use_running_average`, ...), where the user gives no call.
        forced: Whether modules that keep their mode themselves are set to it as well.

    Returns:
        The JaxModel.
    """
    if given.kind == "nnx":
        from parity.sides.jax_nnx import nnx_model

        return nnx_model(given, mode=mode, forced=forced)
    if given.kind == "linen":
        from parity.sides.jax_linen import linen_model

        return linen_model(given, mode=mode)
    if given.kind == "equinox":
        from parity.sides.jax_equinox import equinox_model

        return equinox_model(given, mode=mode, forced=forced)
    return _function(given)


def mode_argument(function: Callable[..., Any], mode: bool | None) -> dict[str, bool]:
    """The argument by which a call is told whether to train, where it takes one.

    Examples:
        >>> mode_argument(lambda x, *, train: x, False), mode_argument(lambda x, deterministic=None: x, True)
        ({'train': False}, {'deterministic': False})
    """
    if mode is None:
        return {}
    taken = inspect.signature(function).parameters
    return {n: mode for n in TRAIN_ARGUMENTS if n in taken} | {n: not mode for n in EVAL_ARGUMENTS if n in taken}


def _function(given: JaxSide) -> JaxModel:
    """A function of (parameters, *inputs), or of the inputs alone where it was given no variables."""
    call = given.call or (lambda apply, *inputs: apply(*inputs))
    if given.variables is None:
        return JaxModel({}, {}, lambda parameters, state, inputs: (call(given.module, *inputs), {}), {})
    tree = given.variables
    parameters = Hosts(flat(tree)).only(lambda _, leaf: jax.numpy.issubdtype(leaf.dtype, jax.numpy.inexact))

    def run(parameters: State, state: State, inputs: tuple[Any, ...]) -> tuple[Any, dict[str, Any]]:
        variables = filled(tree, parameters)
        return call(lambda *a, **k: given.module(variables, *a, **k), *inputs), {}

    return JaxModel(parameters, {}, run, tree)
