"""Planted faults by family: bugs of porting, each beside the honest port that it was."""

from proof.faults import (
    adam,
    attention,
    images,
    layers,
    losses,
    norms,
    optimizers,
    precision,
    recurrence,
    schedules,
    structure,
    values,
)
from proof.faults.fault import Fault

FAMILIES: dict[str, tuple[Fault, ...]] = {
    "norms": norms.FAULTS,
    "layers": layers.FAULTS,
    "images": images.FAULTS,
    "attention": attention.FAULTS,
    "recurrence": recurrence.FAULTS,
    "losses": losses.FAULTS,
    "Adam": adam.FAULTS,
    "other optimizers": optimizers.FAULTS,
    "schedules": schedules.FAULTS,
    "precision": precision.FAULTS,
    "values": values.FAULTS,
    "structure": structure.FAULTS,
}
FAULTS: dict[str, Fault] = {fault.name: fault for family in FAMILIES.values() for fault in family}

__all__ = ["FAMILIES", "FAULTS", "Fault"]
