"""Layers of cross-entropy: of log-probabilities, of scores, and of scores that a linear layer makes."""

from torch.nn import CrossEntropyLoss, LinearCrossEntropyLoss, NLLLoss

__all__ = [
    "NLLLoss",
    "CrossEntropyLoss",
    "LinearCrossEntropyLoss",
]
