"""The transformer: an encoder and a decoder, each a stack of layers that start alike."""

from torch.nn import Transformer, TransformerDecoder, TransformerEncoder

__all__ = ["TransformerEncoder", "TransformerDecoder", "Transformer"]
