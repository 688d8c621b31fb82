"""Steps down a cost: the best one of a given length, and the rule that takes one after another.

References:
    M. Nielsen, "Neural Networks and Deep Learning", chapter 1, "Learning with gradient descent".
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from torch_impl.descent.costs import Cost, value_and_gradient

__all__ = [
    "OptimalStep",
    "optimal_step",
    "Descent",
    "descend",
    "sweep",
    "descend_by_fixed_steps",
]


class OptimalStep(NamedTuple):
    """The best move of a given length, the learning rate that makes it, and the change in cost that it promises.

    Examples:
        >>> float(optimal_step(lambda v: (v**2).sum(-1), array([4.0, 0.0]), size=2.0).learning_rate)
        0.25
    """

    dv: Float[Tensor, "*batch n"]
    learning_rate: Float[Tensor, "*batch"]
    predicted: Float[Tensor, "*batch"]


def optimal_step(cost: Cost, v: Float[Tensor, "*batch n"], *, size: float) -> OptimalStep:
    """Find the move of fixed length that lowers the cost the most: straight against the gradient.

    dv = -eta grad C,  eta = size / ||grad C||,  dC = -size ||grad C||

    By Cauchy-Schwarz |grad C . dv| <= ||grad C|| ||dv||, with equality only along the gradient.

    Args:
        cost, v: as in value_and_gradient.
        size: the length epsilon of the move, positive.

    Returns:
        The move, its learning rate, and grad C . dv. Where the gradient is 0 no direction is best: the move is 0,
        and so is the learning rate.

    Raises:
        ValueError: size is not positive.

    Examples:
        >>> bowl = lambda v: (v**2).sum(-1)
        >>> step = optimal_step(bowl, array([3.0, -4.0]), size=0.5)
        >>> [round(x, 6) for x in step.dv.tolist()], round(float(step.predicted), 6)
        ([-0.3, 0.4], -5.0)

    References:
        Nielsen, chapter 1, exercise "Prove the assertion of the last paragraph" after eq. 15.
    """
    _, slope = value_and_gradient(cost, v)
    learning_rate = _rate(slope, size)
    dv = -learning_rate[..., None] * slope
    return OptimalStep(dv, learning_rate, torch.sum(slope * dv, dim=-1))


class Descent(NamedTuple):
    """Where a descent has come to, and the cost and the point before each of its steps.

    Examples:
        >>> descend(array([1.0]), lambda v: (v**2).sum(-1), learning_rate=0.25, steps=2).path.tolist()
        [[1.0], [0.5]]
    """

    v: Float[Tensor, "*batch n"]
    costs: Float[Tensor, "steps *batch"]
    path: Float[Tensor, "steps *batch n"]


def descend(v: Float[Tensor, "*batch n"], cost: Cost, *, learning_rate: float, steps: int) -> Descent:
    """Roll down the cost by the rule.

    v -> v - eta grad C

    Args:
        v: (..., n), where to start, floating point.
        cost: C(v).
        learning_rate: eta.
        steps: how many, 0 or more.

    Returns:
        The last point, and the cost and the point before each step.

    Examples:
        >>> bowl = lambda v: (v**2).sum(-1)
        >>> descent = descend(array([1.0, -0.5]), bowl, learning_rate=0.25, steps=3)
        >>> descent.v.tolist(), descent.costs.tolist()
        ([0.125, -0.0625], [1.25, 0.3125, 0.078125])

    References:
        Nielsen, chapter 1, eq. 10-15.
    """
    return _descend(v, cost, lambda slope: learning_rate * slope, steps)


def sweep(v: Float[Tensor, "R n"], cost: Cost, learning_rates: Float[Tensor, " R"], *, steps: int) -> Descent:
    """Roll down the cost at many learning rates at once.

    Args:
        v: (R, n), where each descent starts, floating point.
        cost, steps: as in descend.
        learning_rates: (R,), eta of each descent.

    Returns:
        As descend, with an axis of length R for the descents.

    Raises:
        ValueError: not one learning rate for every start.

    Examples:
        >>> bowl = lambda v: (v**2).sum(-1)
        >>> starts = array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
        >>> sweep(starts, bowl, array([0.25, 0.5, 1.5]), steps=3).costs.tolist()
        [[1.0, 1.0, 1.0], [0.25, 0.0, 4.0], [0.0625, 0.0, 16.0]]

    References:
        Nielsen, chapter 1, the text under eq. 15: eta small enough, but not so small that learning is slow.
    """
    if v.shape[:-1] != learning_rates.shape:
        raise ValueError(
            f"sweep: got starts {tuple(v.shape)} and learning rates {tuple(learning_rates.shape)}, "
            "wanted (R, n) and (R,); repeat the start for every rate"
        )
    return _descend(v, cost, lambda slope: learning_rates[:, None] * slope, steps)


def descend_by_fixed_steps(v: Float[Tensor, "*batch n"], cost: Cost, *, size: float, steps: int) -> Descent:
    """Roll down the cost by the best step of one fixed length, over and over; near a minimum it overshoots.

    v -> v - size grad C / ||grad C||

    Args:
        v, cost, steps: as in descend.
        size: the length epsilon of every step, positive.

    Returns:
        As descend.

    Raises:
        ValueError: size is not positive.

    Examples:
        >>> bowl = lambda v: (v**2).sum(-1)
        >>> descend_by_fixed_steps(array([1.0, 0.0]), bowl, size=0.75, steps=4).path.tolist()
        [[1.0, 0.0], [0.25, 0.0], [-0.5, 0.0], [0.25, 0.0]]

    References:
        Nielsen, chapter 1, the text before the exercises on gradient descent.
    """
    return _descend(v, cost, lambda slope: _rate(slope, size)[..., None] * slope, steps)


def _descend(v: Tensor, cost: Cost, move: Callable[[Tensor], Tensor], steps: int) -> Descent:
    if steps < 0:
        raise ValueError(f"descent: got {steps} steps, wanted 0 or more; a negative learning_rate climbs")
    v = v.detach().clone()
    costs, path = v.new_empty(steps, *v.shape[:-1]), v.new_empty(steps, *v.shape)
    for step in range(steps):
        path[step] = v
        costs[step], slope = value_and_gradient(cost, v)
        v -= move(slope)
    return Descent(v, costs, path)


def _rate(slope: Float[Tensor, "*batch n"], size: float) -> Float[Tensor, "*batch"]:
    if size <= 0:
        raise ValueError(f"descent: got size {size}, wanted a positive length; the gradient gives the direction")
    steepness = torch.linalg.vector_norm(slope, dim=-1)
    return torch.where(steepness > 0, size / steepness, 0)
