"""The spiral's net trained at the limit: gradients by hand, points along the last axis, nothing copied between steps.

With the points last, sums over 300 of them run along memory, and the products with three classes have three long rows.
"""

import functools

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

__all__ = ["train_spiral"]

Params = dict[str, Float[Array, "..."]]


@functools.partial(jax.jit, static_argnames="steps")
def train_spiral(
    params: Params, X: Float[Array, "N D"], y: Int[Array, " N"], *, learning_rate: float, reg: float, steps: int
) -> tuple[Params, Float[Array, " steps"]]:
    """Gradient descent of the spiral's net on all points, as `spiral.train` does it.

    df = (p - 1[k = y]) / N,  dW2 = df h^T + reg W2,  dh = W2^T df where h > 0, else 0,  dW = dh X + reg W

    Args:
        params: "W" (D, H), "b" (H,), "W2" (H, K) and "b2" (K,), floating; left as they are.
        X: points (N, D), floating.
        y: their classes (N,), integers from 0 to K - 1.
        learning_rate: the step size.
        reg: the penalty's strength, 0 or more.
        steps: how many updates.

    Returns:
        The parameters after the last update, and the loss before each update, (steps,).

    Raises:
        ValueError: if the parameters are those of the linear classifier, without a hidden layer.

    Examples:
        >>> params = {"W": array([[1.0]]), "b": array([0.0]), "W2": array([[0.0, 0.0]]), "b2": array([0.0, 0.0])}
        >>> after, losses = train_spiral(params, array([[1.0]]), array([1]), learning_rate=1.0, reg=0.0, steps=2)
        >>> [round(value, 4) for value in losses.tolist()]
        [0.6931, 0.1269]

    References:
        CS231n, neural networks case study, "Training a Neural Network".
    """
    if "W2" not in params:
        raise ValueError("train_spiral: got the linear classifier's parameters, wanted a net's W, b, W2 and b2")
    points = X.T  # (D, N)
    targets = jax.nn.one_hot(y, len(params["b2"]), dtype=X.dtype).T / len(X)  # (K, N)

    # differs: torch updates in place, and on a GPU replays one step as a CUDA graph; JAX scans
    def step(net: tuple[Array, ...], _: None) -> tuple[tuple[Array, ...], Float[Array, ""]]:
        W, b, W2, b2 = net  # (H, D), (H, 1), (K, H), (K, 1)
        h = jax.nn.relu(W @ points + b)  # (H, N)
        log_p = jax.nn.log_softmax(W2 @ h + b2, axis=0)  # (K, N)
        value = 0.5 * reg * ((W * W).sum() + (W2 * W2).sum()) - (log_p * targets).sum()
        df = jnp.exp(log_p) / len(X) - targets
        dh = jnp.where(h > 0, W2.T @ df, 0)
        gradients = (
            dh @ X + reg * W,
            dh.sum(axis=1, keepdims=True),
            df @ h.T + reg * W2,
            df.sum(axis=1, keepdims=True),
        )
        return tuple(w - learning_rate * g for w, g in zip(net, gradients, strict=True)), value

    start: tuple[Array, ...] = params["W"].T, params["b"][:, None], params["W2"].T, params["b2"][:, None]
    (W, b, W2, b2), losses = jax.lax.scan(step, start, length=steps)
    return {"W": W.T, "b": b[:, 0], "W2": W2.T, "b2": b2[:, 0]}, losses
