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
    (D, H), K, N = params["W"].shape, len(params["b2"]), len(X)
    # Each bias is one more weight, of an input that is always one: its gradient comes with theirs. All lie in one
    # vector, the biases at its ends, so that what is done to the weights is done to its middle.
    net = torch.cat([params[name].reshape(-1) for name in ("b", "W", "W2", "b2")])
    W, W2 = net[: H + D * H].view(D + 1, H), net[H + D * H :].view(H + 1, K)
    weights, W2_hidden = net[H:-K], W2[:H]
    points = torch.cat([X.new_ones(1, N), X.T])  # (D + 1, N)
    targets = F.one_hot(y, K).T.to(X.dtype).contiguous()  # (K, N)
    # Written to at each step: memory as large as this would be given back to the system each time. torch.compile of the
    # whole step takes a third longer than this one.
    h, f, dh, value = X.new_ones(H + 1, N), X.new_empty(K, N), X.new_empty(H, N), X.new_empty(2)
    hidden, f_row, target_row, (size, fit) = h[:H], f.view(-1), targets.view(-1), value.unbind()

    # differs: torch updates in place, and on a GPU replays one step as a CUDA graph; JAX scans
    def step() -> Tensor:
        torch.mm(W.T, points, out=hidden).relu_()
        torch.log_softmax(torch.mm(W2.T, h, out=f), 0, out=f)
        torch.dot(weights, weights, out=size)
        torch.dot(f_row, target_row, out=fit)
        df = f.exp_().sub_(targets)  # N times dL/df, (K, N)
        torch.mm(W2_hidden, df, out=dh)
        torch.ops.aten.threshold_backward.grad_input(dh, hidden, 0, grad_input=dh)
        weights.mul_(1 - learning_rate * reg)
        W2.addmm_(h, df.T, alpha=-learning_rate / N)
        W.addmm_(points, dh.T, alpha=-learning_rate / N)
        return value

    told = X.new_empty(steps, 2)
    repeat(step, steps, told=told)
    after = {"W": W[1:], "b": W[0], "W2": W2[:H], "b2": W2[H]}
    return {name: value.clone() for name, value in after.items()}, 0.5 * reg * told[:, 0] - told[:, 1] / N
