"""Two classifiers for points on a spiral: a linear one, which must fail, and a net with one hidden layer.

The parameters say which: {"W", "b"} is the linear classifier, {"W", "b", "W2", "b2"} the net. Both are trained by
gradient descent on all points at once, with gradients written out by hand or taken by the framework.
"""

import functools

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jaxtyping import Float, Int

__all__ = [
    "scores",
    "probabilities",
    "loss",
    "score_gradient",
    "gradients_by_hand",
    "train_by_hand",
    "train",
    "accuracy",
    "decision_values",
]

Params = dict[str, Float[Array, "..."]]


def scores(params: Params, X: Float[Array, "N D"]) -> Float[Array, "N K"]:
    """Class scores of points.

    X W + b, or with a hidden layer max(0, X W + b) W2 + b2.

    Args:
        params: "W" (D, K) and "b" (K,); with a hidden layer "W" (D, H), "b" (H,), "W2" (H, K) and "b2" (K,).
        X: points (N, D), floating.

    Returns:
        Scores (N, K) of the points' dtype.

    Raises:
        ValueError: if the points have not as many coordinates as W has rows.

    Examples:
        >>> params = {"W": array([[1.0, -1.0]]), "b": array([0.0, 0.5])}
        >>> scores(params, array([[2.0]])).tolist()
        [[2.0, -1.5]]
        >>> scores(params | {"W2": array([[3.0], [7.0]]), "b2": array([1.0])}, array([[2.0]])).tolist()
        [[7.0]]

    References:
        CS231n, neural networks case study, "Compute the class scores" and "Training a Neural Network".
    """
    return _forward(params, X)[1]


def probabilities(scores: Float[Array, "N K"]) -> Float[Array, "N K"]:
    """Softmax of class scores.

    p_k = exp(f_k) / sum_j exp(f_j)

    Args:
        scores: (N, K), floating.

    Returns:
        Probabilities (N, K); each row sums to one.

    Examples:
        >>> probabilities(array([[0.0, 0.0]])).tolist()
        [[0.5, 0.5]]

    References:
        CS231n, neural networks case study, "Compute the loss".
    """
    return jax.nn.softmax(scores, axis=1)


def loss(params: Params, X: Float[Array, "N D"], y: Int[Array, " N"], *, reg: float) -> Float[Array, ""]:
    """Mean cross-entropy of the points plus a penalty on large weights, biases left out.

    L = 1/N sum_i -log p_{y_i} + 1/2 reg sum W^2

    Args:
        params: as for `scores`.
        X: points (N, D), floating.
        y: their classes (N,), integers from 0 to K - 1.
        reg: the penalty's strength, 0 or more.

    Returns:
        The loss, a scalar.

    Examples:
        >>> params = {"W": array([[0.0, 0.0, 0.0]]), "b": array([0.0, 0.0, 0.0])}
        >>> round(float(loss(params, array([[1.0]]), array([2]), reg=0.0)), 4)
        1.0986

    References:
        CS231n, neural networks case study, "Compute the loss".
    """
    penalty = sum((W * W).sum() for name, W in params.items() if name.startswith("W"))
    cross_entropy = optax.softmax_cross_entropy_with_integer_labels(scores(params, X), y)  # (N,)
    return cross_entropy.mean() + 0.5 * reg * penalty


def score_gradient(probabilities: Float[Array, "N K"], y: Int[Array, " N"]) -> Float[Array, "N K"]:
    """Gradient of the mean cross-entropy on the scores, which needs no more than the probabilities.

    dL/df_k = (p_k - 1[k = y]) / N

    Args:
        probabilities: (N, K), floating, in [0, 1].
        y: classes (N,), integers from 0 to K - 1.

    Returns:
        The gradient, (N, K).

    Examples:
        >>> [round(g, 4) for g in score_gradient(array([[0.2, 0.3, 0.5]]), array([1])).tolist()[0]]
        [0.2, -0.7, 0.5]

    References:
        CS231n, neural networks case study, "Computing the Analytic Gradient with Backpropagation".
    """
    return probabilities.at[jnp.arange(len(y)), y].add(-1) / len(y)


def gradients_by_hand(params: Params, X: Float[Array, "N D"], y: Int[Array, " N"], *, reg: float) -> Params:
    """Gradients of the loss, each line the chain rule once.

    dW2 = h^T df + reg W2,  db2 = sum_i df_i,  dh = df W2^T where h > 0, else 0,  dW = X^T dh + reg W,  db = sum_i dh_i

    Args:
        params: as for `scores`.
        X: points (N, D), floating.
        y: their classes (N,), integers from 0 to K - 1.
        reg: the penalty's strength, 0 or more.

    Returns:
        One gradient for each of the parameters, under its name.

    Examples:
        >>> params = {"W": array([[0.0, 0.0]]), "b": array([0.0, 0.0])}
        >>> gradients_by_hand(params, array([[4.0]]), array([1]), reg=0.0)["W"].tolist()
        [[2.0, -2.0]]

    References:
        CS231n, neural networks case study, "Putting it all together" and "Training a Neural Network".
    """
    hidden, f = _forward(params, X)
    df = score_gradient(probabilities(f), y)  # (N, K)
    if "W2" not in params:
        return {"W": X.T @ df + reg * params["W"], "b": df.sum(axis=0)}
    dh = jnp.where(hidden > 0, df @ params["W2"].T, 0)  # (N, H)
    return {
        "W": X.T @ dh + reg * params["W"],
        "b": dh.sum(axis=0),
        "W2": hidden.T @ df + reg * params["W2"],
        "b2": df.sum(axis=0),
    }


@functools.partial(jax.jit, static_argnames="steps")
def train_by_hand(
    params: Params, X: Float[Array, "N D"], y: Int[Array, " N"], *, learning_rate: float, reg: float, steps: int
) -> tuple[Params, Float[Array, " steps"]]:
    """Gradient descent on all points, with the gradients written by hand.

    Args:
        params: as for `scores`; left as they are.
        X: points (N, D), floating.
        y: their classes (N,), integers from 0 to K - 1.
        learning_rate: the step size.
        reg: the penalty's strength, 0 or more.
        steps: how many updates.

    Returns:
        The parameters after the last update, and the loss before each update, (steps,).

    Examples:
        >>> params = {"W": array([[0.0, 0.0]]), "b": array([0.0, 0.0])}
        >>> after, losses = train_by_hand(params, array([[1.0]]), array([1]), learning_rate=1.0, reg=0.0, steps=2)
        >>> [round(value, 4) for value in losses.tolist()]
        [0.6931, 0.1269]

    References:
        CS231n, neural networks case study, the listings of both classifiers.
    """

    def step(params: Params, _: None) -> tuple[Params, Float[Array, ""]]:
        gradients = gradients_by_hand(params, X, y, reg=reg)
        return _descend(params, gradients, learning_rate), loss(params, X, y, reg=reg)

    return jax.lax.scan(step, params, length=steps)


@functools.partial(jax.jit, static_argnames="steps")
def train(
    params: Params, X: Float[Array, "N D"], y: Int[Array, " N"], *, learning_rate: float, reg: float, steps: int
) -> tuple[Params, Float[Array, " steps"]]:
    """Gradient descent on all points, with the framework's gradients.

    Args:
        params: as for `scores`; left as they are.
        X: points (N, D), floating.
        y: their classes (N,), integers from 0 to K - 1.
        learning_rate: the step size.
        reg: the penalty's strength, 0 or more.
        steps: how many updates.

    Returns:
        The parameters after the last update, and the loss before each update, (steps,).

    Examples:
        >>> params = {"W": array([[0.0, 0.0]]), "b": array([0.0, 0.0])}
        >>> after, losses = train(params, array([[1.0]]), array([1]), learning_rate=1.0, reg=0.0, steps=2)
        >>> [round(value, 4) for value in losses.tolist()]
        [0.6931, 0.1269]

    References:
        CS231n, neural networks case study, the listings of both classifiers, less their backward passes.
    """

    def step(params: Params, _: None) -> tuple[Params, Float[Array, ""]]:
        value, gradients = jax.value_and_grad(loss)(params, X, y, reg=reg)
        return _descend(params, gradients, learning_rate), value

    return jax.lax.scan(step, params, length=steps)


def accuracy(params: Params, X: Float[Array, "N D"], y: Int[Array, " N"]) -> Float[Array, ""]:
    """Share of the points whose own class has the largest score.

    Args:
        params: as for `scores`.
        X: points (N, D), floating.
        y: their classes (N,), integers from 0 to K - 1.

    Returns:
        A scalar from 0 to 1.

    Examples:
        >>> params = {"W": array([[1.0, -1.0]]), "b": array([0.0, 0.0])}
        >>> float(accuracy(params, array([[3.0], [-2.0]]), array([0, 0])))
        0.5

    References:
        CS231n, neural networks case study, "training accuracy".
    """
    return (scores(params, X).argmax(axis=1) == y).astype(X.dtype).mean()


def decision_values(params: Params, across: Float[Array, " U"], up: Float[Array, " V"]) -> Float[Array, "V U K"]:
    """Class scores on a grid of the plane; the decision boundaries run where the largest changes.

    Args:
        params: as for `scores`, of a classifier of points in the plane.
        across: the grid's first coordinates (U,), floating.
        up: its second coordinates (V,), floating.

    Returns:
        Scores (V, U, K): a row for each of `up`, as pictures have them.

    Examples:
        >>> params = {"W": array([[1.0], [10.0]]), "b": array([0.0])}
        >>> decision_values(params, array([1.0, 2.0, 3.0]), array([0.0, 1.0]))[:, :, 0].tolist()
        [[1.0, 2.0, 3.0], [11.0, 12.0, 13.0]]

    References:
        CS231n, neural networks case study, the pictures of the decision boundaries.
    """
    first, second = jnp.meshgrid(across, up, indexing="xy")  # (V, U) each
    grid = jnp.stack([first, second], axis=-1)  # (V, U, 2)
    return scores(params, grid.reshape(-1, 2)).reshape(len(up), len(across), -1)


def _forward(params: Params, X: Float[Array, "N D"]) -> tuple[Float[Array, "N H"], Float[Array, "N K"]]:
    if X.ndim != 2 or X.shape[1] != len(params["W"]):
        raise ValueError(
            f"spiral: got points of shape {tuple(X.shape)}; wanted (N, {len(params['W'])}), as W has "
            f"{len(params['W'])} rows: transpose the points, or make W for them"
        )
    if "W2" not in params:
        return X, X @ params["W"] + params["b"]
    hidden = jax.nn.relu(X @ params["W"] + params["b"])  # (N, H)
    return hidden, hidden @ params["W2"] + params["b2"]


def _descend(params: Params, gradients: Params, learning_rate: float) -> Params:
    return jax.tree.map(lambda value, gradient: value - learning_rate * gradient, params, gradients)
