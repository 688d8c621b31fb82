"""The layers of a model that is recorded: what each gives and the gradient that reaches it, to say where two part."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.checking.located import as_run, unfit
from parity.checking.matching import Match
from parity.checking.runs import first_line
from parity.sides.given import JaxSide, TorchSide
from parity.sides.mapped import LAYERS
from parity.trace import RecordedLayer, RecordedWeights, Recording

if TYPE_CHECKING:
    from parity.checking.layers import Part


@dataclass(frozen=True)
class Layers:
    """What records them.

    Attributes:
        function: Of what the model's side is handed and of `zeros`; None where there are none to record.
        zeros: The argument under which a layer's gradient is told, by the layer's name.
        taken: Of JAX's: what of torch's each is.
        remark: What a reader should know.
    """

    function: Any = None
    zeros: Mapping[str, np.ndarray] | None = None
    taken: tuple[RecordedLayer, ...] = ()
    remark: str = ""

    def arguments(self, whole: dict[str, Any]) -> dict[str, Any]:
        """What the side is handed."""
        return {**whole, LAYERS: dict(self.zeros or {})}


def torch_layers(given: TorchSide, model: Any, forward: Any, inputs: tuple[Any, ...]) -> Layers:
    """Of a torch model.

    Args:
        given: As its user gave it.
        model: The TorchModel.
        forward: Its function.
        inputs: NumPy pytrees.

    Returns:
        The Layers.
    """
    from parity.sides.torch_taps import seen, tapped

    if given.kind == "function":
        return Layers()
    try:
        shapes, why = seen(given, inputs)
    except Exception as error:
        shapes, why = {}, first_line(error)
    if why:
        return Layers(remark=f"layers: not recorded of torch: {why}")
    return Layers(tapped(model, forward, shapes), _zeros(shapes))


def jax_layers(
    given: JaxSide,
    found: Match,
    beside: Recording,
    inputs: tuple[Any, ...],
    renamed: Mapping[str, str],
    *,
    mode: bool | None,
) -> Layers:
    """Of a JAX model, each beside the torch layer that holds the same weights.

    Args:
        given: As its user gave it.
        found: The match of the weights.
        beside: Torch's recording.
        inputs: NumPy pytrees.
        renamed: Outputs that go by torch's names.
        mode: Torch's.

    Returns:
        The Layers.
    """
    drawn = beside.randomness is not None
    why = unfit(given, found, drawn=drawn, train=mode)
    if not why and not beside.layers:
        why = "torch's recording has none"
    if not why:
        try:
            return _jax(given, found, beside, inputs, renamed, mode)
        except Exception as error:
            why = first_line(error)
    return Layers(remark=f"layers: not recorded of jax: {why}")


def _jax(
    given: JaxSide, found: Match, beside: Recording, inputs: tuple[Any, ...], renamed: Mapping[str, str], mode: Any
) -> Layers:
    from parity.checking.layers import flat, matched  # JAX is there
    from parity.sides.jax_layers import jax_layers as layers_of
    from parity.sides.jax_taps import find_taps, tapped

    module, call = as_run(given, mode, forced=False)
    layers = layers_of(module, given.variables, call)
    torch, weights = beside.model, found.weights
    assert isinstance(torch, RecordedWeights)
    own = {n: a for n, a in torch.weights.items() if n in weights.torch_shapes}
    values = layers.values | flat(weights.to_jax(own))
    tensors = beside.layers[0].full.tensors
    outputs: dict[str, dict[str, str]] = {}
    for name in tensors:
        if name.startswith("forward/layer."):
            call_name, _, place = name.removeprefix("forward/layer.").partition(".")
            outputs.setdefault(call_name, {})[place] = name
    called = {name.partition("#")[0].replace("/", ".") for name in outputs}
    parts: dict[str, Part] = {}

    def sources(path: str, number: int) -> tuple[str, ...]:
        return tuple(m.replace(".", "/") + (f"#{number}" if number else "") for m in parts[path].torch)

    def known(path: str, number: int) -> dict[str, np.ndarray] | None:
        names = sources(path, number)
        if any(n not in outputs for n in names):
            return None
        return joined([{p: tensors[n] for p, n in outputs[name].items()} for name in names], parts[path].rows)

    lifted: dict[str, str] = {}
    while True:
        parts = {part.jax: part for part in matched(weights, layers.owner, called, lifted).parts}
        taps, refused = find_taps(layers, values, inputs, set(parts), known)
        met = {tap.path for tap in taps} | refused.keys()
        unseen = [p for p in parts if p not in met | lifted.keys() and "." in p]
        if not unseen:
            break
        lifted |= {path: path.rpartition(".")[0] for path in unseen}
    if not taps:
        return Layers(remark="layers: not recorded of jax: none of them was called beside its partner in torch")
    taken = tuple(
        RecordedLayer(
            tap.name,
            parts[tap.path].jax + (f" (call {tap.number + 1})" if tap.number else ""),
            sources(tap.path, tap.number),
            parts[tap.path].rows,
            tap.torch,
        )
        for tap in taps
    )
    told = "; ".join(f"{path}: {why}" for path, why in list(refused.items())[:3])
    zeros = _zeros({tap.name: tap.shape for tap in taps})
    return Layers(tapped(layers, taps, renamed), zeros, taken, f"layers: not recorded of jax: {told}" if told else "")


def _zeros(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Zeros of these shapes, each one number in memory."""
    return {name: np.broadcast_to(np.zeros(()), shape) for name, shape in shapes.items()}


def joined(outputs: list[dict[str, np.ndarray]], rows: tuple[int, ...] | None) -> dict[str, np.ndarray]:
    """Torch's arrays of one JAX layer by place: of several calls their outputs along the last axis, some of it."""
    if rows is None:
        return outputs[0]
    return {"": np.concatenate([next(iter(own.values())) for own in outputs], -1)[..., list(rows)]}
