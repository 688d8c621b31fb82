"""What the JAX side runs where torch's recorded activations are its inputs: one layer, or what lies between layers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.sides import jax_backend
from parity.sides.arrangement import Arrangement, closest
from parity.sides.carrying import Carried, like
from parity.sides.inputs import is_float, leaves, rebuild
from parity.sides.jax_layers import JaxLayer, JaxLayers, traced
from parity.sides.jax_requests import requests_raised

jax = jax_backend.start()


@dataclass(frozen=True)
class Pairing:
    """One array of a layer's arguments or outputs on both sides.

    Attributes:
        jax, torch: Its path in the nest of either side.
        arrangement: How torch's lies in JAX's.
        shape: Torch's.
    """

    jax: str
    torch: str
    arrangement: Arrangement
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Meeting:
    """One call of a layer on both sides.

    Attributes:
        path, number: JAX's module, and which call of it.
        arguments: JAX's (args, kwargs) as NumPy: what has no partner in torch keeps its own value.
        given: Arrays of the arguments that are torch's.
        output: JAX's output as NumPy, when it was given torch's input.
        returned: Arrays of it that torch has too.
        arrived: What JAX's own code brought to the layer, of `given`, by path.
    """

    path: str
    number: int
    arguments: Any
    given: tuple[Pairing, ...]
    output: Any
    returned: tuple[Pairing, ...]
    arrived: dict[str, np.ndarray]


class Unmatched(RuntimeError):
    """A layer whose arguments or outputs cannot be laid beside torch's; the message says which."""


Known = Callable[[str, int], tuple[dict[str, np.ndarray], dict[str, np.ndarray]] | None]
"""known(JAX path, number) -> torch's arrays of the arguments and the output by path; None for no call."""


def meet(
    layers: JaxLayers,
    values: Mapping[str, np.ndarray],
    inputs: Sequence[Any],
    paths: set[str],
    known: Known,
    met: Callable[[Meeting], None],
) -> tuple[Any, dict[str, str]]:
    """Run the JAX model once at float64, every layer given torch's input and answered by torch's output.

    Args:
        layers: The model.
        values: Its leaves.
        inputs: NumPy pytrees.
        paths: The layers.
        known: Torch's side of a call.
        met: Is told of each call as it comes; nothing of it is kept.

    Returns:
        (the model's output as NumPy, paths that could not be forced with the reason).
    """
    refused: dict[str, str] = {}
    orders: dict[int, tuple[int, ...]] = {}

    def reached(path: str, number: int, args: Any, kwargs: Any, original: Callable[..., Any]) -> Any:
        if traced(args, kwargs):
            refused[path] = "it runs inside of a scan or a compiled part"
            return original(*args, **kwargs)
        torch = known(path, number)
        if torch is None:
            refused[path] = f"torch has no call {number + 1} of it"
            return original(*args, **kwargs)
        try:
            given = paired(leaves((args, kwargs)), torch[0], orders, in_order=True)
            forced = {p.jax: p.arrangement.to_jax(torch[0][p.torch]) for p in given}
            own_args, own_kwargs = rebuild(
                (args, kwargs), lambda p, leaf: jax.numpy.asarray(forced[p]) if p in forced else leaf
            )
            output = original(*own_args, **own_kwargs)
            near = {len(p.arrangement.order): p.arrangement.order for p in given}
            returned = paired(leaves(output), torch[1], orders | near, in_order=False)
            orders.update({len(p.arrangement.order): p.arrangement.order for p in returned})
            if not returned:
                raise Unmatched("none of its outputs has the shape of torch's, in any order of axes")
        except Unmatched as error:
            refused[path] = str(error)
            return original(*args, **kwargs)
        arrived = {p: np.asarray(leaf) for p, leaf in leaves((args, kwargs)) if p in forced}
        met(Meeting(path, number, _hosts((args, kwargs)), given, _hosts(output), returned, arrived))
        answer = {p.jax: p.arrangement.to_jax(torch[1][p.torch]) for p in returned}
        return rebuild(output, lambda p, leaf: jax.numpy.asarray(answer[p]) if p in answer else leaf)

    with jax.enable_x64(True), requests_raised():
        given = rebuild(
            tuple(inputs), lambda _, leaf: jax.numpy.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf
        )
        own = {
            n: jax.numpy.asarray(np.asarray(v, np.float64) if is_float(np.asarray(v)) else v) for n, v in values.items()
        }
        output = layers.run(own, given, paths, reached)
        return _hosts(output), refused


def paired(
    jax_leaves: Any, torch: Mapping[str, np.ndarray], orders: Mapping[int, tuple[int, ...]], *, in_order: bool
) -> tuple[Pairing, ...]:
    """Lay JAX's floating arrays beside torch's: each gets the next of torch's, or that which comes nearest.

    Args:
        jax_leaves: (path, array) pairs.
        torch: Torch's arrays by path.
        orders: The order of axes that is expected, by their number.
        in_order: Whether the next whose shape fits is taken: arguments have their order, outputs often another.

    Returns:
        A Pairing for each of JAX's that has a partner.

    Raises:
        Unmatched: If the first argument has none.
    """
    found: list[Pairing] = []
    left = dict(torch)
    for path, leaf in jax_leaves:
        if not hasattr(leaf, "dtype") or not hasattr(leaf, "shape") or "key<" in str(leaf.dtype):
            continue
        array = np.asarray(leaf)
        fitting = [(closest(t, array, orders.get(t.ndim)), name) for name, t in left.items() if _alike(t, array)]
        fitting = [((a, d), name) for (a, d), name in fitting if a is not None]
        if not fitting:
            if in_order and not found:
                shapes = ", ".join(str(t.shape) for t in left.values())
                raise Unmatched(f"its first argument has shape {array.shape}, torch's {shapes}: no order of axes fits")
            continue
        (arrangement, _), name = fitting[0] if in_order else min(fitting, key=lambda item: item[0][1])
        assert arrangement is not None
        found.append(Pairing(path, name, arrangement, left[name].shape))
        if in_order:
            left = dict(list(left.items())[list(left).index(name) + 1 :])
        else:
            del left[name]
    return tuple(found)


def layer_function(layer: JaxLayer, carried: Sequence[Carried], meeting: Meeting) -> Callable[..., dict[str, Any]]:
    """A JAX layer as a function of torch's arrays, in torch's layouts and under torch's names.

    Args:
        layer: The layer.
        carried: Where its leaves come from.
        meeting: One call of it.

    Returns:
        layer(inputs, parameters, buffers, constants) -> {"output": ..., "state": ...}, as TorchLayers.layer gives.
    """
    places = {p.jax: p for p in meeting.given}

    def run(
        inputs: dict[str, Any], parameters: dict[str, Any], buffers: dict[str, Any], constants: dict[str, Any]
    ) -> dict[str, Any]:
        tensors = {**parameters, **buffers}
        values = {c.leaf: c.to_jax(tensors) for c in carried}

        def argument(path: str, leaf: Any) -> Any:
            place = places.get(path)
            return constants.get(path, leaf) if place is None else place.arrangement.to_jax(inputs[place.torch])

        args, kwargs = rebuild(meeting.arguments, argument)
        output, after = layer.call(values, args, kwargs)
        named = dict(leaves(output))
        outputs = {p.torch: p.arrangement.to_torch(named[p.jax], p.shape) for p in meeting.returned}
        state: dict[str, Any] = {}
        for c in carried:
            if any(n in buffers for n in c.names):
                state |= {n: jax.lax.stop_gradient(a) for n, a in c.to_torch(after[c.leaf]).items() if n in buffers}
        return {"output": outputs, "state": state}

    return run


@dataclass(frozen=True)
class Source:
    """Where torch's side of a JAX call stands among torch's calls.

    Attributes:
        calls: Names of torch's calls; the outputs of several are joined along their last axis.
        rows: Places along that axis that are this call's; None for all of one call's output.
    """

    calls: tuple[str, ...]
    rows: tuple[int, ...] | None = None

    def outputs(self, calls: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Torch's arrays of this call's output, of any framework, by path."""
        if self.rows is None:
            return dict(calls[self.calls[0]])
        arrays = [next(iter(calls[name].values())) for name in self.calls]
        if isinstance(arrays[0], np.ndarray):
            return {"": np.concatenate(arrays, -1)[..., list(self.rows)]}
        return {"": jax.numpy.concatenate(arrays, -1)[..., np.array(self.rows)]}


def between_function(
    layers: JaxLayers,
    values: Mapping[str, np.ndarray],
    meetings: Mapping[tuple[str, int], Meeting],
    sources: Mapping[tuple[str, int], Source],
    wanted: tuple[str, int] | None,
    passed: Mapping[tuple[str, int], str] | None = None,
) -> Callable[..., dict[str, Any]]:
    """What lies between layers, as a function of torch's outputs: what arrives at one layer, or at the model's end.

    Args:
        layers: The model.
        values: Its leaves; constants here.
        meetings: Of every call whose output can be given.
        sources: Where torch's side of each stands.
        wanted: The call whose arguments are the result; None for the model's output.
        passed: Calls whose arguments are results too, and what they are called.

    Returns:
        between(inputs, forced) -> {"arrived": arrays by path}; `forced` are torch's outputs by call and path.
    """

    def run(inputs: dict[str, Any], forced: dict[str, dict[str, Any]]) -> dict[str, Any]:
        arrived: dict[str, Any] = {}
        dtype = next((leaf.dtype for _, leaf in leaves((forced, inputs)) if is_inexact(leaf)), None)

        def reached(path: str, number: int, args: Any, kwargs: Any, original: Callable[..., Any]) -> Any:
            key = (path, number)
            if passed and key in passed:
                own_arguments = dict(leaves((args, kwargs)))
                arrived.update({f"{passed[key]} {p.jax}": own_arguments[p.jax] for p in meetings[key].given})
            if key == wanted:
                given = dict(leaves((args, kwargs)))
                arrived.update({p.jax: given[p.jax] for p in meetings[key].given})
                raise _Reached
            if key not in meetings or any(name not in forced for name in sources[key].calls):
                return original(*args, **kwargs)
            own = sources[key].outputs(forced)
            answer = {p.jax: p.arrangement.to_jax(own[p.torch]) for p in meetings[key].returned}

            def result(path: str, leaf: Any) -> Any:
                return answer[path] if path in answer else like(leaf, dtype) if isinstance(leaf, np.ndarray) else leaf

            return rebuild(meetings[key].output, result)

        own_values = {n: like(v, dtype) for n, v in values.items()}
        try:
            output = layers.run(own_values, tuple(inputs.values()), {path for path, _ in meetings}, reached)
        except _Reached:
            return {"arrived": arrived}
        return {"arrived": arrived | {p: leaf for p, leaf in leaves(output) if hasattr(leaf, "dtype")}}

    return run


def is_inexact(leaf: Any) -> bool:
    """Whether a leaf is a floating JAX array."""
    return hasattr(leaf, "dtype") and jax.numpy.issubdtype(leaf.dtype, jax.numpy.inexact)


class _Reached(Exception):
    """A partial run has what it was made for."""


def _alike(torch: np.ndarray, jax: np.ndarray) -> bool:
    return torch.size == jax.size and (
        torch.dtype.kind == jax.dtype.kind or {torch.dtype.kind, jax.dtype.kind} == {"i", "u"}
    )


def _hosts(tree: Any) -> Any:
    def host(_: str, leaf: Any) -> Any:
        return np.asarray(leaf) if isinstance(leaf, jax.Array) and "key<" not in str(leaf.dtype) else leaf

    return rebuild(tree, host)
