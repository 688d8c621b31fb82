"""What a schedule is: a hyperparameter as a function of the count of steps that were taken, held in no object."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["Schedule", "Tabulated"]

Count = Int[Tensor, "..."] | int
Rate = Float[Tensor, ""] | float
Hyperparameter = Callable[[Count], Float[Tensor, "..."] | tuple[Float[Tensor, "..."] | float, ...]]


class Schedule:
    """A learning rate in both of torch's forms: of the count alone, and from one step to the next.

    schedule(count) is the rate after that many steps, for whole arrays of counts too. schedule.step(count, rate) is
    what torch does at each step: the new rate from the one before, which is what composes where schedules are chained.
    torch's last_epoch is the count: a run that is resumed goes on counting.

    Examples:
        >>> class Harmonic(Schedule):
        ...     def __init__(self, lr):
        ...         self.lr = lr
        ...
        ...     def _at(self, count, lr):
        ...         return lr / (count + 1)
        >>> Harmonic(1.0)(array([0, 1, 3])).tolist()
        [1.0, 0.5, 0.25]
        >>> Harmonic(1.0).step(3, 0.0)
        0.25

    References:
        PyTorch, torch.optim.lr_scheduler.LRScheduler.
    """

    lr: Rate

    # differs: torch counts in Python floats, which are float64; JAX in its default float, widened for bfloat16 alone
    def __call__(self, count: Count) -> Float[Tensor, "..."]:
        """The rate after count steps.

        Args:
            count: steps taken, integer, any shape.

        Returns:
            The rates, shaped as count, of the dtype of lr.
        """
        lr = torch.as_tensor(self.lr, dtype=torch.float64)
        return self._cast(self._at(torch.as_tensor(count, dtype=torch.float64), lr))

    def step(self, count: int, lr: float) -> float:
        """The rate after count steps from the one before; here it depends on the count alone.

        Args:
            count: steps taken; 0 is torch's initial step, when a scheduler is built.
            lr: the rate before this step, which another schedule may have set.

        Returns:
            The new rate, in float64.
        """
        return _alone(self, count)

    def entered(self, lr: float) -> "Schedule":
        """The schedule as SequentialLR enters it at a milestone; most start from their own rate.

        Args:
            lr: the rate before the milestone.

        Returns:
            The schedule that holds from there on.
        """
        return self

    @property
    def schedules(self) -> dict[str, Hyperparameter]:
        """Every hyperparameter that moves, by torch's name, each as a function of the count."""
        return {"lr": self}

    def _cast(self, values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return values.to(self.lr.dtype) if isinstance(self.lr, Tensor) else values

    def _at(self, count: Float[Tensor, "..."], lr: Float[Tensor, ""]) -> Float[Tensor, "..."]:
        raise NotImplementedError(f"{type(self).__name__} has no _at(count, lr): write the rate as a function of both")


class Tabulated(Schedule):
    """A schedule known by its values alone, one for every count.

    Args:
        values: what the hyperparameter is at count 0, 1, ..., as a multiple of lr (steps,).
        lr: what the values are multiples of.

    Raises:
        ValueError: where there is no value.

    Examples:
        >>> Tabulated([1.0, 0.5, 0.75])(array([2, 0])).tolist()
        [0.75, 1.0]
    """

    def __init__(self, values: Float[np.ndarray, " steps"] | list[float], *, lr: Rate = 1.0) -> None:
        self.values = np.asarray(values, dtype=np.float64)
        if not self.values.size:
            raise ValueError("Tabulated: got no value, wanted one for every step; give steps of at least 1")
        self.lr = lr

    def step(self, count: int, lr: float) -> float:
        """The value at count, whatever the rate before.

        Args:
            count: steps taken.
            lr: the rate before this step.

        Returns:
            The value, in float64.
        """
        return float(self.lr) * float(self.values[_within(count, len(self.values))])

    def _at(self, count: Float[Tensor, "..."], lr: Float[Tensor, ""]) -> Float[Tensor, "..."]:
        return lr * _looked_up(self.values, count)


def _alone(schedule: Schedule, count: int) -> float:
    """The rate at a count, in float64."""
    return float(schedule(count))


def _looked_up(values: np.ndarray, count: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    # differs: past the end of a table torch raises; compiled code cannot, and gives NaN
    for extreme in (count.min(), count.max()) if count.numel() else ():
        _within(int(extreme), len(values))
    return torch.as_tensor(values, device=count.device)[count.round().long()]


def _within(count: int, steps: int) -> int:
    if not 0 <= count < steps:
        raise ValueError(f"schedule: asked for count {count}, but it was tabulated for {steps} steps; give more steps")
    return count
