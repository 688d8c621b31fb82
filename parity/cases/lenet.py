"""Cases of the networks: outputs, the gradients of every parameter and of the input, shapes, the first step by hand."""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from parity.cases.case import Case, Inputs, Published

BLITZ = "PyTorch, Neural Networks (60 minute blitz)"


def drawn(rng: np.random.Generator, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """A state drawn as torch's layers start: U(-1/sqrt(fan_in), 1/sqrt(fan_in)), weights and biases."""
    state = {}
    for name, shape in shapes.items():
        weight = shapes[name.replace("bias", "weight")]
        bound = np.prod(weight[1:]) ** -0.5
        state[name] = rng.uniform(-bound, bound, size=shape)
    return state


def mlp_state(rng: np.random.Generator, *sizes: int) -> dict[str, np.ndarray]:
    """The state of an MLP of these sizes."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
        shapes |= {f"layers.{layer}.weight": (outputs, inputs), f"layers.{layer}.bias": (outputs,)}
    return drawn(rng, shapes)


def lenet_state(
    rng: np.random.Generator, *, channels: int = 1, classes: int = 10, width: int = 6
) -> dict[str, np.ndarray]:
    """The state of a LeNet, ten arrays."""
    weights = {
        "conv1": (width, channels, 5, 5),
        "conv2": (16, width, 5, 5),
        "fc1": (120, 400),
        "fc2": (84, 120),
        "fc3": (classes, 84),
    }
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, weight in weights.items():
        shapes |= {f"{layer}.weight": weight, f"{layer}.bias": weight[:1]}
    return drawn(rng, shapes)


def lenet_inputs(rng: np.random.Generator, *, batch: int = 4, **sizes: int) -> Inputs:
    """A LeNet's state, and images for it."""
    state = lenet_state(rng, **sizes)
    return {"state": state, "x": rng.normal(size=(batch, state["conv1.weight"].shape[1], 32, 32))}


def mlp_inputs(rng: np.random.Generator, *sizes: int, **options: str) -> Inputs:
    """An MLP's state, and a batch of four."""
    return {"state": mlp_state(rng, *sizes), "x": rng.normal(size=(4, sizes[0])), **options}


def blitz_inputs(rng: np.random.Generator, name: str) -> Inputs:
    """The tutorial's one image, and random numbers shaped as LeNet's output."""
    return {**lenet_inputs(rng, batch=1), name: rng.normal(size=(1, 10))}


def facts(impl: Any, *, state: Any) -> dict[str, Any]:
    """What the parameters are: their number, their shapes, and how many numbers each layer and the whole hold."""
    model = impl.LeNet.from_state(state)
    shapes = impl.parameter_shapes(model)
    sizes = {name: int(np.prod(shape)) for name, shape in shapes.items()}
    layers = ("conv1", "conv2", "fc1", "fc2", "fc3")
    return {
        "tensors": len(shapes),
        "shapes": shapes,
        "layers": np.array([sizes[f"{layer}.weight"] + sizes[f"{layer}.bias"] for layer in layers]),
        "scalars": impl.parameter_count(model),
    }


CASES = (
    *(
        Case(
            name=f"lenet.mlp_{activation}",
            inputs=partial(
                lambda rng, activation: mlp_inputs(rng, 6, 9, 5, 3, activation=activation), activation=activation
            ),
            call=lambda impl, state, x, activation: impl.mlp(state, x, activation=activation),
            covers=("mlp", "MLP"),
        )
        for activation in ("relu", "sigmoid", "tanh")
    ),
    Case(
        name="lenet.mlp_of_one_layer",
        inputs=lambda rng: mlp_inputs(rng, 6, 3),
        call=lambda impl, state, x: impl.MLP.from_state(state)(x),
        covers=("MLP",),
        wrt=("x",),
    ),
    Case(name="lenet.lenet", inputs=lenet_inputs, covers=("lenet", "LeNet")),
    Case(
        name="lenet.lenet_of_three_channels",
        inputs=partial(lenet_inputs, channels=3),
        call=lambda impl, state, x: impl.lenet(state, x),
        covers=("lenet", "LeNet"),
    ),
    Case(
        name="lenet.lenet_widened",
        inputs=partial(lenet_inputs, channels=3, width=11),
        call=lambda impl, state, x: impl.lenet(state, x),
        covers=("lenet", "LeNet"),
    ),
    Case(
        name="lenet.activations",
        inputs=lenet_inputs,
        call=lambda impl, state, x: impl.LeNet.from_state(state).activations(x),
        covers=("LeNet",),
        wrt=("x",),
    ),
    Case(name="lenet.as_batch", inputs=lambda rng: {"image": rng.normal(size=(3, 32, 32))}),
    Case(
        name="lenet.shapes",
        inputs=lenet_inputs,
        call=lambda impl, state, x: tuple(impl.shapes(impl.LeNet.from_state(state), x).items()),
        wrt=(),
        jit=False,
    ),
    Case(
        name="lenet.parameters",
        inputs=lambda rng: {"state": lenet_state(rng)},
        call=facts,
        covers=("parameter_shapes", "parameter_count"),
        wrt=(),
        jit=False,
        published=(
            Published("tensors", (10,), 0, f"{BLITZ}, len(params)"),
            Published("layers", (156, 2416, 48120, 10164, 850), 0, f"{BLITZ}, its five layers"),
            Published("scalars", (61706,), 0, f"{BLITZ}, its five layers together"),
        ),
    ),
    Case(
        name="lenet.parameters_of_three_channels",
        inputs=lambda rng: {"state": lenet_state(rng, channels=3)},
        call=facts,
        covers=("parameter_shapes", "parameter_count"),
        wrt=(),
        jit=False,
        published=(Published("scalars", (62006,), 0, "PyTorch, Training a Classifier (60 minute blitz), its network"),),
    ),
    Case(
        name="lenet.backward",
        inputs=lambda rng: blitz_inputs(rng, "cotangent"),
        call=lambda impl, state, x, cotangent: dict(
            zip(("before", "after"), impl.backward(impl.LeNet.from_state(state), x, cotangent), strict=True)
        ),
        wrt=(),
        stage="gradient",
    ),
    Case(
        name="lenet.backward_chain",
        inputs=lambda rng: blitz_inputs(rng, "target"),
        call=lambda impl, state, x, target: impl.backward_chain(impl.LeNet.from_state(state), x, target),
        wrt=(),
        jit=False,
    ),
    Case(
        name="lenet.manual_update",
        inputs=lambda rng: blitz_inputs(rng, "target"),
        call=lambda impl, **inputs: dict(zip(("state", "loss"), impl.manual_update(**inputs), strict=True)),
        wrt=(),
        stage="update",
        carry=("state",),
    ),
)
