"""The spiral's net trained at the limit: gradients by hand, points along the last axis, as few passes as can be.

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
    (D, H), K, N = params["W"].shape, len(params["b2"]), len(X)
    # Each bias of the first layer is one more weight, of an input that is always one.
    points = jnp.concatenate([X.T, jnp.ones((1, N), X.dtype)])  # (D + 1, N)
    targets = jax.nn.one_hot(y, K, dtype=X.dtype).T / N  # (K, N)
    decays = jnp.ones((D + 1, 1), X.dtype).at[:D].add(-learning_rate * reg)

    # differs: torch updates in place, and on a GPU replays one step as a CUDA graph; JAX scans
    def step(net: tuple[Array, ...], _: None) -> tuple[tuple[Array, ...], Float[Array, ""]]:
        W, W2, b2 = net  # (D + 1, H), (K, H), (K, 1)
        h = jax.nn.relu(_narrow(W.T, points))  # (H, N)
        log_p = jax.nn.log_softmax(W2 @ h + b2, axis=0)  # (K, N)
        value = 0.5 * reg * ((W[:D] ** 2).sum() + (W2**2).sum()) - (log_p * targets).sum()
        df = jax.lax.optimization_barrier(jnp.exp(log_p) / N - targets)  # held, as XLA would compute it for each use
        # h is a sum over d where a neuron is active, so all gradients are made of S[k, d, j], the sum of df_k x_d over
        # the points where j is: one product of K (D + 1) rows, and neither h nor dh is read again.
        active = (_narrow(points.T, W) > 0).astype(X.dtype)  # (N, H): no product has to turn its operands
        S = ((df[:, None] * points).reshape(-1, N) @ active).reshape(K, D + 1, H)
        W_next = decays * W - learning_rate * (S * W2[:, None]).sum(axis=0)
        W2_next = (1 - learning_rate * reg) * W2 - learning_rate * (S * W).sum(axis=1)
        return (W_next, W2_next, b2 - learning_rate * df.sum(axis=1, keepdims=True)), value

    start: tuple[Array, ...] = jnp.vstack([params["W"], params["b"]]), params["W2"].T, params["b2"][:, None]
    (W, W2, b2), losses = jax.lax.scan(step, start, length=steps)
    return {"W": W[:D], "b": W[D], "W2": W2.T, "b2": b2[:, 0]}, losses


def _narrow(A: Float[Array, "M k"], B: Float[Array, "k N"]) -> Float[Array, "M N"]:
    """A B where k is two or three: outer products added up, which XLA joins with what follows into one pass."""
    total = A[:, :1] * B[0]
    for i in range(1, len(B)):
        total = total + A[:, i : i + 1] * B[i]
    return total
