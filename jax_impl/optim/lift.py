"""From the rule of one parameter to the optimizer of a whole model: what every optimizer here shares.

A rule says what one step does to one array: rule(gradient, parameter, slots, **hyperparameters) -> (update, slots).
lift() makes of it an optimizer of a nest of parameters, torch's way: each parameter counts its own steps, one without a
gradient is passed over, every hyperparameter can be moved from step to step.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jaxtyping import Float

__all__ = ["Optimizer", "lift", "decayed", "shrinkage", "bias_correction"]

Scalar = float | Float[Array, ""]


class Optimizer(optax.GradientTransformationExtraArgs):
    """An optimizer as two functions: init, which makes its state, and update, which takes a step.

    init(params) -> state: torch's slots under torch's names, each nested as the params are, before the first step.
    update(gradients, state, params, **hyperparameters) -> (updates, state): what to add to the params, and the state
    after the step. The keywords are hyperparameters that have moved since the optimizer was made, such as lr; a
    gradient None leaves its parameter and its slots as they are.

    Examples:
        >>> still = Optimizer(lambda params: (), lambda gradients, state, params, **moved: (gradients, state))
        >>> still.init({"w": array(1.0)}), still.update({"w": None}, (), {"w": array(1.0)})
        ((), ({'w': None}, ()))
    """

    __slots__ = ()


def lift(
    optimizer: str,
    slots: Any,
    start: Callable[..., Any],
    rule: Callable[..., tuple[Any, Any]],
    *,
    maximize: bool = False,
    real: bool = False,
    **hyperparameters: Any,
) -> Optimizer:
    """Make an optimizer of the rule of a single parameter.

    Args:
        optimizer: its name, for the messages.
        slots: the named tuple type of its slots.
        start: start(parameter) -> slots, the slots before the first step; None for one that the parameter does not
            have.
        rule: rule(gradient, parameter, slots, **hyperparameters) -> (update, slots), all of one floating dtype; scalar
            slots as they are kept.
        maximize: climb rather than descend, by the negated gradient.
        real: refuse complex parameters, as torch's optimizer does.
        **hyperparameters: numbers, or tuples of numbers, which update() may be given anew at each step.

    Returns:
        The optimizer. A parameter of 16 bits is stepped in float32 and its slots are rounded once, as torch's fused
        kernels do it; a complex one is stepped as its real and imaginary parts, its gradient as torch defines it.

    Raises:
        TypeError: by update(), for a keyword that is no hyperparameter of this optimizer.
        ValueError: by update(), where the params are not given; by init(), for a complex parameter where real.

    Examples:
        >>> from collections import namedtuple
        >>> rule = lambda g, p, slots, lr: (-lr * g, slots)
        >>> descent = lift("descent", namedtuple("Slots", ""), lambda p: (), rule, lr=0.5)
        >>> params = {"w": array([1.0])}
        >>> updates, state = descent.update({"w": array([3.0])}, descent.init(params), params, lr=0.25)
        >>> updates["w"].tolist()
        [-0.75]
    """
    hyperparameters = {name: _plain(value) for name, value in hyperparameters.items()}

    def init(params: Any) -> Any:
        leaves, tree = jax.tree.flatten(params)
        rows = []
        for leaf in map(jnp.asarray, leaves):
            if real and jnp.iscomplexobj(leaf):
                raise ValueError(f"{optimizer}: a parameter is {leaf.dtype}, wanted a real one, as torch wants it")
            row = start(_real(leaf))
            rows.append([None if slot is None else _like(slot, leaf, slot.dtype) for slot in row])
        return _columns(slots, rows, tree)

    def update(gradients: Any, state: Any, params: Any = None, **moved: Any) -> tuple[Any, Any]:
        if params is None:
            raise ValueError(f"{optimizer}: update() needs the params; give update(gradients, state, params)")
        # what optax's own transformations of a chain may be given passes by
        unknown = moved.keys() - hyperparameters.keys() - {"value", "grad", "value_fn"}
        if unknown:
            raise TypeError(
                f"{optimizer}: update() was given {', '.join(sorted(unknown))}, but this optimizer moves only "
                f"{', '.join(hyperparameters)}; what is not among them is set where the optimizer is made"
            )
        current = {name: _plain(moved.get(name, value)) for name, value in hyperparameters.items()}
        tree: Any
        leaves, tree = jax.tree.flatten(params)
        columns = [[None] * len(leaves) if c is None else tree.flatten_up_to(c) for c in state]
        updates, rows = [], []
        # differs: torch overwrites the slots that it is given, JAX returns new ones
        for i, (g, p) in enumerate(zip(tree.flatten_up_to(gradients), map(jnp.asarray, leaves), strict=True)):
            row = slots(*(column[i] for column in columns))
            if g is None:
                updates.append(jnp.zeros_like(p))
                rows.append(row)
                continue
            dtype = _working_dtype(p)
            u, after = rule(
                _real(-g if maximize else g).astype(dtype),
                _real(p).astype(dtype),
                jax.tree.map(lambda slot: _real(slot).astype(_working_dtype(slot)), row),
                **jax.tree.map(lambda value: _as(value, dtype), current),  # noqa: B023  (used within this turn)
            )
            updates.append(_like(u, p, dtype))
            rows.append(jax.tree.map(lambda new, old: _like(new, old, old.dtype), after, row))
        return jax.tree.unflatten(tree, updates), _columns(slots, rows, tree)

    return Optimizer(init, update)


def decayed(g: Float[Array, "..."], p: Float[Array, "..."], weight_decay: Scalar) -> Float[Array, "..."]:
    """The gradient of the cost with its penalty, lambda/2 |w|^2: coupled weight decay.

    g + lambda w; g itself where lambda is the number 0, so that an infinite weight does no harm.

    Args:
        g: a gradient, floating.
        p: its parameter, of the same shape and dtype.
        weight_decay: lambda.

    Returns:
        The gradient, decayed.

    Examples:
        >>> decayed(array([1.0]), array([2.0]), 0.5).tolist()
        [2.0]
    """
    return g if isinstance(weight_decay, float) and weight_decay == 0 else g + weight_decay * p


def shrinkage(p: Float[Array, "..."], rate: Scalar) -> Float[Array, "..."]:
    """What multiplying a parameter by 1 - rate adds to it: decoupled weight decay.

    p (c - 1) with c = 1 - rate rounded to the parameter's dtype. Torch multiplies by that c, and in float32 at a rate
    of 1e-5 the rounding is a thousandth of the decay, in the same direction at every step.

    Args:
        p: a parameter, floating.
        rate: the fraction to lose, such as lr lambda.

    Returns:
        The update, of the parameter's shape and dtype.

    Examples:
        >>> shrinkage(array([2.0]), 0.25).tolist()
        [-0.5]
    """
    c = jnp.asarray(1 - rate, p.dtype)
    return p * (c - 1)


def bias_correction(beta: Scalar, t: Scalar) -> Scalar:
    """How much of a running average that began at zero the first t steps have filled.

    1 - beta^t, written -expm1(t log beta): in float32 the difference itself, at beta 0.999 and t 1, would keep three
    digits.

    Args:
        beta: the decay rate, in [0, 1). A number keeps its double precision; an array has been rounded to its own.
        t: steps taken, at least 1.

    Returns:
        The fraction.

    Examples:
        >>> round(float(bias_correction(0.9, array(2.0))), 6), float(bias_correction(0.0, array(1.0)))
        (0.19, 1.0)

    References:
        D. P. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization" (2015), section 3.
    """
    # differs: torch computes on the host in double precision, JAX where the arrays are, in their own
    if isinstance(beta, float):
        return -jnp.expm1(t * (math.log(beta) if beta else -math.inf))
    return -jnp.expm1(t * jnp.log(beta))


def _plain(value: Any) -> Any:
    """A hyperparameter that is known by now as a Python float, so that it is rounded only where it is used."""
    if value is None:
        return None
    if isinstance(value, tuple | list):
        return tuple(_plain(v) for v in value)
    if math.prod(getattr(value, "shape", ())) != 1:
        raise ValueError(f"a hyperparameter has shape {tuple(value.shape)}, wanted a single number")
    return value.reshape(()) if isinstance(value, jax.Array) else float(value)


def _as(value: Any, dtype: Any) -> Any:
    return value if isinstance(value, float) else value.astype(dtype)


def _working_dtype(x: Array) -> Any:
    """Float32 for 16 bits, the array's own otherwise; of the parts of a complex array, that of the parts."""
    dtype = jnp.finfo(x.dtype).dtype
    return jnp.promote_types(dtype, jnp.float32)


def _real(x: Array) -> Array:
    """A complex array as its real and imaginary parts on a new last axis; a real one as it is."""
    x = jnp.asarray(x)
    return jnp.stack([x.real, x.imag], axis=-1) if jnp.iscomplexobj(x) else x


def _like(x: Array, other: Array, dtype: Any) -> Array:
    """The inverse of _real where x has the parts of other, and of the dtype."""
    x = jnp.asarray(x)
    if jnp.iscomplexobj(other) and x.shape == (*other.shape, 2):
        return (x[..., 0] + 1j * x[..., 1]).astype(other.dtype)
    return x.astype(dtype)


def _columns(slots: Any, rows: list[Any], tree: Any) -> Any:
    """From the slots of each parameter to the nest of each slot; None for a slot that no parameter has."""
    columns = [[row[i] for row in rows] for i in range(len(slots._fields))]
    return slots(*(None if all(v is None for v in column) else jax.tree.unflatten(tree, column) for column in columns))
