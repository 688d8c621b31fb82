"""Layers of negative log-likelihoods, and of the divergence of two distributions."""

from torch.nn import GaussianNLLLoss, KLDivLoss, PoissonNLLLoss

__all__ = [
    "GaussianNLLLoss",
    "PoissonNLLLoss",
    "KLDivLoss",
]
