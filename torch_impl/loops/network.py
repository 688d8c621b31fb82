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
    # Each bias is one more weight, of an input that is always one; images and activations stand in columns.
    pairs = zip(params["weights"], params["biases"], strict=True)
    layers = [torch.cat([w, b[:, None]], dim=1) for w, b in pairs]  # (neurons, inputs + 1)
    weights, biases = [layer[:, :-1] for layer in layers], [layer[:, -1] for layer in layers]
    batch = order.shape[2]
    given = [X.new_ones(layer.shape[1], batch) for layer in layers]  # what each layer is given
    outputs = [*(rows[:-1] for rows in given[1:]), X.new_empty(len(layers[-1]), batch)]
    images = torch.cat([X, X.new_ones(len(X), 1)], dim=1)
    counts = test_y.new_empty(len(order))

    # differs: torch updates in place, and on a GPU replays one step as a CUDA graph; JAX scans
    def step(images: Tensor, wanted: Tensor) -> None:
        given[0] = images  # (D + 1, batch)
        for layer, rows, output in zip(layers, given, outputs, strict=True):
            torch.mm(layer, rows, out=output).sigmoid_()
        error = outputs[-1] - wanted  # dC/da, (K, batch)
        for at in range(len(layers) - 1, -1, -1):
            delta = torch.ops.aten.sigmoid_backward(error, outputs[at])  # (neurons, batch)
            error = weights[at].T @ delta if at else error
            layers[at].addmm_(delta, given[at].T, alpha=-learning_rate / batch)

    for number, epoch in enumerate(order):
        batches = images[epoch].mT.contiguous(), Y[epoch].mT.contiguous()  # (steps, D + 1, batch), (steps, K, batch)
        repeat(step, len(epoch), batches)
        counts[number] = evaluate({"weights": weights, "biases": biases}, test_X, test_y)
    return {"weights": [w.contiguous() for w in weights], "biases": [b.contiguous() for b in biases]}, counts
