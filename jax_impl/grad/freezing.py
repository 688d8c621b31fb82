"""Freezing: a network keeps what it has learnt, and only its new head is trained.

References:
    PyTorch, "Deep Learning with PyTorch: A 60 Minute Blitz", Autograd (new), "Exclusion from the DAG".
"""

import jax
import optax
from jax import Array, lax
from jaxtyping import Float

__all__ = ["parameter_counts", "fine_tune"]

Layer = dict[str, Float[Array, "..."]]


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
    counts = {layer: sum(tensor.size for tensor in tensors.values()) for layer, tensors in params.items()}
    return {"total": sum(counts.values()), "trainable": sum(counts[layer] for layer in trainable)}


def fine_tune(
    state: dict[str, dict[str, Layer]],
    x: Float[Array, "N D"],
    labels: Float[Array, "N K"],
    *,
    trainable: tuple[str, ...] = ("fc",),
    learning_rate: float = 1e-2,
    momentum: float = 0.9,
    steps: int = 1,
) -> tuple[dict[str, dict[str, Layer]], Float[Array, " steps"]]:
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
    optimizer = optax.sgd(learning_rate, momentum)

    def loss(params: dict[str, Layer]) -> Float[Array, ""]:
        followed = {layer: p if layer in trainable else lax.stop_gradient(p) for layer, p in params.items()}
        return (_predict(followed, x) - labels).sum()

    def step(carry: tuple[dict[str, Layer], optax.OptState], _: None) -> tuple[tuple, Float[Array, ""]]:
        params, slots = carry
        value, gradients = jax.value_and_grad(loss)(params)
        updates, slots = optimizer.update(gradients, slots, params)
        return (optax.apply_updates(params, updates), slots), value

    slots = optax.tree.set(optimizer.init(state["params"]), trace=state["momentum"])
    (params, slots), losses = lax.scan(step, (state["params"], slots), length=steps)
    return {"params": params, "momentum": optax.tree.get(slots, "trace")}, losses


def _predict(params: dict[str, Layer], x: Float[Array, "N D"]) -> Float[Array, "N K"]:
    hidden = jax.nn.relu(x @ params["backbone"]["weight"] + params["backbone"]["bias"])  # (N, H)
    return hidden @ params["fc"]["weight"] + params["fc"]["bias"]


def _check_layers(function: str, params: dict[str, Layer], trainable: tuple[str, ...]) -> None:
    unknown = sorted(set(trainable) - set(params))
    if unknown:
        raise ValueError(f"{function}: got trainable {unknown}, wanted names of layers, of {sorted(params)}")
