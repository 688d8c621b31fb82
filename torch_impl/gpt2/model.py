"""GPT-2 itself: attention, the MLP, their block, and the model, with the names of the published files."""

import math
from collections.abc import Mapping
from typing import Any, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from torch_impl import functional as F
from torch_impl import nn

__all__ = ["Attention", "MLP", "Block", "GPT2", "from_published", "parameter_count"]

State = dict[str, Tensor]
Masks = Mapping[str, Any]


class Attention(nn.Module):
    """Attention of several heads, each token to itself and to those before it.

    softmax(q k^T / sqrt(d) + M) v,    M = -inf where the key comes after the query.

    Args:
        n_embd: the features of each token, a multiple of n_head.
        n_head: the heads.
        dropout: the probability of dropout on the attention's weights and on the output.
        dtype: of the parameters; None for float32.

    Raises:
        ValueError: where n_head does not divide n_embd.

    Examples:
        >>> tuple(Attention(4, 2, dropout=0.0, **rngs)(array([[[1.0] * 4] * 3])).shape)
        (1, 3, 4)

    References:
        A. Vaswani et al., "Attention Is All You Need" (2017), section 3.2; A. Radford et al., "Language Models are
        Unsupervised Multitask Learners" (2019).
    """

    # differs: NNX takes its random streams as an argument, torch draws from the global generator
    def __init__(self, n_embd: int, n_head: int, *, dropout: float = 0.1, dtype: Any = None) -> None:
        super().__init__()
        if n_embd % n_head:
            raise ValueError(f"Attention: n_embd {n_embd} is no multiple of {n_head} heads")
        self.n_head = n_head
        self.c_attn = nn.Linear(n_embd, 3 * n_embd, dtype=dtype)
        self.c_proj = nn.Linear(n_embd, n_embd, dtype=dtype)
        self.attn_dropout = nn.Dropout(dropout)
        self.resid_dropout = nn.Dropout(dropout)

    # differs: torch's modules say forward, which their __call__ wraps; NNX's say __call__
    def forward(self, x: Float[Tensor, "N T E"], masks: Masks | None = None) -> Float[Tensor, "N T E"]:
        """(N, T, n_embd) -> (N, T, n_embd); masks "attn" (N, n_head, T, T) and "resid" (N, T, n_embd), or drawn."""
        masks = masks or {}
        n, length, width = x.shape
        parts = self.c_attn(x).reshape(n, length, 3, self.n_head, width // self.n_head)
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # each (N, n_head, T, d)
        scores = q @ k.transpose(-2, -1) / math.sqrt(width // self.n_head)  # (N, n_head, T, T)
        past = torch.ones(length, length, dtype=torch.bool, device=x.device).tril()
        weights = F.softmax(scores.masked_fill(~past, -torch.inf), dim=-1)
        mixed = _drop(self.attn_dropout, weights, masks.get("attn")) @ v  # (N, n_head, T, d)
        y = self.c_proj(mixed.transpose(1, 2).reshape(n, length, width))
        return _drop(self.resid_dropout, y, masks.get("resid"))


class MLP(nn.Module):
    """Four times as wide in between: y = W_2 gelu(W_1 x + b_1) + b_2, gelu by its tanh form.

    Args:
        n_embd: the features of each token.
        dropout: the probability of dropout on the output.
        dtype: of the parameters; None for float32.

    Examples:
        >>> tuple(MLP(4, dropout=0.0, **rngs)(array([[[1.0] * 4] * 3])).shape)
        (1, 3, 4)

    References:
        A. Radford et al. (2019); D. Hendrycks and K. Gimpel, "Gaussian Error Linear Units" (2016), section 2.
    """

    # differs: NNX takes its random streams as an argument, torch draws from the global generator
    def __init__(self, n_embd: int, *, dropout: float = 0.1, dtype: Any = None) -> None:
        super().__init__()
        self.c_fc = nn.Linear(n_embd, 4 * n_embd, dtype=dtype)
        self.c_proj = nn.Linear(4 * n_embd, n_embd, dtype=dtype)
        self.dropout = nn.Dropout(dropout)

    # differs: torch's modules say forward, which their __call__ wraps; NNX's say __call__
    def forward(self, x: Float[Tensor, "N T E"], mask: Bool[Tensor, "N T E"] | None = None) -> Float[Tensor, "N T E"]:
        """(N, T, n_embd) -> (N, T, n_embd)."""
        return _drop(self.dropout, self.c_proj(F.gelu(self.c_fc(x), approximate="tanh")), mask)


class Block(nn.Module):
    """What a layer adds to the stream: attention, then the MLP, each behind a norm of its own.

    x = x + attn(ln_1(x)),    x = x + mlp(ln_2(x)).

    Args:
        n_embd: the features of each token, a multiple of n_head.
        n_head: the heads of the attention.
        dropout: the probability of dropout on what is added, and on the attention's weights.
        dtype: of the parameters; None for float32.

    Raises:
        ValueError: where n_head does not divide n_embd.

    Examples:
        >>> tuple(Block(4, 2, dropout=0.0, **rngs)(array([[[1.0] * 4] * 3])).shape)
        (1, 3, 4)

    References:
        A. Radford et al., "Language Models are Unsupervised Multitask Learners" (2019), section 2.3.
    """

    # differs: NNX takes its random streams as an argument, torch draws from the global generator
    def __init__(self, n_embd: int, n_head: int, *, dropout: float = 0.1, dtype: Any = None) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(n_embd, dtype=dtype)
        self.attn = Attention(n_embd, n_head, dropout=dropout, dtype=dtype)
        self.ln_2 = nn.LayerNorm(n_embd, dtype=dtype)
        self.mlp = MLP(n_embd, dropout=dropout, dtype=dtype)

    # differs: torch's modules say forward, which their __call__ wraps; NNX's say __call__
    def forward(self, x: Float[Tensor, "N T E"], masks: Masks | None = None) -> Float[Tensor, "N T E"]:
        """(N, T, n_embd) -> (N, T, n_embd); masks "attn", "resid" and "mlp", or drawn."""
        x = x + self.attn(self.ln_1(x), masks)
        return x + self.mlp(self.ln_2(x), (masks or {}).get("mlp"))


class GPT2(nn.Module):
    """The language model; by default GPT-2 small, of 124,439,808 parameters.

    The scores of the next token are products with the embeddings of all tokens: the head has no weights of its own.

    Args:
        vocab_size: the tokens there are.
        n_positions: the longest sequence.
        n_embd: the features of each token.
        n_layer: the blocks.
        n_head: the heads of each block's attention.
        dropout: the probability of every dropout.
        dtype: of the parameters; None for float32.

    Raises:
        ValueError: where n_head does not divide n_embd, or an input is longer than n_positions.

    Examples:
        >>> net = GPT2(7, 5, 4, 1, 2, **rngs).eval()
        >>> tuple(net(array([[1, 2, 3]])).shape)
        (1, 3, 7)

    References:
        A. Radford et al., "Language Models are Unsupervised Multitask Learners" (2019), section 2.3 and table 2.
    """

    # differs: NNX takes its random streams as an argument, torch draws from the global generator
    def __init__(
        self,
        vocab_size: int = 50257,
        n_positions: int = 1024,
        n_embd: int = 768,
        n_layer: int = 12,
        n_head: int = 12,
        *,
        dropout: float = 0.1,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.wte = nn.Embedding(vocab_size, n_embd, dtype=dtype)
        self.wpe = nn.Embedding(n_positions, n_embd, dtype=dtype)
        self.drop = nn.Dropout(dropout)
        self.h = nn.ModuleList([Block(n_embd, n_head, dropout=dropout, dtype=dtype) for _ in range(n_layer)])
        self.ln_f = nn.LayerNorm(n_embd, dtype=dtype)
        for name, w in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(w)
            elif len(w.shape) == 2:
                # as many writes to the stream as there are c_proj: their sum keeps its size
                std = 0.02 / math.sqrt(2 * n_layer) if name.endswith("c_proj.weight") else 0.02
                nn.init.normal_(w, std=std)

    @classmethod
    def skeleton(cls, state: State, **options: Any) -> Self:
        """A GPT2 of the sizes of this state, with shapes for values; options are n_head and dropout."""
        with torch.device("meta"):
            return cls(**_sizes(state), **options)

    @classmethod
    def from_state(cls, state: State, **options: Any) -> Self:
        """A whole GPT2 that holds this state, in the state's dtype, in train mode; it takes masks, and draws none."""
        model = cls.skeleton(state, **options).to_empty(device=state["wte.weight"].device)
        nn.load_state_dict(model, state)
        return model

    # differs: torch's modules say forward, which their __call__ wraps; NNX's say __call__
    def forward(self, tokens: Int[Tensor, "N T"], masks: Masks | None = None) -> Float[Tensor, "N T V"]:
        """The scores (N, T, vocab_size) of the token after each of tokens (N, T).

        Args:
            tokens: integers in [0, vocab_size).
            masks: of dropout, True for what stays, in place of drawn ones: "drop" (N, T, n_embd), and "h", of each
                block a dict of "attn" (N, n_head, T, T), "resid" and "mlp" (N, T, n_embd).
        """
        longest = self.wpe.weight.shape[0]
        if tokens.shape[1] > longest:
            raise ValueError(f"GPT2: tokens has shape {tuple(tokens.shape)}, wanted {longest} positions at most")
        masks = masks or {"h": [None] * len(self.h)}
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1], device=tokens.device))
        x = _drop(self.drop, x, masks.get("drop"))
        for block, own in zip(self.h, masks["h"], strict=True):
            x = block(x, own)
        return F.linear(self.ln_f(x), self.wte.weight)


def from_published(state: State) -> State:
    """A published file's state as this module has it: its matrices stand transposed there, its masks are no weights.

    Args:
        state: of a GPT-2 file, with or without "transformer." before the names.

    Returns:
        What GPT2 loads: c_attn, c_proj and c_fc as (out, in), without attn.bias, attn.masked_bias and lm_head.weight.

    Examples:
        >>> state = from_published({"transformer.h.0.mlp.c_fc.weight": array([[1.0, 2.0]]), "h.0.attn.bias": None})
        >>> {name: value.tolist() for name, value in state.items()}
        {'h.0.mlp.c_fc.weight': [[1.0], [2.0]]}

    References:
        OpenAI, gpt-2, src/model.py, conv1d; Transformers, Conv1D.
    """
    named = {name.removeprefix("transformer."): value for name, value in state.items()}
    dropped = ("attn.bias", "attn.masked_bias", "lm_head.weight")
    turned = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    return {n: v.T if n.endswith(turned) else v for n, v in named.items() if not n.endswith(dropped)}


def parameter_count(**arguments: Any) -> int:
    """How many numbers are trained; the model is built of shapes alone.

    Args:
        **arguments: GPT2's.

    Returns:
        The count; the head shares the embeddings and counts nothing.

    Examples:
        >>> parameter_count(n_layer=0) == 50257 * 768 + 1024 * 768 + 2 * 768
        True

    References:
        A. Radford et al. (2019), table 2, whose 117M was a miscount: OpenAI, gpt-2, README.
    """
    with torch.device("meta"):
        net = GPT2(**arguments)
    return sum(w.numel() for w in net.parameters())


def _drop(layer: nn.Dropout, x: Float[Tensor, "..."], mask: Bool[Tensor, "..."] | None) -> Float[Tensor, "..."]:
    return layer(x) if mask is None else F.dropout(x, layer.p, layer.training, mask=mask)


def _sizes(state: State) -> dict[str, Any]:
    vocabulary, width = state["wte.weight"].shape
    return {
        "vocab_size": vocabulary,
        "n_positions": len(state["wpe.weight"]),
        "n_embd": width,
        "n_layer": sum(name.endswith("ln_1.weight") for name in state),
        "dtype": state["wte.weight"].dtype,
    }
