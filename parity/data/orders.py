"""The order in which stochastic gradient descent visits the rows, drawn once for every side."""

import numpy as np
from jaxtyping import Int

Draws = np.random.Generator | np.random.RandomState


def random_orders(samples: int, batch: int, epochs: int, *, rng: Draws) -> Int[np.ndarray, "epochs steps batch"]:
    """Minibatches of every epoch: a fresh random permutation of the rows, cut into batches.

    Args:
        samples: how many rows there are.
        batch: rows a minibatch; divides `samples`.
        epochs: how many times all rows are visited.
        rng: where the permutations come from, one draw an epoch.

    Returns:
        Row indices, (epochs, samples / batch, batch) int64; each epoch holds every row once.

    Raises:
        ValueError: if the batches would not come out even.

    Examples:
        >>> random_orders(6, 2, 4, rng=np.random.RandomState(1)).shape
        (4, 3, 2)

    References:
        Nielsen, Neural Networks and Deep Learning, chapter 1: the minibatches of `Network.SGD`.
    """
    if batch < 1 or samples < 1 or samples % batch or epochs < 0:
        raise ValueError(
            f"random_orders: got samples={samples}, batch={batch}, epochs={epochs}; wanted a positive batch that "
            "divides the samples, and no negative epochs: choose another batch size or drop the rows left over"
        )
    shuffled = [rng.permutation(samples) for _ in range(epochs)]
    return np.array(shuffled, dtype=np.int64).reshape(epochs, samples // batch, batch)
