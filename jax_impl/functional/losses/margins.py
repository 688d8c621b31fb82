"""Margin losses: of classes, of pairs and of triplets; each is nothing where things are far enough apart.

Where a term is exactly 0, torch's slope is 1 in hinge_embedding_loss, margin_ranking_loss, cosine_embedding_loss and
the triplet losses, and 0 in the multi-class ones; so here.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from jax_impl.functional.arguments import broadcast, check_indices
from jax_impl.functional.distance import pairwise_distance
from jax_impl.functional.losses.reduction import reduced, reduction_name

__all__ = [
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "cosine_embedding_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]


def hinge_embedding_loss(
    input: Float[Array, "*S"],
    target: Float[Array, "*S"],
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Float[Array, "..."]:
    """x where y is 1, max(0, margin - x) where y is -1; x is a distance. Their sum where y is neither.

    Args:
        input: x, any shape, floating.
        target: y, as input, -1 or 1.
        margin: the distance that is far enough.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Returns:
        Shaped as input, or a scalar.

    Raises:
        ValueError: for another reduction.
        RuntimeError: where the shapes do not broadcast.

    Examples:
        >>> hinge_embedding_loss(array([0.5, 0.25]), array([1.0, -1.0]), reduction="none").tolist()
        [0.5, 0.75]

    References:
        PyTorch, torch.nn.functional.hinge_embedding_loss.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    input, target = broadcast("hinge_embedding_loss", input=input, target=target)
    loss = jnp.where(target != 1, _at_least_0(margin - input), 0) + jnp.where(target != -1, input, 0)
    return reduced("hinge_embedding_loss", loss, reduction)


def margin_ranking_loss(
    input1: Float[Array, "*S"],
    input2: Float[Array, "*S"],
    target: Float[Array, "*S"],
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Float[Array, "..."]:
    """max(0, -y (x1 - x2) + margin): x1 should be the greater where y is 1, the smaller where it is -1.

    Args:
        input1: x1, any shape, floating.
        input2: x2, of as many axes.
        target: y, of as many axes, -1 or 1.
        margin: by how much.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Returns:
        Of the shape that the three broadcast to, or a scalar.

    Raises:
        ValueError: for another reduction.
        RuntimeError: where the numbers of axes differ, or the shapes do not broadcast.

    Examples:
        >>> margin_ranking_loss(array([1.0]), array([3.0]), array([1.0]), reduction="none").tolist()
        [2.0]

    References:
        PyTorch, torch.nn.functional.margin_ranking_loss.
    """
    reduction = reduction_name(size_average, reduce, reduction)
    _check_axes("margin_ranking_loss", input1=input1, input2=input2, target=target)
    _check_shapes("margin_ranking_loss", input1=input1, input2=input2, target=target)
    return reduced("margin_ranking_loss", _at_least_0(-target * (input1 - input2) + margin), reduction)


def cosine_embedding_loss(
    input1: Float[Array, "*N D"],
    input2: Float[Array, "*N D"],
    target: Float[Array, "*N"],
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Float[Array, "..."]:
    """1 - cos(x1, x2) where y is 1, max(0, cos(x1, x2) - margin) where y is -1.

    Args:
        input1: x1, (D,) or (N, D), floating.
        input2: x2, as input1.
        target: y, () or (N,), -1 or 1.
        margin: the cosine that is small enough.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Returns:
        Shaped as target, or a scalar.

    Raises:
        ValueError: for another reduction.
        RuntimeError: where the shapes do not fit.

    Examples:
        >>> float(cosine_embedding_loss(array([[1.0, 0.0]]), array([[0.0, 2.0]]), array([1])))
        1.0

    References:
        PyTorch, torch.nn.functional.cosine_embedding_loss.
    """
    name = "cosine_embedding_loss"
    reduction = reduction_name(size_average, reduce, reduction)
    if target.ndim > 1 or not input1.ndim == input2.ndim == target.ndim + 1:
        raise RuntimeError(
            f"{name}: input1 {tuple(input1.shape)}, input2 {tuple(input2.shape)} and target {tuple(target.shape)}, "
            "wanted (N, D), (N, D) and (N,), or (D,), (D,) and ()"
        )
    _check_shapes(name, input1=input1, input2=input2)
    # torch's epsilon, under the root
    squares = [jnp.square(x).sum(-1) + 1e-12 for x in (input1, input2)]
    cosine = (input1 * input2).sum(-1) / jnp.sqrt(squares[0] * squares[1])
    _check_shapes(name, cosine=cosine, target=target)
    loss = jnp.where(target == 1, 1 - cosine, 0) + jnp.where(target == -1, _at_least_0(cosine - margin), 0)
    return reduced(name, loss, reduction)


def multi_margin_loss(
    input: Float[Array, "*N C"],
    target: Int[Array, "*N"],
    p: int = 1,
    margin: float = 1.0,
    weight: Float[Array, " C"] | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Float[Array, "..."]:
    """1/C sum over the classes j other than y of w_y max(0, margin - x_y + x_j)^p.

    Args:
        input: x, (C,) or (N, C), floating.
        target: y, () or (N,), integer, in [0, C).
        p: 1 or 2.
        margin: by how much the right class should lead.
        weight: w, of each class, (C,).
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Returns:
        Shaped as target, or a scalar.

    Raises:
        ValueError: for another reduction or p, or a weight that has not one axis.
        RuntimeError: where shapes or dtypes do not fit.
        IndexError: where a target that is not being traced lies outside [0, C).

    Examples:
        >>> float(multi_margin_loss(array([[0.5, 0.0]]), array([0])))
        0.25

    References:
        PyTorch, torch.nn.functional.multi_margin_loss.
    """
    name = "multi_margin_loss"
    reduction = reduction_name(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError(f"{name}: p is {p}, wanted 1 or 2")
    if weight is not None and weight.ndim != 1:
        raise ValueError(f"{name}: weight has shape {tuple(weight.shape)}, wanted (C,)")
    scores, classes = jnp.atleast_2d(input), jnp.atleast_1d(target)
    if input.ndim > 2 or target.ndim > 1 or classes.shape != scores.shape[:1] or scores.shape[1] == 0:
        raise RuntimeError(
            f"{name}: input has shape {tuple(input.shape)} and target {tuple(target.shape)}, wanted (N, C) and (N,)"
        )
    if weight is not None and weight.shape != scores.shape[1:]:
        raise RuntimeError(f"{name}: weight has shape {tuple(weight.shape)}, wanted ({scores.shape[1]},): one a class")
    check_indices(name, target, scores.shape[1])
    right = jnp.take_along_axis(scores, classes[:, None], 1)  # (N, 1)
    gaps = jax.nn.relu(margin - right + scores) ** p  # (N, C)
    if weight is not None:
        gaps = gaps * weight[classes][:, None]
    others = jnp.arange(scores.shape[1]) != classes[:, None]
    loss = jnp.where(others, gaps, 0).sum(1) / scores.shape[1]
    return reduced(name, loss if input.ndim == 2 else loss.reshape(target.shape), reduction)


def multilabel_margin_loss(
    input: Float[Array, "*N C"],
    target: Int[Array, "*N C"],
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Float[Array, "..."]:
    """1/C sum over right classes k and wrong classes j of max(0, 1 - x_k + x_j).

    Args:
        input: x, (C,) or (N, C), floating.
        target: the right classes of each example, as input, integer: those before the first -1.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Returns:
        (N,), or a scalar.

    Raises:
        ValueError: for another reduction.
        RuntimeError: where shapes or dtypes do not fit, or a target that is not being traced lies outside [-1, C).

    Examples:
        >>> float(multilabel_margin_loss(array([[0.5, 0.0]]), array([[0, -1]])))
        0.25

    References:
        PyTorch, torch.nn.functional.multilabel_margin_loss.
    """
    name = "multilabel_margin_loss"
    reduction = reduction_name(size_average, reduce, reduction)
    if input.shape != target.shape or input.ndim > 2:
        raise RuntimeError(
            f"{name}: input has shape {tuple(input.shape)} and target {tuple(target.shape)}, "
            "wanted (C,) or (N, C), twice"
        )
    if not jnp.issubdtype(target.dtype, jnp.integer):
        raise RuntimeError(f"{name}: target is {target.dtype}, wanted integers: class numbers")
    scores, labels = jnp.atleast_2d(input), jnp.atleast_2d(target)
    classes = scores.shape[1]
    if (
        not isinstance(target, jax.core.Tracer)
        and not ((np.asarray(target) >= -1) & (np.asarray(target) < classes)).all()
    ):
        raise RuntimeError(f"{name}: target has a class outside -1 to {classes - 1}")
    listed = jnp.cumsum(labels < 0, 1) == 0  # (N, C): before the first -1
    labels = jnp.where(listed, labels, 0)
    right = (jax.nn.one_hot(labels, classes, dtype=jnp.int32) * listed[..., None]).sum(1) > 0  # (N, C)
    lead = jnp.take_along_axis(scores, labels, 1)  # (N, K)
    gaps = jax.nn.relu(1 - lead[:, :, None] + scores[:, None])  # (N, K, C)
    loss = jnp.where(listed[:, :, None] & ~right[:, None], gaps, 0).sum((1, 2)) / classes
    return reduced(name, loss if input.ndim == 2 else loss[0], reduction)


def triplet_margin_loss(
    anchor: Float[Array, "*N D"],
    positive: Float[Array, "*N D"],
    negative: Float[Array, "*N D"],
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Float[Array, "..."]:
    """max(0, d(a, p) - d(a, n) + margin), d the distance in the p-norm.

    Args:
        anchor: a, (D,) or (N, D), floating.
        positive: p, as anchor: what should be near.
        negative: n, as anchor: what should be far.
        margin: by how much, positive.
        p: of the norm.
        eps: added to each difference.
        swap: whether the distance of positive and negative stands in where it is the smaller.
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Returns:
        () or (N,), or a scalar.

    Raises:
        ValueError: for another reduction, or where margin is not positive.
        RuntimeError: where the numbers of axes differ, or the shapes do not broadcast.

    Examples:
        >>> round(float(triplet_margin_loss(array([[0.0]]), array([[1.0]]), array([[0.5]]))), 4)
        1.5

    References:
        PyTorch, torch.nn.functional.triplet_margin_loss; V. Balntas et al., "Learning local feature descriptors with
        triplets and shallow convolutional neural networks" (2016).
    """
    reduction = reduction_name(size_average, reduce, reduction)

    def distance(x: Float[Array, "*N D"], y: Float[Array, "*N D"]) -> Float[Array, "*N"]:
        return pairwise_distance(x, y, p, eps)

    return _triplet("triplet_margin_loss", anchor, positive, negative, distance, margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: Float[Array, "*N D"],
    positive: Float[Array, "*N D"],
    negative: Float[Array, "*N D"],
    *,
    distance_function: Callable[[Array, Array], Array] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Float[Array, "..."]:
    """triplet_margin_loss with any distance.

    Args:
        anchor: a, floating.
        positive: p, of as many axes: what should be near.
        negative: n, of as many axes: what should be far.
        distance_function: of two arrays; pairwise_distance by default.
        margin: by how much, positive.
        swap: whether the distance of positive and negative stands in where it is the smaller.
        reduction: "none", "mean" or "sum".

    Returns:
        Shaped as a distance, or a scalar.

    Raises:
        ValueError: for another reduction, or where margin is not positive.
        RuntimeError: where the numbers of axes differ.

    Examples:
        >>> far = lambda x, y: abs(x - y).sum(-1)
        >>> a, p, n = array([[0.0]]), array([[1.0]]), array([[0.5]])
        >>> float(triplet_margin_with_distance_loss(a, p, n, distance_function=far))
        1.5

    References:
        PyTorch, torch.nn.functional.triplet_margin_with_distance_loss.
    """
    name = "triplet_margin_with_distance_loss"
    return _triplet(name, anchor, positive, negative, distance_function or pairwise_distance, margin, swap, reduction)


def _triplet(
    name: str,
    anchor: Float[Array, "*N D"],
    positive: Float[Array, "*N D"],
    negative: Float[Array, "*N D"],
    distance: Callable[[Array, Array], Array],
    margin: float,
    swap: bool,
    reduction: str,
) -> Float[Array, "..."]:
    if margin <= 0:
        raise ValueError(f"{name}: margin is {margin}, wanted a positive number")
    _check_axes(name, anchor=anchor, positive=positive, negative=negative)
    _check_shapes(name, anchor=anchor, positive=positive, negative=negative)
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = jnp.minimum(far, distance(positive, negative))
    return reduced(name, _at_least_0(margin + near - far), reduction)


def _at_least_0(x: Float[Array, "*S"]) -> Float[Array, "*S"]:
    return jnp.where(x < 0, jnp.zeros_like(x), x)


def _check_axes(name: str, **arrays: Array) -> None:
    if len({array.ndim for array in arrays.values()}) > 1:
        said = ", ".join(f"{key} {tuple(array.shape)}" for key, array in arrays.items())
        raise RuntimeError(f"{name}: {said}, wanted as many axes in each")


def _check_shapes(name: str, **arrays: Array) -> None:
    shapes = {key: tuple(array.shape) for key, array in arrays.items()}
    try:
        jnp.broadcast_shapes(*shapes.values())
    except ValueError:
        said = ", ".join(f"{key} {shape}" for key, shape in shapes.items())
        raise RuntimeError(f"{name}: {said}, which do not broadcast") from None
