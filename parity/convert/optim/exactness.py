"""What of a torch optimizer JAX cannot do bit for bit or formula for formula, in words and numbers."""

from collections.abc import Mapping
from typing import Any

from parity.convert.optim.record import OptimizerRecord


class InexactWarning(UserWarning):
    """A translated optimizer does not do exactly what torch's does; the message says what, and by how much."""


def notes_of(record: OptimizerRecord, *, sums: bool = False) -> tuple[str, ...]:
    """What is not exact about a translation, a sentence each.

    Args:
        record: The torch optimizer.
        sums: Whether a leaf of the flax tree is the sum of two of its parameters.

    Returns:
        The sentences; none where JAX's step is torch's up to the rounding of its operations.
    """
    notes = []
    narrow = sorted({dtype for dtype in record.dtypes if dtype in ("bfloat16", "float16")})
    fused = any(group.get("fused") for group in record.groups)
    if narrow and not fused:
        notes.append(
            f"{record.kind} of {' and '.join(narrow)} parameters: JAX steps in float32 and rounds once, torch rounds "
            "after every operation unless fused=True; after 20 steps of bfloat16 they were up to 3.9e-2 apart"
        )
    if narrow and fused and record.kind == "SGD":
        notes.append(
            f"SGD of {' and '.join(narrow)} parameters with fused=True: on the CPU torch's own kernel does not take "
            "the step (torch 2.13: at learning rate 1 whole vectors of parameters stay where they were); JAX takes it"
        )
    if narrow and fused and record.kind == "Adagrad":
        notes.append(
            f"Adagrad of {' and '.join(narrow)} parameters with fused=True: torch's kernel rounds elsewhere; after 20 "
            "steps of bfloat16 one parameter in twenty was a unit in the last place off"
        )
    if fused and not narrow:
        notes.append(
            f"{record.kind} with fused=True: torch's fused kernel orders its operations otherwise than its own loop, "
            "which is what JAX follows; in float32 1.2e-7 of the parameters' size after 20 steps"
        )
    if record.kind == "Muon":
        notes.append(
            "Muon: torch's Newton-Schulz iteration runs in bfloat16, and sums its products in an order of its own; "
            "JAX's differs by 1e-5 to 6e-3 of an update"
        )
    if sums and any(_looks_at_size(record.kind, group) for group in record.groups):
        notes.append(
            f"{record.kind} of a leaf that is the sum of two torch parameters: their values cannot be told apart in "
            "it, so what depends on them (weight decay inside the gradient, Adafactor's step) takes the first for the "
            "sum and the second for zero; the difference is of the size of that part of the step"
        )
    return tuple(notes)


def _looks_at_size(kind: str, group: Mapping[str, Any]) -> bool:
    """Whether the step is not linear in the parameter's own value."""
    linear = kind in ("SGD", "AdamW", "Muon") or bool(group.get("decoupled_weight_decay"))
    return kind == "Adafactor" or (bool(group.get("weight_decay")) and not linear)
