"""The transformer: an encoder and a decoder, each a stack of layers that start alike."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from jax_impl.nn import init
from jax_impl.nn.containers import ModuleList
from jax_impl.nn.module import Module
from jax_impl.nn.normalization import LayerNorm
from jax_impl.nn.transformer.layers import TransformerDecoderLayer, TransformerEncoderLayer

__all__ = ["TransformerEncoder", "TransformerDecoder", "Transformer"]


class TransformerEncoder(Module):
    """A stack of encoder layers.

    Args:
        encoder_layer: copied num_layers times; its dropout draws anew in each copy.
        num_layers: how many.
        norm: what the last output goes through; None for nothing.
        enable_nested_tensor: no effect: JAX has no nested tensors.
        mask_check: no effect.

    Examples:
        >>> layer = TransformerEncoderLayer(4, 2, 8, **rngs)
        >>> tuple(TransformerEncoder(layer, 2).eval()(array([[1.0, 2.0, 3.0, 4.0]])).shape)
        (1, 4)

    References:
        PyTorch, torch.nn.TransformerEncoder.
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _copies(encoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def __call__(
        self,
        src: Float[Array, "..."],
        mask: Array | None = None,
        src_key_padding_mask: Array | None = None,
        is_causal: bool | None = None,
    ) -> Float[Array, "..."]:
        """The sequence after all layers.

        Args:
            src: what the layers take.
            mask, src_key_padding_mask: of every layer.
            is_causal: says that mask is the causal one; None says nothing.
        """
        for layer in self.layers:
            src = layer(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask, is_causal=bool(is_causal))
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """A stack of decoder layers.

    Args:
        decoder_layer: copied num_layers times; its dropout draws anew in each copy.
        num_layers: how many.
        norm: what the last output goes through; None for nothing.

    Examples:
        >>> x, layer = array([[1.0, 2.0, 3.0, 4.0]]), TransformerDecoderLayer(4, 2, 8, **rngs)
        >>> tuple(TransformerDecoder(layer, 2).eval()(x, x).shape)
        (1, 4)

    References:
        PyTorch, torch.nn.TransformerDecoder.
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _copies(decoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def __call__(
        self,
        tgt: Float[Array, "..."],
        memory: Float[Array, "..."],
        tgt_mask: Array | None = None,
        memory_mask: Array | None = None,
        tgt_key_padding_mask: Array | None = None,
        memory_key_padding_mask: Array | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Float[Array, "..."]:
        """The sequence after all layers.

        Args:
            tgt, memory: what the layers take.
            tgt_mask, tgt_key_padding_mask, tgt_is_causal: of every layer's attention to itself.
            memory_mask, memory_key_padding_mask, memory_is_causal: of its attention to the memory.
        """
        for layer in self.layers:
            tgt = layer(
                tgt,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=bool(tgt_is_causal),
                memory_is_causal=memory_is_causal,
            )
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder and a decoder, each with a norm behind it; all matrices start in Xavier's uniform distribution.

    Args:
        d_model: the features of inputs and outputs.
        nhead: the heads; divides d_model.
        num_encoder_layers: of the encoder.
        num_decoder_layers: of the decoder.
        dim_feedforward, dropout, activation: as the layers take them.
        custom_encoder, custom_decoder: in place of what would be built.
        layer_norm_eps, batch_first, norm_first, bias: as the layers take them.
        dtype: of the parameters; None for float32.

    Examples:
        >>> x = array([[1.0, 2.0, 3.0, 4.0]])
        >>> tuple(Transformer(4, 2, 1, 1, 8, **rngs).eval()(x, x).shape)
        (1, 4)

    References:
        PyTorch, torch.nn.Transformer; Vaswani et al. (2017).
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Array], Array] = "relu",
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: Any = None,
        rngs: nnx.Rngs,
    ) -> None:
        super().__init__()
        sizes = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)

        if custom_encoder is None:
            layer: Module = TransformerEncoderLayer(*sizes, dtype=dtype, rngs=rngs)
            custom_encoder = TransformerEncoder(layer, num_encoder_layers, norm())
        if custom_decoder is None:
            layer = TransformerDecoderLayer(*sizes, dtype=dtype, rngs=rngs)
            custom_decoder = TransformerDecoder(layer, num_decoder_layers, norm())
        self.encoder, self.decoder = custom_encoder, custom_decoder
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter, generator=rngs)

    def __call__(
        self,
        src: Float[Array, "..."],
        tgt: Float[Array, "..."],
        src_mask: Array | None = None,
        tgt_mask: Array | None = None,
        memory_mask: Array | None = None,
        src_key_padding_mask: Array | None = None,
        tgt_key_padding_mask: Array | None = None,
        memory_key_padding_mask: Array | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Float[Array, "..."]:
        """The decoder's output for tgt, with what the encoder makes of src as the memory.

        Raises:
            RuntimeError: where src and tgt differ in their batch, or have not d_model features.
        """
        batch = 0 if self.batch_first else 1
        if src.ndim != tgt.ndim or (src.ndim == 3 and src.shape[batch] != tgt.shape[batch]):
            raise RuntimeError(f"Transformer: src is {tuple(src.shape)}, tgt {tuple(tgt.shape)}; their batches differ")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError(
                f"Transformer: src has {src.shape[-1]} features, tgt {tgt.shape[-1]}, wanted d_model {self.d_model}"
            )
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int, dtype: Any = None) -> Float[Array, "sz sz"]:
        """The causal mask: zeros where a query may attend, minus infinity above the diagonal."""
        return jnp.triu(jnp.full((sz, sz), -jnp.inf, jnp.float32 if dtype is None else dtype), k=1)


def _copies(layer: Module, count: int) -> ModuleList:
    """Copies that start alike; a random stream is forked, so that no two draw the same masks."""
    copies = ModuleList()
    for _ in range(count):
        copy = nnx.clone(layer)
        for own, given in zip(copy.modules(), layer.modules(), strict=True):
            stream = getattr(given, "rngs", None)
            if isinstance(stream, nnx.RngStream):
                setattr(own, "rngs", nnx.data(stream.fork()))  # noqa: B010  only some modules have one
        copies.append(copy)
    return copies
