"""Losses of numbers against numbers: absolute, squared, and squared in the middle of absolute."""

from torch.nn.functional import huber_loss, l1_loss, mse_loss, smooth_l1_loss

__all__ = ["l1_loss", "mse_loss", "smooth_l1_loss", "huber_loss"]
