"""Softmax and its kin: the activations that make one axis sum to 1."""

from torch.nn.functional import gumbel_softmax, log_softmax, softmax, softmin

__all__ = ["softmax", "softmin", "log_softmax", "gumbel_softmax"]
