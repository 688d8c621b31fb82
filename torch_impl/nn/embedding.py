"""Layers of tables whose rows are looked up by number, one each or in bags."""

from torch.nn import Embedding, EmbeddingBag

__all__ = ["Embedding", "EmbeddingBag"]
