"""A JAX model as a function of its weights: NNX modules, Linen modules with variables, functions of params."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from parity.convert.jax_steps import Steps
from parity.convert.leaves import Path, dotted, jax_leaves
from parity.convert.mapping_error import MappingError
from parity.sides import jax_backend
from parity.sides.inputs import is_float, leaves, rebuild, widened
from parity.sides.jax_requests import requests_raised
from parity.sides.replay import SEED, Replay

jax = jax_backend.start()

STREAMS = ("params", "dropout")
"""Random streams that every apply is given: dropout that is on is no reason to find no map."""

TRAINED = ("Param", "params", "LoRAParam")


class JaxModel:
    """A JAX model whose floating leaves are its function's first argument.

    Args:
        model: An NNX module, or a Linen module.
        variables: A Linen module's variables; None for an NNX module.
        call: With the NNX module, or with Linen's `apply` bound to the variables, and the inputs.
        training: An NNX module's mode; None leaves it as it is. A Linen module's is in its call.

    Attributes:
        paths: The path of each floating leaf by its dotted name.
        shapes, kinds: Of each: "Param", "BatchStat" and the like, or Linen's collection.
        given: Names of the outputs, once it has run.
        kept: The outputs that count, in order; None for all.
    """

    def __init__(
        self,
        model: Any,
        variables: Any = None,
        call: Callable[..., Any] | None = None,
        *,
        training: bool | None = None,
    ) -> None:
        self.call = call
        self.given: list[str] = []
        self.kept: list[str] | None = None
        self.paths: dict[str, Path] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.kinds: dict[str, str] = {}
        self.values: dict[str, np.ndarray] = {}
        self._apply = self._linen(model, variables) if variables is not None else self._nnx(model, training)
        if not self.paths:
            raise MappingError("the JAX model has no weights; initialise it first, and pass a Linen module's variables")

    @property
    def trained(self) -> set[str]:
        return {name for name, kind in self.kinds.items() if kind in TRAINED}

    def _note(self, path: Path, leaf: Any, kind: str) -> bool:
        if not hasattr(leaf, "dtype") or "key<" in str(leaf.dtype) or not jax.numpy.issubdtype(leaf.dtype, np.floating):
            return False
        name = dotted(path)
        self.paths[name], self.shapes[name], self.kinds[name] = path, tuple(leaf.shape), kind
        self.values[name] = np.asarray(leaf).astype(np.float64)
        return True

    def _nnx(self, model: Any, training: bool | None) -> Callable[..., Any]:
        from flax import nnx

        if not isinstance(model, nnx.Module):
            raise MappingError(
                f"the JAX model is a {type(model).__name__}; wanted an nnx.Module, or parity.JaxSide(module, variables)"
            )
        copied = nnx.merge(*nnx.split(model))
        if training is not None:
            (copied.train if training else copied.eval)()
        graph, state = nnx.split(copied)
        flat: list[tuple[Any, Any]] = list(nnx.to_flat_state(state))
        held = {}
        for path, variable in flat:
            self._note(tuple(path), variable.get_value(), type(variable).__name__)
            held[path] = _held(variable.get_value())

        def apply(weights: Mapping[str, Any], inputs: tuple[Any, ...]) -> Any:
            # A stream's counter too is made anew, since it may only be changed in the trace that made it.
            leaves_now = [(p, v.replace(weights.get(dotted(p), held[p]()))) for p, v in flat]
            module = nnx.merge(graph, nnx.from_flat_state(leaves_now))
            return module(*inputs) if self.call is None else self.call(module, *inputs)

        return apply

    def _linen(self, module: Any, variables: Any) -> Callable[..., Any]:
        found = list(jax_leaves(variables))
        for path, leaf in found:
            self._note(path, leaf, str(path[0]))

        def apply(weights: Mapping[str, Any], inputs: tuple[Any, ...]) -> Any:
            filled: dict[Any, Any] = {}
            for path, leaf in found:
                level = filled
                for key in path[:-1]:
                    level = level.setdefault(key, {})
                level[path[-1]] = weights.get(dotted(path), leaf)

            def bound(*args: Any, **options: Any) -> Any:
                rngs = {name: jax.random.key(0) for name in STREAMS} | (options.pop("rngs", None) or {})
                return module.apply(filled, *args, rngs=rngs, **options)

            return bound(*inputs) if self.call is None else self.call(bound, *inputs)

        return apply

    def function(self, weights: Mapping[str, Any], inputs: tuple[Any, ...]) -> list[Any]:
        """Its outputs as a JAX function of weights and inputs."""
        with Replay(SEED).on("jax"):
            outputs = self._apply(weights, inputs)
        found = {p: leaf for p, leaf in leaves(outputs) if isinstance(leaf, jax.Array)}
        self.given = list(found) if self.kept is None else self.kept
        return [found[name] for name in self.given]

    def steps(self, inputs: tuple[Any, ...]) -> Steps:
        """Its operations in order, at float64; the program's inputs are the weights by `shapes`, in order."""
        given = rebuild(inputs, lambda _, leaf: widened(leaf) if is_float(leaf) else leaf)

        def run(weights: list[Any]) -> Any:
            named = dict(zip(self.shapes, weights, strict=True))
            return self.function(named, rebuild(given, lambda _, leaf: _array(leaf)))

        with jax.enable_x64(True), requests_raised():
            return Steps.of(jax.make_jaxpr(run)([np.zeros(shape) for shape in self.shapes.values()]))


def _held(value: Any) -> Callable[[], Any]:
    """A value that stays as it is; the key of a random stream as one that each trace makes from its numbers."""
    if "key<" not in str(getattr(value, "dtype", "")):
        return lambda: value
    numbers, kind = np.asarray(jax.random.key_data(value)), jax.random.key_impl(value)
    return lambda: jax.random.wrap_key_data(numbers, impl=kind)


def _array(leaf: Any) -> Any:
    return jax.numpy.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf
