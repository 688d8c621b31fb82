"""A layer of sigmoid neurons, its cost, and the minibatches that estimate the cost's gradient."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["cost", "updates_per_epoch", "minibatches", "minibatch_step"]

Arrays = dict[str, Float[Tensor, "..."]]


def cost(params: Arrays, X: Float[Tensor, "N I"], Y: Float[Tensor, "N O"]) -> Float[Tensor, ""]:
    """The quadratic cost of one layer of sigmoid neurons.

    C = 1/(2N) sum_x |y(x) - a(x)|^2 with a = sigmoid(W x + b).

    Args:
        params: "weight" (O, I) and "bias" (O,), floating.
        X: inputs (N, I), floating, one example a row.
        Y: wanted activations (N, O), floating, in [0, 1].

    Returns:
        The cost, a scalar of the inputs' dtype.

    Examples:
        >>> params = {"weight": array([[0.0, 0.0]]), "bias": array([0.0])}
        >>> float(cost(params, array([[1.0, 2.0]]), array([[1.0]])))
        0.125

    References:
        Nielsen, Neural Networks and Deep Learning, chapter 1, equation 6.
    """
    a = torch.sigmoid(X @ params["weight"].T + params["bias"])  # (N, O)
    return ((Y - a) ** 2).sum() / (2 * len(X))


def updates_per_epoch(examples: int, batch_size: int) -> int:
    """How many updates one pass over the data makes, n/m, which is also how much cheaper each gradient becomes.

    Args:
        examples: training examples n, at least 1.
        batch_size: examples a minibatch m, a divisor of n; 1 is online learning.

    Returns:
        n/m.

    Raises:
        ValueError: where the minibatches do not divide the examples.

    Examples:
        >>> updates_per_epoch(60000, 10)
        6000

    References:
        Nielsen, chapter 1, "Learning with gradient descent": n = 60,000 and m = 10 give a factor of 6,000.
    """
    if batch_size < 1 or examples % batch_size:
        raise ValueError(
            f"sgd: batch_size {batch_size} does not divide {examples} examples, and every step takes a batch of one "
            "shape; leave the remainder out, or choose a divisor"
        )
    return examples // batch_size


def minibatches(permutation: Int[Tensor, "epochs examples"], batch_size: int) -> Int[Tensor, "steps batch"]:
    """Cut each epoch's permutation of the examples into minibatches: the order in which a training loop visits them.

    Args:
        permutation: a shuffle of the row numbers 0 .. n-1 for each epoch (epochs, n), integer, made once by NumPy.
        batch_size: examples a minibatch m, a divisor of n.

    Returns:
        Row numbers (epochs * n/m, m), one row a step.

    Raises:
        ValueError: where the minibatches do not divide the examples.

    Examples:
        >>> minibatches(array([[3, 0, 2, 1]]), 2).tolist()
        [[3, 0], [2, 1]]

    References:
        Nielsen, chapter 1, network.py, method SGD.
    """
    epochs, examples = permutation.shape
    return permutation.reshape(epochs * updates_per_epoch(examples, batch_size), batch_size)


def minibatch_step(params: Arrays, X: Float[Tensor, "m I"], Y: Float[Tensor, "m O"], *, learning_rate: float) -> Arrays:
    """One update by the sum of the gradients of single examples.

    w -> w - eta/m sum_j dC_Xj/dw,    b -> b - eta/m sum_j dC_Xj/db.

    Args:
        params: "weight" (O, I) and "bias" (O,), floating.
        X: the minibatch's inputs (m, I), floating.
        Y: the minibatch's wanted activations (m, O), floating.
        learning_rate: eta, positive.

    Returns:
        The parameters after the update.

    Examples:
        >>> params = {"weight": array([[0.0]]), "bias": array([0.0])}
        >>> new = minibatch_step(params, array([[1.0], [3.0]]), array([[1.0], [1.0]]), learning_rate=1.0)
        >>> new["weight"].tolist(), new["bias"].tolist()
        ([[0.25]], [0.125])

    References:
        Nielsen, chapter 1, equations 20 and 21.
    """
    one_example = torch.func.grad(cost)
    gradients = torch.func.vmap(one_example, in_dims=(None, 0, 0))(params, X[:, None], Y[:, None])  # (m, *shape) each
    return {name: w - learning_rate / len(X) * gradients[name].sum(dim=0) for name, w in params.items()}
