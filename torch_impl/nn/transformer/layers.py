"""The transformer's layers: attention to itself, for a decoder to a memory too, and two linear maps."""

from torch.nn import TransformerDecoderLayer, TransformerEncoderLayer

__all__ = ["TransformerEncoderLayer", "TransformerDecoderLayer"]
