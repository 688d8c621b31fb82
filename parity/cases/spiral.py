"""The spiral: both classifiers of the case study, and every number that its page prints of their training."""

import numpy as np

from parity.cases.case import Case, Published
from parity.data import case_study

PAGE = "CS231n, neural networks case study"
LINEAR_LOSSES = (
    *(1.096956, 0.917265, 0.851503, 0.822336, 0.807586, 0.799448, 0.794681, 0.791764, 0.789920, 0.788726),
    *(0.787938, 0.787409, 0.787049, 0.786803, 0.786633, 0.786514, 0.786431, 0.786373, 0.786331, 0.786302),
)
TWO_LAYER_LOSSES = (1.098744, 0.294946, 0.259301, 0.248310, 0.246170, 0.245649, 0.245491, 0.245400, 0.245335, 0.245292)
EVERY_10 = Published("losses", LINEAR_LOSSES, 6, f"{PAGE}, linear classifier, every 10 iterations", slice(0, None, 10))
EVERY_1000 = Published("losses", TWO_LAYER_LOSSES, 6, f"{PAGE}, net, every 1,000 iterations", slice(0, None, 1000))
LINEAR_ACCURACY = Published("accuracy", (0.49,), 2, f"{PAGE}, linear classifier, training accuracy")
TWO_LAYER_ACCURACY = Published("accuracy", (0.98,), 2, f"{PAGE}, net, training accuracy")


def _net(rng, points=12, classes=3, hidden=7):
    """Weights and points large enough that every ReLU has points on both of its sides."""
    return {
        "params": {
            "W": rng.normal(size=(2, hidden)),
            "b": rng.normal(size=hidden),
            "W2": rng.normal(size=(hidden, classes)),
            "b2": rng.normal(size=classes),
        },
        "X": rng.normal(size=(points, 2)),
    }


def _labelled(rng):
    return {**_net(rng), "y": rng.integers(0, 3, size=12), "reg": 1e-3}


def _linear(rng):
    params = {"W": rng.normal(size=(2, 3)), "b": rng.normal(size=3)}
    return {"params": params, "X": rng.normal(size=(12, 2)), "y": rng.integers(0, 3, size=12), "reg": 1e-3}


def _page(which, steps):
    study = case_study()
    params = getattr(study, which)
    return {"params": params, "X": study.X, "y": study.y, "learning_rate": 1.0, "reg": 1e-3, "steps": steps}


def _train(impl, params, X, y, **settings):
    params, losses = impl.train(params, X, y, **settings)
    return {"params": params, "losses": losses, "accuracy": impl.accuracy(params, X, y)}


def _train_by_hand(impl, params, X, y, **settings):
    params, losses = impl.train_by_hand(params, X, y, **settings)
    return {"params": params, "losses": losses, "accuracy": impl.accuracy(params, X, y)}


CASES = (
    Case("spiral.scores", _net),
    Case(
        "spiral.linear_scores",
        lambda rng: {name: value for name, value in _linear(rng).items() if name in ("params", "X")},
        call=lambda impl, params, X: impl.scores(params, X),
        covers=("scores",),
    ),
    Case("spiral.probabilities", lambda rng: {"scores": rng.normal(size=(12, 3))}),
    Case("spiral.loss", _labelled),
    Case(
        "spiral.first_loss",
        lambda rng: {name: value for name, value in _page("linear", 0).items() if name in ("params", "X", "y", "reg")},
        call=lambda impl, params, X, y, reg: {"loss": impl.loss(params, X, y, reg=reg)},
        covers=("loss",),
        published=(Published("loss", (1.096956,), 6, f"{PAGE}, linear classifier, iteration 0"),),
    ),
    Case(
        "spiral.score_gradient",
        lambda rng: {"probabilities": rng.dirichlet((1.0, 1.0, 1.0), size=12), "y": rng.integers(0, 3, size=12)},
    ),
    Case(
        "spiral.score_gradient_example",
        lambda rng: {"probabilities": np.array([[0.2, 0.3, 0.5]]), "y": np.array([1])},
        call=lambda impl, probabilities, y: {"gradient": impl.score_gradient(probabilities, y)},
        covers=("score_gradient",),
        published=(Published("gradient", (0.2, -0.7, 0.5), 1, f"{PAGE}, the intuition of the gradient"),),
    ),
    Case("spiral.gradients_by_hand", _labelled, wrt=(), stage="gradient"),
    Case(
        "spiral.linear_gradients_by_hand",
        _linear,
        call=lambda impl, params, X, y, reg: impl.gradients_by_hand(params, X, y, reg=reg),
        covers=("gradients_by_hand",),
        wrt=(),
        stage="gradient",
    ),
    Case(
        "spiral.accuracy",
        lambda rng: {name: value for name, value in _labelled(rng).items() if name != "reg"},
        wrt=(),
    ),
    Case(
        "spiral.decision_values",
        lambda rng: {
            "params": case_study().two_layer,
            "across": rng.uniform(-1, 1, size=9),
            "up": rng.uniform(-1, 1, size=5),
        },
    ),
    Case(
        "spiral.linear",
        lambda rng: _page("linear", 200),
        call=_train,
        covers=("train", "loss", "accuracy"),
        wrt=(),
        stage="curve",
        carry=("params",),
        published=(EVERY_10, LINEAR_ACCURACY),
    ),
    Case(
        "spiral.linear_by_hand",
        lambda rng: _page("linear", 200),
        call=_train_by_hand,
        covers=("train_by_hand", "gradients_by_hand"),
        wrt=(),
        stage="curve",
        carry=("params",),
        published=(EVERY_10, LINEAR_ACCURACY),
    ),
    Case(
        "spiral.two_layer",
        lambda rng: _page("two_layer", 10_000),
        call=_train,
        covers=("train", "loss", "accuracy"),
        wrt=(),
        stage="curve",
        carry=("params",),
        published=(EVERY_1000, TWO_LAYER_ACCURACY),
    ),
    Case(
        "spiral.two_layer_by_hand",
        lambda rng: _page("two_layer", 500),
        call=_train_by_hand,
        covers=("train_by_hand", "gradients_by_hand"),
        wrt=(),
        stage="curve",
        carry=("params",),
    ),
)
