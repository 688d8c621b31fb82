"""A rule's state from torch's slots and back: torch keeps all slots of a parameter, a rule all parameters of a slot."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from parity.convert.optim.jax_arrays import of_jax, to_jax
from parity.convert.optim.tensors import Tensor

STEP = "step"  # torch keeps this count as a float or an int of its choice: its value goes over, not its bits
OWN = {"SGD": {STEP}}  # slots of a rule that torch has not: it knows a dampened first step by the absence of a buffer


def load_slots(kind: str, template: Any, slots: Mapping[str, Mapping[str, Any]]) -> Any:
    """A rule's state with torch's slots in it.

    Args:
        kind: torch's class.
        template: The rule's state before the first step; a parameter that torch has not stepped keeps it.
        slots: torch's slots by parameter name; none for a parameter that torch has not stepped.

    Returns:
        A state of the same structure.

    Raises:
        ValueError: If torch's slots are not the rule's: other names or shapes.
    """
    columns = {field: dict(column) for field, column in template._asdict().items() if column is not None}
    for name, given in slots.items():
        have = {slot: value for slot, value in given.items() if value is not None}
        mine = {field for field, column in columns.items() if column[name] is not None}
        if set(have) != mine - OWN.get(kind, set()):
            raise ValueError(
                f"optim: torch's state of {name} has the slots {sorted(have)}, {kind} here has {sorted(mine)}; it is "
                "the state of another optimizer, or of one with other options (amsgrad, centered, momentum)"
            )
        for slot in mine:
            place, old = f"{slot} of {name}", columns[slot][name]
            columns[slot][name] = (
                _count(have.get(slot, 1), old, place) if slot == STEP else _same(have[slot], old, place)
            )
    return type(template)(*(columns.get(field) for field in template._fields))


def unload_slots(
    kind: str, state: Any, stepped: Mapping[str, Any], before: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """torch's slots of a rule's state.

    Args:
        kind: torch's class.
        state: The rule's state of one param group.
        stepped: Whether each parameter has been stepped; the others have no slots in torch.
        before: The slots as torch had them when it was translated: they tell how it keeps its counts.

    Returns:
        Slots by parameter name, each a Tensor, or an int where torch keeps one.
    """
    columns = {field: column for field, column in state._asdict().items() if column is not None}
    found: dict[str, dict[str, Any]] = {}
    for name in stepped:
        if not bool(stepped[name]):
            continue
        slots = {}
        for slot in sorted(columns, key=lambda slot: slot != STEP):
            value = columns[slot][name]
            if value is None or slot in OWN.get(kind, ()):
                continue
            slots[slot] = _torch_count(kind, value, before) if slot == STEP else of_jax(value)
        found[name] = slots
    return found


def _count(value: Any, old: Any, place: str) -> Any:
    number = float(value.bits) if isinstance(value, Tensor) else float(value)
    new = jnp.asarray(number, old.dtype)
    if float(new) != number:
        raise ValueError(f"optim: {place} is {number}, which the {old.dtype} of the rule here does not hold")
    return new


def _same(value: Any, old: Any, place: str) -> Any:
    if not isinstance(value, Tensor) or value.shape != old.shape:
        got = value.shape if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"optim: {place} is {got}, wanted a tensor of the shape {old.shape}; the parameter is another")
    return to_jax(value, place)


def _torch_count(kind: str, value: Any, before: Mapping[str, Mapping[str, Any]]) -> Any:
    count = float(value)
    kept = next((slots[STEP] for slots in before.values() if STEP in slots), None)
    if isinstance(kept, int) or (kept is None and kind == "SparseAdam"):
        return int(count)
    dtype = kept.dtype if isinstance(kept, Tensor) else "float32"
    return Tensor(dtype, np.array(count, dtype))
