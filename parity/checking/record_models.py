"""A model's part of `parity.record`: torch's with its weights, JAX's with torch's weights put into it.

Torch's recording holds the weights. JAX's model is recorded beside it, under torch's names, with a WeightMap that says
which leaf is which; where both have the same names and shapes, none is needed.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from parity.checking.matching import Match, match, match_names
from parity.checking.models import arguments, mapped, modes_parted
from parity.checking.record_layers import Layers, jax_layers, torch_layers
from parity.checking.runs import SideError
from parity.sides import raised, side
from parity.sides.given import as_jax_side, as_torch_side
from parity.sides.mapped import FIXED, INPUTS, OWN, PARAMETERS, STATE
from parity.sides.replay import SEED, Replay, ReplayedSide, replayable
from parity.sides.single import paired_outputs
from parity.trace import RecordedMatch, RecordedWeights, Recording, TraceError

WANTED = (
    "a JAX model is recorded with torch's weights: beside= (--beside) names the torch model's recording, weights= "
    "(--weights) the file of a WeightMap, which parity.map_weights(...).to_json(FILE) writes where both frameworks are"
)


@dataclass(frozen=True)
class Prepared:
    """A model that is ready to be recorded.

    Attributes:
        side: Runs it.
        arguments: What the side is handed.
        fingerprinted: What both sides' fingerprints are of: torch's weights and the inputs.
        model: What the Recording holds of it.
        replay: Serves its draws; None where it draws nothing.
        layers: What runs it with its layers' outputs, and what that is handed; None where they are not recorded.
    """

    side: Any
    arguments: dict[str, Any]
    fingerprinted: dict[str, Any]
    model: RecordedWeights | RecordedMatch
    replay: Replay | None
    layers: tuple[Any, dict[str, Any]] | None = None


def prepared(
    framework: str,
    given: Any,
    inputs: dict[str, Any],
    *,
    beside: Recording | None,
    weights: Any,
    device: str,
    jit: bool,
    randomness: int | None,
    layers: bool,
) -> Prepared:
    """Make a model ready to be recorded.

    Args:
        framework: "torch" or "jax".
        given: The model, or its TorchSide or JaxSide.
        inputs: NumPy nests by place.
        beside: Of a JAX model: the torch model's recording.
        weights: Of a JAX model: a WeightMap or its file; None where names and shapes are torch's.
        device, jit, randomness, layers: As for `record`.

    Returns:
        The Prepared.

    Raises:
        TraceError: If `beside` is missing, or is no torch model's.
        TypeError, ValueError: If the model or the weights are of the wrong kind.
        SideError: If the model raises.
    """
    if framework == "torch":
        if weights is not None:
            raise ValueError("record: weights= is for the JAX model; torch is recorded with its own")
        return _torch(given, inputs, device, randomness, layers)
    if beside is None or not isinstance(beside.model, RecordedWeights):
        got = "" if beside is None else "; the recording beside is of a function"
        raise TraceError(f"record: {WANTED}{got}")
    return _jax(given, inputs, beside, weights, jit, layers)


def _torch(given: Any, inputs: dict[str, Any], device: str, randomness: int | None, layers: bool) -> Prepared:
    from parity.sides.torch_forward import forward
    from parity.sides.torch_model import TorchModel
    from parity.sides.torch_side import TorchSide

    model = TorchModel(as_torch_side(given))
    function = forward(model, state=tuple(model.buffers))
    whole = {PARAMETERS: model.parameters, FIXED: {}, STATE: model.buffers, OWN: {}, INPUTS: inputs}
    replay = Replay(SEED if randomness is None else randomness)
    try:
        with replay.on("torch"):
            TorchSide(replayable("torch", function)).run(whole, dtype="float32", device=device, wrt=())
    except Exception as error:
        raise SideError(f"the torch side {raised(error)}") from error
    weights = RecordedWeights(
        model.parameters, model.buffers, model.aliases, tuple(model.weights), model.frozen, model.training
    )
    if not replay.draws.get("torch") and randomness is None:
        within = torch_layers(as_torch_side(given), model, function, tuple(inputs.values())) if layers else Layers()
        told = _told_apart(weights, inputs)
        if within.function is None:
            return Prepared(TorchSide(function), whole, told, weights, None)
        return Prepared(
            TorchSide(function), whole, told, weights, None, (TorchSide(within.function), within.arguments(whole))
        )
    running = ReplayedSide(TorchSide(replayable("torch", function)), replay)
    return Prepared(running, whole, _told_apart(weights, inputs), weights, replay)


def _jax(given: Any, inputs: dict[str, Any], beside: Recording, weights: Any, jit: bool, layers: bool) -> Prepared:
    from parity.sides import jax_forward
    from parity.sides.jax_model import jax_model

    torch: Any = beside.model
    model = jax_model(as_jax_side(given), mode=torch.training)
    found = _matched(torch, model, weights)
    whole = arguments(torch, model, found, tuple(inputs.values()), None)
    assert found.correspondence is not None
    state = tuple(dict.fromkeys(p for name in found.state for p in found.correspondence.sources[name]))
    replay = None if beside.randomness is None else Replay(beside.randomness)
    try:
        translated = mapped(None, torch, model, found).translated(whole)
        own = jax_forward.forward(model)
        names = jax_forward.outline(own if replay is None else replayable("jax", own), translated)
    except Exception as error:
        raise SideError(f"the jax side {raised(error)}") from error
    working = beside.parts[0].working
    theirs = [n.removeprefix("forward/output.") for n in (*working.tensors, *working.facts)]
    outputs = paired_outputs([n for n in theirs if not n.startswith(("forward/", "gradient/"))], names)
    function = jax_forward.forward(model, state=state, renamed={j: t for t, j in outputs.items()})
    running = side("jax", function if replay is None else replayable("jax", function), jit=jit)
    running = running if replay is None else ReplayedSide(running, replay)
    findings = [*modes_parted(torch, model), *found.findings]
    remarks = list(found.remarks)
    if outputs:
        pairs = ", ".join(f"{t} / {j}" for t, j in outputs.items())
        remarks.append(f"outputs matched by position, torch / jax: {pairs}")
    within = Layers()
    if layers:
        renamed = {j: t for t, j in outputs.items()}
        within = jax_layers(as_jax_side(given), found, beside, tuple(inputs.values()), renamed, mode=torch.training)
        remarks += [within.remark] if within.remark else []
    record = RecordedMatch(
        {name: found.beside(name) for name, paths in found.correspondence.sources.items() if paths},
        outputs,
        tuple(sorted(found.compared)),
        found.state,
        tuple({"stage": f.stage, "torch": f.torch_path, "jax": f.jax_path, "message": f.message} for f in findings),
        tuple(remarks),
        within.taken,
    )
    ready = Prepared(mapped(running, torch, model, found), whole, _told_apart(torch, inputs), record, replay)
    if within.function is None:
        return ready
    inside = mapped(side("jax", within.function, jit=jit), torch, model, found)
    return replace(ready, layers=(inside, within.arguments(whole)))


def _matched(torch: RecordedWeights, model: Any, weights: Any) -> Match:
    """Torch's recorded weights beside the JAX model's leaves."""
    if weights is None:
        by_name = match_names(torch, model)
        if by_name is None:
            raise TraceError(f"record: the two models have other names or shapes; {WANTED}")
        return by_name
    if isinstance(weights, (str, os.PathLike)):
        from parity.convert import WeightMap

        weights = WeightMap.from_json(Path(weights))
    if not (hasattr(weights, "to_jax") and hasattr(weights, "to_torch")):
        raise TypeError(f"record: weights is {weights!r:.60}, wanted a parity.WeightMap or the file of one")
    found = match(torch, model, weights, (None, None), ())
    if found.correspondence is None:
        raise TraceError(f"record: {found.findings[0].message}")
    return found


def _told_apart(weights: RecordedWeights, inputs: dict[str, Any]) -> dict[str, Any]:
    return {PARAMETERS: dict(weights.parameters), STATE: dict(weights.buffers), INPUTS: inputs}
