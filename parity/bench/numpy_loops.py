"""The plain NumPy script that the training loops are measured against: what one writes after reading the page."""

from typing import Any

import numpy as np


def train_spiral(
    params: dict[str, np.ndarray], X: np.ndarray, y: np.ndarray, *, learning_rate: float, reg: float, steps: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Gradient descent of the spiral's net, line by line as the page goes.

    Args:
        params: "W" (D, H), "b" (H,), "W2" (H, K) and "b2" (K,); left as they are.
        X: points (N, D) of the parameters' dtype.
        y: their classes (N,).
        learning_rate, reg, steps: as for `spiral.train`.

    Returns:
        The parameters after the last update, and the loss before each, (steps,).

    Examples:
        >>> params = {"W": np.ones((1, 1)), "b": np.zeros(1), "W2": np.zeros((1, 2)), "b2": np.zeros(2)}
        >>> _, losses = train_spiral(params, np.ones((1, 1)), np.array([1]), learning_rate=1.0, reg=0.0, steps=2)
        >>> losses.round(4).tolist()
        [0.6931, 0.1269]

    References:
        CS231n, neural networks case study, "Training a Neural Network".
    """
    W, b, W2, b2 = (params[name].copy() for name in ("W", "b", "W2", "b2"))
    rows, losses = np.arange(len(X)), np.empty(steps, X.dtype)
    for step in range(steps):
        hidden = np.maximum(0, X @ W + b)  # (N, H)
        scores = np.exp(hidden @ W2 + b2)
        p = scores / scores.sum(axis=1, keepdims=True)  # (N, K)
        losses[step] = -np.log(p[rows, y]).mean() + 0.5 * reg * ((W * W).sum() + (W2 * W2).sum())
        p[rows, y] -= 1
        df = p / len(X)
        dh = df @ W2.T
        dh[hidden <= 0] = 0
        dW2, dW = hidden.T @ df + reg * W2, X.T @ dh + reg * W
        W -= learning_rate * dW
        b -= learning_rate * dh.sum(axis=0)
        W2 -= learning_rate * dW2
        b2 -= learning_rate * df.sum(axis=0)
    return {"W": W, "b": b, "W2": W2, "b2": b2}, losses


Product = tuple[int, int, int]


def products(kind: str) -> list[Product]:
    """The matrix products of one step, forwards and backwards, each (m, k) by (k, n).

    Args:
        kind: "spiral", "network" or "lenet", on the inputs of their cases.

    Returns:
        (m, k, n) of each.

    Examples:
        >>> sum(2 * m * k * n for m, k, n in products("spiral"))
        780000
    """
    if kind == "spiral":  # 300 points, 2 coordinates, 100 neurons, 3 classes
        return _layer(300, 2, 100, first=True) + _layer(300, 100, 3)
    if kind == "network":
        return _layer(10, 64, 30, first=True) + _layer(10, 30, 10)
    windows = _layer(8 * 28 * 28, 25, 6, first=True) + _layer(8 * 10 * 10, 150, 16)
    return windows + _layer(8, 400, 120) + _layer(8, 120, 84) + _layer(8, 84, 10)


def _layer(rows: int, inputs: int, outputs: int, *, first: bool = False) -> list[Product]:
    """Outputs, the weights' gradient, and but for the first layer the inputs'."""
    both = [(rows, inputs, outputs), (inputs, rows, outputs)]
    return both if first else [*both, (rows, outputs, inputs)]


def multiply(shapes: list[Product], dtype: str) -> list[list[Any]]:
    """Calls that multiply matrices of these shapes into memory that is there: NumPy and torch, as it is and transposed.

    Args:
        shapes: (m, k, n) of each.
        dtype: Of the matrices.

    Returns:
        For each shape its calls; the quickest of them is the floor.
    """
    import torch

    calls = []
    for m, k, n in shapes:
        ways: list[Any] = []
        for rows, columns in ((m, n), (n, m)):
            a, b, out = np.ones((rows, k), dtype), np.ones((k, columns), dtype), np.empty((rows, columns), dtype)
            ways.append(lambda a=a, b=b, out=out: np.matmul(a, b, out=out))
            tensors = [torch.from_numpy(array) for array in (a, b, out)]
            ways.append(lambda t=tensors: torch.matmul(t[0], t[1], out=t[2]))
        calls.append(ways)
    return calls
