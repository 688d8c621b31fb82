"""Attention: softmax(q k^T / sqrt(d)) v, alone and with the projections of several heads around it."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

from jax_impl.functional.dropout import dropout
from jax_impl.functional.linear import linear

__all__ = ["scaled_dot_product_attention", "multi_head_attention_forward"]


def scaled_dot_product_attention(
    query: Float[Array, "*N L E"],
    key: Float[Array, "*N S E"],
    value: Float[Array, "*N S V"],
    attn_mask: Array | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    rng: Any = None,
    keep: Bool[Array, "*N L S"] | None = None,
) -> Float[Array, "*N L V"]:
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
        key, value = (jnp.repeat(x, query.shape[-3] // x.shape[-3], axis=-3) for x in (key, value))
    scores = jnp.einsum("...le,...se->...ls", query * (1 / math.sqrt(query.shape[-1]) if scale is None else scale), key)
    if is_causal:
        scores = jnp.where(jnp.tril(jnp.ones(scores.shape[-2:], bool)), scores, -jnp.inf)
    if attn_mask is None:
        weights = jax.nn.softmax(scores, axis=-1)
    else:
        hidden = attn_mask.dtype == bool
        scores = jnp.where(attn_mask, scores, -jnp.inf) if hidden else scores + attn_mask
        # the softmax of a row of minus infinities is NaN, here and in torch; this function alone makes it zeros
        lost = jnp.all(scores == -jnp.inf, axis=-1, keepdims=True)
        weights = jnp.where(lost, 0, jax.nn.softmax(jnp.where(lost, 0, scores), axis=-1))
    if dropout_p > 0:
        weights = dropout(weights, dropout_p, key=rng, mask=keep)
    return jnp.einsum("...ls,...sv->...lv", weights, value)


def multi_head_attention_forward(
    query: Float[Array, "..."],
    key: Float[Array, "..."],
    value: Float[Array, "..."],
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Float[Array, "3E E"] | None,
    in_proj_bias: Float[Array, " 3E"] | None,
    bias_k: Float[Array, "1 1 E"] | None,
    bias_v: Float[Array, "1 1 E"] | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Float[Array, "E E"],
    out_proj_bias: Float[Array, " E"] | None,
    training: bool = True,
    key_padding_mask: Array | None = None,
    need_weights: bool = True,
    attn_mask: Array | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Float[Array, "E E"] | None = None,
    k_proj_weight: Float[Array, "E K"] | None = None,
    v_proj_weight: Float[Array, "E V"] | None = None,
    static_k: Float[Array, "NH S D"] | None = None,
    static_v: Float[Array, "NH S D"] | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
    *,
    rng: Array | None = None,
) -> tuple[Array, Array | None]:
    """Attention of several heads, with the projections before and behind it.

    Args:
        query: (L, N, E), or (L, E).
        key: (S, N, K), or (S, K).
        value: (S, N, V), or (S, V).
        embed_dim_to_check: E.
        num_heads: E is a multiple of it.
        in_proj_weight, in_proj_bias: of query, key and value, one below the other.
        bias_k, bias_v: one more key and value; None for none.
        add_zero_attn: whether there is one more key and value of zeros.
        dropout_p: the probability of dropout on the weights, in training.
        out_proj_weight, out_proj_bias: of the heads' joined outputs.
        training: whether dropout acts.
        key_padding_mask: (N, S) or (S,): True where a key is not to be seen, or floats that are added to its scores.
        need_weights: whether the weights are given back too. With them, a query that sees no key gets NaN, without
            them zeros, as in torch.
        attn_mask: (L, S) or (N * num_heads, L, S), as key_padding_mask.
        use_separate_proj_weight: whether the next three are used in place of in_proj_weight.
        q_proj_weight, k_proj_weight, v_proj_weight: for K or V unlike E.
        static_k, static_v: (N * num_heads, S, E / num_heads), in place of what key and value give.
        average_attn_weights: whether the weights are averaged over the heads.
        is_causal: says that attn_mask is the causal one; where nothing else needs the mask it is not read.
        rng: the key that dropout's mask is drawn from.

    Returns:
        The output, shaped as query, and the weights (N, L, S), (N, num_heads, L, S) where not averaged, or None.

    Raises:
        AssertionError: where sizes of query, key and value do not fit.
        RuntimeError: where a mask does not fit, or is_causal is said of no mask.

    Examples:
        >>> x, one = array([[2.0], [2.0]]), array([[1.0], [1.0], [1.0]])
        >>> output, weights = multi_head_attention_forward(
        ...     x, x, x, 1, 1, one, None, None, None, False, 0.0, array([[3.0]]), None
        ... )
        >>> output.tolist(), weights.tolist()
        ([[6.0], [6.0]], [[0.5, 0.5], [0.5, 0.5]])

    References:
        PyTorch, torch.nn.functional.multi_head_attention_forward; Vaswani et al. (2017), section 3.2.2.
    """
    batched = _batched(query, key, value, key_padding_mask, attn_mask)
    if is_causal and attn_mask is None:
        raise RuntimeError("attention: is_causal says what attn_mask is, and there is none; hand over the mask too")
    if not batched:
        own = {id(x): x[:, None] for x in (query, key, value)}  # what was one array stays one
        query, key, value = (own[id(x)] for x in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask[None]
    (L, N, E), H = query.shape, num_heads
    _sizes(query, key, value, embed_dim_to_check, H, separate=use_separate_proj_weight)
    packed = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else in_proj_weight
    q, k, v = _projected(query, key, value, packed, in_proj_bias)  # (L, N, E), (S, N, E), (S, N, E)
    causal = is_causal and key_padding_mask is None and not need_weights
    mask = None if causal else _mask(attn_mask, key_padding_mask, (N, H, L, key.shape[0]), q.dtype)
    more = 0
    if bias_k is not None and bias_v is not None:
        k, v = (jnp.concatenate([x, jnp.broadcast_to(b, (1, N, E))]) for x, b in ((k, bias_k), (v, bias_v)))
        more += 1
    q, k, v = (x.reshape(x.shape[0], N, H, E // H).transpose(1, 2, 0, 3) for x in (q, k, v))  # (N, H, length, E / H)
    k = k if static_k is None else static_k.reshape(N, H, -1, E // H)
    v = v if static_v is None else static_v.reshape(N, H, -1, E // H)
    if add_zero_attn:
        k, v = (jnp.pad(x, ((0, 0), (0, 0), (0, 1), (0, 0))) for x in (k, v))
        more += 1
    if mask is not None and more:
        mask = jnp.pad(mask, ((0, 0), (0, 0), (0, 0), (0, more)))
    dropped = dropout_p if training else 0.0
    weights: Array | None = None
    if need_weights:
        scores = jnp.einsum("nhld,nhsd->nhls", q * math.sqrt(1 / (E // H)), k)
        weights = jax.nn.softmax(scores if mask is None else scores + mask, axis=-1)
        weights = dropout(weights, dropped, key=rng) if dropped > 0 else weights
        heads = jnp.einsum("nhls,nhsd->nhld", weights, v)
        weights = weights.mean(axis=1) if average_attn_weights else weights
        weights = weights if batched else weights[0]
    else:
        heads = scaled_dot_product_attention(q, k, v, mask, dropped, causal, rng=rng)
    output = linear(heads.transpose(2, 0, 1, 3).reshape(L, N, E), out_proj_weight, out_proj_bias)
    return (output if batched else output[:, 0]), weights


def _batched(query: Array, key: Array, value: Array, padding: Array | None, mask: Array | None) -> bool:
    axes = query.ndim
    if axes not in (2, 3) or key.ndim != axes or value.ndim != axes:
        raise AssertionError(
            f"attention: query, key and value have {axes}, {key.ndim} and {value.ndim} axes, wanted 3 of each, or 2"
        )
    if padding is not None and padding.ndim != axes - 1:
        raise AssertionError(f"attention: key_padding_mask has {padding.ndim} axes, wanted {axes - 1}")
    if mask is not None and mask.ndim not in (2, 3):
        raise AssertionError(f"attention: attn_mask has {mask.ndim} axes, wanted 2 or 3")
    return axes == 3


def _sizes(query: Array, key: Array, value: Array, embed_dim: int, heads: int, *, separate: bool) -> None:
    if query.shape[-1] != embed_dim or embed_dim % heads:
        raise AssertionError(
            f"attention: query has {query.shape[-1]} features, wanted {embed_dim}, a multiple of {heads} heads"
        )
    if key.shape[: 2 if separate else 3] != value.shape[: 2 if separate else 3]:
        raise AssertionError(f"attention: key is {tuple(key.shape)}, value {tuple(value.shape)}; they do not fit")


def _projected(query: Array, key: Array, value: Array, weight: Any, bias: Array | None) -> tuple[Array, ...]:
    """Query, key and value by their weights; by one product each for what is the same array."""
    biases = (None,) * 3 if bias is None else jnp.split(bias, 3)
    if isinstance(weight, tuple):
        return tuple(linear(x, w, b) for x, w, b in zip((query, key, value), weight, biases, strict=True))
    if query is key and key is value:
        return tuple(jnp.split(linear(query, weight, bias), 3, axis=-1))
    weights = jnp.split(weight, 3)
    return tuple(linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True))


def _mask(mask: Array | None, padding: Array | None, shape: tuple[int, int, int, int], dtype: Any) -> Array | None:
    """Both masks as floats that are added to the scores (N, H, L, S)."""
    N, H, L, S = shape
    parts = []
    if mask is not None:
        wanted = (L, S) if mask.ndim == 2 else (N * H, L, S)
        if mask.shape != wanted:
            raise RuntimeError(f"attention: attn_mask has shape {tuple(mask.shape)}, wanted {wanted}")
        parts.append(_added(mask, dtype).reshape((1, 1, L, S) if mask.ndim == 2 else shape))
    if padding is not None:
        if padding.shape != (N, S):
            raise AssertionError(f"attention: key_padding_mask has shape {tuple(padding.shape)}, wanted {(N, S)}")
        parts.append(_added(padding, dtype).reshape(N, 1, 1, S))
    return sum(parts[1:], parts[0]) if parts else None


def _added(mask: Array, dtype: Any) -> Array:
    if mask.dtype == bool:
        return jnp.where(mask, jnp.array(-jnp.inf, dtype), jnp.array(0, dtype))
    if not jnp.issubdtype(mask.dtype, jnp.floating):
        raise AssertionError(f"attention: a mask is {mask.dtype}, wanted bool or floats")
    return mask
