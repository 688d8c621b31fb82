"""Where two recorded models part: the first layer, in torch's order of execution, whose own output differs.

Nothing runs here, so no layer is fed the other side's input, as a check does: what lies behind the first may follow.
"""

from collections.abc import Mapping
from dataclasses import fields, replace

import numpy as np

from parity.checking.located import GRADIENT, LAYER
from parity.checking.record_layers import joined
from parity.checking.recorded import RecordedSide
from parity.checking.runs import Runs
from parity.checking.tensors import judge_tensors
from parity.numerics import Finding
from parity.trace import Measured, Recorded, RecordedLayer, RecordedMatch, Recording, Trace, TraceError

GIVES, REACHES = "forward/layer.", "gradient/layers."
"""Prefixes of what a layer gives, and of the gradient that reaches it."""


def parted_layers(torch: Recording, jax: Recording, dtype: str) -> tuple[list[Finding], str]:
    """The layers that differ, the first one first.

    Args:
        torch, jax: Recordings of models.
        dtype: The working dtype that is judged.

    Returns:
        (findings of the stages "layer" and "layer gradient", the first that differs for itself and the others as its
        consequences; a remark on how many agree, or on why there are none).

    Raises:
        TraceError: If JAX's layers are not of this recording of torch.
    """
    known = jax.model
    of_torch, of_jax = (next((p for p in r.layers if p.dtype == dtype), None) for r in (torch, jax))
    if not isinstance(known, RecordedMatch) or of_torch is None or of_jax is None or not known.layers:
        return [], "layers: not recorded of both, so it is not told where they part"
    placed = {name: place for place, name in enumerate(of_torch.full.tensors)}
    order = sorted(known.layers, key=lambda layer: placed.get(f"{GIVES}{_names(layer)[-1]}", 0))
    layers = {layer.name: layer for layer in order}
    told = [_told(f, layers) for layer in order for f in _judged(of_torch, of_jax, layer, torch.device)]
    gives, reaches = ([f for f in told if f.stage == stage] for stage in (LAYER, GRADIENT))
    wrong = [f for f in gives if not f] + [f for f in reversed(reaches) if not f]
    if not wrong:
        return [], f"layers: what {_counted(len(gives), 'layer')} gave, and the gradients that reached them, agree"
    first = wrong[0]
    if first.stage == LAYER:
        before = f"what {_counted(gives.index(first), 'layer')} before it gave agrees"
        if gives.index(first):
            before += f", the last {gives[gives.index(first) - 1].torch_path}, so that it arises here or in between"
    else:
        behind = len(reaches) - 1 - reaches.index(first)
        before = f"what all layers gave agrees, and the gradients that reached {_counted(behind, 'layer')} behind it"
    first = replace(first, note=f"{before}; no layer was fed the other side's input")
    later = [replace(f, follows=first.label) for f in wrong[1:]]
    agree = sum(bool(f) for f in told)
    return [first, *later], f"layers: compared as they were recorded; {agree} comparisons agree"


def _judged(of_torch: Recorded, of_jax: Recorded, layer: RecordedLayer, device: str) -> list[Finding]:
    """One layer: of the arrays in the file no more than its own are read, and none is kept."""
    left = _as_jax(of_torch, [layer])
    names = [f"{kind}{layer.name}" for kind in (GIVES, REACHES)]
    names = [n for n in names if n in left.full.tensors and n in of_jax.full.tensors]
    names = [n for n in names if left.full.tensors[n].shape == of_jax.full.tensors[n].shape]
    lacking = {side: part.lacking for side, part in (("torch", left), ("jax", of_jax)) if part.lacking}
    runs = Runs({}, left.full, of_jax.full, left.working, of_jax.working, of_jax.dtype, None, "forward", lacking)
    return judge_tensors(RecordedSide("torch", left), RecordedSide("jax", of_jax), runs, names, device)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _as_jax(part: Recorded, layers: list[RecordedLayer]) -> Recorded:
    """Torch's recorded layers as JAX's: under their names, cut or joined as they are there."""

    def arrays(own: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = {}
        for layer in layers:
            for kind in (GIVES, REACHES):
                names = [f"{kind}{name}" for name in _names(layer)]
                if not all(name in own for name in names):
                    continue
                try:
                    found[f"{kind}{layer.name}"] = joined([{"": own[name]} for name in names], layer.rows)[""]
                except (IndexError, ValueError) as error:  # two files that were not made beside each other
                    raise TraceError(
                        f"compare: the jax recording takes rows of {' + '.join(layer.torch)} for {layer.jax} that "
                        f"torch's has not ({error}); record jax again beside this recording of torch"
                    ) from error
        return found

    def trace(own: Trace) -> Trace:
        return replace(
            own, tensors=arrays(own.tensors), dtypes=words(own.dtypes), narrow=words(own.narrow), rounding={}
        )

    def words(own: Mapping[str, str]) -> dict[str, str]:
        keys = [(f"{kind}{n.name}", f"{kind}{_names(n)[0]}") for n in layers for kind in (GIVES, REACHES)]
        return {key: own[name] for key, name in keys if name in own}

    measured = Measured(**{kind.name: arrays(getattr(part.measured, kind.name)) for kind in fields(Measured)})
    reference = None if part.reference is None else trace(part.reference)
    return replace(part, working=trace(part.working), reference=reference, measured=measured)


def _names(layer: RecordedLayer) -> list[str]:
    return [f"{call}.{layer.place}" if layer.place else call for call in layer.torch]


def _told(finding: Finding, layers: Mapping[str, RecordedLayer]) -> Finding:
    """A finding under both models' own paths."""
    gives = finding.stage == "forward"
    layer = layers[finding.torch_path.partition(".")[2]]
    torch = " + ".join(call.replace("/", ".") for call in layer.torch)
    message = finding.message.replace(finding.torch_path, torch)
    return replace(finding, stage=LAYER if gives else GRADIENT, torch_path=torch, jax_path=layer.jax, message=message)
