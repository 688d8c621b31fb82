"""Training loops: by the rule written by hand, by overwriting in place, and by the framework's own optimizer."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from torch_impl.sgd.minibatches import cost
from torch_impl.sgd.rule import _check_state, sgd_step

__all__ = ["train", "train_in_place", "train_with_optimizer"]


def train(
    state: dict[str, Any],
    X: Float[Tensor, "N I"],
    Y: Float[Tensor, "N O"],
    order: Int[Tensor, "steps batch"],
    *,
    learning_rate: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
) -> tuple[dict[str, Any], Float[Tensor, " steps"]]:
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
    losses = X.new_empty(len(order))
    for step, rows in enumerate(order):
        params = {name: w.detach().requires_grad_() for name, w in state["params"].items()}
        loss = cost(params, X[rows], Y[rows])
        gradients = dict(zip(params, torch.autograd.grad(loss, list(params.values())), strict=True))
        with torch.no_grad():
            state = sgd_step(
                state,
                gradients,
                learning_rate=learning_rate,
                momentum=momentum,
                dampening=dampening,
                weight_decay=weight_decay,
                nesterov=nesterov,
            )
        losses[step] = loss.detach()
    return state, losses


def train_in_place(
    state: dict[str, Any],
    X: Float[Tensor, "N I"],
    Y: Float[Tensor, "N O"],
    order: Int[Tensor, "steps batch"],
    *,
    learning_rate: float,
) -> tuple[dict[str, Any], Float[Tensor, " steps"]]:
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
    params = {name: w.detach().clone().requires_grad_() for name, w in state["params"].items()}
    losses = X.new_empty(len(order))
    for step, rows in enumerate(order):
        loss = cost(params, X[rows], Y[rows])
        loss.backward()
        with torch.no_grad():
            for w in params.values():
                w.sub_(learning_rate * w.grad)
                w.grad = None  # backward adds to what it finds here
        losses[step] = loss.detach()
    return {"params": {name: w.detach() for name, w in params.items()}}, losses


def train_with_optimizer(
    state: dict[str, Any],
    X: Float[Tensor, "N I"],
    Y: Float[Tensor, "N O"],
    order: Int[Tensor, "steps batch"],
    *,
    learning_rate: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
) -> tuple[dict[str, Any], Float[Tensor, " steps"]]:
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
    params = {name: w.detach().clone().requires_grad_() for name, w in state["params"].items()}
    optimizer = torch.optim.SGD(
        params.values(),
        lr=learning_rate,
        momentum=momentum,
        dampening=dampening,
        weight_decay=weight_decay,
        nesterov=nesterov,
    )
    # differs: torch tells its first, undampened step by an absent buffer; optax has no dampening, a schedule does it
    if momentum and state.get("step", 1) > 0:
        for name, w in params.items():
            optimizer.state[w]["momentum_buffer"] = state["momentum_buffer"][name].clone()

    losses = X.new_empty(len(order))
    for step, rows in enumerate(order):
        loss = cost(params, X[rows], Y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses[step] = loss.detach()

    result: dict[str, Any] = {"params": {name: w.detach() for name, w in params.items()}}
    if momentum:
        before = state["momentum_buffer"]
        result["momentum_buffer"] = {
            name: optimizer.state[w].get("momentum_buffer", before[name]) for name, w in params.items()
        }
    if "step" in state:
        result["step"] = state["step"] + len(order)
    return result, losses


def _check_order(order: Int[Tensor, "steps batch"]) -> None:
    if order.ndim != 2:
        raise ValueError(
            f"sgd: order has shape {tuple(order.shape)}, wanted (steps, batch), the rows of each step; minibatches() "
            "makes it"
        )
