"""Nielsen's network: layers of sigmoid neurons that learn handwritten digits by stochastic gradient descent.

A network is {"weights": [...], "biases": [...]}, one entry a layer. Where the book has a column vector for each image,
images are rows here, and a whole minibatch goes through a layer as one matrix.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = [
    "feedforward",
    "cost",
    "evaluate",
    "train",
    "train_epochs",
    "average_darkness",
    "guess_by_darkness",
]

Params = dict[str, list[Float[Tensor, "..."]]]


def feedforward(params: Params, X: Float[Tensor, "N D"]) -> Float[Tensor, "N K"]:
    """Activations of the last layer.

    a = sigmoid(W a + b), layer after layer

    Args:
        params: "weights", each (neurons, inputs), and "biases", each (neurons,), floating.
        X: images (N, D), floating.

    Returns:
        Activations (N, K), from 0 to 1.

    Raises:
        ValueError: if the images have not as many pixels as the first layer has inputs.

    Examples:
        >>> params = {"weights": [array([[0.0, 0.0]])], "biases": [array([0.0])]}
        >>> feedforward(params, array([[3.0, 4.0]])).tolist()
        [[0.5]]

    References:
        Nielsen, Neural Networks and Deep Learning, chapter 1, equation 22.
    """
    first = params["weights"][0]
    if X.ndim != 2 or X.shape[1] != first.shape[1]:
        raise ValueError(
            f"network: got images of shape {tuple(X.shape)}; wanted (N, {first.shape[1]}), as the first layer has "
            f"{first.shape[1]} inputs: flatten each image to a row, or make a first layer for them"
        )
    a = X
    for w, b in zip(params["weights"], params["biases"], strict=True):
        a = torch.sigmoid(a @ w.T + b)  # (N, neurons)
    return a


def cost(params: Params, X: Float[Tensor, "N D"], Y: Float[Tensor, "N K"]) -> Float[Tensor, ""]:
    """Quadratic cost.

    C = 1/(2N) sum_x |y(x) - a|^2

    Args:
        params: as for `feedforward`.
        X: images (N, D), floating.
        Y: wanted activations (N, K), floating: 1 for the digit, 0 elsewhere.

    Returns:
        The cost, a scalar.

    Examples:
        >>> params = {"weights": [array([[0.0]])], "biases": [array([0.0])]}
        >>> float(cost(params, array([[7.0], [8.0]]), array([[1.0], [0.0]])))
        0.125

    References:
        Nielsen, Neural Networks and Deep Learning, chapter 1, equation 6.
    """
    return ((feedforward(params, X) - Y) ** 2).sum() / (2 * len(X))


def evaluate(params: Params, X: Float[Tensor, "N D"], y: Int[Tensor, " N"]) -> Int[Tensor, ""]:
    """How many images are recognised: those whose own digit has the largest activation.

    Args:
        params: as for `feedforward`.
        X: images (N, D), floating.
        y: their digits (N,), integers from 0 to K - 1.

    Returns:
        The count.

    Examples:
        >>> params = {"weights": [array([[-1.0], [1.0]])], "biases": [array([0.0, 0.0])]}
        >>> int(evaluate(params, array([[2.0], [3.0], [-4.0]]), array([1, 0, 0])))
        2

    References:
        Nielsen, Neural Networks and Deep Learning, chapter 1, `Network.evaluate`.
    """
    return (feedforward(params, X).argmax(dim=1) == y).sum()


def train(
    params: Params,
    X: Float[Tensor, "N D"],
    Y: Float[Tensor, "N K"],
    order: Int[Tensor, "steps batch"],
    *,
    learning_rate: float,
) -> tuple[Params, Float[Tensor, " steps"]]:
    """Stochastic gradient descent: one update for each minibatch.

    W -= eta dC/dW,  b -= eta dC/db, with C the cost of the minibatch alone

    Args:
        params: as for `feedforward`; left as they are.
        X: images (N, D), floating.
        Y: wanted activations (N, K), floating.
        order: the rows of each minibatch (steps, batch), integers from 0 to N - 1.
        learning_rate: eta.

    Returns:
        The parameters after the last update, and each minibatch's cost before its update, (steps,).

    Examples:
        >>> params = {"weights": [array([[0.0]])], "biases": [array([0.0])]}
        >>> X, Y = array([[1.0], [2.0]]), array([[1.0], [0.0]])
        >>> after, costs = train(params, X, Y, array([[0], [0]]), learning_rate=8.0)
        >>> [round(value, 4) for value in costs.tolist()]
        [0.125, 0.0071]

    References:
        Nielsen, Neural Networks and Deep Learning, chapter 1, equations 20 and 21; chapter 2, "Fully matrix-based
        approach to backpropagation over a mini-batch".
    """
    params = {kind: [value.detach().clone().requires_grad_() for value in params[kind]] for kind in params}
    leaves = [*params["weights"], *params["biases"]]
    costs = X.new_empty(len(order))
    for step, rows in enumerate(order):
        value = cost(params, X[rows], Y[rows])
        gradients = torch.autograd.grad(value, leaves)
        costs[step] = value.detach()
        with torch.no_grad():
            for leaf, gradient in zip(leaves, gradients, strict=True):
                leaf -= learning_rate * gradient
    return {kind: [value.detach() for value in params[kind]] for kind in params}, costs


def train_epochs(
    params: Params,
    X: Float[Tensor, "N D"],
    Y: Float[Tensor, "N K"],
    test_X: Float[Tensor, "T D"],
    test_y: Int[Tensor, " T"],
    order: Int[Tensor, "epochs steps batch"],
    *,
    learning_rate: float,
) -> tuple[Params, Int[Tensor, " epochs"]]:
    """Train epoch after epoch, and after each count the test images that are recognised.

    Args:
        params: as for `feedforward`; left as they are.
        X: training images (N, D), floating.
        Y: their wanted activations (N, K), floating.
        test_X: test images (T, D), floating.
        test_y: their digits (T,), integers from 0 to K - 1.
        order: the rows of each epoch's minibatches (epochs, steps, batch), integers from 0 to N - 1.
        learning_rate: eta.

    Returns:
        The parameters after the last epoch, and the count after each, (epochs,).

    Examples:
        >>> params = {"weights": [array([[0.0], [0.0]])], "biases": [array([0.0, 0.0])]}
        >>> X, Y = array([[1.0], [-1.0]]), array([[1.0, 0.0], [0.0, 1.0]])
        >>> after, counts = train_epochs(params, X, Y, X, array([0, 1]), array([[[0, 1]]]), learning_rate=1.0)
        >>> counts.tolist()
        [2]

    References:
        Nielsen, Neural Networks and Deep Learning, chapter 1, `Network.SGD` with test data.
    """
    counts = test_y.new_empty(len(order))
    for number, epoch in enumerate(order):
        params, _ = train(params, X, Y, epoch, learning_rate=learning_rate)
        counts[number] = evaluate(params, test_X, test_y)
    return params, counts


def average_darkness(X: Float[Tensor, "N D"], y: Int[Tensor, " N"], *, classes: int = 10) -> Float[Tensor, " K"]:
    """How dark each digit is on average: the sum of its pixels.

    Args:
        X: images (N, D), floating, darker is larger.
        y: their digits (N,), integers from 0 to classes - 1.
        classes: how many digits there are, each shown at least once.

    Returns:
        The averages (classes,).

    Examples:
        >>> average_darkness(array([[1.0, 2.0], [3.0, 2.0], [0.0, 1.0]]), array([1, 1, 0]), classes=2).tolist()
        [1.0, 4.0]

    References:
        Nielsen, Neural Networks and Deep Learning, chapter 1, `mnist_average_darkness.py`.
    """
    sums = X.new_zeros(classes).index_add(0, y, X.sum(dim=1))
    return sums / torch.bincount(y, minlength=classes)


def guess_by_darkness(averages: Float[Tensor, " K"], X: Float[Tensor, "N D"]) -> Int[Tensor, " N"]:
    """A baseline that a network must beat: the digit whose average darkness is nearest to the image's.

    Args:
        averages: from `average_darkness`, (K,).
        X: images (N, D), floating.

    Returns:
        Guessed digits (N,), integers from 0 to K - 1; of two equally near the first.

    Examples:
        >>> guess_by_darkness(array([1.0, 4.0]), array([[1.0, 1.0], [3.0, 3.0]])).tolist()
        [0, 1]

    References:
        Nielsen, Neural Networks and Deep Learning, chapter 1, `mnist_average_darkness.py`.
    """
    return (X.sum(dim=1)[:, None] - averages).abs().argmin(dim=1)
