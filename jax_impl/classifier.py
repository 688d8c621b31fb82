"""Training a classifier: LeNet by cross-entropy and SGD with momentum, and then what it has learnt.

A training state is a dict of two dicts, "params" and "momentum_buffer", both in torch's names and layout: a run can
stop after any step and go on from there, on either side.
"""

import os
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax import Array
from jaxtyping import Float, Int

from jax_impl import checkpoint
from jax_impl.checkpoint import State
from jax_impl.lenet import LeNet

__all__ = [
    "normalise",
    "initial_state",
    "train",
    "running_means",
    "predict",
    "evaluate",
    "per_class_accuracy",
    "save",
    "load",
]


def normalise(images: Float[Array, "N C H W"]) -> Float[Array, "N C H W"]:
    """Turn pixels from [0, 1] into [-1, 1].

    x = (x - 0.5) / 0.5.

    Args:
        images: floating, in [0, 1]; bytes are to be divided by 255 first.

    Returns:
        The same shape and dtype.

    Raises:
        TypeError: where the images are not floating.

    Examples:
        >>> normalise(array([0.0, 0.5, 1.0])).tolist()
        [-1.0, 0.0, 1.0]

    References:
        PyTorch, Training a Classifier (60 minute blitz), "Load and normalize CIFAR10".
    """
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise TypeError(
            f"normalise: images are {images.dtype}, wanted floating in [0, 1]; divide bytes by 255, to the dtype of "
            "the parameters"
        )
    return (images - 0.5) / 0.5


def initial_state(params: State) -> dict[str, State]:
    """The training state before the first step: the momentum buffers are zero.

    Args:
        params: LeNet's ten arrays in torch's names and layout, floating.

    Returns:
        "params" and "momentum_buffer".

    Examples:
        >>> initial_state({"fc3.bias": array([1.0, 2.0])})["momentum_buffer"]["fc3.bias"].tolist()
        [0.0, 0.0]

    References:
        PyTorch, torch.optim.SGD.
    """
    return {"params": params, "momentum_buffer": jax.tree.map(jnp.zeros_like, params)}


@partial(jax.jit, static_argnames="momentum")
def train(
    state: dict[str, State],
    images: Float[Array, "N C 32 32"],
    labels: Int[Array, " N"],
    order: Int[Array, "steps batch"],
    *,
    learning_rate: float = 0.001,
    momentum: float = 0.9,
) -> tuple[dict[str, State], Float[Array, " steps"]]:
    """Train LeNet by cross-entropy and SGD with momentum, from any state and back to one.

    v = mu v + g,    w = w - lr v.

    Args:
        state: what initial_state gives, or what an earlier call returned.
        images: all pictures (N, C, 32, 32), floating, in [-1, 1].
        labels: their classes (N,), integer, from 0.
        order: the rows to use at each step (steps, batch), integer, in [0, N); the page's batch is 4.
        learning_rate: lr, positive.
        momentum: mu, in (0, 1).

    Returns:
        The state after the last step, and the loss of each minibatch before its update (steps,).

    Raises:
        ValueError: where order is not (steps, batch), labels are not one an image, momentum is out of range, or the
            images or parameters do not fit LeNet.

    Examples:
        >>> from numpy import zeros
        >>> sizes = {"conv1": (6, 1, 5, 5), "conv2": (16, 6, 5, 5), "fc1": (120, 400)}
        >>> sizes |= {"fc2": (84, 120), "fc3": (10, 84)}
        >>> params = {f"{name}.weight": array(zeros(size)) for name, size in sizes.items()}
        >>> params |= {f"{name}.bias": array(zeros(size[0])) for name, size in sizes.items()}
        >>> images, labels, order = array(zeros((1, 1, 32, 32))), array([3]), array([[0], [0]])
        >>> state, losses = train(initial_state(params), images, labels, order, learning_rate=1.0)
        >>> [round(float(loss), 4) for loss in losses]
        [2.3026, 1.4612]

    References:
        PyTorch, Training a Classifier (60 minute blitz), "Define a Loss function and optimizer", "Train the network".
    """
    if order.ndim != 2:
        raise ValueError(f"train: order has shape {tuple(order.shape)}, wanted (steps, batch), the rows of each step")
    if not 0 < momentum < 1:
        raise ValueError(f"train: momentum is {momentum}, wanted between 0 and 1; the pair sgd has plain descent")
    _check_labels(images, labels)
    # differs: NNX computes in its own layout, so the JAX side turns the state into it once, and back at the end
    graph, params = nnx.split(LeNet.from_state(state["params"]))
    _, velocity = nnx.split(LeNet.from_state(state["momentum_buffer"]))
    optimizer = optax.sgd(learning_rate, momentum)
    slots = optax.tree.set(optimizer.init(params), trace=velocity)

    def loss_of(params: nnx.State, rows: Int[Array, " batch"]) -> Float[Array, ""]:
        logits = nnx.merge(graph, params)(images[rows])
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels[rows]).mean()

    def step(
        carry: tuple[nnx.State, Any], rows: Int[Array, " batch"]
    ) -> tuple[tuple[nnx.State, Any], Float[Array, ""]]:
        params, slots = carry
        loss, gradients = jax.value_and_grad(loss_of)(params, rows)
        updates, slots = optimizer.update(gradients, slots, params)
        return (optax.apply_updates(params, updates), slots), loss

    (params, slots), losses = jax.lax.scan(step, (params, slots), order)
    nets = {"params": params, "momentum_buffer": optax.tree.get(slots, "trace")}
    return {name: checkpoint.state_dict(nnx.merge(graph, net)) for name, net in nets.items()}, losses


def running_means(losses: Float[Array, " steps"], every: int = 2000) -> Float[Array, " prints"]:
    """The mean loss of each stretch of so many steps: what the page prints.

    Args:
        losses: the loss of each step (steps,), floating.
        every: steps in a stretch, at least 1.

    Returns:
        (steps // every,); a stretch that is not full is left out.

    Raises:
        ValueError: where every is less than 1.

    Examples:
        >>> running_means(array([1.0, 3.0, 5.0, 7.0, 9.0]), every=2).tolist()
        [2.0, 6.0]

    References:
        PyTorch, Training a Classifier (60 minute blitz), "Train the network": running_loss / 2000.
    """
    if every < 1:
        raise ValueError(f"running_means: every is {every}, wanted 1 or more steps to a stretch")
    full = len(losses) // every
    return losses[: full * every].reshape(full, every).mean(axis=1)


def predict(params: State, images: Float[Array, "N C 32 32"], *, batch_size: int = 1000) -> Int[Array, " N"]:
    """The class with the largest logit, the first one where two tie.

    Args:
        params: LeNet's ten arrays.
        images: (N, C, 32, 32), floating, in [-1, 1].
        batch_size: how many images go through the net at once: memory, not meaning.

    Returns:
        Classes (N,), integer.

    Raises:
        ValueError: where the images or parameters do not fit LeNet.

    Examples:
        >>> from numpy import eye, zeros
        >>> sizes = {"conv1": (6, 1, 5, 5), "conv2": (16, 6, 5, 5), "fc1": (120, 400)}
        >>> sizes |= {"fc2": (84, 120), "fc3": (10, 84)}
        >>> params = {f"{name}.weight": array(zeros(size)) for name, size in sizes.items()}
        >>> params |= {f"{name}.bias": array(zeros(size[0])) for name, size in sizes.items()}
        >>> params["fc3.bias"] = array(eye(10)[2])
        >>> predict(params, array(zeros((3, 1, 32, 32)))).tolist()
        [2, 2, 2]

    References:
        PyTorch, Training a Classifier (60 minute blitz), "Test the network on the test data": torch.max(outputs, 1).
    """
    chunks = jnp.split(images, list(range(batch_size, len(images), batch_size)))
    return jnp.concatenate([_predict(params, chunk) for chunk in chunks])


def evaluate(params: State, images: Float[Array, "N C 32 32"], labels: Int[Array, " N"]) -> Float[Array, ""]:
    """The share of images whose class is predicted; guessing among ten gives 0.1.

    Args:
        params: LeNet's ten arrays.
        images: (N, C, 32, 32), floating, in [-1, 1].
        labels: their classes (N,), integer.

    Returns:
        The accuracy, in [0, 1], in the images' dtype; NaN for no images.

    Raises:
        ValueError: where labels are not one an image, or the images or parameters do not fit LeNet.

    Examples:
        >>> from numpy import zeros
        >>> sizes = {"conv1": (6, 1, 5, 5), "conv2": (16, 6, 5, 5), "fc1": (120, 400)}
        >>> sizes |= {"fc2": (84, 120), "fc3": (10, 84)}
        >>> params = {f"{name}.weight": array(zeros(size)) for name, size in sizes.items()}
        >>> params |= {f"{name}.bias": array(zeros(size[0])) for name, size in sizes.items()}
        >>> float(evaluate(params, array(zeros((4, 1, 32, 32))), array([0, 1, 0, 2])))
        0.5

    References:
        PyTorch, Training a Classifier (60 minute blitz), "Accuracy of the network on the 10000 test images".
    """
    _check_labels(images, labels)
    correct = predict(params, images) == labels
    return correct.sum().astype(images.dtype) / len(labels)


def per_class_accuracy(
    params: State, images: Float[Array, "N C 32 32"], labels: Int[Array, " N"], *, classes: int = 10
) -> Float[Array, " classes"]:
    """The accuracy among the images of each class.

    Args:
        params: LeNet's ten arrays.
        images: (N, C, 32, 32), floating, in [-1, 1].
        labels: their classes (N,), integer, in [0, classes).
        classes: how many there are.

    Returns:
        (classes,), in [0, 1], in the images' dtype; NaN for a class that no image has.

    Raises:
        ValueError: where labels are not one an image, or the images or parameters do not fit LeNet.

    Examples:
        >>> from numpy import zeros
        >>> sizes = {"conv1": (6, 1, 5, 5), "conv2": (16, 6, 5, 5), "fc1": (120, 400)}
        >>> sizes |= {"fc2": (84, 120), "fc3": (10, 84)}
        >>> params = {f"{name}.weight": array(zeros(size)) for name, size in sizes.items()}
        >>> params |= {f"{name}.bias": array(zeros(size[0])) for name, size in sizes.items()}
        >>> images, labels = array(zeros((4, 1, 32, 32))), array([0, 1, 0, 2])
        >>> per_class_accuracy(params, images, labels, classes=4).tolist()
        [1.0, 0.0, 0.0, nan]

    References:
        PyTorch, Training a Classifier (60 minute blitz), "prepare to count predictions for each class".
    """
    _check_labels(images, labels)
    correct = predict(params, images) == labels
    count = jnp.bincount(labels, length=classes)
    right = jnp.zeros_like(count).at[labels].add(correct)
    return right.astype(images.dtype) / count.astype(images.dtype)


def save(params: State, path: str | os.PathLike[str]) -> None:
    """Write the trained net to a file that either side loads.

    Args:
        params: LeNet's ten arrays.
        path: the file to write or replace.

    Raises:
        ValueError: where the parameters do not fit LeNet.

    Examples:
        >>> try:
        ...     save({}, "net.safetensors")
        ... except ValueError as error:
        ...     print(error)
        the state lacks conv1.weight and has []; state_dict(model) gives a whole one

    References:
        PyTorch, Training a Classifier (60 minute blitz), "Let's quickly save our trained model".
    """
    checkpoint.save(LeNet.from_state(params), path)


def load(path: str | os.PathLike[str], *, in_channels: int = 1, num_classes: int = 10) -> State:
    """Load a file into a fresh net, and give its parameters.

    Args:
        path: a file that save wrote, on either side.
        in_channels: 1 for digits, 3 for CIFAR-10.
        num_classes: the net's outputs.

    Returns:
        LeNet's ten arrays, bit for bit as they were saved.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where the file is broken, or the fresh net is of another shape.

    Examples:
        >>> load("no_such_net.safetensors")
        Traceback (most recent call last):
        FileNotFoundError: No such file or directory: no_such_net.safetensors

    References:
        PyTorch, Training a Classifier (60 minute blitz), "let's load back in our saved model".
    """
    # shapes alone: every value comes from the file
    net = nnx.eval_shape(lambda: LeNet(in_channels, num_classes, rngs=nnx.Rngs(0)))
    checkpoint.load(net, path)
    return checkpoint.state_dict(net)


@jax.jit
def _predict(params: State, images: Float[Array, "N C 32 32"]) -> Int[Array, " N"]:
    return LeNet.from_state(params)(images).argmax(axis=1)


def _check_labels(images: Float[Array, "N C 32 32"], labels: Int[Array, " N"]) -> None:
    if tuple(labels.shape) != (len(images),):
        raise ValueError(
            f"classifier: {len(images)} images have labels of shape {tuple(labels.shape)}, wanted ({len(images)},), "
            "one class an image"
        )
