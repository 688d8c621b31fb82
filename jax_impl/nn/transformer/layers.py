"""The transformer's layers: attention to itself, for a decoder to a memory too, and two linear maps."""

from collections.abc import Callable
from typing import Any

from flax import nnx
from jax import Array
from jaxtyping import Float

from jax_impl import functional as F
from jax_impl.nn.attention import MultiheadAttention
from jax_impl.nn.dropout import Dropout
from jax_impl.nn.linear import Linear
from jax_impl.nn.module import Module
from jax_impl.nn.normalization import LayerNorm

__all__ = ["TransformerEncoderLayer", "TransformerDecoderLayer"]


class TransformerEncoderLayer(Module):
    """A layer of an encoder: attention to itself, then a linear map, an activation and a linear map; each is added on.

    Args:
        d_model: the features of inputs and outputs.
        nhead: the heads; divides d_model.
        dim_feedforward: the features between the two linear maps.
        dropout: the probability of dropout, in training.
        activation: "relu", "gelu", or a function of an array.
        layer_norm_eps: of the norms.
        batch_first: whether batches are (N, L, d_model) and not (L, N, d_model).
        norm_first: whether a norm comes before each part, and not behind the sum.
        bias: whether linear maps and norms have biases.
        dtype: of the parameters; None for float32.

    Raises:
        RuntimeError: where the activation is a name that is unknown.

    Examples:
        >>> tuple(TransformerEncoderLayer(4, 2, 8, **rngs).eval()(array([[1.0, 2.0, 3.0, 4.0]])).shape)
        (1, 4)

    References:
        PyTorch, torch.nn.TransformerEncoderLayer; Vaswani et al. (2017), section 3.1.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Array], Array] = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: Any = None,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"bias": bias, "dtype": dtype, "rngs": rngs}
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, batch_first=batch_first, **options)
        self.linear1 = Linear(d_model, dim_feedforward, **options)
        self.dropout = Dropout(dropout, rngs=rngs)
        self.linear2 = Linear(dim_feedforward, d_model, **options)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.dropout1 = Dropout(dropout, rngs=rngs)
        self.dropout2 = Dropout(dropout, rngs=rngs)
        self.activation = _activation(activation)

    def __call__(
        self,
        src: Float[Array, "..."],
        src_mask: Array | None = None,
        src_key_padding_mask: Array | None = None,
        is_causal: bool = False,
    ) -> Float[Array, "..."]:
        """The sequence after this layer.

        Args:
            src: (L, N, d_model), with the batch first where batch_first; or (L, d_model).
            src_mask: what MultiheadAttention takes as attn_mask.
            src_key_padding_mask: what it takes as key_padding_mask.
            is_causal: says that src_mask is the causal one.
        """
        x = src
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), src_mask, src_key_padding_mask, is_causal)
            return x + self._ff_block(self.norm2(x))
        x = self.norm1(x + self._sa_block(x, src_mask, src_key_padding_mask, is_causal))
        return self.norm2(x + self._ff_block(x))

    def _sa_block(self, x: Array, mask: Array | None, padding: Array | None, is_causal: bool) -> Array:
        return self.dropout1(self.self_attn(x, x, x, padding, False, mask, is_causal=is_causal)[0])

    def _ff_block(self, x: Array) -> Array:
        return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerDecoderLayer(Module):
    """A layer of a decoder: attention to itself, to a memory, then two linear maps; each is added on.

    Args:
        d_model: the features of inputs and outputs.
        nhead: the heads; divides d_model.
        dim_feedforward: the features between the two linear maps.
        dropout: the probability of dropout, in training.
        activation: "relu", "gelu", or a function of an array.
        layer_norm_eps: of the norms.
        batch_first: whether batches are (N, L, d_model) and not (L, N, d_model).
        norm_first: whether a norm comes before each part, and not behind the sum.
        bias: whether linear maps and norms have biases.
        dtype: of the parameters; None for float32.

    Raises:
        RuntimeError: where the activation is a name that is unknown.

    Examples:
        >>> x = array([[1.0, 2.0, 3.0, 4.0]])
        >>> tuple(TransformerDecoderLayer(4, 2, 8, **rngs).eval()(x, x).shape)
        (1, 4)

    References:
        PyTorch, torch.nn.TransformerDecoderLayer; Vaswani et al. (2017), section 3.1.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Array], Array] = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: Any = None,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"bias": bias, "dtype": dtype, "rngs": rngs}
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, batch_first=batch_first, **options)
        self.multihead_attn = MultiheadAttention(d_model, nhead, dropout, batch_first=batch_first, **options)
        self.linear1 = Linear(d_model, dim_feedforward, **options)
        self.dropout = Dropout(dropout, rngs=rngs)
        self.linear2 = Linear(dim_feedforward, d_model, **options)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm3 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.dropout1 = Dropout(dropout, rngs=rngs)
        self.dropout2 = Dropout(dropout, rngs=rngs)
        self.dropout3 = Dropout(dropout, rngs=rngs)
        self.activation = _activation(activation)

    def __call__(
        self,
        tgt: Float[Array, "..."],
        memory: Float[Array, "..."],
        tgt_mask: Array | None = None,
        memory_mask: Array | None = None,
        tgt_key_padding_mask: Array | None = None,
        memory_key_padding_mask: Array | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Float[Array, "..."]:
        """The sequence after this layer.

        Args:
            tgt: (L, N, d_model), with the batch first where batch_first; or (L, d_model).
            memory: (S, N, d_model), or as tgt.
            tgt_mask, tgt_key_padding_mask, tgt_is_causal: of the attention to itself.
            memory_mask, memory_key_padding_mask, memory_is_causal: of the attention to the memory.
        """
        own = (tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        other = (memory_mask, memory_key_padding_mask, memory_is_causal)
        x = tgt
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), *own)
            x = x + self._mha_block(self.norm2(x), memory, *other)
            return x + self._ff_block(self.norm3(x))
        x = self.norm1(x + self._sa_block(x, *own))
        x = self.norm2(x + self._mha_block(x, memory, *other))
        return self.norm3(x + self._ff_block(x))

    def _sa_block(self, x: Array, mask: Array | None, padding: Array | None, is_causal: bool) -> Array:
        return self.dropout1(self.self_attn(x, x, x, padding, False, mask, is_causal=is_causal)[0])

    def _mha_block(self, x: Array, memory: Array, mask: Array | None, padding: Array | None, is_causal: bool) -> Array:
        return self.dropout2(self.multihead_attn(x, memory, memory, padding, False, mask, is_causal=is_causal)[0])

    def _ff_block(self, x: Array) -> Array:
        return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))


def _activation(activation: str | Callable[[Array], Array]) -> Callable[[Array], Array]:
    known: dict[str, Callable[[Array], Array]] = {"relu": F.relu, "gelu": F.gelu}
    if not isinstance(activation, str):
        return activation
    if activation not in known:
        raise RuntimeError(f"transformer: activation is {activation!r}, wanted 'relu', 'gelu' or a function")
    return known[activation]
