"""Many trainings: a net for each seed or learning rate, all in one program or one after the other."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from torch_impl.loops._repeat import repeat
from torch_impl.loops.spiral import train_spiral
from torch_impl.spiral import loss, train

__all__ = ["train_seeds"]


def train_seeds(
    params: dict[str, Float[Tensor, "lanes ..."]],
    X: Float[Tensor, "N D"],
    y: Int[Tensor, " N"],
    *,
    learning_rates: Float[Tensor, " lanes"],
    reg: float,
    steps: int,
    together: bool = True,
) -> tuple[dict[str, Float[Tensor, "lanes ..."]], Float[Tensor, "lanes steps"]]:
    """Train a spiral classifier from many starts, each lane with its own learning rate.

    Lane i is what `spiral.train` makes of params[i] and learning_rates[i]. All lanes together fill a GPU. On a CPU they
    leave its cache, and many small products in one call are slower than each alone: there lanes in turn are quicker.

    Args:
        params: as `spiral.train` has them, with one axis more in front, (lanes, ...); left as they are.
        X: points (N, D), floating, the same in every lane.
        y: their classes (N,), integers from 0 to K - 1.
        learning_rates: the step size of each lane (lanes,), floating.
        reg: the penalty's strength, 0 or more.
        steps: how many updates.
        together: whether all lanes advance in one program, by vmap; in turn, a net goes by the fast loop.

    Returns:
        The parameters after the last update, (lanes, ...), and the loss before each update, (lanes, steps).

    Examples:
        >>> params = {"W": array([[[0.0, 0.0]], [[0.0, 0.0]]]), "b": array([[0.0, 0.0], [0.0, 0.0]])}
        >>> X, y, learning_rates = array([[1.0]]), array([1]), array([1.0, 0.0])
        >>> after, losses = train_seeds(params, X, y, learning_rates=learning_rates, reg=0.0, steps=2)
        >>> [[round(value, 4) for value in lane] for lane in losses.tolist()]
        [[0.6931, 0.1269], [0.6931, 0.6931]]

    References:
        PyTorch, torch.func.vmap, "Model ensembling"; JAX, jax.vmap.
    """
    if not together:
        single = train_spiral if "W2" in params else train
        starts = [{name: value[lane] for name, value in params.items()} for lane in range(len(learning_rates))]
        lanes = zip(starts, learning_rates.tolist(), strict=True)
        done = [single(start, X, y, learning_rate=rate, reg=reg, steps=steps) for start, rate in lanes]
        ends = {name: torch.stack([end[name] for end, _ in done]) for name in params}
        return ends, torch.stack([losses for _, losses in done])
    params = {name: value.clone() for name, value in params.items()}
    step_sizes = {name: learning_rates.view(-1, *[1] * (value.ndim - 1)) for name, value in params.items()}
    lane = torch.func.grad_and_value(lambda params: loss(params, X, y, reg=reg))
    gradients_of = torch.func.vmap(lane)

    # differs: torch updates in place, and on a GPU replays one step as a CUDA graph; JAX scans
    def step() -> Tensor:
        gradients, values = gradients_of(params)
        for name, value in params.items():
            value.sub_(step_sizes[name] * gradients[name])
        return values

    losses = X.new_empty(steps, len(learning_rates))
    with torch.no_grad():
        repeat(step, steps, told=losses)
    return params, losses.T
