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
        slots: Where it keeps one array for each parameter, by its path: torch's name of the slot with the place, such
            as {"exp_avg": "0.mu"}.
        named: The same for slots that are kept by torch's names, in torch's layout.
        names: Torch's names of the parameters.
        counts: Whether its counter of steps is compared.
    """

    transform: Any
    tree: Callable[[Mapping[str, Any]], Any]
    slots: Mapping[str, str]
    named: Mapping[str, str]
    names: tuple[str, ...]
    counts: bool

    def places(self, paths: Iterable[str]) -> dict[str, str]:
        """What the check calls each array of the slots, with its place in the state."""
        own = {f"{at}/{p}": f"{at}.{p}" for at in self.slots.values() for p in paths}
        return own | {f"{slot}/{n}": f"{at}.{n}" for slot, at in self.named.items() for n in self.names}


def training(model: JaxModel, rule: Rule, loss: Any, state: tuple[str, ...]) -> Callable[..., Any]:
    """Steps of training, each on the same inputs.

    Args:
        model: The model.
        rule: The optimizer.
        loss: A loss's name or a function of (output, targets).
        state: Paths of the state that is carried from step to step and given back.

    Returns:
        A function of parameters, state, inputs, targets, `optimizer` (slots as `Rule.places` calls them; {} for a fresh
        one), `start`, `steps`, `scale` and `curve`, which gives what torch's gives.
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
    ) -> dict[str, Any]:
        kept = _loaded(rule.transform.init(rule.tree(parameters)), optimizer, rule.places(parameters), start)
        carry = (dict(parameters), dict(state_before), kept)
        if curve:

            def step(carry: Any, _: Any) -> tuple[Any, Any]:
                carry, value, _ = one_step(carry, inputs, targets, scale)
                return carry, value

            carry, losses = jax.lax.scan(step, carry, length=steps)
        else:
            carry, value, gradients = one_step(carry, inputs, targets, scale)
        left = {"parameters": carry[0], "state": {p: carry[1][p] for p in state}}
        if curve:
            return {"losses": losses, **left}
        places = flat(carry[2])
        given = {name: places[place] for name, place in rule.places(parameters).items()}
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
    slots = _slots(leaves, tuple(model.parameters))
    named = {} if slots else _slots(leaves, tuple(names))
    return Rule(transform, tree, slots, named, tuple(names), any(_counts(n, leaf) for n, leaf in leaves.items()))


def _slots(leaves: Mapping[str, Any], paths: tuple[str, ...]) -> dict[str, str]:
    if not paths:
        return {}
    places = [n.removesuffix(f".{paths[0]}") for n in leaves if n.endswith(f".{paths[0]}")]
    whole = [at for at in places if all(f"{at}.{p}" in leaves and leaves[f"{at}.{p}"].ndim for p in paths)]
    own = {at: at.rpartition(".")[2] for at in whole}
    return {SYNONYMS.get(name, name): at for at, name in own.items()}


def _loaded(kept: Any, optimizer: Mapping[str, Any], places: Mapping[str, str], start: int) -> Any:
    """The optimizer's state with the slots that were given in it, and its counters at the step."""
    if not optimizer:
        return kept
    given = {places[name]: leaf for name, leaf in optimizer.items() if name in places}
    counters = {n: jax.numpy.full_like(leaf, start) for n, leaf in flat(kept).items() if _counts(n, leaf)}
    return filled(kept, given | counters)


def _counts(name: str, leaf: Any) -> bool:
    return not leaf.ndim and any(part in COUNTERS for part in name.split("."))
