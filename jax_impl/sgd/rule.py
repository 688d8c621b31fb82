"""The rule of descent by hand in all its variants, and what it keeps from one step to the next.

A training state is a dict: "params", and beside it the optimizer's slots. Plain descent keeps none; momentum keeps
"momentum_buffer", shaped as the parameters; dampening also counts "step", because the first gradient enters the buffer
whole.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jax_impl.sgd.minibatches import Arrays

__all__ = ["initial_state", "slots", "sgd_step"]


def initial_state(params: Arrays, *, momentum: float = 0.0, dampening: float = 0.0) -> dict[str, Any]:
    """The training state before the first step, with the slots that the rule needs, all zero.

    Args:
        params: parameters by name, floating.
        momentum: mu; not zero asks for "momentum_buffer".
        dampening: tau; not zero asks for "step" as well.

    Returns:
        "params", then the slots.

    Examples:
        >>> sorted(initial_state({"w": array([1.0])}, momentum=0.9, dampening=0.1))
        ['momentum_buffer', 'params', 'step']
    """
    state: dict[str, Any] = {"params": params}
    if momentum:
        state["momentum_buffer"] = jax.tree.map(jnp.zeros_like, params)
        if dampening:
            state["step"] = jnp.zeros((), dtype=int)
    return state


def slots(*, momentum: float = 0.0) -> tuple[str, ...]:
    """What the framework's own SGD keeps for a parameter, asked of it, in torch's names.

    Args:
        momentum: mu; zero keeps nothing.

    Returns:
        The names of the slots.

    Examples:
        >>> slots(), slots(momentum=0.9)
        ((), ('momentum_buffer',))
    """
    # differs: torch makes momentum_buffer at the first step, optax makes the same slot at init and calls it trace
    state = optax.sgd(1.0, momentum or None).init(jnp.ones(()))
    return tuple({"trace": "momentum_buffer"}[field] for part in state for field in part._fields)


def sgd_step(
    state: dict[str, Any],
    gradients: Arrays,
    *,
    learning_rate: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
) -> dict[str, Any]:
    """One step by hand: plain descent, and on top of it whatever the hyperparameters ask for.

    g = g + lambda w             coupled weight decay, which so enters the velocity
    v = mu v + (1 - tau) g       momentum, dampened; at step 0 the gradient enters whole, v = g
    d = g + mu v, or v, or g     nesterov, momentum, or neither
    w = w - lr d                 the learning rate stays outside the velocity

    Args:
        state: "params" and the slots that initial_state gives for this momentum and dampening.
        gradients: the cost's gradients, named and shaped as the parameters.
        learning_rate: lr, positive.
        momentum: mu, in [0, 1).
        dampening: tau, in [0, 1]; without effect where there is no momentum.
        weight_decay: lambda, at least 0.
        nesterov: look one step ahead; with momentum, without dampening.

    Returns:
        The next state.

    Raises:
        ValueError: where the state lacks a slot or has one too many, or nesterov is asked for without momentum or with
            dampening.

    Examples:
        >>> state = {"params": {"w": array([1.0])}, "momentum_buffer": {"w": array([1.0])}}
        >>> sgd_step(state, {"w": array([0.5])}, learning_rate=0.5, momentum=0.5)["params"]["w"].tolist()
        [0.5]

    References:
        PyTorch, torch.optim.SGD, which says how its velocity differs from that of Sutskever et al. (2013).
    """
    _check_state(state, momentum, dampening, nesterov)
    params, g = state["params"], gradients
    if weight_decay:
        g = jax.tree.map(lambda g, w: g + weight_decay * w, g, params)
    following, d = {}, g
    if momentum:
        v = jax.tree.map(lambda v, g: momentum * v + (1 - dampening) * g, state["momentum_buffer"], g)
        if dampening:
            v = jax.tree.map(lambda v, g: jnp.where(state["step"] == 0, g, v), v, g)
            following["step"] = state["step"] + 1
        following["momentum_buffer"] = v
        d = jax.tree.map(lambda g, v: g + momentum * v, g, v) if nesterov else v
    return {"params": jax.tree.map(lambda w, d: w - learning_rate * d, params, d), **following}


def _check_state(state: dict[str, Any], momentum: float, dampening: float, nesterov: bool) -> None:
    """Refuse a state whose slots are not those of the hyperparameters, and hyperparameters that do not go together.

    Args:
        state: a training state.
        momentum, dampening, nesterov: as in sgd_step.

    Raises:
        ValueError: where they do not fit.
    """
    if nesterov and (not momentum or dampening):
        raise ValueError(
            f"sgd: nesterov needs momentum and no dampening, got momentum {momentum} and dampening {dampening}; "
            "give momentum=0.9, or drop nesterov"
        )
    wanted = sorted(initial_state({}, momentum=momentum, dampening=dampening))
    if sorted(state) != wanted:
        raise ValueError(
            f"sgd: the state holds {sorted(state)}, but momentum {momentum} and dampening {dampening} want {wanted}; "
            "initial_state() makes it"
        )
