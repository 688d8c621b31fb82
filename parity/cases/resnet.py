"""Cases of ResNet-18: both stems in both modes, and fifty steps of training on colour noise that has a class."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from parity.cases.case import Case, Inputs, Published

STEPS, BATCH, EXAMPLES, CLASSES = 50, 8, 24, 3
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
LAYERS = (2, 2, 2, 2)


def shapes(*, width: int, kernel: int, layers: Sequence[int] = LAYERS) -> dict[str, tuple[int, ...]]:
    """Torchvision's names, and the shape of each."""
    found: dict[str, tuple[int, ...]] = {}

    def layer(conv: str, norm: str, *weight: int) -> None:
        found[f"{conv}.weight"] = weight
        found.update({f"{norm}.{name}": weight[:1] for name in ("weight", "bias", "running_mean", "running_var")})
        found[f"{norm}.num_batches_tracked"] = ()

    layer("conv1", "bn1", width, 3, kernel, kernel)
    before = width
    for stage, blocks in enumerate(layers):
        after = width << stage
        for block in range(blocks):
            name = f"layer{stage + 1}.{block}"
            layer(f"{name}.conv1", f"{name}.bn1", after, before, 3, 3)
            layer(f"{name}.conv2", f"{name}.bn2", after, after, 3, 3)
            if before != after:
                layer(f"{name}.downsample.0", f"{name}.downsample.1", after, before, 1, 1)
            before = after
    return found | {"fc.weight": (CLASSES, before), "fc.bias": (CLASSES,)}


def drawn(rng: np.random.Generator, **sizes: Any) -> dict[str, np.ndarray]:
    """A state as after some training: weights as torchvision draws them, norms that are not 1 and 0."""
    state: dict[str, np.ndarray] = {}
    for name, shape in shapes(**sizes).items():
        if name.endswith("num_batches_tracked"):
            state[name] = np.array(7)
        elif name.endswith(("running_var", "weight")) and len(shape) == 1:
            state[name] = rng.uniform(0.5, 1.5, size=shape)
        elif len(shape) == 4:
            state[name] = rng.normal(scale=(2 / (shape[0] * shape[2] * shape[3])) ** 0.5, size=shape)
        else:
            state[name] = rng.normal(scale=0.1, size=shape)
    return state


def parts(state: dict[str, np.ndarray]) -> Inputs:
    """The state as what is trained and what is not."""
    buffers = {name: value for name, value in state.items() if name.endswith(BUFFERS)}
    return {"params": {name: value for name, value in state.items() if name not in buffers}, "buffers": buffers}


def batch(rng: np.random.Generator, *, size: int, **sizes: Any) -> Inputs:
    """A state in its parts, and images."""
    return {**parts(drawn(rng, width=2, **sizes)), "images": rng.normal(size=(BATCH, 3, size, size))}


def labelled(rng: np.random.Generator, **sizes: Any) -> Inputs:
    """A batch and its classes."""
    return {**batch(rng, **sizes), "labels": rng.integers(0, CLASSES, size=BATCH)}


def training(rng: np.random.Generator, *, width: int = 2) -> Inputs:
    """Images whose colour tells the class, in noise; a net of ResNet-18's depth, two channels wide where not told.

    Images of 16 x 16 leave 2 x 2 to the last norms, 32 values a channel in a batch of eight. Of 8 x 8 and in batches of
    four they left four values, and rounding alone decided the losses after five steps.
    """
    state = drawn(rng, width=width, kernel=3)
    labels = np.arange(EXAMPLES) % CLASSES
    images = rng.normal(size=(EXAMPLES, 3, 16, 16)) + 0.5 * np.eye(3)[labels][:, :, None, None]
    order = np.concatenate([rng.permutation(EXAMPLES) for _ in range(-(-STEPS * BATCH // EXAMPLES))])
    return {
        "state": {
            "model": state,
            "momentum_buffer": {name: np.zeros_like(value) for name, value in parts(state)["params"].items()},
        },
        "images": images,
        "labels": labels,
        "order": order[: STEPS * BATCH].reshape(STEPS, BATCH),
        "learning_rate": 0.005,
    }


def begun(impl: Any, *, model: Any) -> dict[str, Any]:
    """The state before the first step: the model as it was given, and which parameters have a buffer of zeros."""
    state = impl.initial_state(model)
    zero = sorted(name for name, buffer in state["momentum_buffer"].items() if float(abs(buffer).max()) == 0)
    return {"model": state["model"], "buffers": ", ".join(zero)}


CASES = (
    Case(
        "resnet.parameter_count",
        call=lambda impl: {"resnet18": impl.parameter_count()},
        wrt=(),
        jit=False,
        published=(Published("resnet18", (11_689_512,), 0, "torchvision, ResNet18_Weights, num_params"),),
    ),
    Case(
        "resnet.logits",
        partial(batch, size=8, kernel=3),
        call=lambda impl, params, buffers, images: impl.logits(params | buffers, images),
        covers=("logits", "ResNet", "BasicBlock"),
        wrt=("params", "images"),
    ),
    Case(
        "resnet.loss",
        partial(labelled, size=33, kernel=7),
        call=lambda impl, params, buffers, **inputs: dict(
            zip(("loss", "buffers"), impl.loss(params | buffers, **inputs), strict=True)
        ),
        wrt=("params", "images"),
    ),
    Case(
        "resnet.initial_state",
        lambda rng: {"model": drawn(rng, width=1, kernel=3)},
        call=begun,
        wrt=(),
        jit=False,
    ),
    Case(
        "resnet.train",
        training,
        call=lambda impl, **inputs: dict(zip(("state", "losses"), impl.train(**inputs), strict=True)),
        wrt=(),
        stage="curve",
        carry=("state",),
    ),
)
