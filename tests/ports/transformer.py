"""A pre-norm transformer: fused query, key and value in torch, split in NNX and Linen, a tied embedding, other names."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import linen, nnx
from torch import nn
from torch.nn import functional as F

VOCABULARY, WIDTH, HEADS, CONTEXT, LAYERS = 13, 8, 2, 10, 2


def tokens(rows: int = 2, length: int = 7) -> np.ndarray:
    """Sentences of random tokens, of shape (rows, length)."""
    return np.random.default_rng(3).integers(0, VOCABULARY, (rows, length))


class TorchBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm_a = nn.LayerNorm(WIDTH)
        self.c_attn = nn.Linear(WIDTH, 3 * WIDTH)
        self.c_proj = nn.Linear(WIDTH, WIDTH)
        self.norm_b = nn.LayerNorm(WIDTH)
        self.ffn = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, t, _ = x.shape
        q, k, v = (a.view(n, t, HEADS, -1).transpose(1, 2) for a in self.c_attn(self.norm_a(x)).chunk(3, dim=-1))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.c_proj(mixed.transpose(1, 2).reshape(n, t, WIDTH))
        return x + self.ffn(self.norm_b(x))


class TorchTransformer(nn.Module):
    """Token logits of shape (N, T, VOCABULARY)."""

    def __init__(self, layers: int = LAYERS) -> None:
        super().__init__()
        self.wte = nn.Embedding(VOCABULARY, WIDTH)
        self.wpe = nn.Parameter(0.1 * torch.randn(CONTEXT, WIDTH))
        self.h = nn.ModuleList(TorchBlock() for _ in range(layers))
        self.ln_f = nn.LayerNorm(WIDTH)
        self.lm_head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.wte(tokens) + self.wpe[: tokens.shape[1]]
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x))


class Attention(nnx.Module):
    def __init__(self, order: str, rngs: nnx.Rngs) -> None:
        self.order = order
        self.query = nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        self.key = nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        self.value = nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        self.out = nnx.Linear(WIDTH, WIDTH, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        n, t, _ = x.shape
        named = {name: getattr(self, name)(x).reshape(n, t, HEADS, -1) for name in self.order.split()}
        q, k, v = named["query"], named["key"], named["value"]
        scores = jnp.einsum("nqhd,nkhd->nhqk", q, k) / np.sqrt(q.shape[-1])
        scores = jnp.where(jnp.tril(jnp.ones((t, t), bool)), scores, -jnp.inf)
        return self.out(jnp.einsum("nhqk,nkhd->nqhd", jax.nn.softmax(scores), v).reshape(n, t, WIDTH))


class Block(nnx.Module):
    def __init__(self, order: str, approximate: bool, eps: float, use_bias: bool, rngs: nnx.Rngs) -> None:
        self.approximate = approximate
        self.attention_norm = nnx.LayerNorm(WIDTH, epsilon=1e-5, rngs=rngs)
        self.attention = Attention(order, rngs)
        self.mlp_norm = nnx.LayerNorm(WIDTH, epsilon=eps, rngs=rngs)
        self.up = nnx.Linear(WIDTH, 4 * WIDTH, use_bias=use_bias, rngs=rngs)
        self.down = nnx.Linear(4 * WIDTH, WIDTH, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.attention(self.attention_norm(x))
        return x + self.down(nnx.gelu(self.up(self.mlp_norm(x)), approximate=self.approximate))


class Transformer(nnx.Module):
    """The same in NNX; the arguments are where a port goes wrong, in its last block."""

    def __init__(
        self,
        rngs: nnx.Rngs,
        *,
        layers: int = LAYERS,
        order: str = "query key value",
        approximate: bool = False,
        eps: float = 1e-5,
        use_bias: bool = True,
    ) -> None:
        self.token_embedding = nnx.Embed(VOCABULARY, WIDTH, rngs=rngs)
        self.position_embedding = nnx.Param(jnp.zeros((CONTEXT, WIDTH)))
        honest: tuple[Any, ...] = (False, 1e-5, True)
        faulty = (approximate, eps, use_bias)
        blocks = [Block(order, *(faulty if k == layers - 1 else honest), rngs=rngs) for k in range(layers)]
        self.blocks = nnx.List(blocks)
        self.final_norm = nnx.LayerNorm(WIDTH, epsilon=1e-5, rngs=rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        x = self.token_embedding(tokens) + self.position_embedding[...][: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.token_embedding.attend(self.final_norm(x))


class LinenBlock(linen.Module):
    @linen.compact
    def __call__(self, x: jax.Array, _: Any = None) -> tuple[jax.Array, None]:
        mask = linen.make_causal_mask(x[..., 0])
        h = linen.LayerNorm(epsilon=1e-5)(x)
        x = x + linen.MultiHeadDotProductAttention(num_heads=HEADS)(h, h, mask=mask)
        h = linen.Dense(4 * WIDTH)(linen.LayerNorm(epsilon=1e-5)(x))
        return x + linen.Dense(WIDTH)(linen.gelu(h, approximate=False)), None


class LinenTransformer(linen.Module):
    """The same in Linen; scanned, its layers are one stack of weights."""

    layers: int = LAYERS
    scanned: bool = False

    @linen.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        embedding = linen.Embed(VOCABULARY, WIDTH)
        positions = self.param("positions", linen.initializers.normal(0.1), (CONTEXT, WIDTH))
        x = embedding(tokens) + positions[: tokens.shape[1]]
        if self.scanned:
            stack = linen.scan(LinenBlock, variable_axes={"params": 0}, split_rngs={"params": True}, length=self.layers)
            x, _ = stack(name="stack")(x, None)
        else:
            for _ in range(self.layers):
                x, _ = LinenBlock()(x)
        return embedding.attend(linen.LayerNorm(epsilon=1e-5)(x))


class StackedTransformer(nnx.Module):
    """The same in NNX with its blocks made by vmap and run by scan."""

    def __init__(self, rngs: nnx.Rngs, *, layers: int = LAYERS) -> None:
        self.token_embedding = nnx.Embed(VOCABULARY, WIDTH, rngs=rngs)
        self.position_embedding = nnx.Param(jnp.zeros((CONTEXT, WIDTH)))

        @nnx.split_rngs(splits=layers)
        @nnx.vmap(in_axes=(0,), out_axes=0)
        def make(rngs: nnx.Rngs) -> Block:
            return Block("query key value", False, 1e-5, True, rngs)

        self.blocks = make(rngs)
        self.final_norm = nnx.LayerNorm(WIDTH, epsilon=1e-5, rngs=rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        x = self.token_embedding(tokens) + self.position_embedding[...][: tokens.shape[1]]

        @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
        def run(x: jax.Array, block: Block) -> jax.Array:
            return block(x)

        return self.token_embedding.attend(self.final_norm(run(x, self.blocks)))
