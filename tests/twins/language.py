"""A small language model: embedding, one attention with dropout and a causal mask, a head tied to the embedding."""

from typing import Any

import jax
import jax.numpy as jnp
import torch
from flax import nnx
from torch import nn

from twins.handmade import Handmade

VOCABULARY, WIDTH, HEADS, LENGTH = 7, 4, 2, 5

LANGUAGE_MAP = Handmade(
    tokens__weight=("embed.embedding",),
    qkv__weight=("qkv.kernel", 1, 0),
    qkv__bias=("qkv.bias",),
    out__weight=("out.kernel", 1, 0),
    out__bias=("out.bias",),
)


class TorchLanguage(nn.Module):
    def __init__(self, *, dropout: float = 0.25, tied: bool = True) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.register_buffer("mask", torch.ones(LENGTH, LENGTH).tril().log(), persistent=False)
        if tied:
            self.head.weight = self.tokens.weight

    def forward(self, ids: Any) -> Any:
        x = self.tokens(ids)
        split = [t.unflatten(-1, (HEADS, -1)).transpose(1, 2) for t in self.qkv(x).chunk(3, dim=-1)]
        q, k, v = split
        weights = self.drop(torch.softmax(q @ k.mT / (WIDTH // HEADS) ** 0.5 + self.mask, dim=-1))
        mixed = (weights @ v).transpose(1, 2).flatten(2)
        return {"logits": self.head(x + self.out(mixed)), "attention": weights}


class NnxLanguage(nnx.Module):
    def __init__(self, *, dropout: float = 0.25, tied: bool = True, scaled: bool = True) -> None:
        rngs = nnx.Rngs(0)
        self.embed = nnx.Embed(VOCABULARY, WIDTH, rngs=rngs)
        self.qkv = nnx.Linear(WIDTH, 3 * WIDTH, rngs=rngs)
        self.drop = nnx.Dropout(dropout, rngs=rngs)
        self.out = nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        if not tied:
            self.head = nnx.Linear(WIDTH, VOCABULARY, use_bias=False, rngs=rngs)
        self.tied, self.scale = tied, (WIDTH // HEADS) ** 0.5 if scaled else 1.0

    def __call__(self, ids: Any) -> Any:
        x = self.embed(ids)
        split = (t.reshape(*t.shape[:2], HEADS, -1).swapaxes(1, 2) for t in jnp.split(self.qkv(x), 3, axis=-1))
        q, k, v = split
        scores = jnp.where(jnp.tril(jnp.ones((LENGTH, LENGTH), bool)), q @ k.mT / self.scale, -jnp.inf)
        weights = self.drop(jax.nn.softmax(scores))
        mixed = (weights @ v).swapaxes(1, 2).reshape(x.shape)
        hidden = x + self.out(mixed)
        logits = self.embed.attend(hidden) if self.tied else self.head(hidden)
        return {"logits": logits, "attention": weights}
