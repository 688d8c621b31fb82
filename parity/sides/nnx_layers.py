"""The layers of a Flax NNX module."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from flax import nnx

from parity.sides.held import HELD
from parity.sides.jax_layers import ForcedCalls, JaxLayer, Reached


class NnxLayer:
    """One NNX module apart from its model; see JaxLayer."""

    def __init__(self, module: Any) -> None:
        self._graph, self._state = nnx.split(module)
        flat = _arrays(self._state)
        self.kind = type(module).__name__
        self.attributes = {
            ".".join(map(str, (*path, n))): v
            for path, part in nnx.iter_modules(module)
            for n, v in vars(part).items()
            if _plain(v)
        }
        self.names = tuple(flat)
        self.values = {n: np.asarray(v.get_value()) for n, v in flat.items()}
        self.key = (_hashable(self._graph), tuple((n, v.shape, str(v.dtype)) for n, v in self.values.items()))

    def call(
        self, values: Mapping[str, Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        module = nnx.merge(self._graph, _filled(self._state, values))
        output = module(*args, **kwargs)
        return output, {n: v.get_value() for n, v in _arrays(nnx.state(module)).items()}

    def patched(self, **attributes: Any) -> JaxLayer:
        module = nnx.merge(self._graph, self._state)
        parts = {".".join(map(str, path)): part for path, part in nnx.iter_modules(module)}
        for name, value in attributes.items():
            path, _, own = name.rpartition(".")
            setattr(parts[path], own, value)
        return NnxLayer(module)


class NnxLayers:
    """An NNX module's layers; see JaxLayers."""

    def __init__(self, module: Any, call: Callable[..., Any] | None = None) -> None:
        self._graph, self._state = nnx.split(module)
        self._call = call or (lambda module, *inputs: module(*inputs))
        self.values = {n: np.asarray(v.get_value()) for n, v in _arrays(self._state).items()}

    def owner(self, leaf: str) -> str:
        return leaf.rpartition(".")[0]

    def layer(self, path: str) -> JaxLayer:
        module = nnx.merge(self._graph, self._state)
        return NnxLayer(next(m for m, name in _named(module) if name == path))

    def run(self, values: Mapping[str, Any], inputs: Sequence[Any], paths: set[str], reached: Reached) -> Any:
        module = nnx.merge(self._graph, _filled(self._state, values))
        with _intercepted(module, ForcedCalls(paths, reached)):
            return self._call(module, *inputs)


class _Holder(nnx.Module):
    """A model of one layer."""

    def __init__(self, layer: Any) -> None:
        setattr(self, HELD, layer)


def held_alone(module: Any, call: Callable[..., Any] | None) -> tuple[Any, Callable[..., Any]]:
    """A module that is a layer itself, held in another, and its call from there."""
    own = call or (lambda module, *inputs: module(*inputs))
    return _Holder(module), lambda holder, *inputs: own(getattr(holder, HELD), *inputs)


@contextlib.contextmanager
def _intercepted(module: Any, forced: ForcedCalls) -> Iterator[None]:
    """While this is entered, calls of the module's parts go through `forced`; a class holds `__call__`."""
    names = _modules(module)
    classes = {type(m) for m, name in _named(module) if name in forced.paths}
    before = {cls: vars(cls).get("__call__") for cls in classes}

    def through(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            return forced(names.get(id(self)), lambda *a, **k: original(self, *a, **k), args, kwargs)

        return call

    wrapped = {cls: through(cls.__call__) for cls in classes}
    try:
        for cls, call in wrapped.items():
            cls.__call__ = call
        yield
    finally:
        for cls, own in before.items():
            if own is None:
                del cls.__call__
            else:
                cls.__call__ = own


def _named(module: Any) -> Iterator[tuple[Any, str]]:
    for path, part in nnx.iter_modules(module):
        yield part, ".".join(map(str, path))


def _modules(module: Any) -> dict[int, str]:
    names: dict[int, str] = {}
    for part, name in _named(module):
        if name:
            names.setdefault(id(part), name)
    return names


def _arrays(state: Any) -> dict[str, Any]:
    """Variables by dotted path, but for random streams."""
    flat = nnx.to_flat_state(state)
    return {".".join(map(str, p)): v for p, v in flat if not issubclass(getattr(v, "type", type(v)), nnx.RngState)}


def _filled(state: Any, values: Mapping[str, Any]) -> Any:
    flat = nnx.to_flat_state(state)
    return nnx.from_flat_state([(p, v.replace(values.get(".".join(map(str, p)), v.get_value()))) for p, v in flat])


def _hashable(graph: Any) -> Any:
    """The configuration as a key; in words where it holds a list, such as a padding [(1, 1), (1, 1)]."""
    try:
        hash(graph)
    except TypeError:
        return repr(graph)
    return graph


def _plain(value: Any) -> bool:
    return not isinstance(value, (nnx.Variable, nnx.Module, nnx.Rngs)) and not hasattr(value, "_pytree__state")
