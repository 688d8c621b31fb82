"""torch's L-BFGS in JAX: an object with step(closure), begun where torch's stands, and its state back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from jax_impl.optim import LBFGS
from parity.convert.optim.jax_arrays import of_jax, to_jax
from parity.convert.optim.record import OptimizerRecord
from parity.convert.optim.tensors import Tensor, number_of
from parity.convert.optim.whole import Whole

SCALARS = ("func_evals", "n_iter", "t", "H_diag", "prev_loss")  # numbers to the rule; torch has some as tensors
VECTORS = ("d", "prev_flat_grad")
LISTS = ("old_dirs", "old_stps")


class TranslatedLBFGS:
    """What `from_torch` and `load_jax` give for L-BFGS, which is no gradient transformation: it calls a closure.

    `init(params)` gives a jax_impl.optim.LBFGS where torch's stands; its `step(closure)` is torch's, and it holds the
    params. Saved by `save_jax`, and told by `state_dict`, is such an object.

    Attributes:
        record: The optimizer as it was translated.
        whole: What the torch model holds in all.
        places, schedule: None: the closure and the flat vectors are in torch's layout, and nothing moves.
        notes: What is not exact; nothing is.
    """

    def __init__(self, record: OptimizerRecord, whole: Whole) -> None:
        self.record, self.whole = record, whole
        self.places = self.schedule = None
        self.notes: tuple[str, ...] = ()

    def init(self, params: Mapping[str, Any]) -> LBFGS:
        """The optimizer at these params, by torch's names, where torch's stands."""
        return self._loaded(params, self.record.state)

    def load_state(self, state_dict: Mapping[str, Any], params: Mapping[str, Any]) -> LBFGS:
        """The optimizer where a torch state_dict stands, at these params."""
        from parity.convert.optim.torch_record import plain_of_torch

        return self._loaded(
            params, {n: plain_of_torch(slots, f"state/{n}") for n, slots in state_dict["state"].items()}
        )

    def state_dict(self, live: LBFGS) -> dict[str, Any]:
        """torch's state_dict of the optimizer; `al`, which torch overwrites before it reads it, is left out."""
        from parity.convert.optim.torch_record import state_dict

        return state_dict(self.record_of(live))

    def record_of(self, live: LBFGS) -> OptimizerRecord:
        """What torch's optimizer would be, held by NumPy."""
        s = live.state
        if s.n_iter == 0 and s.func_evals == 0:
            return replace(self.record, state={})
        slots: dict[str, Any] = {name: getattr(s, name) for name in SCALARS if getattr(s, name) is not None}
        if s.d is not None:
            dtype = of_jax(s.d).dtype
            slots |= {name: of_jax(getattr(s, name)) for name in VECTORS}
            slots |= {name: [of_jax(v) for v in getattr(s, name)] for name in LISTS}
            slots["ro"] = [_scalar(v, dtype) for v in s.ro]
            slots["H_diag"] = _scalar(s.H_diag, dtype) if s.ro else 1
        return replace(self.record, state={0: slots})

    def schedule_of(self, live: LBFGS) -> None:
        """None: nothing moves."""

    def _loaded(self, params: Mapping[str, Any], state: Mapping[int, Mapping[str, Any]]) -> LBFGS:
        if set(params) != set(self.record.names):
            raise ValueError(f"optim: the params are {sorted(params)[:8]}, torch's L-BFGS has {self.record.names[:8]}")
        (group,) = self.record.groups
        options = {name: number_of(group[name]) for name in self.record.hyperparameters}
        # The vectors lie in torch's order of the parameters.
        live = LBFGS({name: params[name] for name in self.record.names}, **options)
        slots = state.get(0, {})
        found: dict[str, Any] = {name: number_of(slots[name]) for name in SCALARS if name in slots}
        found |= {name: to_jax(slots[name], name) for name in VECTORS if slots.get(name) is not None}
        for name in LISTS:
            found[name] = tuple(to_jax(value, name) for value in slots.get(name) or ())
        found["ro"] = tuple(map(number_of, slots.get("ro") or ()))
        live.state = live.state._replace(**found)
        return live


def _scalar(value: float, dtype: str) -> Tensor:
    return Tensor(dtype, np.array(value, dtype))


def translated_lbfgs(record: OptimizerRecord, whole: Whole, weights: Any, schedule: Any) -> TranslatedLBFGS:
    """L-BFGS without what it does not take.

    Raises:
        ValueError: With a weight map or a scheduler.
    """
    if weights is not None or schedule is not None:
        raise ValueError(
            "optim: L-BFGS is translated without a weight map and without a scheduler: its closure takes the "
            "parameters in torch's names and layout; map them inside it, and set the lr of the optimizer between steps"
        )
    return TranslatedLBFGS(record, whole)
