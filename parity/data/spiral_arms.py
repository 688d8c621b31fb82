"""The spiral of CS231n's neural networks case study: three arms that no straight line separates."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

Draws = np.random.Generator | np.random.RandomState


def spiral(
    points: int = 100, classes: int = 3, *, rng: Draws
) -> tuple[Float[np.ndarray, "N 2"], Int[np.ndarray, " N"]]:
    """Points along arms that wind outwards from the origin, one arm a class.

    Arm j has radius r from 0 to 1 and angle t from 4j to 4(j + 1) plus 0.2 times a standard normal; a point is
    (r sin t, r cos t).

    Args:
        points: how many points an arm has.
        classes: how many arms.
        rng: where the normals come from: one draw of `points` values for each arm, in order.

    Returns:
        The points, (classes * points, 2) float64, and their classes, (classes * points,) int64, arm after arm.

    Raises:
        ValueError: if there is not at least one point and one class.

    Examples:
        >>> X, y = spiral(rng=np.random.default_rng(0))
        >>> X.shape, y.shape, X[0].tolist()
        ((300, 2), (300,), [0.0, 0.0])

    References:
        CS231n, neural networks case study, "Generating some data".
    """
    if points < 1 or classes < 1:
        raise ValueError(
            f"spiral: got points={points}, classes={classes}; wanted at least one of each: pass positive counts"
        )
    radius = np.linspace(0.0, 1.0, points)  # (N,)
    arms = []
    for j in range(classes):
        angle = np.linspace(4 * j, 4 * (j + 1), points) + 0.2 * rng.standard_normal(points)  # (N,)
        arms.append(np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1))  # (N, 2)
    return np.concatenate(arms), np.repeat(np.arange(classes, dtype=np.int64), points)


@dataclass(frozen=True)
class CaseStudy:
    """The case study's data and the weights that its two classifiers start from.

    Attributes:
        X: the points, (300, 2) float64.
        y: their classes, (300,) int64.
        linear: the linear classifier's {"W": (2, 3), "b": (3,)}.
        two_layer: the two-layer net's {"W": (2, 100), "b": (100,), "W2": (100, 3), "b2": (3,)}.
    """

    X: Float[np.ndarray, "300 2"]
    y: Int[np.ndarray, " 300"]
    linear: dict[str, Any]
    two_layer: dict[str, Any]


def case_study() -> CaseStudy:
    """The data and the first weights with which the case study printed its losses.

    The page names no seed. It is 0, of NumPy's legacy generator, and 18 normals were drawn and not used between the
    data and the linear classifier's weights; the net's weights follow directly. So started, all 20 losses of the
    linear classifier come out digit for digit.

    Returns:
        The points, their classes, and both classifiers' first weights: 0.01 times a standard normal, biases zero.

    Examples:
        >>> study = case_study()
        >>> study.X.shape, study.linear["W"].shape, study.two_layer["W"].shape
        ((300, 2), (2, 3), (2, 100))

    References:
        CS231n, neural networks case study, the printed runs of both classifiers.
    """
    rng = np.random.RandomState(0)
    X, y = spiral(rng=rng)
    rng.standard_normal(18)  # drawn by the page's author between the two listings, and lost
    linear = {"W": 0.01 * rng.standard_normal((2, 3)), "b": np.zeros(3)}
    two_layer = {
        "W": 0.01 * rng.standard_normal((2, 100)),
        "b": np.zeros(100),
        "W2": 0.01 * rng.standard_normal((100, 3)),
        "b2": np.zeros(3),
    }
    return CaseStudy(X, y, linear, two_layer)
