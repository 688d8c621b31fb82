"""Negative log-likelihoods of a normal and of a Poisson distribution, and the divergence of two distributions."""

from torch.nn.functional import gaussian_nll_loss, kl_div, poisson_nll_loss

__all__ = ["gaussian_nll_loss", "poisson_nll_loss", "kl_div"]
