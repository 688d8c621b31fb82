"""LeNet trained at the limit: minibatches are gathered at once, and the small convolutions take the faster way."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from torch_impl.checkpoint import State
from torch_impl.loops._repeat import repeat

__all__ = ["train_lenet"]


def train_lenet(
    state: dict[str, State],
    images: Float[Tensor, "N C 32 32"],
    labels: Int[Tensor, " N"],
    order: Int[Tensor, "steps batch"],
    *,
    learning_rate: float = 0.001,
    momentum: float = 0.9,
) -> tuple[dict[str, State], Float[Tensor, " steps"]]:
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
    params = {name: value.detach().clone().requires_grad_() for name, value in state["params"].items()}
    velocity = {name: value.clone() for name, value in state["momentum_buffer"].items()}
    weights, momenta = list(params.values()), [velocity[name] for name in params]

    # differs: torch updates in place, and on a GPU replays one step as a CUDA graph; JAX scans
    def step(images: Tensor, labels: Tensor) -> Tensor:
        loss = F.cross_entropy(_logits(params, images), labels)
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():  # each line one call for all ten arrays
            torch._foreach_mul_(momenta, momentum)
            torch._foreach_add_(momenta, gradients)
            torch._foreach_add_(weights, momenta, alpha=-learning_rate)
        return loss.detach()

    losses = images.new_empty(len(order))
    with _own_convolutions():
        repeat(step, len(order), (images[order], labels[order]), losses)  # (steps, batch, C, 32, 32), (steps, batch)
    return {"params": {name: value.detach() for name, value in params.items()}, "momentum_buffer": velocity}, losses


def _logits(params: State, x: Float[Tensor, "N C 32 32"]) -> Float[Tensor, "N K"]:
    for layer in ("conv1", "conv2"):
        x = F.max_pool2d(F.relu(F.conv2d(x, params[f"{layer}.weight"], params[f"{layer}.bias"])), 2)
    x = x.flatten(1)  # (N, 400)
    for layer in ("fc1", "fc2"):
        x = F.relu(F.linear(x, params[f"{layer}.weight"], params[f"{layer}.bias"]))
    return F.linear(x, params["fc3.weight"], params["fc3.bias"])


@contextmanager
def _own_convolutions() -> Iterator[None]:
    """Without oneDNN, which on the CPU takes a third longer for pictures and batches as small as these.

    Torch's own context manager: a plain assignment is refused in a program that has frozen the flags. None leaves
    the other flags as they are.
    """
    flags: Any = torch.backends.mkldnn.flags
    with flags(enabled=False, deterministic=None, allow_tf32=None, fp32_precision=None):
        yield
