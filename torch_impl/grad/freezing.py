"""Freezing: a network keeps what it has learnt, and only its new head is trained.

References:
    PyTorch, "Deep Learning with PyTorch: A 60 Minute Blitz", Autograd (new), "Exclusion from the DAG".
"""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["parameter_counts", "fine_tune"]

Layer = dict[str, Float[Tensor, "..."]]


def parameter_counts(params: dict[str, Layer], *, trainable: tuple[str, ...]) -> dict[str, int]:
    """Count the numbers in a network and those that are trained.

    ResNet-18 has 11,689,512. A head of 10 classes in place of its 1,000 takes 513 x 1,000 away and brings 513 x 10.

    Args:
        params: layer -> name -> tensor.
        trainable: the layers that are trained.

    Returns:
        "total" and "trainable".

    Raises:
        ValueError: there is no such layer.

    Examples:
        >>> head = {"weight": array([[1.0, 2.0]]), "bias": array([3.0])}
        >>> parameter_counts({"backbone": {"weight": array([[1.0], [2.0]])}, "fc": head}, trainable=("fc",))
        {'total': 5, 'trainable': 3}

    References:
        Autograd (new), model.fc = nn.Linear(512, 10).
    """
    _check_layers("parameter_counts", params, trainable)
    counts = {layer: sum(tensor.numel() for tensor in tensors.values()) for layer, tensors in params.items()}
    return {"total": sum(counts.values()), "trainable": sum(counts[layer] for layer in trainable)}


def fine_tune(
    state: dict[str, dict[str, Layer]],
    x: Float[Tensor, "N D"],
    labels: Float[Tensor, "N K"],
    *,
    trainable: tuple[str, ...] = ("fc",),
    learning_rate: float = 1e-2,
    momentum: float = 0.9,
    steps: int = 1,
) -> tuple[dict[str, dict[str, Layer]], Float[Tensor, " steps"]]:
    """Train some layers of a network by SGD with momentum; the optimizer is given all of them.

    prediction = fc(relu(backbone(x))),  loss = sum(prediction - labels)

    A frozen parameter has no gradient in torch, and the optimizer passes it by. In JAX it has a gradient of zeros,
    which moves nothing here; with weight decay, which moves what has no gradient, the optimizer must be told as well.

    Args:
        state: "params", layer -> {"weight" (inputs, outputs), "bias" (outputs,)} for the layers "backbone" and "fc";
            "momentum", the buffers, alike, zeros at the start.
        x: (N, D), floating point.
        labels: (N, K).
        trainable: the layers that are trained, at least one; ("backbone", "fc") freezes none.
        learning_rate: of the steps.
        momentum: what is kept of the buffer at each step.
        steps: how many.

    Returns:
        (state, losses): the state after the last step, and the loss before each (steps,).

    Raises:
        ValueError: there is no such layer, or none is trained.

    Examples:
        >>> layer = {"weight": array([[1.0]]), "bias": array([0.0])}
        >>> zeros = {"weight": array([[0.0]]), "bias": array([0.0])}
        >>> state = {"params": {"backbone": layer, "fc": layer}, "momentum": {"backbone": zeros, "fc": zeros}}
        >>> state, losses = fine_tune(state, array([[2.0]]), array([[1.0]]), learning_rate=0.25)
        >>> losses.tolist(), {name: layer["weight"].tolist() for name, layer in state["params"].items()}
        ([1.0], {'backbone': [[1.0]], 'fc': [[0.5]]})

    References:
        Autograd (new), "Usage in PyTorch" and "Exclusion from the DAG".
    """
    _check_layers("fine_tune", state["params"], trainable)
    if not trainable:
        raise ValueError(f"fine_tune: got trainable (), wanted at least one layer, of {sorted(state['params'])}")
    params = {
        layer: {name: tensor.detach().clone().requires_grad_(layer in trainable) for name, tensor in tensors.items()}
        for layer, tensors in state["params"].items()
    }
    buffers = {
        layer: {name: tensor.detach().clone() for name, tensor in tensors.items()}
        for layer, tensors in state["momentum"].items()
    }
    everything = [tensor for tensors in params.values() for tensor in tensors.values()]
    optimizer = torch.optim.SGD(everything, lr=learning_rate, momentum=momentum)
    for layer, tensors in params.items():
        for name, tensor in tensors.items():
            optimizer.state[tensor]["momentum_buffer"] = buffers[layer][name]

    losses = x.new_empty(steps)
    for step in range(steps):
        optimizer.zero_grad()
        loss = (_predict(params, x) - labels).sum()
        loss.backward()
        optimizer.step()
        losses[step] = loss.detach()

    trained = {layer: {name: t.detach() for name, t in tensors.items()} for layer, tensors in params.items()}
    return {"params": trained, "momentum": buffers}, losses


def _predict(params: dict[str, Layer], x: Float[Tensor, "N D"]) -> Float[Tensor, "N K"]:
    hidden = torch.relu(x @ params["backbone"]["weight"] + params["backbone"]["bias"])  # (N, H)
    return hidden @ params["fc"]["weight"] + params["fc"]["bias"]


def _check_layers(function: str, params: dict[str, Layer], trainable: tuple[str, ...]) -> None:
    unknown = sorted(set(trainable) - set(params))
    if unknown:
        raise ValueError(f"{function}: got trainable {unknown}, wanted names of layers, of {sorted(params)}")
