"""What every loss layer holds: how the losses of single elements are reduced."""

from jax_impl.functional.losses.reduction import reduction_name
from jax_impl.nn.module import Module

__all__ = ["_Loss"]


class _Loss(Module):
    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction_name(size_average, reduce, reduction)
