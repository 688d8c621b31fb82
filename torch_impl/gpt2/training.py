"""What is done with GPT-2: its scores, its loss, and training by AdamW."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from torch_impl import functional as F
from torch_impl import nn
from torch_impl.gpt2.model import GPT2, Masks, State

__all__ = ["logits", "loss", "initial_state", "train"]


def logits(state: State, tokens: Int[Tensor, "N T"], *, n_head: int = 12) -> Float[Tensor, "N T V"]:
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
    return torch.func.functional_call(GPT2.skeleton(state, n_head=n_head).eval(), state, tokens)


def loss(
    state: State, tokens: Int[Tensor, "N L"], masks: Masks | None = None, *, n_head: int = 12, dropout: float = 0.1
) -> Float[Tensor, ""]:
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
    net = GPT2.skeleton(state, n_head=n_head, dropout=dropout if masks else 0.0)
    scores = torch.func.functional_call(net, state, (tokens[:, :-1], masks))
    return F.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten())


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
    averages = {slot: {name: torch.zeros_like(w) for name, w in params.items()} for slot in ("exp_avg", "exp_avg_sq")}
    return {"params": params, **averages, "step": torch.tensor(0)}


def train(
    state: dict[str, Any],
    tokens: Int[Tensor, "N L"],
    order: Int[Tensor, "steps batch"],
    masks: Masks | None = None,
    *,
    n_head: int = 12,
    dropout: float = 0.1,
    learning_rate: float = 3e-4,
    weight_decay: float = 0.1,
) -> tuple[dict[str, Any], Float[Tensor, " steps"]]:
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
    net = GPT2.from_state(state["params"], n_head=n_head, dropout=dropout if masks else 0.0)
    optimizer = torch.optim.AdamW(net.parameters(), learning_rate, betas=(0.9, 0.95), weight_decay=weight_decay)
    for name, w in net.named_parameters():
        averages = {slot: state[slot][name].clone() for slot in ("exp_avg", "exp_avg_sq")}
        optimizer.state[w] = {"step": torch.as_tensor(state["step"], dtype=torch.float32).clone(), **averages}

    losses = state["params"]["wte.weight"].new_empty(len(order))
    for step, rows in enumerate(order):
        optimizer.zero_grad()
        batch = tokens[rows]
        scores = net(batch[:, :-1], None if masks is None else _at(masks, step))
        value = F.cross_entropy(scores.flatten(0, 1), batch[:, 1:].flatten())
        value.backward()
        optimizer.step()
        losses[step] = value.detach()

    slots = {s: {n: optimizer.state[w][s] for n, w in net.named_parameters()} for s in ("exp_avg", "exp_avg_sq")}
    return {"params": nn.state_dict(net), **slots, "step": state["step"] + len(order)}, losses


def _at(masks: Any, step: int) -> Any:
    if isinstance(masks, Mapping):
        return {name: _at(own, step) for name, own in masks.items()}
    return [_at(own, step) for own in masks] if isinstance(masks, (list, tuple)) else masks[step]
