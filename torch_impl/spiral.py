"""Two classifiers for points on a spiral: a linear one, which must fail, and a net with one hidden layer.

The parameters say which: {"W", "b"} is the linear classifier, {"W", "b", "W2", "b2"} the net. Both are trained by
gradient descent on all points at once, with gradients written out by hand or taken by the framework.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

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

Params = dict[str, Float[Tensor, "..."]]


def scores(params: Params, X: Float[Tensor, "N D"]) -> Float[Tensor, "N K"]:
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


def probabilities(scores: Float[Tensor, "N K"]) -> Float[Tensor, "N K"]:
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
    return torch.softmax(scores, dim=1)


def loss(params: Params, X: Float[Tensor, "N D"], y: Int[Tensor, " N"], *, reg: float) -> Float[Tensor, ""]:
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
    return F.cross_entropy(scores(params, X), y) + 0.5 * reg * penalty


def score_gradient(probabilities: Float[Tensor, "N K"], y: Int[Tensor, " N"]) -> Float[Tensor, "N K"]:
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
    dscores = probabilities.clone()
    dscores[torch.arange(len(y), device=y.device), y] -= 1
    dscores /= len(y)
    return dscores


def gradients_by_hand(params: Params, X: Float[Tensor, "N D"], y: Int[Tensor, " N"], *, reg: float) -> Params:
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
        return {"W": X.T @ df + reg * params["W"], "b": df.sum(dim=0)}
    dh = df @ params["W2"].T  # (N, H)
    dh[hidden <= 0] = 0
    return {
        "W": X.T @ dh + reg * params["W"],
        "b": dh.sum(dim=0),
        "W2": hidden.T @ df + reg * params["W2"],
        "b2": df.sum(dim=0),
    }


def train_by_hand(
    params: Params, X: Float[Tensor, "N D"], y: Int[Tensor, " N"], *, learning_rate: float, reg: float, steps: int
) -> tuple[Params, Float[Tensor, " steps"]]:
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
    params = {name: value.detach().clone() for name, value in params.items()}
    losses = X.new_empty(steps)
    for step in range(steps):
        losses[step] = loss(params, X, y, reg=reg)
        for name, gradient in gradients_by_hand(params, X, y, reg=reg).items():
            params[name] -= learning_rate * gradient
    return params, losses


def train(
    params: Params, X: Float[Tensor, "N D"], y: Int[Tensor, " N"], *, learning_rate: float, reg: float, steps: int
) -> tuple[Params, Float[Tensor, " steps"]]:
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
    params = {name: value.detach().clone().requires_grad_() for name, value in params.items()}
    leaves = list(params.values())
    losses = X.new_empty(steps)
    for step in range(steps):
        value = loss(params, X, y, reg=reg)
        gradients = torch.autograd.grad(value, leaves)
        losses[step] = value.detach()
        with torch.no_grad():
            for leaf, gradient in zip(leaves, gradients, strict=True):
                leaf -= learning_rate * gradient
    return {name: value.detach() for name, value in params.items()}, losses


def accuracy(params: Params, X: Float[Tensor, "N D"], y: Int[Tensor, " N"]) -> Float[Tensor, ""]:
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
    return (scores(params, X).argmax(dim=1) == y).to(X.dtype).mean()


def decision_values(params: Params, across: Float[Tensor, " U"], up: Float[Tensor, " V"]) -> Float[Tensor, "V U K"]:
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
    first, second = torch.meshgrid(across, up, indexing="xy")  # (V, U) each
    grid = torch.stack([first, second], dim=-1)  # (V, U, 2)
    return scores(params, grid.reshape(-1, 2)).reshape(len(up), len(across), -1)


def _forward(params: Params, X: Float[Tensor, "N D"]) -> tuple[Float[Tensor, "N H"], Float[Tensor, "N K"]]:
    if X.ndim != 2 or X.shape[1] != len(params["W"]):
        raise ValueError(
            f"spiral: got points of shape {tuple(X.shape)}; wanted (N, {len(params['W'])}), as W has "
            f"{len(params['W'])} rows: transpose the points, or make W for them"
        )
    if "W2" not in params:
        return X, X @ params["W"] + params["b"]
    hidden = torch.relu(X @ params["W"] + params["b"])  # (N, H)
    return hidden, hidden @ params["W2"] + params["b2"]
