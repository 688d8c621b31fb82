"""Training steps of a JAX model from a state that is given, as a function that a check can run."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import optax

from parity.sides import jax_backend
from parity.sides.jax_forward import jax_loss
from parity.sides.jax_model import JaxModel
from parity.sides.jax_tree import filled, flat

jax = jax_backend.start()

STEP = "step"
COUNTERS = ("count", "step")
"""Scalars of an optimizer's state that count its steps, or the steps of each parameter."""

SYNONYMS = {
    "mu": "exp_avg",
    "nu": "exp_avg_sq",
    "trace": "momentum_buffer",
    "sum_of_squares": "sum",
    "nu_max": "max_exp_avg_sq",
    "e_g": "square_avg",
    "e_x": "acc_delta",
}
"""What optax calls torch's slots."""


@dataclass(frozen=True)
class Rule:
    """An optimizer, what it takes for the parameters, and where its state keeps what.

    Attributes:
        transform: An optax.GradientTransformation.
        tree: tree(parameters by path) -> what it takes.
        slots: Where it keeps one array for each parameter: by torch's name of the slot, then by the parameter's path,
            the place, such as {"exp_avg": {"fc.kernel": "0.mu.fc.kernel"}}.
        named: The same for slots that are kept by torch's names of the parameters, in torch's layout or as one number.
        counts: Whether its counter of steps is compared.
    """

    transform: Any
    tree: Callable[[Mapping[str, Any]], Any]
    slots: Mapping[str, Mapping[str, str]]
    named: Mapping[str, Mapping[str, str]]
    counts: bool

    def places(self) -> dict[str, str]:
        """What the check calls each array of the slots, with its place in the state."""
        both = (*self.slots.items(), *self.named.items())
        return {f"{slot}/{name}": place for slot, places in both for name, place in places.items()}

    def at(self, slot: str) -> str:
        """Where a slot is kept, such as "0.mu"; of several groups of parameters the first one's."""
        name, place = next(iter((self.slots.get(slot) or self.named[slot]).items()))
        return place.removesuffix(f".{name}")


def training(model: JaxModel, rule: Rule, loss: Any, state: tuple[str, ...]) -> Callable[..., Any]:
    """Steps of training.

    Args:
        model: The model.
        rule: The optimizer.
        loss: A loss's name or a function of (output, targets).
        state: Paths of the state that is carried from step to step and given back.

    Returns:
        A function of parameters, state, inputs, targets, `optimizer` (slots as `Rule.places` calls them; {} for a fresh
        one), `start`, `steps`, `scale`, `curve` and `batches`, which gives what torch's gives.
    """
    measured = jax_loss(loss)
    assert measured is not None

    def one_step(carry: Any, inputs: dict[str, Any], targets: Any, scale: float) -> tuple[Any, Any, Any]:
        parameters, now, kept = carry

        def of(parameters: dict[str, Any]) -> Any:
            output, after = model(parameters, now, tuple(inputs.values()))
            value = measured(output, targets)
            return value * scale, (value, {path: after.get(path, now[path]) for path in now})

        gradients, (value, after) = jax.grad(of, has_aux=True)(parameters)
        tree = rule.tree(parameters)
        updates, kept = rule.transform.update(rule.tree(gradients), kept, tree)
        moved = flat(optax.apply_updates(tree, updates))
        return ({p: moved[p] for p in parameters}, after, kept), value, gradients

    def run(
        parameters: dict[str, Any],
        state_before: dict[str, Any],
        inputs: dict[str, Any],
        targets: Any,
        optimizer: Mapping[str, Any],
        *,
        start: Any,
        steps: int,
        scale: float,
        curve: bool,
        batches: Any = None,
    ) -> dict[str, Any]:
        kept = _loaded(rule.transform.init(rule.tree(parameters)), optimizer, rule.places(), start)
        carry = (dict(parameters), dict(state_before), kept)
        if curve:

            def step(carry: Any, batch: Any) -> tuple[Any, Any]:
                own = {"inputs": inputs, "targets": targets} if batch is None else batch
                carry, value, _ = one_step(carry, own["inputs"], own["targets"], scale)
                return carry, value

            carry, losses = jax.lax.scan(step, carry, batches, length=steps)
        else:
            carry, value, gradients = one_step(carry, inputs, targets, scale)
        left = {"parameters": carry[0], "state": {p: carry[1][p] for p in state}}
        if curve:
            return {"losses": losses, **left}
        places = flat(carry[2])
        given = {name: places[place] for name, place in rule.places().items()}
        counts = [leaf for name, leaf in places.items() if _counts(name, leaf)]
        steps_made = {STEP: jax.numpy.asarray(counts[0], int)} if rule.counts else {}
        return {"loss": value, "gradient": gradients, "optimizer": given | steps_made, **left}

    def function(
        parameters: Any, state: Any, inputs: Any, targets: Any = None, optimizer: Any = None, **options: Any
    ) -> Any:
        return run(parameters, state, inputs, targets, optimizer or {}, **options)

    return function


def rule_of(model: JaxModel, transform: Any, names: Iterable[str], *, by_name: bool = False) -> Rule:
    """An optimizer, with the places of its slots found by their paths.

    Args:
        model: Whose parameters it trains.
        transform: An optax.GradientTransformation.
        names: Torch's names of the parameters.
        by_name: Whether it takes a dict of the parameters by path, and not the model's tree.

    Returns:
        The Rule.

    Raises:
        TypeError: If it is no optax.GradientTransformation.
    """
    if not (hasattr(transform, "init") and hasattr(transform, "update")):
        raise TypeError(f"the jax optimizer is a {type(transform).__name__}, wanted an optax.GradientTransformation")

    def tree(parameters: Mapping[str, Any]) -> Any:
        return dict(parameters) if by_name else filled(model.tree, parameters)

    leaves = flat(jax.eval_shape(transform.init, tree(model.parameters)))
    own, theirs = tuple(model.parameters), tuple(names)
    # By name, paths are torch's names too, and numbers for each parameter, such as NAdam's product, are kept with them.
    slots = {} if by_name else _slots(leaves, own, SYNONYMS)
    named = _slots(leaves, theirs) if by_name or not slots else {}
    return Rule(transform, tree, slots, named, any(_counts(n, leaf) for n, leaf in leaves.items()))


def _slots(
    leaves: Mapping[str, Any], names: tuple[str, ...], synonyms: Mapping[str, str] | None = None
) -> dict[str, dict[str, str]]:
    """Slots that are kept for every parameter, in one group of parameters or over several, by the ends of places.

    With synonyms they are optax's own, each an array of its parameter's shape; without, as torch calls them.
    """
    found: dict[str, dict[str, str]] = {}
    for place, leaf in leaves.items():
        name = max((n for n in names if place.endswith(f".{n}")), key=len, default=None)
        slot = place.removesuffix(f".{name}").rpartition(".")[2]
        if name is None or slot in COUNTERS or (synonyms is not None and not leaf.ndim):
            continue
        slot = slot if synonyms is None else synonyms.get(slot, slot)
        # Two of one slot for one parameter are two transformations' own; neither is known to be torch's.
        twice = name in found.setdefault(slot, {})
        found[slot][name] = "" if twice else place
    return {slot: places for slot, places in found.items() if len(places) == len(names) and all(places.values())}


def _loaded(kept: Any, optimizer: Mapping[str, Any], places: Mapping[str, str], start: int) -> Any:
    """The optimizer's state with the slots that were given in it, and its counters at the step."""
    if not optimizer:
        return kept
    given = {places[name]: leaf for name, leaf in optimizer.items() if name in places}
    counters = {n: jax.numpy.full_like(leaf, start) for n, leaf in flat(kept).items() if _counts(n, leaf)}
    return filled(kept, given | counters)


def _counts(name: str, leaf: Any) -> bool:
    return not leaf.ndim and any(part in COUNTERS for part in name.split("."))
