"""Training loops: by the rule written by hand, by overwriting in place, and by the framework's own optimizer."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jaxtyping import Float, Int

from jax_impl.sgd.minibatches import Arrays, cost
from jax_impl.sgd.rule import _check_state, sgd_step

__all__ = ["train", "train_in_place", "train_with_optimizer"]


@partial(jax.jit, static_argnames=("momentum", "dampening", "weight_decay", "nesterov"))
def train(
    state: dict[str, Any],
    X: Float[Array, "N I"],
    Y: Float[Array, "N O"],
    order: Int[Array, "steps batch"],
    *,
    learning_rate: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
) -> tuple[dict[str, Any], Float[Array, " steps"]]:
    """Train by the rule written by hand.

    Args:
        state: what initial_state gives for this momentum and dampening, or what an earlier call returned.
        X: all inputs (N, I), floating.
        Y: all wanted activations (N, O), floating.
        order: the rows to use at each step (steps, batch), integer, in [0, N).
        learning_rate, momentum, dampening, weight_decay, nesterov: as in sgd_step.

    Returns:
        The state after the last step, and the cost of each minibatch before its update (steps,).

    Raises:
        ValueError: where order is not (steps, batch), or as in sgd_step.

    Examples:
        >>> zeros = {"weight": array([[0.0]]), "bias": array([0.0])}
        >>> state = {"params": zeros, "momentum_buffer": zeros}
        >>> X, Y, order = array([[1.0]]), array([[1.0]]), array([[0], [0], [0]])
        >>> state, losses = train(state, X, Y, order, learning_rate=1.0, momentum=0.9)
        >>> [round(float(loss), 4) for loss in losses]
        [0.125, 0.0958, 0.0557]

    References:
        Nielsen, chapter 1, network.py, methods SGD and update_mini_batch.
    """
    _check_order(order)
    rule = partial(
        sgd_step,
        learning_rate=learning_rate,
        momentum=momentum,
        dampening=dampening,
        weight_decay=weight_decay,
        nesterov=nesterov,
    )

    def step(state: dict[str, Any], rows: Int[Array, " batch"]) -> tuple[dict[str, Any], Float[Array, ""]]:
        loss, gradients = jax.value_and_grad(cost)(state["params"], X[rows], Y[rows])
        return rule(state, gradients), loss

    return jax.lax.scan(step, state, order)


@jax.jit
def train_in_place(
    state: dict[str, Any],
    X: Float[Array, "N I"],
    Y: Float[Array, "N O"],
    order: Int[Array, "steps batch"],
    *,
    learning_rate: float,
) -> tuple[dict[str, Any], Float[Array, " steps"]]:
    """Train by plain descent as the blitz first writes it: each parameter is overwritten by its update.

    Args:
        state: "params".
        X, Y, order: as in train.
        learning_rate: lr, positive.

    Returns:
        As train; the caller's arrays keep their values.

    Raises:
        ValueError: where order is not (steps, batch).

    Examples:
        >>> state = {"params": {"weight": array([[0.0]]), "bias": array([0.0])}}
        >>> state, losses = train_in_place(state, array([[1.0]]), array([[1.0]]), array([[0], [0]]), learning_rate=1.0)
        >>> [round(float(loss), 4) for loss in losses]
        [0.125, 0.0958]

    References:
        PyTorch, Neural Networks (60 minute blitz), "Update the weights".
    """
    _check_order(order)

    # differs: torch overwrites its own copies of the parameters; JAX writes none, the compiled loop reuses their memory
    def step(params: Arrays, rows: Int[Array, " batch"]) -> tuple[Arrays, Float[Array, ""]]:
        loss, gradients = jax.value_and_grad(cost)(params, X[rows], Y[rows])
        return jax.tree.map(lambda w, g: w - learning_rate * g, params, gradients), loss

    params, losses = jax.lax.scan(step, state["params"], order)
    return {"params": params}, losses


@partial(jax.jit, static_argnames=("momentum", "dampening", "weight_decay", "nesterov"))
def train_with_optimizer(
    state: dict[str, Any],
    X: Float[Array, "N I"],
    Y: Float[Array, "N O"],
    order: Int[Array, "steps batch"],
    *,
    learning_rate: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
) -> tuple[dict[str, Any], Float[Array, " steps"]]:
    """Train by the framework's own SGD, from any state and back to one.

    Args:
        state, X, Y, order: as in train.
        learning_rate, momentum, dampening, weight_decay, nesterov: as in sgd_step.

    Returns:
        As train, and the same answer.

    Raises:
        ValueError: as train.

    Examples:
        >>> zeros = {"weight": array([[0.0]]), "bias": array([0.0])}
        >>> state = {"params": zeros, "momentum_buffer": zeros}
        >>> X, Y, order = array([[1.0]]), array([[1.0]]), array([[0], [0], [0]])
        >>> state, losses = train_with_optimizer(state, X, Y, order, learning_rate=1.0, momentum=0.9)
        >>> [round(float(loss), 4) for loss in losses]
        [0.125, 0.0958, 0.0557]

    References:
        PyTorch, torch.optim.SGD; Optax, optax.sgd.
    """
    _check_order(order)
    _check_state(state, momentum, dampening, nesterov)
    # differs: torch tells its first, undampened step by an absent buffer; optax has no dampening, a schedule does it
    dampen = optax.scale_by_schedule(lambda count: jnp.where(count == 0, 1.0, 1.0 - dampening))
    optimizer = optax.chain(
        optax.add_decayed_weights(weight_decay),
        dampen if momentum and dampening else optax.identity(),
        optax.sgd(learning_rate, momentum or None, nesterov),
    )
    opt_state = optimizer.init(state["params"])
    if momentum:
        opt_state = optax.tree.set(opt_state, trace=state["momentum_buffer"])
    if "step" in state:
        opt_state = optax.tree.set(opt_state, count=state["step"].astype(jnp.int32))

    def step(carry: tuple[Arrays, Any], rows: Int[Array, " batch"]) -> tuple[tuple[Arrays, Any], Float[Array, ""]]:
        params, opt_state = carry
        loss, gradients = jax.value_and_grad(cost)(params, X[rows], Y[rows])
        updates, opt_state = optimizer.update(gradients, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), loss

    (params, opt_state), losses = jax.lax.scan(step, (state["params"], opt_state), order)
    result: dict[str, Any] = {"params": params}
    if momentum:
        result["momentum_buffer"] = optax.tree.get(opt_state, "trace")
    if "step" in state:
        result["step"] = state["step"] + len(order)
    return result, losses


def _check_order(order: Int[Array, "steps batch"]) -> None:
    if order.ndim != 2:
        raise ValueError(
            f"sgd: order has shape {tuple(order.shape)}, wanted (steps, batch), the rows of each step; minibatches() "
            "makes it"
        )
