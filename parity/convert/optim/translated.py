"""A torch optimizer as an optax transformation, made of its record alone, so that JAX can go on without torch."""

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax

import jax_impl.optim
from parity.convert.optim.exactness import notes_of
from parity.convert.optim.jax_arrays import to_jax
from parity.convert.optim.places import Places
from parity.convert.optim.record import OptimizerRecord, ScheduleRecord
from parity.convert.optim.schedule import Mover
from parity.convert.optim.slots import STEP, load_slots, unload_slots
from parity.convert.optim.tensors import Tensor, number_of, storage
from parity.convert.optim.whole import Whole

FLAGS = ("foreach", "fused", "capturable", "differentiable")
"""Hyperparameters that choose how torch computes a step, not which."""
FIXED = {"AdamW": {"decoupled_weight_decay": True}}
"""Hyperparameters that a class has and no one may set."""

Arrays = dict[str, Any]


class TranslatedState(NamedTuple):
    """The state of a translated optimizer.

    Attributes:
        groups: Of each param group the rule's state: torch's slots, each a dict of arrays by parameter name.
        stepped: Whether each parameter has been stepped, where no slot of the rule says so.
        schedule: Where the schedule stands.
    """

    groups: tuple[Any, ...]
    stepped: tuple[Arrays, ...]
    schedule: Any


class Translated(optax.GradientTransformationExtraArgs):
    """A torch optimizer as an optax transformation: what `from_torch` and `load_jax` give.

    It acts on a dict of arrays by torch's parameter names, in torch's layout; with weights, on the flax tree that they
    map to. `init(params)` gives the state that torch's optimizer had reached, `update(gradients, state, params)` takes
    torch's step with the scheduler's hyperparameters of that step. A gradient None leaves its parameter wholly alone.
    Hyperparameters given to `update` by name hold for all groups.

    Attributes:
        record: The optimizer as it was translated.
        schedule: The scheduler, likewise; None where there is none. Past its table's end the updates are NaN.
        places: Where each parameter lies in the flax tree; None where the params are in torch's names.
        whole: What the torch model holds in all.
        notes: What is not exact in JAX, and by how much; empty where all is.
    """

    record: OptimizerRecord
    schedule: ScheduleRecord | None
    places: Places | None
    whole: Whole
    notes: tuple[str, ...]

    def __new__(
        cls,
        record: OptimizerRecord,
        schedule: ScheduleRecord | None = None,
        places: Places | None = None,
        whole: Whole | None = None,
    ) -> "Translated":
        """Build the transformation of a record.

        Raises:
            ValueError: If a group has hyperparameters that its rule does not know.
        """
        rules = [_rule(record, number) for number in range(len(record.groups))]
        mover = Mover(record, schedule)

        def init(params: Any) -> TranslatedState:
            return self._init(params)

        def update(gradients: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, TranslatedState]:
            return self._update(gradients, state, params, **extra)

        self: Translated = super().__new__(cls, init, update)
        self.record, self.schedule, self.places = record, schedule, places
        self.notes = notes_of(record, sums=places is not None and bool(places.added))
        self.whole = whole or Whole(dict(zip(record.names, record.shapes, strict=True)))
        self._rules, self._mover = rules, mover
        self._members = [tuple(record.names[number] for number in group["params"]) for group in record.groups]
        return self

    def load_state(self, state_dict: Mapping[str, Any], *, position: int = 0) -> TranslatedState:
        """The state that a torch optimizer's state_dict holds.

        Args:
            state_dict: Of an optimizer with the same groups and hyperparameters.
            position: Scheduler steps since the translation at which it was taken.

        Returns:
            The state, bit for bit.

        Raises:
            ValueError: If groups, hyperparameters, slots or shapes are others.
        """
        from parity.convert.optim.torch_record import plain_of_torch

        groups = tuple(plain_of_torch(group, f"param_groups/{i}") for i, group in enumerate(state_dict["param_groups"]))
        state = {number: plain_of_torch(slots, f"state/{number}") for number, slots in state_dict["state"].items()}
        self._same_groups(groups, position)
        return self._loaded(replace(self.record, state=state), self._blank(), position)

    def state_dict(self, state: TranslatedState) -> dict[str, Any]:
        """torch's state_dict of a state: for `load_state_dict` of an optimizer with the same groups.

        Args:
            state: As `update` gave it.

        Returns:
            torch's own keys, types and values, with the hyperparameters of the step at which the state stands.
        """
        from parity.convert.optim.torch_record import state_dict

        return state_dict(self.record_of(state))

    def record_of(self, state: TranslatedState) -> OptimizerRecord:
        """What torch's optimizer would be at a state, held by NumPy; `state_dict` needs torch, this does not."""
        numbers = {name: number for number, name in enumerate(self.record.names)}
        before = {self.record.names[number]: slots for number, slots in self.record.state.items()}
        slots: dict[int, Mapping[str, Any]] = {}
        for i, held in enumerate(state.groups):
            stepped = self._stepped(held, state.stepped[i], self._members[i])
            found = unload_slots(self.record.kind, held, stepped, before)
            slots |= {numbers[name]: value for name, value in found.items() if value}
        groups = tuple(
            {**group, **self._mover.torch_values(i, state.schedule)} for i, group in enumerate(self.record.groups)
        )
        return replace(self.record, groups=groups, state=dict(sorted(slots.items())))

    def schedule_of(self, state: TranslatedState) -> ScheduleRecord | None:
        """Where the schedule stands at a state."""
        return self._mover.record_of(state.schedule)

    def _init(self, params: Any) -> TranslatedState:
        mine = self._torch_side(params, "params")
        for name, shape, dtype in zip(self.record.names, self.record.shapes, self.record.dtypes, strict=True):
            got = mine[name]
            # A state that goes on must be of the parameters; one that begins is made for whatever dtype they have.
            if tuple(got.shape) != shape or (self.record.state and got.dtype.name != dtype):
                raise ValueError(
                    f"optim: torch's {name} is {dtype} {shape}, the params hold {got.dtype.name} {tuple(got.shape)}; "
                    "give the parameters that the optimizer was translated with"
                )
        return self._loaded(self.record, mine, 0)

    def _blank(self) -> Arrays:
        described = zip(self.record.names, self.record.shapes, self.record.dtypes, strict=True)
        return {n: to_jax(Tensor(d, np.zeros(shape, storage(d))), n) for n, shape, d in described}

    def _loaded(self, record: OptimizerRecord, params: Arrays, position: int) -> TranslatedState:
        groups, stepped = [], []
        for rule, members in zip(self._rules, self._members, strict=True):
            template = rule.init({name: params[name] for name in members})
            slots = {
                record.names[number]: value
                for number, value in record.state.items()
                if record.names[number] in members and value
            }
            groups.append(load_slots(record.kind, template, slots))
            flags = {} if _counts(template) else {name: jnp.asarray(name in slots) for name in members}
            stepped.append(flags)
        return TranslatedState(tuple(groups), tuple(stepped), self._mover.init(position))

    def _update(
        self, gradients: Any, state: TranslatedState, params: Any = None, *, metrics: Any = None, **extra: Any
    ) -> tuple[Any, TranslatedState]:
        if params is None:
            raise ValueError("optim: update() needs the params; give update(gradients, state, params)")
        given, mine = self._torch_side(gradients, "gradients", True), self._torch_side(params, "params")
        updates: Arrays = {}
        groups, stepped = [], []
        for i, (rule, members) in enumerate(zip(self._rules, self._members, strict=True)):
            moved = {**self._mover.values(i, state.schedule), **extra}
            part = {name: given[name] for name in members}
            changed, held = rule.update(part, state.groups[i], {name: mine[name] for name in members}, **moved)
            updates |= changed
            groups.append(held)
            flags = state.stepped[i]
            stepped.append({name: flag if part[name] is None else jnp.ones_like(flag) for name, flag in flags.items()})
        schedule = self._mover.update(state.schedule, metrics)
        back = updates if self.places is None else self.places.to_jax(updates, params)
        return back, TranslatedState(tuple(groups), tuple(stepped), schedule)

    def _torch_side(self, tree: Any, what: str, gradients: bool = False) -> Arrays:
        """The arrays of the optimizer's parameters by torch's names, in torch's layout; None where there is none."""
        if self.places is not None:
            return self.places.to_torch(tree, what, gradients=gradients)
        names = self.record.names
        if not isinstance(tree, Mapping) or set(tree) != set(names):
            have = sorted(tree) if isinstance(tree, Mapping) else type(tree).__name__
            raise ValueError(
                f"optim: the {what} are {_short(have)}, wanted a dict of the optimizer's parameters, {_short(names)}; "
                "a parameter without a gradient has the gradient None"
            )
        return dict(tree)

    def _stepped(self, held: Any, flags: Arrays, members: tuple[str, ...]) -> Arrays:
        if not _counts(held):
            return flags
        return {name: getattr(held, STEP)[name] > 0 for name in members}

    def _same_groups(self, groups: tuple[Mapping[str, Any], ...], position: int) -> None:
        sizes, wanted = ([len(group["params"]) for group in g] for g in (groups, self.record.groups))
        if sizes != wanted:
            raise ValueError(
                f"optim: the state_dict has param groups of {sizes} parameters, this optimizer of {wanted}"
            )
        for i, (group, mine) in enumerate(zip(groups, self.record.groups, strict=True)):
            expected = {**mine, **self._mover.torch_values(i, self._mover.init(position))}
            for name in ("param_names", *self.record.hyperparameters):
                if name in FLAGS or (name == "param_names" and not (name in group and name in mine)):
                    continue
                if group.get(name) != expected.get(name):
                    raise ValueError(
                        f"optim: the state_dict has {name} = {group.get(name)!r} in the param group {i}, this "
                        f"optimizer {expected.get(name)!r}; load it into the torch optimizer, then translate that"
                    )


def _counts(state: Any) -> bool:
    return getattr(state, STEP, None) is not None


def _short(names: Any) -> str:
    return (
        names if isinstance(names, str) else ", ".join(names[:8]) + (f" and {len(names) - 8} more" * (len(names) > 8))
    )


def _rule(record: OptimizerRecord, number: int) -> Any:
    """The rule of jax_impl.optim for a param group, with its hyperparameters."""
    group = record.groups[number]
    factory = getattr(jax_impl.optim, record.kind)
    known = set(inspect.signature(factory).parameters)
    fixed = FIXED.get(record.kind, {})
    strange = [name for name in record.hyperparameters if name not in known | set(FLAGS) and name not in fixed]
    strange += [f"{name} = {group[name]!r}" for name, value in fixed.items() if group.get(name, value) != value]
    if strange:
        raise ValueError(
            f"optim: torch's {record.kind} has {', '.join(strange)}, which jax_impl.optim.{record.kind} does not know, "
            "so its step cannot be told; this version of torch is newer than the translation"
        )
    return factory(**{name: number_of(group[name]) for name in record.hyperparameters if name in known})
