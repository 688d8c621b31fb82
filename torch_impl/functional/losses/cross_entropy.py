"""Cross-entropy: of log-probabilities, of scores, and of scores that a linear layer makes.

The classes stand on the second axis, or on the only one; what follows are positions, such as pixels, each with a class.
"""

from typing import Any

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor
from torch.nn.functional import linear_cross_entropy

from torch_impl.functional.arguments import check_indices
from torch_impl.functional.losses.reduction import reduced, reduction_name

__all__ = ["nll_loss", "cross_entropy", "linear_cross_entropy"]


def nll_loss(
    input: Float[Tensor, "N C *D"],
    target: Int[Tensor, "N *D"],
    weight: Float[Tensor, " C"] | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    """The negative log-likelihood of the right class: -w_y log p_y.

    Args:
        input: log p, (C,), (N, C) or (N, C, ...), floating.
        target: y, input's shape without the classes, integer, in [0, C).
        weight: w, of each class, (C,).
        size_average: deprecated.
        ignore_index: a class whose elements count for nothing.
        reduce: deprecated.
        reduction: "none", "mean" or "sum". The mean divides by the sum of the weights of the classes that count.

    Returns:
        Shaped as target, or a scalar; the mean is NaN where nothing counts.

    Raises:
        ValueError: for another reduction, or where the batch sizes differ.
        RuntimeError: where other shapes or dtypes do not fit.

    Examples:
        >>> float(nll_loss(array([[-1.0, -2.0], [-3.0, -4.0]]), array([1, 0])))
        2.5

    References:
        PyTorch, torch.nn.functional.nll_loss.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    _check_classes("nll_loss", input, target, weight, ignore_index)
    loss, weights = _right_class(input, target, weight, ignore_index)
    return loss.sum() / weights.sum() if reduction == "mean" else reduced("nll_loss", loss, reduction)


def cross_entropy(
    input: Float[Tensor, "N C *D"],
    target: Num[Tensor, "..."],
    weight: Float[Tensor, " C"] | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Float[Tensor, "..."]:
    """The cross-entropy of scores with classes or with probabilities.

    L = -sum_c q_c w_c log softmax(x)_c, q one-hot or given, and with smoothing e replaced by (1 - e) q + e / C.

    Args:
        input: x, (C,), (N, C) or (N, C, ...), floating.
        target: classes, input's shape without C, integer, in [0, C); or probabilities q, input's shape, floating.
        weight: w, of each class, (C,).
        size_average: deprecated.
        ignore_index: a class whose elements count for nothing; of classes alone.
        reduce: deprecated.
        reduction: "none", "mean" or "sum". With classes the mean divides by the sum of the weights of those that
            count, with probabilities by the number of positions.
        label_smoothing: e, in [0, 1].

    Returns:
        input's shape without C, or a scalar.

    Raises:
        ValueError: for another reduction, or where the batch sizes differ.
        RuntimeError: where other shapes or dtypes do not fit, or an argument is out of range.

    Examples:
        >>> round(float(cross_entropy(array([[0.0, 0.0, 0.0]]), array([1]))), 4)
        1.0986

    References:
        PyTorch, torch.nn.functional.cross_entropy; C. Szegedy et al., "Rethinking the Inception Architecture" (2016).
    """
    reduction = reduction_name(size_average, reduce, reduction)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"cross_entropy: label_smoothing is {label_smoothing}, wanted 0 to 1")
    if input.ndim == 0:
        raise RuntimeError("cross_entropy: input is a scalar, wanted (C,), (N, C) or (N, C, ...)")
    probabilities = target.shape == input.shape
    if probabilities:
        _check_probabilities(target, ignore_index)
    _check_classes("cross_entropy", input, None if probabilities else target, weight, ignore_index)
    axis = min(1, input.ndim - 1)
    log_p = input.to(torch.promote_types(input.dtype, torch.float32)).log_softmax(axis)
    if probabilities:
        result = _of_probabilities(log_p, target, weight, axis, reduction, label_smoothing)
    else:
        result = _of_classes(log_p, target, weight, axis, ignore_index, reduction, label_smoothing)
    return result.to(input.dtype)


def _of_classes(
    log_p: Float[Tensor, "N C *D"],
    target: Int[Tensor, "N *D"],
    weight: Float[Tensor, " C"] | None,
    axis: int,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
) -> Float[Tensor, "..."]:
    loss, weights = _right_class(log_p, target, weight, ignore_index)
    if label_smoothing:
        every = -(log_p if weight is None else log_p * _on_axis(weight.to(log_p.dtype), log_p, axis)).sum(axis)
        every = torch.where(target == ignore_index, 0, every)
        loss = (1 - label_smoothing) * loss + label_smoothing / log_p.shape[axis] * every
    return loss.sum() / weights.sum() if reduction == "mean" else reduced("cross_entropy", loss, reduction)


def _of_probabilities(
    log_p: Float[Tensor, "N C *D"],
    target: Float[Tensor, "N C *D"],
    weight: Float[Tensor, " C"] | None,
    axis: int,
    reduction: str,
    label_smoothing: float,
) -> Float[Tensor, "..."]:
    classes = log_p.shape[axis]
    target = target.to(log_p.dtype)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    terms = log_p * target
    if weight is not None:
        terms = terms * _on_axis(weight.to(log_p.dtype), log_p, axis)
    loss = -terms.sum(axis)
    return (
        loss.sum() / loss.numel() if reduction == "mean" and loss.numel() else reduced("cross_entropy", loss, reduction)
    )


def _right_class(
    log_p: Float[Tensor, "N C *D"], target: Int[Tensor, "N *D"], weight: Float[Tensor, " C"] | None, ignore_index: int
) -> tuple[Float[Tensor, "N *D"], Float[Tensor, "N *D"]]:
    """-w_y log p_y at every position, 0 where it is ignored, and the weights w_y."""
    axis = min(1, log_p.ndim - 1)
    counted = target != ignore_index
    index = torch.where(counted, target, 0).unsqueeze(axis)
    chosen = log_p.gather(axis, index).squeeze(axis)
    weights = _weights_of(target, weight, ignore_index, log_p.dtype)
    return -weights * torch.where(counted, chosen, 0), weights


def _weights_of(
    target: Int[Tensor, "*S"], weight: Float[Tensor, " C"] | None, ignore_index: int, dtype: Any
) -> Float[Tensor, "*S"]:
    counted = target != ignore_index
    of_class = torch.ones((), dtype=dtype) if weight is None else weight.to(dtype)[torch.where(counted, target, 0)]
    return torch.where(counted, of_class, 0)


def _on_axis(weight: Float[Tensor, " C"], like: Float[Tensor, "..."], axis: int) -> Float[Tensor, "..."]:
    return weight.reshape([-1 if n == axis else 1 for n in range(like.ndim)])


def _check_probabilities(target: Num[Tensor, "..."], ignore_index: int) -> None:
    if not target.is_floating_point():
        raise RuntimeError(
            f"cross_entropy: target has input's shape and dtype {target.dtype}, wanted floating: probabilities"
        )
    if ignore_index >= 0:
        raise RuntimeError(f"cross_entropy: ignore_index is {ignore_index}, wanted none: target holds probabilities")


def _check_classes(
    name: str,
    input: Float[Tensor, "..."],
    target: Int[Tensor, "..."] | None,
    weight: Float[Tensor, "..."] | None,
    ignore_index: int,
) -> None:
    if input.ndim == 0:
        raise ValueError(f"{name}: input is a scalar, wanted (C,), (N, C) or (N, C, ...)")
    classes = input.shape[min(1, input.ndim - 1)]
    if weight is not None and tuple(weight.shape) != (classes,):
        raise RuntimeError(f"{name}: weight has shape {tuple(weight.shape)}, wanted ({classes},): one a class")
    if weight is not None and weight.dtype != input.dtype:
        raise RuntimeError(f"{name}: weight is {weight.dtype} and input {input.dtype}, wanted one dtype")
    if target is None:
        return
    wanted = input.shape[:1] + input.shape[2:] if input.ndim > 1 else ()
    if input.ndim > 1 and (target.ndim == 0 or len(target) != len(input)):
        raise ValueError(
            f"{name}: input {tuple(input.shape)} has {len(input)} examples and target has shape "
            f"{tuple(target.shape)}, wanted {tuple(wanted)}"
        )
    if target.shape != wanted:
        raise RuntimeError(
            f"{name}: target has shape {tuple(target.shape)} for input {tuple(input.shape)}, wanted {tuple(wanted)}: a "
            "class a position"
        )
    check_indices(name, target, classes, ignored=ignore_index)
