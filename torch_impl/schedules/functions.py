"""Schedules by functions of one's own, which get a count and give a factor."""

from collections.abc import Callable
from copy import copy

import numpy as np
from jaxtyping import Float
from torch import Tensor

from torch_impl.schedules.schedule import Rate, Schedule, _looked_up, _within

__all__ = ["LambdaLR", "MultiplicativeLR"]


class LambdaLR(Schedule):
    """The rate is lr times a function of the count.

    lr lr_lambda(count)

    Args:
        lr: the whole rate.
        lr_lambda: a function of a Python integer; it is called here, once for every count.
        steps: the number of counts, from 0 on, that the schedule holds for.

    Raises:
        ValueError: where steps is less than 1.

    Examples:
        >>> warmup = LambdaLR(0.5, lambda count: min(1.0, (count + 1) / 4), steps=10)
        >>> warmup(array([0, 1, 3, 9])).tolist()
        [0.125, 0.25, 0.5, 0.5]

    References:
        PyTorch, torch.optim.lr_scheduler.LambdaLR.
    """

    def __init__(self, lr: Rate, lr_lambda: Callable[[int], float], *, steps: int) -> None:
        self.lr, self.factors = lr, _called("LambdaLR", lr_lambda, steps)

    def step(self, count: int, lr: float) -> float:
        """The rate at count from the one before.

        Args:
            count: steps taken.
            lr: the rate before this step.

        Returns:
            The new rate, in float64.
        """
        return float(self.lr) * float(self.factors[_within(count, len(self.factors))])

    def _at(self, count: Float[Tensor, "..."], lr: Float[Tensor, ""]) -> Float[Tensor, "..."]:
        return lr * _looked_up(self.factors, count)


class MultiplicativeLR(Schedule):
    """The rate is multiplied at each step, save the initial one, by a function of the count.

    lr lr_lambda(1) lr_lambda(2) ... lr_lambda(count)

    Args:
        lr: the rate at the start.
        lr_lambda: a function of a Python integer; it is called here, once for every count.
        steps: the number of counts, from 0 on, that the schedule holds for.

    Raises:
        ValueError: where steps is less than 1.

    Examples:
        >>> MultiplicativeLR(1.0, lambda count: 0.5, steps=10)(array([0, 1, 2])).tolist()
        [1.0, 0.5, 0.25]

    References:
        PyTorch, torch.optim.lr_scheduler.MultiplicativeLR.
    """

    def __init__(self, lr: Rate, lr_lambda: Callable[[int], float], *, steps: int) -> None:
        self.lr, self.factors = lr, _called("MultiplicativeLR", lr_lambda, steps)
        self.products = np.cumprod(np.concatenate([[1.0], self.factors[1:]]))

    def step(self, count: int, lr: float) -> float:
        """The rate at count from the one before.

        Args:
            count: steps taken.
            lr: the rate before this step.

        Returns:
            The new rate, in float64.
        """
        return lr if count == 0 else lr * float(self.factors[_within(count, len(self.factors))])

    def entered(self, lr: float) -> Schedule:
        """The schedule as SequentialLR enters it: torch has no closed form to start from, and multiplies what is there.

        Args:
            lr: the rate before the milestone.

        Returns:
            The schedule that holds from there on.
        """
        going_on = copy(self)
        going_on.lr = lr * float(self.factors[0])
        return going_on

    def _at(self, count: Float[Tensor, "..."], lr: Float[Tensor, ""]) -> Float[Tensor, "..."]:
        return lr * _looked_up(self.products, count)


def _called(name: str, lr_lambda: Callable[[int], float], steps: int) -> np.ndarray:
    if steps < 1:
        raise ValueError(f"{name}: got steps {steps}, wanted at least 1, the counts that lr_lambda is called for")
    return np.array([lr_lambda(count) for count in range(steps)], dtype=np.float64)
