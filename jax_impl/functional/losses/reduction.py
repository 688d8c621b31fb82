"""What becomes of the losses of single elements: nothing, their mean or their sum; torch's older flags for the same."""

import warnings

from jax import Array
from jaxtyping import Float

__all__ = ["reduction_name", "reduced"]


def reduction_name(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction that is meant where the flags may be given that torch had before there was a reduction.

    Args:
        size_average: whether to average rather than sum; deprecated.
        reduce: whether to reduce at all; deprecated.
        reduction: counts where neither flag is given.

    Returns:
        "none", "mean" or "sum", or reduction as it is.

    Examples:
        >>> reduction_name(None, None, "sum")
        'sum'

    References:
        PyTorch, torch.nn.L1Loss: size_average, reduce.
    """
    if size_average is None and reduce is None:
        return reduction
    meant = "none" if reduce is False else "sum" if size_average is False else "mean"
    warnings.warn(f"size_average and reduce are deprecated, say reduction={meant!r}", stacklevel=3)
    return meant


def reduced(name: str, loss: Float[Array, "..."], reduction: str) -> Float[Array, "..."]:
    """The losses as they are, their mean, or their sum.

    Args:
        name: who asks, for the message.
        loss: any shape, floating.
        reduction: "none", "mean" or "sum".

    Returns:
        loss, or a scalar; the mean of nothing is NaN.

    Raises:
        ValueError: for another reduction.

    Examples:
        >>> float(reduced("l1_loss", array([1.0, 3.0]), "mean"))
        2.0
    """
    if reduction == "none":
        return loss
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    raise ValueError(f"{name}: reduction is {reduction!r}, wanted 'none', 'mean' or 'sum'")
