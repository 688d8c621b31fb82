"""Cross-entropy: of log-probabilities, of scores, and of scores that a linear layer makes.

The classes stand on the second axis, or on the only one; what follows are positions, such as pixels, each with a class.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int, Num

from jax_impl.functional.arguments import check_indices
from jax_impl.functional.losses.reduction import reduced, reduction_name

__all__ = ["nll_loss", "cross_entropy", "linear_cross_entropy"]


def nll_loss(
    input: Float[Array, "N C *D"],
    target: Int[Array, "N *D"],
    weight: Float[Array, " C"] | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Float[Array, "..."]:
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
    input: Float[Array, "N C *D"],
    target: Num[Array, "..."],
    weight: Float[Array, " C"] | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Float[Array, "..."]:
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
    log_p = jax.nn.log_softmax(input.astype(jnp.promote_types(input.dtype, jnp.float32)), axis)
    if probabilities:
        result = _of_probabilities(log_p, target, weight, axis, reduction, label_smoothing)
    else:
        result = _of_classes(log_p, target, weight, axis, ignore_index, reduction, label_smoothing)
    return result.astype(input.dtype)


def linear_cross_entropy(
    input: Float[Array, "*N I"],
    linear_weight: Float[Array, "C *D I"],
    target: Num[Array, "..."],
    *,
    linear_bias: Float[Array, "C *D"] | None = None,
    weight: Float[Array, " C"] | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Float[Array, "..."]:
    """The cross-entropy of the scores that a linear layer makes.

    Args:
        input: (I,) or (N, I), floating.
        linear_weight: (C, I), or (C, ..., I) for several positions an example.
        target: as for cross_entropy, of scores (N, C, ...).
        linear_bias: (C, ...).
        weight: of each class, (C,).
        reduction: as for cross_entropy.
        ignore_index: as for cross_entropy, -100 where None; None is needed with probabilities.
        label_smoothing: as for cross_entropy.
        options: with a batch_chunk_size, examples go through in chunks of that many, and the scores of one chunk at
            a time are held, forward and backward; the other fields choose torch's kernels.

    Returns:
        As cross_entropy.

    Raises:
        RuntimeError: where shapes do not fit, or ignore_index is given with probabilities.
        ValueError: for another reduction.

    Examples:
        >>> x, w = array([[1.0, 2.0]]), array([[0.0, 0.0], [0.0, 0.0]])
        >>> round(float(linear_cross_entropy(x, w, array([1]))), 4)
        0.6931

    References:
        PyTorch, torch.nn.functional.linear_cross_entropy, new in 2.13.
    """
    _check_linear(input, linear_weight, linear_bias)
    classes, positions = linear_weight.shape[0], linear_weight.shape[1:-1]
    probabilities = target.shape == (*input.shape[:-1], classes, *positions)
    if probabilities and ignore_index is not None:
        raise RuntimeError(f"linear_cross_entropy: ignore_index is {ignore_index}, wanted None with probabilities")
    ignored = -100 if ignore_index is None else ignore_index
    common: dict[str, Any] = {"weight": weight, "ignore_index": ignored, "label_smoothing": label_smoothing}

    def scores(x: Float[Array, "*N I"]) -> Float[Array, "..."]:
        logits = jnp.tensordot(x, linear_weight, ((-1,), (-1,)))
        return logits if linear_bias is None else logits + linear_bias

    chunk = getattr(options, "batch_chunk_size", None)
    eligible = input.ndim == 2 and not positions and not probabilities and label_smoothing == 0 and len(input)
    if chunk is None or not eligible:
        return cross_entropy(scores(input), target, reduction=reduction, **common)
    _check_classes("linear_cross_entropy", jax.eval_shape(scores, input), target, weight, ignored)

    @jax.checkpoint
    def one(example: tuple[Float[Array, " I"], Int[Array, ""]]) -> Float[Array, ""]:
        return cross_entropy(scores(example[0]), example[1], reduction="none", **common)

    loss = jax.lax.map(one, (input, target), batch_size=min(chunk, len(input)))
    if reduction != "mean":
        return reduced("linear_cross_entropy", loss, reduction)
    return loss.sum() / _weights_of(target, weight, ignored, loss.dtype).sum()


def _of_classes(
    log_p: Float[Array, "N C *D"],
    target: Int[Array, "N *D"],
    weight: Float[Array, " C"] | None,
    axis: int,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
) -> Float[Array, "..."]:
    loss, weights = _right_class(log_p, target, weight, ignore_index)
    if label_smoothing:
        every = -(log_p if weight is None else log_p * _on_axis(weight.astype(log_p.dtype), log_p, axis)).sum(axis)
        every = jnp.where(target == ignore_index, 0, every)
        loss = (1 - label_smoothing) * loss + label_smoothing / log_p.shape[axis] * every
    return loss.sum() / weights.sum() if reduction == "mean" else reduced("cross_entropy", loss, reduction)


def _of_probabilities(
    log_p: Float[Array, "N C *D"],
    target: Float[Array, "N C *D"],
    weight: Float[Array, " C"] | None,
    axis: int,
    reduction: str,
    label_smoothing: float,
) -> Float[Array, "..."]:
    classes = log_p.shape[axis]
    target = target.astype(log_p.dtype)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    terms = log_p * target
    if weight is not None:
        terms = terms * _on_axis(weight.astype(log_p.dtype), log_p, axis)
    loss = -terms.sum(axis)
    return loss.sum() / loss.size if reduction == "mean" and loss.size else reduced("cross_entropy", loss, reduction)


def _right_class(
    log_p: Float[Array, "N C *D"], target: Int[Array, "N *D"], weight: Float[Array, " C"] | None, ignore_index: int
) -> tuple[Float[Array, "N *D"], Float[Array, "N *D"]]:
    """-w_y log p_y at every position, 0 where it is ignored, and the weights w_y."""
    axis = min(1, log_p.ndim - 1)
    counted = target != ignore_index
    index = jnp.expand_dims(jnp.where(counted, target, 0), axis)
    # a negative class would count from the end; beyond the last it becomes NaN as any other that is out of range
    index = jnp.where(index < 0, log_p.shape[axis], index)
    chosen = jnp.take_along_axis(log_p, index, axis, mode="fill", fill_value=jnp.nan).squeeze(axis)
    weights = _weights_of(target, weight, ignore_index, log_p.dtype)
    return -weights * jnp.where(counted, chosen, 0), weights


def _weights_of(
    target: Int[Array, "*S"], weight: Float[Array, " C"] | None, ignore_index: int, dtype: Any
) -> Float[Array, "*S"]:
    counted = target != ignore_index
    of_class = jnp.ones((), dtype) if weight is None else weight.astype(dtype)[jnp.where(counted, target, 0)]
    return jnp.where(counted, of_class, 0)


def _on_axis(weight: Float[Array, " C"], like: Float[Array, "..."], axis: int) -> Float[Array, "..."]:
    return weight.reshape([-1 if n == axis else 1 for n in range(like.ndim)])


def _check_probabilities(target: Num[Array, "..."], ignore_index: int) -> None:
    if not jnp.issubdtype(target.dtype, jnp.floating):
        raise RuntimeError(
            f"cross_entropy: target has input's shape and dtype {target.dtype}, wanted floating: probabilities"
        )
    if ignore_index >= 0:
        raise RuntimeError(f"cross_entropy: ignore_index is {ignore_index}, wanted none: target holds probabilities")


def _check_classes(
    name: str,
    input: Float[Array, "..."],
    target: Int[Array, "..."] | None,
    weight: Float[Array, "..."] | None,
    ignore_index: int,
) -> None:
    if input.ndim == 0:
        raise ValueError(f"{name}: input is a scalar, wanted (C,), (N, C) or (N, C, ...)")
    classes = input.shape[min(1, input.ndim - 1)]
    if weight is not None and weight.shape != (classes,):
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


def _check_linear(
    input: Float[Array, "..."], linear_weight: Float[Array, "..."], linear_bias: Float[Array, "..."] | None
) -> None:
    name, x, w = "linear_cross_entropy", tuple(input.shape), tuple(linear_weight.shape)
    if len(x) not in (1, 2):
        raise RuntimeError(f"{name}: input has shape {x}, wanted (I,) or (N, I)")
    if len(w) < 2:
        raise RuntimeError(f"{name}: linear_weight has shape {w}, wanted (C, I) or (C, ..., I)")
    if x[-1] != w[-1]:
        raise RuntimeError(f"{name}: input {x} has {x[-1]} features and linear_weight {w} takes {w[-1]}")
    if linear_bias is not None and tuple(linear_bias.shape) != w[:-1]:
        raise RuntimeError(f"{name}: linear_bias has shape {tuple(linear_bias.shape)}, wanted {w[:-1]}")
    if len(w) > 2 and len(x) == 1:
        raise RuntimeError(f"{name}: input has shape {x}, wanted (N, I) where linear_weight has positions, as {w} has")
