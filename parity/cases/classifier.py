"""Cases of the classifier: LeNet trained on digits enlarged to 32 x 32, judged at every step and by what it has learnt.

Name the unpacked folder of CIFAR-10's "python version" in the environment variable PARITY_CIFAR10, and the tutorial's
own data are trained on as well.
"""

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from parity.cases.case import Case, Inputs, Published
from parity.cases.lenet import lenet_state
from parity.data import Cifar10, as_32x32, digits, random_orders, read_cifar10

BLITZ = "PyTorch, Training a Classifier (60 minute blitz)"
STEPS, BATCH = 187, 8  # one epoch of the 1,500 digits, but for the last four
CIFAR_STEPS, CIFAR_BATCH, CIFAR_TESTED = 500, 4, 1000  # of the tutorial's 12,500 steps an epoch


def zeros(params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Momentum buffers before the first step."""
    return {name: np.zeros_like(value) for name, value in params.items()}


def on_digits(rng: np.random.Generator) -> Inputs:
    """One epoch of digits, at ten times the tutorial's learning rate: 187 steps are few."""
    data = digits()
    params = lenet_state(rng)
    return {
        "state": {"params": params, "momentum_buffer": zeros(params)},
        "images": as_32x32(data.train_images),
        "labels": data.train_labels,
        "order": random_orders(STEPS * BATCH, BATCH, 1, rng=rng)[0],
        "test_images": as_32x32(data.test_images),
        "test_labels": data.test_labels,
        "learning_rate": 0.01,
        "every": 20,
    }


def on_cifar10(rng: np.random.Generator, data: Cifar10) -> Inputs:
    """The beginning of the tutorial's run: its own colour pictures, minibatches of four, its learning rate."""
    params = lenet_state(rng, channels=3)
    rows = rng.permutation(len(data.train_images))[: CIFAR_STEPS * CIFAR_BATCH]
    rows = rows[: len(rows) // CIFAR_BATCH * CIFAR_BATCH]
    return {
        "state": {"params": params, "momentum_buffer": zeros(params)},
        "images": data.train_images[rows] / 255,
        "labels": data.train_labels[rows],
        "order": np.arange(len(rows)).reshape(-1, CIFAR_BATCH),
        "test_images": data.test_images[:CIFAR_TESTED] / 255,
        "test_labels": data.test_labels[:CIFAR_TESTED],
        "every": 100,
    }


def trained(
    impl: Any,
    *,
    state: Any,
    images: Any,
    labels: Any,
    order: Any,
    test_images: Any,
    test_labels: Any,
    every: int,
    **settings: float,
) -> dict[str, Any]:
    """The curve, and how the net does afterwards on pictures that it has not seen."""
    state, losses = impl.train(state, impl.normalise(images), labels, order, **settings)
    seen = (state["params"], impl.normalise(test_images))
    return {
        "state": state,
        "losses": losses,
        "running_means": impl.running_means(losses, every),
        "accuracy": impl.evaluate(*seen, test_labels),
        "per_class_accuracy": impl.per_class_accuracy(*seen, test_labels),
        "predictions": impl.predict(*seen),
    }


def pictures(rng: np.random.Generator, *, channels: int, count: int = 40, **options: Any) -> Inputs:
    """Random pictures, some dark and some light, and a net that sees several classes in them: its weights are large."""
    params = {name: 4 * value for name, value in lenet_state(rng, channels=channels).items()}
    light, rows, pixels = (rng.uniform(-1, 1, size=(count, channels, *size)) for size in ((1, 1), (32, 1), (32, 32)))
    return {"params": params, "images": light / 2 + rows / 4 + pixels / 4, **options}


def through_a_file(impl: Any, *, params: Any) -> dict[str, Any]:
    """Saved, and loaded into a fresh net."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cifar_net.safetensors"
        impl.save(params, path)
        loaded = impl.load(path, in_channels=3)
    return {"params": loaded, "parameters": sum(int(np.prod(value.shape)) for value in loaded.values())}


def training_case(name: str, inputs: Any) -> Case:
    """A case of the whole story."""
    return Case(
        name=name,
        inputs=inputs,
        call=trained,
        covers=("train", "normalise", "running_means", "evaluate", "per_class_accuracy", "predict"),
        wrt=(),
        stage="curve",
        carry=("state",),
    )


def cifar10_cases(folder: str | Path | None) -> tuple[Case, ...]:
    """The tutorial's data set, where a folder is named."""
    if not folder:
        return ()
    return (training_case("classifier.cifar10", lambda rng: on_cifar10(rng, read_cifar10(folder))),)


CASES = (
    Case("classifier.normalise", lambda rng: {"images": rng.uniform(size=(2, 3, 4, 4))}),
    Case("classifier.initial_state", lambda rng: {"params": lenet_state(rng)}, wrt=()),
    Case("classifier.running_means", lambda rng: {"losses": rng.exponential(size=11), "every": 3}),
    Case("classifier.predict", partial(pictures, channels=3, batch_size=16), wrt=()),
    Case(
        "classifier.evaluate",
        lambda rng: pictures(rng, channels=1, labels=rng.integers(0, 10, size=40)),
        wrt=(),
    ),
    Case(
        "classifier.per_class_accuracy",
        lambda rng: pictures(rng, channels=1, labels=rng.integers(0, 8, size=40)),  # two classes without a picture
        wrt=(),
    ),
    training_case("classifier.digits", on_digits),
    Case(
        "classifier.save_and_load",
        lambda rng: {"params": lenet_state(rng, channels=3)},
        call=through_a_file,
        covers=("save", "load"),
        wrt=(),
        jit=False,
        published=(Published("parameters", (62006,), 0, f"{BLITZ}, its net for three channels"),),
    ),
    *cifar10_cases(os.environ.get("PARITY_CIFAR10")),
)
