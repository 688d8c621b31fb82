"""Attention with several heads."""

from typing import Any

from flax import nnx
from jax import Array
from jaxtyping import Float

from jax_impl import functional as F
from jax_impl.nn import init
from jax_impl.nn.linear import Linear
from jax_impl.nn.module import Module

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Attention of several heads: each on its own part of the projected features, joined and projected again.

    Args:
        embed_dim: the features of queries and outputs.
        num_heads: divides embed_dim.
        dropout: the probability of dropout on the attention's weights, in training.
        bias: whether the projections have biases.
        add_bias_kv: whether there is one more key and value, which are learnt.
        add_zero_attn: whether there is one more key and value of zeros.
        kdim: the features of keys; None for embed_dim.
        vdim: the features of values; None for embed_dim.
        batch_first: whether batches are (N, L, E) and not (L, N, E).
        dtype: of the parameters; None for float32.

    Raises:
        ValueError: where embed_dim or num_heads is not positive.
        AssertionError: where num_heads does not divide embed_dim.

    Examples:
        >>> x = array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
        >>> output, weights = MultiheadAttention(2, 1, **rngs)(x, x, x)
        >>> tuple(output.shape), tuple(weights.shape)
        ((3, 2), (3, 3))

    References:
        PyTorch, torch.nn.MultiheadAttention; Vaswani et al. (2017), section 3.2.2.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        *,
        dtype: Any = None,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"MultiheadAttention: embed_dim is {embed_dim}, num_heads {num_heads}, wanted 1 or more of each"
            )
        if embed_dim % num_heads:
            raise AssertionError(f"MultiheadAttention: embed_dim {embed_dim} is no multiple of {num_heads} heads")
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        self.head_dim, self.add_zero_attn = embed_dim // num_heads, add_zero_attn
        same = self.kdim == embed_dim == self.vdim
        self.in_proj_weight = self._empty(3 * embed_dim, embed_dim, dtype=dtype) if same else None
        self.q_proj_weight = None if same else self._empty(embed_dim, embed_dim, dtype=dtype)
        self.k_proj_weight = None if same else self._empty(embed_dim, self.kdim, dtype=dtype)
        self.v_proj_weight = None if same else self._empty(embed_dim, self.vdim, dtype=dtype)
        self.in_proj_bias = self._empty(3 * embed_dim, dtype=dtype) if bias else None
        self.bias_k = self._empty(1, 1, embed_dim, dtype=dtype) if add_bias_kv else None
        self.bias_v = self._empty(1, 1, embed_dim, dtype=dtype) if add_bias_kv else None
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias, dtype=dtype, rngs=rngs)
        self.rngs = nnx.data(rngs.dropout.fork() if dropout > 0 else None)
        self._reset_parameters(rngs)

    def _reset_parameters(self, rngs: nnx.Rngs) -> None:
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight, generator=rngs)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra, generator=rngs)

    def __call__(
        self,
        query: Float[Array, "..."],
        key: Float[Array, "..."],
        value: Float[Array, "..."],
        key_padding_mask: Array | None = None,
        need_weights: bool = True,
        attn_mask: Array | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Array, Array | None]:
        """The output, shaped as query, and the weights (N, L, S), or None where they are not needed.

        Args:
            query, key, value: (L, N, E) and (S, N, E), with the batch first where batch_first; or without a batch.
            key_padding_mask: (N, S) or (S,): True where a key is not to be seen, or floats added to its scores.
            need_weights: whether to give the weights back. With them a query that sees no key gets NaN, without them
                zeros, as in torch.
            attn_mask: (L, S) or (N * num_heads, L, S), as key_padding_mask.
            average_attn_weights: whether the weights are averaged over the heads.
            is_causal: says that attn_mask is the causal one.

        Raises:
            AssertionError: where sizes do not fit.
            RuntimeError: where a mask does not fit, or is_causal is said of no mask.
        """
        turned = self.batch_first and query.ndim == 3
        if turned:
            own = {id(x): x.swapaxes(0, 1) for x in (query, key, value)}  # what was one array stays one
            query, key, value = (own[id(x)] for x in (query, key, value))
        draws = self.training and 0 < self.dropout < 1
        packed, bias, bias_k, bias_v = self._values("in_proj_weight", "in_proj_bias", "bias_k", "bias_v")
        q_weight, k_weight, v_weight = self._values("q_proj_weight", "k_proj_weight", "v_proj_weight")
        out_weight, out_bias = self.out_proj._values("weight", "bias")
        output, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            packed,
            bias,
            bias_k,
            bias_v,
            self.add_zero_attn,
            self.dropout,
            out_weight,
            out_bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=packed is None,
            q_proj_weight=q_weight,
            k_proj_weight=k_weight,
            v_proj_weight=v_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
            rng=self.rngs() if draws and self.rngs is not None else None,
        )
        return (output.swapaxes(0, 1) if turned else output), weights
