"""A multilayer perceptron and LeNet, as models and as functions of their state."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import Module
from torch.nn import functional as F

from torch_impl.checkpoint import State, apply, load_state_dict

__all__ = [
    "MLP",
    "LeNet",
    "mlp",
    "lenet",
]

ACTIVATIONS = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}


class MLP(Module):
    """Linear layers with an activation after each but the last.

    a_0 = x,    a_l = f(W_l a_(l-1) + b_l),    output = W_L a_(L-1) + b_L.

    Args:
        sizes: the features of the input, of each hidden layer and of the output; two numbers at least.
        activation: f: "relu", "sigmoid" or "tanh".

    Raises:
        ValueError: where there are fewer than two sizes, f is unknown, or an input has not sizes[0] features.

    Examples:
        >>> state = {"layers.0.weight": array([[1.0, -1.0]]), "layers.0.bias": array([0.5])}
        >>> MLP.from_state(state)(array([[2.0, 1.0]])).tolist()
        [[1.5]]

    References:
        PyTorch, torch.nn.Linear; Flax, nnx.Linear.
    """

    # differs: NNX takes its random streams as an argument, torch draws from the global generator
    def __init__(self, sizes: Sequence[int], *, activation: str = "relu") -> None:
        super().__init__()
        if len(sizes) < 2:
            raise ValueError(f"MLP: sizes {tuple(sizes)} make no layer, wanted at least the input's and the output's")
        if activation not in ACTIVATIONS:
            raise ValueError(f"MLP: activation {activation!r} is unknown, wanted one of {sorted(ACTIVATIONS)}")
        self.sizes, self.activation = tuple(sizes), activation
        # differs: torch draws weights and biases from U(-1/sqrt(fan_in), 1/sqrt(fan_in)) unasked, NNX where told so
        self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes))

    @classmethod
    def skeleton(cls, state: State, *, activation: str = "relu") -> Self:
        """An MLP of the sizes of this state, with shapes for values: what apply asks for."""
        with torch.device("meta"):
            return cls(_mlp_sizes(state), activation=activation)

    @classmethod
    def from_state(cls, state: State, *, activation: str = "relu") -> Self:
        """A whole MLP that holds this state, in the state's dtype."""
        model = cls.skeleton(state, activation=activation).to_empty(device=state["layers.0.weight"].device)
        load_state_dict(model, state)
        return model

    # differs: torch's modules say forward, which their __call__ wraps; NNX's say __call__
    def forward(self, x: Float[Tensor, "N I"]) -> Float[Tensor, "N O"]:
        """The output (N, sizes[-1]) for a batch x (N, sizes[0])."""
        if x.ndim != 2 or x.shape[1] != self.sizes[0]:
            raise ValueError(f"MLP: x has shape {tuple(x.shape)}, wanted (N, {self.sizes[0]}): one example a row")
        *hidden, last = self.layers
        for layer in hidden:
            x = ACTIVATIONS[self.activation](layer(x))
        return last(x)


class LeNet(Module):
    """LeNet as the blitz has it: two convolutions, each with ReLU and pooling, then three linear layers.

    Args:
        in_channels: 1 for digits, 61,706 parameters; 3 for CIFAR-10, 62,006.
        num_classes: the outputs.
        width: the first convolution's outputs and so the second's inputs; the tutorial's exercise widens it.

    Raises:
        ValueError: where an input is not (N, in_channels, 32, 32).

    Examples:
        >>> import math
        >>> sizes = {"conv1": (6, 1, 5, 5), "conv2": (16, 6, 5, 5), "fc1": (120, 400), "fc2": (84, 120), "fc3": (2, 84)}
        >>> state = {f"{layer}.weight": array([0.0] * math.prod(size)).reshape(size) for layer, size in sizes.items()}
        >>> state |= {f"{layer}.bias": array([0.5] * size[0]) for layer, size in sizes.items()}
        >>> LeNet.from_state(state)(array([0.0] * 1024).reshape(1, 1, 32, 32)).tolist()
        [[0.5, 0.5]]

    References:
        PyTorch, Neural Networks (60 minute blitz), "Define the network"; Training a Classifier, the exercise.
    """

    # differs: NNX takes its random streams as an argument, torch draws from the global generator
    def __init__(self, in_channels: int = 1, num_classes: int = 10, *, width: int = 6) -> None:
        super().__init__()
        self.in_channels = in_channels
        # differs: torch draws weights and biases from U(-1/sqrt(fan_in), 1/sqrt(fan_in)) unasked, NNX where told so
        self.conv1 = nn.Conv2d(in_channels, width, 5)
        self.conv2 = nn.Conv2d(width, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    @classmethod
    def skeleton(cls, state: State) -> Self:
        """A LeNet of the sizes of this state, with shapes for values: what apply asks for."""
        with torch.device("meta"):
            return cls(**_lenet_sizes(state))

    @classmethod
    def from_state(cls, state: State) -> Self:
        """A whole LeNet that holds this state, in the state's dtype."""
        model = cls.skeleton(state).to_empty(device=state["conv1.weight"].device)
        load_state_dict(model, state)
        return model

    def activations(self, x: Float[Tensor, "N C 32 32"]) -> dict[str, Float[Tensor, "N ..."]]:
        """Every value on the way, channels first, by name and in order.

        "conv1" (N, width, 28, 28), "relu1", "pool1" (N, width, 14, 14), "conv2" (N, 16, 10, 10), "relu2", "pool2"
        (N, 16, 5, 5), "flatten" (N, 400), "fc1" (N, 120), "relu3", "fc2" (N, 84), "relu4", "fc3" (N, num_classes).
        """
        if x.ndim != 4 or x.shape[1:] != (self.in_channels, 32, 32):
            raise ValueError(
                f"LeNet: x has shape {tuple(x.shape)}, wanted (N, {self.in_channels}, 32, 32): pad smaller images, "
                "and make a batch of a single one with as_batch(image)"
            )
        a: dict[str, Tensor] = {}
        # differs: torch convolves channels first, Flax channels last, between two transposes: flatten must run over
        # (channel, row, column) on both sides, the order of the 400 weights of each neuron in fc1
        a["conv1"] = self.conv1(x)
        a["relu1"] = F.relu(a["conv1"])
        a["pool1"] = F.max_pool2d(a["relu1"], 2)
        a["conv2"] = self.conv2(a["pool1"])
        a["relu2"] = F.relu(a["conv2"])
        a["pool2"] = F.max_pool2d(a["relu2"], 2)
        a["flatten"] = torch.flatten(a["pool2"], start_dim=1)
        a["fc1"] = self.fc1(a["flatten"])
        a["relu3"] = F.relu(a["fc1"])
        a["fc2"] = self.fc2(a["relu3"])
        a["relu4"] = F.relu(a["fc2"])
        a["fc3"] = self.fc3(a["relu4"])
        return a

    # differs: torch's modules say forward, which their __call__ wraps; NNX's say __call__
    def forward(self, x: Float[Tensor, "N C 32 32"]) -> Float[Tensor, "N K"]:
        """The logits (N, num_classes) of images (N, in_channels, 32, 32)."""
        return self.activations(x)["fc3"]


def mlp(state: State, x: Float[Tensor, "N I"], *, activation: str = "relu") -> Float[Tensor, "N O"]:
    """MLP as a pure function of its state: differentiable in state and x.

    Args:
        state: "layers.0.weight" (sizes[1], sizes[0]), "layers.0.bias" (sizes[1],), and so on, floating.
        x: (N, sizes[0]), floating.
        activation: "relu", "sigmoid" or "tanh".

    Returns:
        (N, sizes[-1]).

    Raises:
        ValueError: where a name is missing or unexpected, a shape does not fit, or the activation is unknown.

    Examples:
        >>> state = {"layers.0.weight": array([[1.0], [-1.0]]), "layers.0.bias": array([0.0, 0.0])}
        >>> state |= {"layers.1.weight": array([[1.0, 1.0]]), "layers.1.bias": array([0.0])}
        >>> mlp(state, array([[-3.0], [2.0]])).tolist()
        [[3.0], [2.0]]

    References:
        PyTorch, torch.func.functional_call; Flax, nnx.split and nnx.merge.
    """
    return apply(MLP.skeleton(state, activation=activation), state, x)


def lenet(state: State, x: Float[Tensor, "N C 32 32"]) -> Float[Tensor, "N K"]:
    """LeNet as a pure function of its state: differentiable in state and x.

    Args:
        state: ten arrays, "conv1.weight" (width, in_channels, 5, 5) to "fc3.bias" (num_classes,), floating.
        x: images (N, in_channels, 32, 32), floating.

    Returns:
        Logits (N, num_classes).

    Raises:
        ValueError: where a name is missing or unexpected, or a shape does not fit.

    Examples:
        >>> import math
        >>> sizes = {"conv1": (6, 1, 5, 5), "conv2": (16, 6, 5, 5), "fc1": (120, 400), "fc2": (84, 120), "fc3": (2, 84)}
        >>> state = {f"{layer}.weight": array([0.0] * math.prod(size)).reshape(size) for layer, size in sizes.items()}
        >>> state |= {f"{layer}.bias": array([0.5] * size[0]) for layer, size in sizes.items()}
        >>> lenet(state, array([0.0] * 1024).reshape(1, 1, 32, 32)).tolist()
        [[0.5, 0.5]]

    References:
        PyTorch, Neural Networks (60 minute blitz), "Define the network".
    """
    return apply(LeNet.skeleton(state), state, x)


def _mlp_sizes(state: State) -> list[int]:
    depth = max(1, sum(name.endswith(".weight") for name in state))
    weights = [_shape(state, f"layers.{layer}.weight", axes=2) for layer in range(depth)]
    return [weights[0][1], *(outputs for outputs, _ in weights)]


def _lenet_sizes(state: State) -> dict[str, int]:
    width, in_channels, _, _ = _shape(state, "conv1.weight", axes=4)
    return {"in_channels": in_channels, "num_classes": _shape(state, "fc3.bias", axes=1)[0], "width": width}


def _shape(state: State, name: str, *, axes: int) -> tuple[int, ...]:
    if name not in state:
        raise ValueError(f"the state lacks {name} and has {sorted(state)}; state_dict(model) gives a whole one")
    if state[name].ndim != axes:
        raise ValueError(f"the state's {name} has {state[name].ndim} axes, wanted {axes}, as in state_dict(model)")
    return tuple(state[name].shape)
