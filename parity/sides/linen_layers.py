"""The layers of a Flax Linen module with its variables."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from flax import linen, traverse_util

from parity.sides import jax_backend
from parity.sides.held import HELD
from parity.sides.jax_layers import ForcedCalls, JaxLayer, Reached

jax = jax_backend.start()

STREAMS = ("params", "dropout")


class LinenLayer:
    """One Linen module apart from its model; see JaxLayer."""

    def __init__(self, module: Any, values: Mapping[str, Any]) -> None:
        self._module = module
        self.kind = type(module).__name__
        self.attributes = dict(_attributes(module))
        self.names = tuple(values)
        self.values = dict(values)
        shapes = tuple((n, np.shape(v), str(np.asarray(v).dtype)) for n, v in values.items())
        self.key = (type(module), tuple((n, repr(v)) for n, v in self.attributes.items()), shapes)

    def call(
        self, values: Mapping[str, Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        now = _nested({**self.values, **values})
        mutable = [name for name in now if name != "params"]
        output, changed = self._module.apply(now, *args, rngs=_streams(), mutable=mutable, **kwargs)
        return output, _flat(now) | _flat(changed)

    def patched(self, **attributes: Any) -> JaxLayer:
        return LinenLayer(_changed(self._module, attributes), self.values)


class LinenLayers:
    """A Linen module's layers; see JaxLayers."""

    def __init__(self, module: Any, variables: Any, call: Callable[..., Any] | None = None) -> None:
        self._module = module
        self._call = call or (lambda apply, *inputs: apply(*inputs))
        self.values = {n: np.asarray(v) for n, v in _flat(linen.meta.unbox(dict(variables))).items()}
        self._seen: dict[str, Any] = {}

    def owner(self, leaf: str) -> str:
        return ".".join(leaf.split(".")[1:-1])

    def layer(self, path: str) -> JaxLayer:
        def inside(leaf: str) -> bool:
            return leaf.partition(".")[2].startswith(f"{path}.")

        own = {
            f"{leaf.partition('.')[0]}.{leaf.partition('.')[2].removeprefix(f'{path}.')}": value
            for leaf, value in self.values.items()
            if inside(leaf)
        }
        return LinenLayer(self._seen[path], own)

    def run(self, values: Mapping[str, Any], inputs: Sequence[Any], paths: set[str], reached: Reached) -> Any:
        now = _nested({**self.values, **values})
        mutable = [name for name in now if name != "params"]
        forced = ForcedCalls(paths, reached)

        def interceptor(next_call: Any, args: Any, kwargs: Any, context: Any) -> Any:
            if context.method_name != "__call__":
                return next_call(*args, **kwargs)
            path = ".".join(context.module.path)
            if path in paths and path not in self._seen:
                self._seen[path] = context.module.clone(parent=None, name=None)
            return forced(path, next_call, args, kwargs)

        def apply(*args: Any, **kwargs: Any) -> Any:
            asked = kwargs.pop("mutable", ())
            rngs = _streams() | (kwargs.pop("rngs", None) or {})
            output, changed = self._module.apply(now, *args, rngs=rngs, mutable=mutable, **kwargs)
            return (output, changed) if asked else output

        with linen.intercept_methods(interceptor):
            return self._call(apply, *inputs)


class _Holder(linen.Module):
    """A model of one layer; Linen calls it by the name of the field."""

    held_layer: linen.Module

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.held_layer(*args, **kwargs)


def held_alone(module: Any, variables: Any) -> tuple[Any, Any]:
    """A module that is a layer itself, held in another, and its variables there."""
    return _Holder(module.clone(name=None)), {name: {HELD: own} for name, own in dict(variables).items()}


def _attributes(module: Any) -> Iterator[tuple[str, Any]]:
    """Its own, and those of modules among them as "cell.gate_fn"."""
    for name in module.__dataclass_fields__:
        value = getattr(module, name)
        if name in ("parent", "name"):
            continue
        yield name, value
        if isinstance(value, linen.Module):
            yield from ((f"{name}.{inner}", own) for inner, own in _attributes(value))


def _changed(module: Any, attributes: Mapping[str, Any]) -> Any:
    own = {n: v for n, v in attributes.items() if "." not in n}
    for part in {n.partition(".")[0] for n in attributes if "." in n}:
        inner = {n.partition(".")[2]: v for n, v in attributes.items() if n.startswith(f"{part}.")}
        own[part] = _changed(getattr(module, part), inner)
    return module.clone(**own)


def _streams() -> dict[str, Any]:
    return {name: jax.random.key(0) for name in STREAMS}


def _flat(tree: Any) -> dict[str, Any]:
    return traverse_util.flatten_dict(dict(tree), sep=".")


def _nested(flat: Mapping[str, Any]) -> Any:
    return traverse_util.unflatten_dict(dict(flat), sep=".")
