"""The transformer family."""

from jax_impl.nn.transformer.layers import TransformerDecoderLayer, TransformerEncoderLayer
from jax_impl.nn.transformer.stacks import Transformer, TransformerDecoder, TransformerEncoder

__all__ = [
    "TransformerEncoderLayer",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerDecoder",
    "Transformer",
]
