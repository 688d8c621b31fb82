"""A bidirectional LSTM that tags each word: one nn.LSTM in torch, two cells in two RNNs in NNX and Linen."""

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import linen, nnx
from torch import nn

WORDS, WIDTH, HIDDEN, TAGS = 11, 6, 5, 4


def sentences(rows: int = 2, length: int = 5) -> np.ndarray:
    """Sentences of random words, of shape (rows, length)."""
    return np.random.default_rng(5).integers(0, WORDS, (rows, length))


class TorchTagger(nn.Module):
    """Tag logits of shape (N, T, TAGS)."""

    def __init__(self, *, bidirectional: bool = True) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, WIDTH)
        self.lstm = nn.LSTM(WIDTH, HIDDEN, batch_first=True, bidirectional=bidirectional)
        self.classifier = nn.Linear(HIDDEN * (1 + bidirectional), TAGS)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.lstm(self.embed(words))[0])


class Tagger(nnx.Module):
    """The same in NNX; `cell` is nnx.LSTMCell, with a kernel for each gate, or nnx.OptimizedLSTMCell."""

    def __init__(self, rngs: nnx.Rngs, *, cell: type = nnx.OptimizedLSTMCell, keep_order: bool = True) -> None:
        self.keep_order = keep_order
        self.word_vectors = nnx.Embed(WORDS, WIDTH, rngs=rngs)
        self.forwards = nnx.RNN(cell(WIDTH, HIDDEN, rngs=rngs))
        self.backwards = nnx.RNN(cell(WIDTH, HIDDEN, rngs=rngs), reverse=True, keep_order=keep_order)
        self.tag = nnx.Linear(2 * HIDDEN, TAGS, rngs=rngs)

    def __call__(self, words: jax.Array) -> jax.Array:
        x = self.word_vectors(words)
        return self.tag(jnp.concatenate([self.forwards(x), self.backwards(x)], axis=-1))


class LinenTagger(linen.Module):
    """The same in Linen."""

    @linen.compact
    def __call__(self, words: jax.Array) -> jax.Array:
        x = linen.Embed(WORDS, WIDTH)(words)
        both = linen.Bidirectional(linen.RNN(linen.OptimizedLSTMCell(HIDDEN)), linen.RNN(linen.OptimizedLSTMCell(HIDDEN)))
        return linen.Dense(TAGS)(both(x))
