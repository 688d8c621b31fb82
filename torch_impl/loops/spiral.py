"""The spiral's net trained at the limit: gradients by hand, points along the last axis, nothing copied between steps.

With the points last, sums over 300 of them run along memory, and the products with three classes have three long rows.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from torch_impl.loops._repeat import repeat

__all__ = ["train_spiral"]

Params = dict[str, Float[Tensor, "..."]]


@torch.no_grad()
def train_spiral(
    params: Params, X: Float[Tensor, "N D"], y: Int[Tensor, " N"], *, learning_rate: float, reg: float, steps: int
) -> tuple[Params, Float[Tensor, " steps"]]:
    """Gradient descent of the spiral's net on all points, as `spiral.train` does it.

    df = (p - 1[k = y]) / N,  dW2 = df h^T + reg W2,  dh = W2^T df where h > 0, else 0,  dW = dh X + reg W

    Args:
        params: "W" (D, H), "b" (H,), "W2" (H, K) and "b2" (K,), floating; left as they are.
        X: points (N, D), floating.
        y: their classes (N,), integers from 0 to K - 1.
        learning_rate: the step size.
        reg: the penalty's strength, 0 or more.
        steps: how many updates.

    Returns:
        The parameters after the last update, and the loss before each update, (steps,).

    Raises:
        ValueError: if the parameters are those of the linear classifier, without a hidden layer.

    Examples:
        >>> params = {"W": array([[1.0]]), "b": array([0.0]), "W2": array([[0.0, 0.0]]), "b2": array([0.0, 0.0])}
        >>> after, losses = train_spiral(params, array([[1.0]]), array([1]), learning_rate=1.0, reg=0.0, steps=2)
        >>> [round(value, 4) for value in losses.tolist()]
        [0.6931, 0.1269]

    References:
        CS231n, neural networks case study, "Training a Neural Network".
    """
    if "W2" not in params:
        raise ValueError("train_spiral: got the linear classifier's parameters, wanted a net's W, b, W2 and b2")
    W, W2 = (params[name].T.clone(memory_format=torch.contiguous_format) for name in ("W", "W2"))  # (H, D), (K, H)
    b, b2 = (params[name][:, None].clone() for name in ("b", "b2"))  # (H, 1), (K, 1)
    points = X.T.contiguous()  # (D, N)
    targets = F.one_hot(y, len(W2)).T.to(X.dtype).contiguous() / len(X)  # (K, N)
    losses, at = X.new_empty(steps), torch.zeros(1, dtype=torch.int64, device=X.device)
    decay = 1 - learning_rate * reg

    # differs: torch updates in place, and on a GPU replays one step as a CUDA graph; JAX scans
    def step() -> None:
        h = torch.addmm(b, W, points).relu_()  # (H, N)
        log_p = torch.log_softmax(torch.addmm(b2, W2, h), dim=0)  # (K, N)
        penalty = 0.5 * reg * (W.square().sum() + W2.square().sum())
        losses.index_copy_(0, at, (penalty - (log_p * targets).sum()).view(1))
        df = log_p.exp_().div_(len(X)).sub_(targets)
        dh = torch.ops.aten.threshold_backward(W2.T @ df, h, 0)
        W2.addmm_(df, h.T, beta=decay, alpha=-learning_rate)
        b2.sub_(df.sum(dim=1, keepdim=True), alpha=learning_rate)
        W.addmm_(dh, X, beta=decay, alpha=-learning_rate)
        b.sub_(dh.sum(dim=1, keepdim=True), alpha=learning_rate)
        at.add_(1)

    repeat(step, steps, X.device)
    return {"W": W.T.contiguous(), "b": b[:, 0], "W2": W2.T.contiguous(), "b2": b2[:, 0]}, losses
