"""Nielsen's network trained at the limit: an epoch's minibatches are gathered at once."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from torch_impl.loops._repeat import repeat
from torch_impl.network import evaluate

__all__ = ["train_network"]

Params = dict[str, list[Float[Tensor, "..."]]]


@torch.no_grad()
def train_network(
    params: Params,
    X: Float[Tensor, "N D"],
    Y: Float[Tensor, "N K"],
    test_X: Float[Tensor, "T D"],
    test_y: Int[Tensor, " T"],
    order: Int[Tensor, "epochs steps batch"],
    *,
    learning_rate: float,
) -> tuple[Params, Int[Tensor, " epochs"]]:
    """Train Nielsen's network epoch after epoch, as `network.train_epochs` does it.

    W -= eta dC/dW,  b -= eta dC/db, with C the quadratic cost of the minibatch alone

    Args:
        params: "weights", each (neurons, inputs), and "biases", each (neurons,), floating; left as they are.
        X: training images (N, D), floating.
        Y: their wanted activations (N, K), floating.
        test_X: test images (T, D), floating.
        test_y: their digits (T,), integers from 0 to K - 1.
        order: the rows of each epoch's minibatches (epochs, steps, batch), integers from 0 to N - 1.
        learning_rate: eta.

    Returns:
        The parameters after the last epoch, and how many test images are recognised after each, (epochs,).

    Examples:
        >>> params = {"weights": [array([[0.0], [0.0]])], "biases": [array([0.0, 0.0])]}
        >>> X, Y = array([[1.0], [-1.0]]), array([[1.0, 0.0], [0.0, 1.0]])
        >>> after, counts = train_network(params, X, Y, X, array([0, 1]), array([[[0, 1]]]), learning_rate=1.0)
        >>> counts.tolist()
        [2]

    References:
        Nielsen, Neural Networks and Deep Learning, chapter 1, `Network.SGD`; chapter 2, equations BP1 to BP4.
    """
    weights, biases = ([value.clone() for value in params[kind]] for kind in ("weights", "biases"))
    counts = test_y.new_empty(len(order))
    rate = learning_rate / order.shape[2]

    # differs: torch updates in place, and on a GPU replays one step as a CUDA graph; JAX scans
    for number, epoch in enumerate(order):
        batches, wanted = X[epoch], Y[epoch]  # (steps, batch, D), (steps, batch, K)
        at = torch.zeros(1, dtype=torch.int64, device=X.device)

        def step(batches: Tensor = batches, wanted: Tensor = wanted, at: Tensor = at) -> None:
            activations = [batches.index_select(0, at)[0]]
            for w, b in zip(weights, biases, strict=True):
                activations.append(torch.addmm(b, activations[-1], w.T).sigmoid_())
            error = activations[-1] - wanted.index_select(0, at)[0]  # dC/da, (batch, K)
            for layer in range(len(weights) - 1, -1, -1):
                delta = torch.ops.aten.sigmoid_backward(error, activations[layer + 1])  # (batch, neurons)
                error = delta @ weights[layer] if layer else error
                weights[layer].addmm_(delta.T, activations[layer], alpha=-rate)
                biases[layer].sub_(delta.sum(dim=0), alpha=rate)
            at.add_(1)

        repeat(step, len(epoch), X.device)
        counts[number] = evaluate({"weights": weights, "biases": biases}, test_X, test_y)
    return {"weights": weights, "biases": biases}, counts
