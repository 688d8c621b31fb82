"""The blitz's first step by hand: gradients from a cotangent, the way back, and an update with no optimizer."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import Module
from torch.nn import functional as F

from torch_impl.checkpoint import State, state_dict
from torch_impl.lenet.networks import LeNet

__all__ = [
    "backward",
    "backward_chain",
    "manual_update",
]


def backward(model: Module, x: Float[Tensor, "..."], cotangent: Float[Tensor, "..."]) -> tuple[State, State]:
    """Clear the gradients, then pull a given cotangent back to every parameter.

    Args:
        model: any model that state_dict takes.
        x: its input.
        cotangent: shaped as its output.

    Returns:
        The gradients of sum(cotangent * model(x)) in torch's names and layout: before, which are zero, and after.

    Examples:
        >>> model = MLP.from_state({"layers.0.weight": array([[1.0, 2.0]]), "layers.0.bias": array([3.0])})
        >>> before, after = backward(model, array([[10.0, 20.0]]), array([[2.0]]))
        >>> before["layers.0.bias"].tolist(), after["layers.0.bias"].tolist(), after["layers.0.weight"].tolist()
        ([0.0], [2.0], [[20.0, 40.0]])

    References:
        PyTorch, Neural Networks (60 minute blitz), "Backprop", and "out.backward(torch.randn(1, 10))".
    """
    # differs: torch adds to a .grad at each parameter, None once cleared; jax.vjp returns gradients and keeps none
    model.zero_grad()
    parameters = dict(model.named_parameters())
    before = {name: torch.zeros_like(w) if w.grad is None else w.grad.clone() for name, w in parameters.items()}
    model(x).backward(cotangent)
    return before, {name: w.grad.clone() for name, w in parameters.items() if w.grad is not None}


def backward_chain(model: Module, x: Float[Tensor, "..."], target: Float[Tensor, "..."]) -> tuple[str, ...]:
    """The operations that a mean squared error flows back through, from the loss to the first layer.

    Args:
        model: a LeNet or an MLP with ReLU.
        x: its input.
        target: shaped as its output.

    Returns:
        Names from "mse" to the layer that takes x, along the data's path: weights and biases are side branches.

    Examples:
        >>> model = MLP.from_state({"layers.0.weight": array([[1.0]]), "layers.0.bias": array([0.0])})
        >>> backward_chain(model, array([[1.0]]), array([[2.0]]))
        ('mse', 'linear')

    References:
        PyTorch, Neural Networks (60 minute blitz), "Loss Function": loss.grad_fn.next_functions.
    """
    # differs: torch has recorded the way back, in grad_fn; JAX has a jaxpr of the way there, read from its end
    names = {
        "MseLossBackward0": "mse",
        "AddmmBackward0": "linear",
        "ReluBackward0": "relu",
        "ViewBackward0": "flatten",
        "MaxPool2DWithIndicesBackward0": "max_pool",
        "ConvolutionBackward0": "conv",
    }
    found: list[str] = []
    step = F.mse_loss(model(x), target).grad_fn
    while step is not None:
        found.append(names[step.name()])
        branches = [branch for branch, _ in step.next_functions if branch is not None]
        step = next((branch for branch in branches if branch.name() in names), None)
    return tuple(found)


def manual_update(
    state: State, x: Float[Tensor, "N C 32 32"], target: Float[Tensor, "N K"], *, learning_rate: float = 0.01
) -> tuple[State, Float[Tensor, ""]]:
    """One step of gradient descent on the mean squared error, with no optimizer.

    w = w - lr dC/dw.

    Args:
        state: LeNet's, as lenet takes it.
        x: images (N, in_channels, 32, 32), floating.
        target: (N, num_classes), floating.
        learning_rate: lr, positive.

    Returns:
        The next state, and the loss before the update, a scalar.

    Examples:
        >>> import math
        >>> sizes = {"conv1": (6, 1, 5, 5), "conv2": (16, 6, 5, 5), "fc1": (120, 400), "fc2": (84, 120), "fc3": (2, 84)}
        >>> state = {f"{layer}.weight": array([0.0] * math.prod(size)).reshape(size) for layer, size in sizes.items()}
        >>> state |= {f"{layer}.bias": array([0.5] * size[0]) for layer, size in sizes.items()}
        >>> x = array([0.0] * 1024).reshape(1, 1, 32, 32)
        >>> state, loss = manual_update(state, x, array([[1.5, 1.5]]), learning_rate=0.5)
        >>> state["fc3.bias"].tolist(), float(loss)
        ([1.0, 1.0], 1.0)

    References:
        PyTorch, Neural Networks (60 minute blitz), "Update the weights": f.data.sub_(f.grad.data * learning_rate).
    """
    model = LeNet.from_state(state)
    loss = F.mse_loss(model(x), target)
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.sub_(learning_rate * parameter.grad)  # type: ignore[operator]
    return state_dict(model), loss.detach()
