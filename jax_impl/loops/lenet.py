"""LeNet trained at the limit: minibatches are gathered at once, and the small convolutions take the faster way."""

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jaxtyping import Float, Int

from jax_impl.checkpoint import State

__all__ = ["train_lenet"]


@jax.jit
def train_lenet(
    state: dict[str, State],
    images: Float[Array, "N C 32 32"],
    labels: Int[Array, " N"],
    order: Int[Array, "steps batch"],
    *,
    learning_rate: float = 0.001,
    momentum: float = 0.9,
) -> tuple[dict[str, State], Float[Array, " steps"]]:
    """Train LeNet by cross-entropy and SGD with momentum, as `classifier.train` does it.

    v = mu v + g,    w = w - lr v.

    Args:
        state: "params" and "momentum_buffer", each LeNet's ten arrays in torch's names and layout.
        images: all pictures (N, C, 32, 32), floating, in [-1, 1].
        labels: their classes (N,), integer, from 0.
        order: the rows to use at each step (steps, batch), integer, in [0, N).
        learning_rate: lr, positive.
        momentum: mu, in (0, 1).

    Returns:
        The state after the last step, and the loss of each minibatch before its update (steps,).

    Examples:
        >>> from numpy import zeros
        >>> sizes = {"conv1": (6, 1, 5, 5), "conv2": (16, 6, 5, 5), "fc1": (120, 400)}
        >>> sizes |= {"fc2": (84, 120), "fc3": (10, 84)}
        >>> params = {f"{name}.weight": array(zeros(size)) for name, size in sizes.items()}
        >>> params |= {f"{name}.bias": array(zeros(size[0])) for name, size in sizes.items()}
        >>> state = {"params": params, "momentum_buffer": params}
        >>> images, labels, order = array(zeros((1, 1, 32, 32))), array([3]), array([[0], [0]])
        >>> state, losses = train_lenet(state, images, labels, order, learning_rate=1.0)
        >>> [round(float(loss), 4) for loss in losses]
        [2.3026, 1.4612]

    References:
        PyTorch, Training a Classifier (60 minute blitz), "Train the network".
    """

    # differs: torch updates in place, and on a GPU replays one step as a CUDA graph; JAX scans
    def step(state: dict[str, State], batch: tuple[Array, Array]) -> tuple[dict[str, State], Float[Array, ""]]:
        value, gradients = jax.value_and_grad(_loss)(state["params"], *batch)
        velocity = jax.tree.map(lambda v, g: momentum * v + g, state["momentum_buffer"], gradients)
        params = jax.tree.map(lambda w, v: w - learning_rate * v, state["params"], velocity)
        return {"params": params, "momentum_buffer": velocity}, value

    # Channels before the batch: each convolution is then one product, and nothing is transposed until the first layer.
    batches = images[order].swapaxes(1, 2)  # (steps, C, batch, 32, 32)
    return jax.lax.scan(step, state, (batches, labels[order]))


def _loss(params: State, x: Float[Array, "C N 32 32"], labels: Int[Array, " N"]) -> Float[Array, ""]:
    for layer in ("conv1", "conv2"):
        x = _pooled(
            jax.nn.relu(_convolved(x, params[f"{layer}.weight"]) + params[f"{layer}.bias"][:, None, None, None])
        )
    x = x.swapaxes(0, 1).reshape(len(labels), -1)  # (N, 400)
    for layer in ("fc1", "fc2"):
        x = jax.nn.relu(x @ params[f"{layer}.weight"].T + params[f"{layer}.bias"])
    logits = x @ params["fc3.weight"].T + params["fc3.bias"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def _convolved(x: Float[Array, "C N H W"], w: Float[Array, "O C k k"]) -> Float[Array, "O N H2 W2"]:
    """One product of all windows: XLA's own gradient of a convolution this small takes three times as long on a CPU."""
    size = w.shape[2]
    height, width = x.shape[2] - size + 1, x.shape[3] - size + 1
    shifted = [x[:, :, i : i + height, j : j + width] for i in range(size) for j in range(size)]
    windows = jnp.stack(shifted, axis=1).reshape(-1, x.shape[1] * height * width)  # (C k k, N H2 W2)
    return (w.reshape(len(w), -1) @ windows).reshape(len(w), x.shape[1], height, width)


def _pooled(x: Float[Array, "C N H W"]) -> Float[Array, "C N H2 W2"]:
    """The largest of each 2 x 2; where some tie, the first of them gets the gradient, as in torch."""
    a, b, c, d = (x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1))
    upper, lower = jnp.where(b > a, b, a), jnp.where(d > c, d, c)
    return jnp.where(lower > upper, lower, upper)
