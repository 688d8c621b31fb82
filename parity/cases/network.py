"""Nielsen's network on handwritten digits: how many it recognises after each epoch, three implementations alike.

The digits are those that come with this package. Name a folder with MNIST's four IDX files in the environment variable
PARITY_MNIST, and the book's own network is run on them as well.
"""

import itertools
import os
from pathlib import Path

import numpy as np

from parity.cases.case import Case, Inputs, Published
from parity.data import Digits, Mnist, digits, random_orders, read_mnist

BATCH, EPOCHS = 10, 30
MNIST_EPOCHS = 3  # each takes a minute or so on both sides at two precisions
SOURCE = "Nielsen, chapter 1, on scikit-learn's digits: the same run in NumPy"
COUNTS = (
    *(208, 255, 281, 281, 276, 272, 280, 281, 282, 285, 288, 284, 286, 285, 288),
    *(287, 288, 288, 289, 289, 288, 287, 290, 290, 287, 289, 288, 289, 290, 290),
)


def training(
    data: Digits | Mnist, sizes: tuple[int, ...] = (64, 30, 10), *, learning_rate: float = 3.0, epochs: int = EPOCHS
) -> Inputs:
    """What `train_epochs` takes, with the book's first weights: standard normals, biases drawn before weights."""
    rng = np.random.RandomState(0)
    biases = [rng.standard_normal(neurons) for neurons in sizes[1:]]
    weights = [rng.standard_normal((neurons, inputs)) for inputs, neurons in itertools.pairwise(sizes)]
    return {
        "params": {"weights": weights, "biases": biases},
        "X": data.train_images,
        "Y": np.eye(sizes[-1])[data.train_labels],
        "test_X": data.test_images,
        "test_y": data.test_labels,
        "order": random_orders(len(data.train_images), BATCH, epochs, rng=np.random.RandomState(1)),
        "learning_rate": learning_rate,
    }


def train_in_numpy(inputs: Inputs) -> dict[str, np.ndarray]:
    """The third witness: the book's equations BP1 to BP4 on whole minibatches, in NumPy."""
    weights, biases = ([value.copy() for value in inputs["params"][kind]] for kind in ("weights", "biases"))

    def layers(X):
        activations = [X]
        for w, b in zip(weights, biases, strict=True):
            activations.append(1 / (1 + np.exp(-(activations[-1] @ w.T + b))))
        return activations

    counts = []
    for epoch in inputs["order"]:
        for rows in epoch:
            activations = layers(inputs["X"][rows])
            delta = activations[-1] - inputs["Y"][rows]  # (batch, neurons)
            for layer in range(len(weights) - 1, -1, -1):
                delta = delta * activations[layer + 1] * (1 - activations[layer + 1])
                step = inputs["learning_rate"] / len(rows) * delta
                delta = delta @ weights[layer]
                weights[layer] -= step.T @ activations[layer]
                biases[layer] -= step.sum(axis=0)
        counts.append((layers(inputs["test_X"])[-1].argmax(axis=1) == inputs["test_y"]).sum())
    return {"counts": np.array(counts), "best": np.max(counts, initial=0)}


def support_vectors(inputs: Inputs) -> dict[str, object]:
    """The baseline that the book takes from scikit-learn, where it is installed: a support vector machine."""
    name = "recognised by a support vector machine"
    try:
        from sklearn.svm import SVC
    except ModuleNotFoundError:
        return {name: "scikit-learn is not installed"}
    machine = SVC().fit(inputs["X"], inputs["y"])
    return {name: (machine.predict(inputs["test_X"]) == inputs["test_y"]).sum()}


def _train_epochs(impl, params, X, Y, test_X, test_y, order, **settings):
    params, counts = impl.train_epochs(params, X, Y, test_X, test_y, order, **settings)
    return {"params": params, "counts": counts, "best": counts.max()}


def _train(impl, params, X, Y, order, **settings):
    params, costs = impl.train(params, X, Y, order, **settings)
    return {"params": params, "costs": costs}


def _darkness(impl, X, y, test_X, test_y):
    guesses = impl.guess_by_darkness(impl.average_darkness(X, y), test_X)
    return {"guesses": guesses, "recognised": (guesses == test_y).sum()}


def _epochs(name, *published, sizes=(64, 30, 10), learning_rate=3.0):
    return Case(
        f"network.{name}",
        lambda rng: training(digits(), sizes, learning_rate=learning_rate),
        call=_train_epochs,
        covers=("train_epochs", "evaluate"),
        wrt=(),
        stage="curve",
        carry=("params",),
        forced=False,  # network.train compares single steps of the same loop
        published=published,
        witness=train_in_numpy,
    )


def _random(rng):
    params = {
        "weights": [rng.normal(size=(5, 6)), rng.normal(size=(3, 5))],
        "biases": [rng.normal(size=5), rng.normal(size=3)],
    }
    return {"params": params, "X": rng.uniform(size=(12, 6))}


def _first_epoch(rng):
    inputs = training(digits(), epochs=1)
    return {name: inputs[name] for name in ("params", "X", "Y", "learning_rate")} | {"order": inputs["order"][0]}


def _baseline(rng):
    data = digits()
    return {"X": data.train_images, "y": data.train_labels, "test_X": data.test_images, "test_y": data.test_labels}


def mnist_cases(folder: str | Path | None) -> tuple[Case, ...]:
    """The book's [784, 30, 10] network on MNIST's own files, where a folder is named."""
    if not folder:
        return ()
    return (
        Case(
            "network.mnist",
            lambda rng: training(read_mnist(folder), (784, 30, 10), epochs=MNIST_EPOCHS),
            call=_train_epochs,
            covers=("train_epochs", "evaluate"),
            wrt=(),
            stage="curve",
            carry=("params",),
            witness=train_in_numpy,
        ),
    )


CASES = (
    Case("network.feedforward", _random),
    Case("network.cost", lambda rng: {**_random(rng), "Y": np.eye(3)[rng.integers(0, 3, size=12)]}),
    Case("network.evaluate", lambda rng: {**_random(rng), "y": rng.integers(0, 3, size=12)}, wrt=()),
    Case("network.train", _first_epoch, call=_train, wrt=(), stage="curve", carry=("params",)),
    _epochs("hidden_30", Published("counts", COUNTS, 0, f"{SOURCE}, [64, 30, 10], eta 3")),
    _epochs(
        "hidden_100",
        Published("best", (262,), 0, f"{SOURCE}, [64, 100, 10], eta 3, best epoch"),
        sizes=(64, 100, 10),
    ),
    _epochs(
        "learning_rate_too_small",
        Published("counts", (27, 31), 0, f"{SOURCE}, [64, 30, 10], eta 0.001, first and last", at=(0, 29)),
        learning_rate=0.001,
    ),
    _epochs(
        "learning_rate_too_large",
        Published("counts", (29, 29), 0, f"{SOURCE}, [64, 30, 10], eta 100, first and last", at=(0, 29)),
        Published("best", (29,), 0, f"{SOURCE}, [64, 30, 10], eta 100, best epoch"),
        learning_rate=100.0,
    ),
    _epochs(
        "no_hidden_layer",
        Published("best", (287,), 0, f"{SOURCE}, [64, 10], eta 3, best epoch"),
        sizes=(64, 10),
    ),
    Case(
        "network.average_darkness",
        lambda rng: {"X": rng.uniform(size=(40, 6)), "y": np.arange(40) % 4, "classes": 4},
    ),
    Case(
        "network.guess_by_darkness",
        _baseline,
        call=_darkness,
        covers=("average_darkness", "guess_by_darkness"),
        wrt=(),
        published=(
            Published("recognised", (40,), 0, "Nielsen, chapter 1, darkness, on scikit-learn's digits: in NumPy"),
        ),
        witness=support_vectors,
    ),
    *mnist_cases(os.environ.get("PARITY_MNIST")),
)
