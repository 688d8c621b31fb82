"""The spiral's net trained at the limit: gradients by hand, points along the last axis, as few passes as can be.

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
    (D, H), N = params["W"].shape, len(X)
    # Each bias is one more weight, of an input that is always one: its gradient comes with theirs.
    W = torch.cat([params["W"], params["b"][None]])  # (D + 1, H)
    W2 = torch.cat([params["W2"], params["b2"][None]]).T.contiguous()  # (K, H + 1)
    points = torch.cat([X.T, X.new_ones(1, N)])  # (D + 1, N)
    h = X.new_ones(H + 1, N)
    hidden, dh = h[:H], X.new_empty(H, N)  # kept: memory as large as theirs is given back to the system at each step
    targets = F.one_hot(y, len(W2)).T.to(X.dtype).contiguous()  # (K, N)
    weights = [W[:D], W2[:, :H]]  # views, without the biases
    told, at = X.new_empty(3, steps), torch.zeros(1, dtype=torch.int64, device=X.device)

    # differs: torch updates in place, and on a GPU replays one step as a CUDA graph; JAX scans
    def step() -> None:
        torch.mm(W.T, points, out=hidden).relu_()
        log_p = torch.log_softmax(W2 @ h, dim=0)  # (K, N)
        norms = [torch.linalg.vector_norm(weight) for weight in weights]
        told.index_copy_(1, at, torch.stack([*norms, torch.dot(log_p.view(-1), targets.view(-1))])[:, None])
        df = log_p.exp_().sub_(targets)  # N times dL/df, (K, N)
        torch.mm(weights[1].T, df, out=dh)
        torch.ops.aten.threshold_backward.grad_input(dh, hidden, 0, grad_input=dh)
        torch._foreach_mul_(weights, 1 - learning_rate * reg)
        W2.addmm_(df, h.T, alpha=-learning_rate / N)
        W.addmm_(points, dh.T, alpha=-learning_rate / N)
        at.add_(1)

    repeat(step, steps, X.device)
    losses = 0.5 * reg * (told[0].square() + told[1].square()) - told[2] / N
    return {"W": W[:D].clone(), "b": W[D].clone(), "W2": W2[:, :H].T.contiguous(), "b2": W2[:, H].clone()}, losses
