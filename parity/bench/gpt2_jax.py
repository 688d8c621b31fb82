"""GPT-2 as a Flax user writes it: pre-norm blocks, projections for queries, keys and values apart, a tied head."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike


class Block(nnx.Module):
    """Attention and a feed-forward part, each behind its own norm.

    Args:
        width: Of the residual stream.
        heads: Of the attention.
        dtype: Of its parameters.
        rngs: For the initial weights.
    """

    def __init__(self, width: int, heads: int, *, dtype: DTypeLike = jnp.float32, rngs: nnx.Rngs) -> None:
        self.heads = heads
        norm = partial(nnx.LayerNorm, width, epsilon=1e-5, param_dtype=dtype, rngs=rngs)
        linear = partial(nnx.Linear, param_dtype=dtype, rngs=rngs)
        self.attention_norm = norm()
        self.query = linear(width, width)
        self.key = linear(width, width)
        self.value = linear(width, width)
        self.out = linear(width, width)
        self.mlp_norm = norm()
        self.up = linear(width, 4 * width)
        self.down = linear(4 * width, width)

    def __call__(self, x: jax.Array) -> jax.Array:
        batch, length, width = x.shape
        normed = self.attention_norm(x)
        q, k, v = (f(normed).reshape(batch, length, self.heads, -1) for f in (self.query, self.key, self.value))
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / jnp.sqrt(width // self.heads)
        past = jnp.tril(jnp.ones((length, length), bool))
        weights = jax.nn.softmax(jnp.where(past, scores, -jnp.inf))
        x = x + self.out(jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(batch, length, width))
        return x + self.down(jax.nn.gelu(self.up(self.mlp_norm(x))))


class GPT2(nnx.Module):
    """The language model.

    Args:
        layers: Number of blocks.
        width: Of the residual stream.
        heads: Of each attention.
        length: The longest sequence.
        vocabulary: Number of tokens.
        dtype: Of its parameters.
        rngs: For the initial weights.
    """

    def __init__(
        self,
        layers: int,
        width: int,
        heads: int,
        length: int,
        vocabulary: int,
        *,
        dtype: DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ) -> None:
        self.tokens = nnx.Embed(vocabulary, width, param_dtype=dtype, rngs=rngs)
        self.positions = nnx.Embed(length, width, param_dtype=dtype, rngs=rngs)
        self.blocks = nnx.List([Block(width, heads, dtype=dtype, rngs=rngs) for _ in range(layers)])
        self.norm = nnx.LayerNorm(width, epsilon=1e-5, param_dtype=dtype, rngs=rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        x = self.tokens(tokens) + self.positions(jnp.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.tokens.attend(self.norm(x))
