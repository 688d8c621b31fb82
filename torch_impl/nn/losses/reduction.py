"""What every loss layer holds: how the losses of single elements are reduced."""

from torch.nn.modules.loss import _Loss

__all__ = ["_Loss"]
