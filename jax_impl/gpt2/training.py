"""What is done with GPT-2: its scores, its loss, and training by AdamW."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jaxtyping import Float, Int

from jax_impl import functional as F
from jax_impl import optim
from jax_impl.gpt2.model import GPT2, Masks, State

__all__ = ["logits", "loss", "initial_state", "train"]


def logits(state: State, tokens: Int[Array, "N T"], *, n_head: int = 12) -> Float[Array, "N T V"]:
    """GPT2 in eval mode, without dropout, as a pure function of its state.

    Args:
        state: what state_dict gives.
        tokens: (N, T), integers in [0, vocab_size).
        n_head: the heads, which no shape tells.

    Returns:
        (N, T, vocab_size).

    Raises:
        ValueError: where n_head does not divide n_embd, or tokens are too many.

    Examples:
        >>> state = dict(GPT2(7, 5, 4, 1, 2, **rngs).state_dict())
        >>> tuple(logits(state, array([[1, 2, 3]]), n_head=2).shape)
        (1, 3, 7)

    References:
        A. Radford et al., "Language Models are Unsupervised Multitask Learners" (2019).
    """
    return GPT2.from_state(state, n_head=n_head).eval()(tokens)


def loss(
    state: State, tokens: Int[Array, "N L"], masks: Masks | None = None, *, n_head: int = 12, dropout: float = 0.1
) -> Float[Array, ""]:
    """The cross-entropy of each next token, in train mode with the masks given.

    Args:
        state: what state_dict gives.
        tokens: (N, T + 1), integers: the first T are read, the last T are to be told.
        masks: as GPT2's call takes them; None for no dropout.
        n_head: the heads.
        dropout: the probability that the masks were drawn with.

    Returns:
        The mean over all tokens, a scalar.

    Raises:
        ValueError: where n_head does not divide n_embd, or tokens are too many.

    Examples:
        >>> state = {name: value * 0 for name, value in GPT2(7, 5, 4, 1, 2, **rngs).state_dict().items()}
        >>> round(float(loss(state, array([[1, 2, 3]]), n_head=2)), 4)  # the logarithm of 7
        1.9459

    References:
        A. Radford et al., "Language Models are Unsupervised Multitask Learners" (2019), section 2.
    """
    net = GPT2.from_state(state, n_head=n_head, dropout=dropout if masks else 0.0)
    scores = net(tokens[:, :-1], masks)  # (N, T, vocab_size)
    return F.cross_entropy(scores.reshape(-1, scores.shape[-1]), tokens[:, 1:].reshape(-1))


def initial_state(params: State) -> dict[str, Any]:
    """The training state before the first step: both averages are zero.

    Args:
        params: what state_dict gives.

    Returns:
        "params", "exp_avg", "exp_avg_sq" and "step".

    Examples:
        >>> state = initial_state({"ln_f.bias": array([1.0, 2.0])})
        >>> state["exp_avg"]["ln_f.bias"].tolist(), int(state["step"])
        ([0.0, 0.0], 0)

    References:
        PyTorch, torch.optim.AdamW.
    """
    averages = {slot: {name: jnp.zeros_like(w) for name, w in params.items()} for slot in ("exp_avg", "exp_avg_sq")}
    return {"params": params, **averages, "step": jnp.array(0)}


def train(
    state: dict[str, Any],
    tokens: Int[Array, "N L"],
    order: Int[Array, "steps batch"],
    masks: Masks | None = None,
    *,
    n_head: int = 12,
    dropout: float = 0.1,
    learning_rate: float = 3e-4,
    weight_decay: float = 0.1,
) -> tuple[dict[str, Any], Float[Array, " steps"]]:
    """Train by AdamW, with betas 0.9 and 0.95, from any state and back to one.

    Args:
        state: what initial_state gives, or what an earlier call returned.
        tokens: all sequences (N, T + 1), integers.
        order: the rows to use at each step (steps, batch), integer, in [0, N).
        masks: as loss takes them, each with an axis of steps before its own; None for no dropout.
        n_head: the heads.
        dropout: the probability that the masks were drawn with.
        learning_rate: positive.
        weight_decay: of every parameter, at least 0.

    Returns:
        The state after the last step, and the loss of each minibatch before its update (steps,).

    Raises:
        ValueError: where order is not (steps, batch).

    Examples:
        >>> state = initial_state(dict(GPT2(7, 5, 4, 1, 2, **rngs).state_dict()))
        >>> state, losses = train(state, array([[1, 2, 3]]), array([[0], [0]]), n_head=2)
        >>> int(state["step"]), tuple(losses.shape)
        (2, (2,))

    References:
        I. Loshchilov and F. Hutter, "Decoupled Weight Decay Regularization" (2019), algorithm 2.
    """
    if order.ndim != 2:
        raise ValueError(f"train: order has shape {tuple(order.shape)}, wanted (steps, batch), the rows of each step")
    optimizer = optim.AdamW(learning_rate, betas=(0.9, 0.95), weight_decay=weight_decay)
    params = state["params"]
    slots = optimizer.init(params)._replace(
        step={name: state["step"].astype(jnp.float32) for name in params},
        exp_avg=state["exp_avg"],
        exp_avg_sq=state["exp_avg_sq"],
    )

    def step(carry: tuple[State, Any], batch: Any) -> tuple[tuple[State, Any], Float[Array, ""]]:
        params, slots = carry
        rows, own = batch
        value, gradients = jax.value_and_grad(loss)(params, tokens[rows], own, n_head=n_head, dropout=dropout)
        updates, slots = optimizer.update(gradients, slots, params)
        return (optax.apply_updates(params, updates), slots), value

    (params, slots), losses = jax.lax.scan(step, (params, slots), (order, masks))
    averages = {"exp_avg": slots.exp_avg, "exp_avg_sq": slots.exp_avg_sq}
    return {"params": params, **averages, "step": state["step"] + len(order)}, losses
