"""A port with a fault: the edit of a line of its source, as a stranger would have mistyped it."""

import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from flax import nnx

import parity

HERE = Path(__file__).parent
COUNT = itertools.count()

Edit = tuple[str, str]


@dataclass(frozen=True)
class Planted:
    """One fault.

    Attributes:
        name: Of the row.
        port: The module of this folder.
        edits: (a piece of the port's source, what stands in its place); every place that has it.
        layer: What the first finding's path on torch's side begins with.
        cause: A part of the cause that is named; None where none is.
        why: Of a fault without a cause: a part of what its finding says instead, of what it means or of what was tried.
        fix: A part of the fix.
        damage: Changes the JAX model once it holds torch's weights; it then is checked as a port that was filled.
        options: Of `parity.check`.
    """

    name: str
    port: str
    edits: Sequence[Edit] = ()
    layer: str = ""
    cause: str | None = None
    why: str = ""
    fix: str = ""
    damage: Callable[[Any], None] | None = None
    options: dict[str, Any] = field(default_factory=dict)


def edited(port: str, edits: Sequence[Edit]) -> ModuleType:
    """A port's module, made anew from its source with these edits."""
    path = HERE / f"{port}.py"
    source = path.read_text()
    for old, new in edits:
        assert old in source, f"{path.name} has no {old!r} to edit"
        source = source.replace(old, new)
    module = ModuleType(f"ports.{port}_{next(COUNT)}")
    sys.modules[module.__name__] = module
    exec(compile(source, str(path), "exec"), vars(module))
    return module


def models(port: ModuleType) -> tuple[Any, Any, Any]:
    """(the torch model, trained a little; the NNX model as it was initialised; inputs)."""
    made = {"TorchTransformer": ("Transformer", "tokens"), "TorchResNet": ("ResNet", "images")}
    made |= {"TorchTagger": ("Tagger", "sentences")}
    name = next(n for n in made if hasattr(port, n))
    torch.manual_seed(0)
    model = getattr(port, name)()
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.dim() == 1 and tensor.is_floating_point():
                tensor.add_(0.3 * torch.rand(tensor.shape))
    twin, inputs = made[name]
    return model, getattr(port, twin)(nnx.Rngs(0)), getattr(port, inputs)()


def checked(row: Planted) -> parity.Report:
    """The check of a port with its fault, as its user would type it."""
    model, twin, inputs = models(edited(row.port, row.edits))
    if row.damage is not None:
        nnx.update(twin, parity.map_weights(model, twin, inputs).to_jax(model.state_dict()))
        row.damage(twin)
    return parity.check(model, twin, inputs, **row.options)
