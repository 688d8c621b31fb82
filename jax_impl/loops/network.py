"""Nielsen's network trained at the limit: an epoch's minibatches are gathered at once."""

import jax
from jax import Array
from jaxtyping import Float, Int

from jax_impl.network import cost, evaluate

__all__ = ["train_network"]

Params = dict[str, list[Float[Array, "..."]]]


@jax.jit
def train_network(
    params: Params,
    X: Float[Array, "N D"],
    Y: Float[Array, "N K"],
    test_X: Float[Array, "T D"],
    test_y: Int[Array, " T"],
    order: Int[Array, "epochs steps batch"],
    *,
    learning_rate: float,
) -> tuple[Params, Int[Array, " epochs"]]:
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

    # differs: torch updates in place, and on a GPU replays one step as a CUDA graph; JAX scans
    def step(params: Params, batch: tuple[Array, Array]) -> tuple[Params, None]:
        gradients = jax.grad(cost)(params, *batch)
        return jax.tree.map(lambda leaf, gradient: leaf - learning_rate * gradient, params, gradients), None

    def epoch(params: Params, rows: Int[Array, "steps batch"]) -> tuple[Params, Int[Array, ""]]:
        params, _ = jax.lax.scan(step, params, (X[rows], Y[rows]))  # (steps, batch, D), (steps, batch, K)
        return params, evaluate(params, test_X, test_y)

    return jax.lax.scan(epoch, params, order)
