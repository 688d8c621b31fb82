"""Attention: softmax(q k^T / sqrt(d)) v, alone and with the projections of several heads around it."""

import math
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import multi_head_attention_forward

from torch_impl.functional.dropout import dropout

__all__ = ["scaled_dot_product_attention", "multi_head_attention_forward"]


def scaled_dot_product_attention(
    query: Float[Tensor, "*N L E"],
    key: Float[Tensor, "*N S E"],
    value: Float[Tensor, "*N S V"],
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    rng: Any = None,
    keep: Bool[Tensor, "*N L S"] | None = None,
) -> Float[Tensor, "*N L V"]:
    """softmax(scale q k^T + mask) v. A query that may attend to nothing gets zeros.

    Args:
        query: (*, L, E).
        key: (*, S, E).
        value: (*, S, V).
        attn_mask: broadcasts to (*, L, S): True where a query may attend, or floats that are added to the scores.
        dropout_p: the probability of dropout on the weights; it acts whenever it is positive.
        is_causal: whether query i attends to keys 0 to i alone.
        scale: of the scores; None for 1 / sqrt(E).
        enable_gqa: whether each head of key and value, the axis before the last two, serves several of query's.
        rng: what dropout's mask is drawn from: a key of JAX's, a generator of torch's.
        keep: dropout's mask, True for what stays, in place of one that is drawn.

    Returns:
        (*, L, V).

    Raises:
        RuntimeError: where an array has fewer than two axes, or both a mask and is_causal are given.

    Examples:
        >>> x = array([[1.0, 0.0], [0.0, 1.0]])
        >>> scaled_dot_product_attention(x, x, x, is_causal=True)[0].tolist()
        [1.0, 0.0]

    References:
        PyTorch, torch.nn.functional.scaled_dot_product_attention; Vaswani et al. (2017), eq. 1.
    """
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise RuntimeError("scaled_dot_product_attention: an array has fewer than 2 axes, wanted (*, length, features)")
    if is_causal and attn_mask is not None:
        raise RuntimeError("scaled_dot_product_attention: attn_mask is given and is_causal too, wanted one of them")
    if enable_gqa:
        key, value = (x.repeat_interleave(query.shape[-3] // x.shape[-3], dim=-3) for x in (key, value))
    scores = (query * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)) @ key.mT
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None:
        hidden = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, -torch.inf) if hidden else scores + attn_mask
    # the softmax of a row of minus infinities is NaN, here and in torch; this function alone makes it zeros
    lost = (scores == -torch.inf).all(dim=-1, keepdim=True)
    weights = scores.masked_fill(lost, 0).softmax(dim=-1).masked_fill(lost, 0)
    if dropout_p > 0:
        weights = dropout(weights, dropout_p, key=rng, mask=keep)
    return weights @ value
