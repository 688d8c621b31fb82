"""What a network is made of: the shapes on the way, and the shapes and the number of its parameters."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import Module

from torch_impl.lenet.networks import LeNet

__all__ = [
    "as_batch",
    "shapes",
    "parameter_shapes",
    "parameter_count",
]


def as_batch(image: Float[Tensor, "C H W"]) -> Float[Tensor, "1 C H W"]:
    """One image as a batch of one: the layers take nothing else.

    Args:
        image: (C, H, W).

    Returns:
        (1, C, H, W).

    Raises:
        ValueError: where image has not three axes.

    Examples:
        >>> tuple(as_batch(array([[[0.0, 1.0]]])).shape)
        (1, 1, 1, 2)

    References:
        PyTorch, Neural Networks (60 minute blitz), note on mini-batches: "input.unsqueeze(0)".
    """
    if image.ndim != 3:
        raise ValueError(f"as_batch: image has shape {tuple(image.shape)}, wanted (C, H, W); a batch stays as it is")
    return image.unsqueeze(0)


def shapes(model: LeNet, x: Float[Tensor, "N C 32 32"]) -> dict[str, tuple[int, ...]]:
    """The shape of every value on LeNet's way, in order.

    Args:
        model: a LeNet.
        x: images (N, in_channels, 32, 32).

    Returns:
        Name -> shape, channels first.

    Raises:
        ValueError: where x is not (N, in_channels, 32, 32).

    Examples:
        >>> import math
        >>> sizes = {"conv1": (6, 1, 5, 5), "conv2": (16, 6, 5, 5), "fc1": (120, 400), "fc2": (84, 120), "fc3": (2, 84)}
        >>> state = {f"{layer}.weight": array([0.0] * math.prod(size)).reshape(size) for layer, size in sizes.items()}
        >>> state |= {f"{layer}.bias": array([0.5] * size[0]) for layer, size in sizes.items()}
        >>> found = shapes(LeNet.from_state(state), array([0.0] * 1024).reshape(1, 1, 32, 32))
        >>> found["conv1"], found["flatten"]
        ((1, 6, 28, 28), (1, 400))

    References:
        PyTorch, Neural Networks (60 minute blitz), "Define the network", its comments.
    """
    with torch.no_grad():
        return {name: tuple(value.shape) for name, value in model.activations(x).items()}


def parameter_shapes(model: Module) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter, in torch's names and layout.

    Args:
        model: any model that state_dict takes.

    Returns:
        Name -> shape; running statistics are not parameters and stay out.

    Examples:
        >>> model = MLP.from_state({"layers.0.weight": array([[1.0, 2.0]]), "layers.0.bias": array([3.0])})
        >>> sorted(parameter_shapes(model).items())
        [('layers.0.bias', (1,)), ('layers.0.weight', (1, 2))]

    References:
        PyTorch, Neural Networks (60 minute blitz), "params[0].size()".
    """
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}


def parameter_count(model: Module) -> int:
    """How many numbers the parameters hold.

    Args:
        model: any model that state_dict takes.

    Returns:
        The count; LeNet has 61,706.

    Examples:
        >>> parameter_count(MLP.from_state({"layers.0.weight": array([[1.0, 2.0]]), "layers.0.bias": array([3.0])}))
        3

    References:
        PyTorch, Neural Networks (60 minute blitz), "net.parameters()".
    """
    return sum(parameter.numel() for parameter in model.parameters())
