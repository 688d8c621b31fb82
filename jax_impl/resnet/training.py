"""What is done with ResNet: its scores in eval mode, its loss in train mode, and training by SGD with momentum."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jaxtyping import Float, Int

from jax_impl import functional as F
from jax_impl import nn, optim
from jax_impl.resnet.model import ResNet, State

__all__ = ["logits", "loss", "initial_state", "train"]


@jax.jit
def logits(state: State, images: Float[Array, "N C H W"]) -> Float[Array, "N K"]:
    """ResNet in eval mode, with its running statistics, as a pure function of its state.

    Args:
        state: what state_dict gives, num_batches_tracked included.
        images: (N, in_channels, H, W), floating.

    Returns:
        (N, num_classes).

    Raises:
        RuntimeError: where a name is missing or unexpected, or a shape does not fit.

    Examples:
        >>> net = ResNet(5, layers=(1, 1, 1, 1), width=2, stem="small", **rngs)
        >>> tuple(logits(dict(net.state_dict()), array([[[[0.5] * 8] * 8] * 3])).shape)
        (1, 5)

    References:
        K. He et al., "Deep Residual Learning for Image Recognition" (2015).
    """
    return ResNet.from_state(state).eval()(images)


@jax.jit
def loss(state: State, images: Float[Array, "N C H W"], labels: Int[Array, " N"]) -> tuple[Float[Array, ""], State]:
    """The cross-entropy in train mode, where a batch is normalized by its own statistics and moves the running ones.

    Args:
        state: what state_dict gives, num_batches_tracked included.
        images: (N, in_channels, H, W), floating, two or more.
        labels: their classes (N,), integer.

    Returns:
        The mean loss, a scalar, and the buffers after the batch: running_mean, running_var and num_batches_tracked of
        each norm.

    Raises:
        ValueError: where a norm sees one value a channel.

    Examples:
        >>> state = dict(ResNet(5, layers=(1, 1, 1, 1), width=2, stem="small", **rngs).state_dict())
        >>> value, buffers = loss(state, array([[[[0.5] * 16] * 16] * 3] * 2), array([0, 1]))
        >>> int(buffers["bn1.num_batches_tracked"]), len(buffers)
        (1, 36)

    References:
        S. Ioffe and C. Szegedy, "Batch Normalization" (2015), algorithm 2.
    """
    net = ResNet.from_state(state)
    # differs: torch's norms write to the buffers that they are lent, here copies; NNX's to variables of a model
    value = F.cross_entropy(net(images), labels)
    return value, {name: buffer[...] for name, buffer in net.named_buffers()}


def initial_state(model: State) -> dict[str, State]:
    """The training state before the first step: the momentum buffers are zero.

    Args:
        model: what state_dict gives, num_batches_tracked included.

    Returns:
        "model" and "momentum_buffer".

    Examples:
        >>> state = initial_state(dict(ResNet(5, layers=(1, 1, 1, 1), width=2, **rngs).state_dict()))
        >>> len(state["model"]), len(state["momentum_buffer"])
        (74, 38)

    References:
        PyTorch, torch.optim.SGD.
    """
    names = [name for name, _ in ResNet.skeleton(model).named_parameters()]
    return {"model": model, "momentum_buffer": {name: jnp.zeros_like(model[name]) for name in names}}


def train(
    state: dict[str, State],
    images: Float[Array, "N C H W"],
    labels: Int[Array, " N"],
    order: Int[Array, "steps batch"],
    *,
    learning_rate: float = 0.1,
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
) -> tuple[dict[str, State], Float[Array, " steps"]]:
    """Train in train mode, by SGD with momentum and weight decay, from any state and back to one.

    g = g + lambda w,    v = mu v + g,    w = w - lr v.

    Args:
        state: what initial_state gives, or what an earlier call returned.
        images: all images (N, in_channels, H, W), floating.
        labels: their classes (N,), integer.
        order: the rows to use at each step (steps, batch), integer, in [0, N).
        learning_rate: lr, positive.
        momentum: mu, positive.
        weight_decay: lambda, at least 0; of the norms' weights and biases too, as torch.optim.SGD has it.

    Returns:
        The state after the last step, and the loss of each minibatch before its update (steps,).

    Raises:
        ValueError: where order is not (steps, batch).

    Examples:
        >>> state = initial_state(dict(ResNet(5, layers=(1, 1, 1, 1), width=2, stem="small", **rngs).state_dict()))
        >>> images, labels = array([[[[0.5] * 16] * 16] * 3] * 2), array([0, 1])
        >>> state, losses = train(state, images, labels, array([[0, 1], [1, 0]]))
        >>> int(state["model"]["bn1.num_batches_tracked"]), tuple(losses.shape)
        (2, (2,))

    References:
        K. He et al., "Deep Residual Learning for Image Recognition" (2015), section 4.2.
    """
    if order.ndim != 2:
        raise ValueError(f"train: order has shape {tuple(order.shape)}, wanted (steps, batch), the rows of each step")
    optimizer = optim.SGD(lr=learning_rate, momentum=momentum, weight_decay=weight_decay)
    velocity = state["momentum_buffer"]
    slots = optimizer.init(velocity)._replace(momentum_buffer=velocity)
    loss_and_gradient = jax.value_and_grad(lambda w, model, *batch: loss(model | w, *batch), has_aux=True)

    def step(carry: tuple[State, Any], rows: Int[Array, " batch"]) -> tuple[tuple[State, Any], Float[Array, ""]]:
        model, slots = carry
        w = {name: model[name] for name in velocity}
        (value, buffers), gradients = loss_and_gradient(w, model, images[rows], labels[rows])
        updates, slots = optimizer.update(gradients, slots, w)
        return (model | buffers | optax.apply_updates(w, updates), slots), value

    model = nn.state_dict(ResNet.from_state(state["model"]))  # counts as the norms keep them
    (model, slots), losses = jax.lax.scan(step, (model, slots), order)
    return {"model": model, "momentum_buffer": slots.momentum_buffer}, losses
