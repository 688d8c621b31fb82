"""Connectionist temporal classification: the probability of a label sequence, summed over all its alignments."""

from torch.nn.functional import ctc_loss

__all__ = ["ctc_loss"]
