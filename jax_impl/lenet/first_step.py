"""The blitz's first step by hand: gradients from a cotangent, the way back, and an update with no optimizer."""

import jax
import jax.numpy as jnp
from flax.nnx import Module
from jax import Array
from jaxtyping import Float

from jax_impl.checkpoint import State, apply, parameter_names, state_dict
from jax_impl.lenet.networks import LeNet

__all__ = [
    "backward",
    "backward_chain",
    "manual_update",
]


def backward(model: Module, x: Float[Array, "..."], cotangent: Float[Array, "..."]) -> tuple[State, State]:
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
    state = state_dict(model)
    parameters = {name: state[name] for name in parameter_names(model)}
    before = jax.tree.map(jnp.zeros_like, parameters)
    _, pull_back = jax.vjp(lambda parameters: apply(model, state | parameters, x), parameters)
    (after,) = pull_back(cotangent)
    return before, after


def backward_chain(model: Module, x: Float[Array, "..."], target: Float[Array, "..."]) -> tuple[str, ...]:
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
        "_mse": "mse",
        "dot_general": "linear",
        "relu": "relu",
        "reshape": "flatten",
        "reduce_window_max": "max_pool",
        "conv_general_dilated": "conv",
    }
    found: list[str] = []
    graph = jax.make_jaxpr(lambda x: _mse(model(x), target))(x).jaxpr
    made_by = {value: step for step in graph.eqns for value in step.outvars}
    value = graph.outvars[0]
    while value in made_by:
        step = made_by[value]
        value = step.invars[0]
        if "call_jaxpr" in step.params:  # relu, with a derivative of its own, is wrapped
            step = step.params["call_jaxpr"].eqns[0]
        found.append(step.params.get("name", step.primitive.name))
    return tuple(names[name] for name in found if name in names)


@jax.jit
def manual_update(
    state: State, x: Float[Array, "N C 32 32"], target: Float[Array, "N K"], *, learning_rate: float = 0.01
) -> tuple[State, Float[Array, ""]]:
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
    skeleton = LeNet.skeleton(state)
    loss, gradients = jax.value_and_grad(lambda state: _mse(apply(skeleton, state, x), target))(state)
    return jax.tree.map(lambda w, g: w - learning_rate * g, state, gradients), loss


@jax.jit
def _mse(output: Float[Array, "..."], target: Float[Array, "..."]) -> Float[Array, ""]:
    return ((output - target) ** 2).mean()
