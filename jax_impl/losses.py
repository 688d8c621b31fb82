"""Losses: the quadratic cost, the mean squared error and cross-entropy, by hand and by the framework, to one value.

Names mislead: Nielsen's cost halves the squared length and averages over examples, a mean squared error averages over
every number, and Optax's l2_loss halves each square where torch's mse_loss does not.
"""

import math

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jaxtyping import Float, Int

__all__ = [
    "quadratic_cost",
    "squared_error",
    "half_squared_error",
    "mse",
    "framework_mse",
    "counting_target",
    "softmax",
    "naive_log_softmax",
    "log_softmax",
    "cross_entropy",
    "framework_cross_entropy",
    "cross_entropy_gradient",
    "chance_loss",
]


def quadratic_cost(activations: Float[Array, "N K"], targets: Float[Array, "N K"]) -> Float[Array, ""]:
    """Nielsen's quadratic cost.

    C = 1/(2n) sum_x |y(x) - a(x)|^2.

    Args:
        activations: a, the network's outputs (N, K), floating, one example a row.
        targets: y, as activations.

    Returns:
        The cost, a scalar; NaN for no examples.

    Raises:
        ValueError: where the shapes differ.

    Examples:
        >>> float(quadratic_cost(array([[1.0, 0.0]]), array([[0.5, 0.5]])))
        0.25

    References:
        Nielsen, Neural Networks and Deep Learning, chapter 1, equation 6.
    """
    _check_same_shape("quadratic_cost", activations, targets)
    return ((targets - activations) ** 2).sum() / (2 * len(activations))


def squared_error(outputs: Float[Array, "*S"], targets: Float[Array, "*S"]) -> Float[Array, "*S"]:
    """The square of each error, not halved: torch's mse_loss without its mean, optax.squared_error.

    Args:
        outputs: any shape, floating.
        targets: as outputs.

    Returns:
        Shaped as outputs.

    Raises:
        ValueError: where the shapes differ.

    Examples:
        >>> squared_error(array([3.0]), array([1.0])).tolist()
        [4.0]

    References:
        PyTorch, torch.nn.functional.mse_loss with reduction="none"; Optax, optax.squared_error.
    """
    _check_same_shape("squared_error", outputs, targets)
    return optax.squared_error(outputs, targets)


def half_squared_error(outputs: Float[Array, "*S"], targets: Float[Array, "*S"]) -> Float[Array, "*S"]:
    """Half the square of each error, whose gradient is the error itself: Optax's l2_loss, which torch has not.

    Args:
        outputs: any shape, floating.
        targets: as outputs.

    Returns:
        Shaped as outputs.

    Raises:
        ValueError: where the shapes differ.

    Examples:
        >>> half_squared_error(array([3.0]), array([1.0])).tolist()
        [2.0]

    References:
        Optax, optax.l2_loss.
    """
    # differs: torch has no halved square, Optax calls it l2_loss: ported by the name, a gradient is half or double
    _check_same_shape("half_squared_error", outputs, targets)
    return optax.l2_loss(outputs, targets)


def mse(outputs: Float[Array, "*S"], targets: Float[Array, "*S"]) -> Float[Array, ""]:
    """The mean squared error, by hand: over every number, not over examples.

    mse = mean (a - y)^2, which for (N, K) is 2/K times the quadratic cost.

    Args:
        outputs: any shape, floating.
        targets: as outputs.

    Returns:
        A scalar; NaN where there is no number.

    Raises:
        ValueError: where the shapes differ.

    Examples:
        >>> float(mse(array([[1.0, 0.0]]), array([[0.5, 0.5]])))
        0.25

    References:
        PyTorch, Neural Networks (60 minute blitz), "Loss Function".
    """
    _check_same_shape("mse", outputs, targets)
    return jnp.mean((outputs - targets) ** 2)


def framework_mse(outputs: Float[Array, "*S"], targets: Float[Array, "*S"]) -> Float[Array, ""]:
    """The mean squared error, by the framework.

    Args:
        outputs: any shape, floating.
        targets: as outputs.

    Returns:
        A scalar; NaN where there is no number.

    Raises:
        ValueError: where the shapes differ.

    Examples:
        >>> float(framework_mse(array([[1.0, 0.0]]), array([[0.5, 0.5]])))
        0.25

    References:
        PyTorch, torch.nn.functional.mse_loss; Optax, optax.squared_error.
    """
    _check_same_shape("framework_mse", outputs, targets)
    return optax.squared_error(outputs, targets).mean()


def counting_target(outputs: Float[Array, "1 K"]) -> Float[Array, "1 K"]:
    """The dummy target of the blitz's older edition: 1, 2, ..., K.

    Args:
        outputs: a network's outputs for one example (1, K), floating; only shape and dtype count.

    Returns:
        (1, K), of outputs' dtype.

    Raises:
        ValueError: where outputs is not one row.

    Examples:
        >>> counting_target(array([[0.0, 0.0, 0.0]])).tolist()
        [[1.0, 2.0, 3.0]]

    References:
        PyTorch, Neural Networks (60 minute blitz), edition of 2018: torch.arange(1, 11).
    """
    _check_one_row(outputs)
    return jnp.arange(1, outputs.shape[1] + 1, dtype=outputs.dtype)[None]


def softmax(logits: Float[Array, "N K"]) -> Float[Array, "N K"]:
    """Probabilities from scores.

    p_k = exp(f_k) / sum_j exp(f_j).

    Args:
        logits: f (N, K), floating.

    Returns:
        (N, K), each row of sum 1.

    Examples:
        >>> softmax(array([[0.0, 0.0], [1000.0, 0.0]])).tolist()
        [[0.5, 0.5], [1.0, 0.0]]

    References:
        CS231n, neural networks case study, "Compute the class scores".
    """
    # the largest score becomes 0, so that no exponential overflows; the ratio stays
    exponentials = jnp.exp(logits - jax.lax.stop_gradient(logits.max(axis=1, keepdims=True)))  # (N, K)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def naive_log_softmax(logits: Float[Array, "N K"]) -> Float[Array, "N K"]:
    """The logarithm of the softmax as it is written, which overflows: NaN or infinite where a score is large.

    log p_k = log(exp(f_k) / sum_j exp(f_j)).

    Args:
        logits: f (N, K), floating.

    Returns:
        (N, K).

    Examples:
        >>> naive_log_softmax(array([[1000.0, 0.0]])).tolist()
        [[nan, -inf]]

    References:
        CS231n, neural networks case study, "Compute the loss".
    """
    exponentials = jnp.exp(logits)  # (N, K)
    return jnp.log(exponentials / exponentials.sum(axis=1, keepdims=True))


def log_softmax(logits: Float[Array, "N K"]) -> Float[Array, "N K"]:
    """The logarithm of the softmax, for scores of any size.

    log p_k = f_k - log sum_j exp(f_j), with the largest score taken out of the sum.

    Args:
        logits: f (N, K), floating.

    Returns:
        (N, K), at most 0.

    Examples:
        >>> log_softmax(array([[1000.0, 0.0]])).tolist()
        [[0.0, -1000.0]]

    References:
        CS231n, neural networks case study, "Compute the loss"; Goodfellow et al., Deep Learning, section 4.1.
    """
    return logits - jax.nn.logsumexp(logits, axis=1, keepdims=True)


def cross_entropy(logits: Float[Array, "N K"], targets: Int[Array, " N"]) -> Float[Array, ""]:
    """Cross-entropy, by hand: the mean surprise at the right class.

    L = -1/N sum_i log p_i,y_i.

    Args:
        logits: f (N, K), floating.
        targets: y, the right classes (N,), integer, in [0, K).

    Returns:
        A scalar; NaN for no examples.

    Raises:
        ValueError: where the shapes do not fit.
        TypeError: where targets are not integers.

    Examples:
        >>> round(float(cross_entropy(array([[0.0, 0.0, 0.0]]), array([1]))), 4)
        1.0986

    References:
        CS231n, neural networks case study, "Compute the loss".
    """
    _check_classes("cross_entropy", logits, targets)
    # differs: torch raises for a class outside [0, K); JAX cannot raise once compiled, so its loss is NaN
    rows = jnp.arange(len(targets))
    log_p = log_softmax(logits).at[rows, targets].get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)
    return -log_p.mean()


def framework_cross_entropy(logits: Float[Array, "N K"], targets: Int[Array, " N"]) -> Float[Array, ""]:
    """Cross-entropy, by the framework.

    Args:
        logits: f (N, K), floating.
        targets: y, the right classes (N,), integer, in [0, K).

    Returns:
        A scalar; NaN for no examples.

    Raises:
        ValueError: where the shapes do not fit.
        TypeError: where targets are not integers.

    Examples:
        >>> round(float(framework_cross_entropy(array([[0.0, 0.0, 0.0]]), array([1]))), 4)
        1.0986

    References:
        PyTorch, torch.nn.functional.cross_entropy; Optax, optax.softmax_cross_entropy_with_integer_labels.
    """
    _check_classes("framework_cross_entropy", logits, targets)
    # differs: torch leaves out the class -100 (ignore_index) and raises for others outside [0, K); Optax counts
    # negative classes from the end, -1 for the last, and gives NaN for others
    return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()


def cross_entropy_gradient(logits: Float[Array, "N K"], targets: Int[Array, " N"]) -> Float[Array, "N K"]:
    """The gradient of the cross-entropy in the scores, by hand: the probabilities, less one at the right class.

    dL/df_ik = (p_ik - [k = y_i]) / N.

    Args:
        logits: f (N, K), floating.
        targets: y, the right classes (N,), integer, in [0, K).

    Returns:
        (N, K), each row of sum 0.

    Raises:
        ValueError: where the shapes do not fit.
        TypeError: where targets are not integers.

    Examples:
        >>> cross_entropy_gradient(array([[0.0, 0.0]]), array([1])).tolist()
        [[0.5, -0.5]]

    References:
        CS231n, neural networks case study, the analytic gradient: p = [.2, .3, .5] and y = 1 give [.2, -.7, .5].
    """
    _check_classes("cross_entropy_gradient", logits, targets)
    return softmax(logits).at[jnp.arange(len(targets)), targets].add(-1) / len(targets)


def chance_loss(classes: int) -> float:
    """The cross-entropy of a classifier that knows nothing: what an untrained one should start from.

    L = -ln(1/K).

    Args:
        classes: K, at least 1.

    Returns:
        The loss.

    Raises:
        ValueError: where there is no class.

    Examples:
        >>> round(chance_loss(3), 4)
        1.0986

    References:
        CS231n, neural networks case study, "Compute the loss": about 1.1 for three classes.
    """
    if classes < 1:
        raise ValueError(f"chance_loss: {classes} classes, wanted at least 1")
    return math.log(classes)


def _check_same_shape(name: str, outputs: Float[Array, "..."], targets: Float[Array, "..."]) -> None:
    if outputs.shape != targets.shape:
        raise ValueError(
            f"{name}: outputs are {tuple(outputs.shape)} and targets {tuple(targets.shape)}, wanted one shape: they "
            "would broadcast to another loss; reshape one of them"
        )


def _check_one_row(outputs: Float[Array, "1 K"]) -> None:
    if outputs.ndim != 2 or len(outputs) != 1:
        raise ValueError(f"counting_target: outputs are {tuple(outputs.shape)}, wanted (1, K): one example's")


def _check_classes(name: str, logits: Float[Array, "N K"], targets: Int[Array, " N"]) -> None:
    if logits.ndim != 2 or targets.shape != logits.shape[:1]:
        raise ValueError(
            f"{name}: logits are {tuple(logits.shape)} and targets {tuple(targets.shape)}, wanted (N, K) and (N,): a "
            "row of scores and a class number an example"
        )
    if not jnp.issubdtype(targets.dtype, jnp.integer):
        raise TypeError(f"{name}: targets are {targets.dtype}, wanted integers: class numbers, not probabilities")
