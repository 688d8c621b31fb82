"""Schedules that decay, or warm up: by steps, to a power, along a line."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from torch_impl.schedules.schedule import Rate, Schedule

__all__ = ["StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR"]


class StepLR(Schedule):
    """The rate falls by a factor after every step_size steps.

    lr gamma^floor(count / step_size)

    Args:
        lr: the rate at the start.
        step_size: steps from one fall to the next, at least 1.
        gamma: the factor.

    Raises:
        ValueError: where step_size is less than 1.

    Examples:
        >>> [round(float(rate), 4) for rate in StepLR(0.1, 2)(array([0, 1, 2, 3, 4]))]
        [0.1, 0.1, 0.01, 0.01, 0.001]

    References:
        PyTorch, torch.optim.lr_scheduler.StepLR.
    """

    def __init__(self, lr: Rate, step_size: int, gamma: float = 0.1) -> None:
        if step_size < 1:
            raise ValueError(f"StepLR: got step_size {step_size}, wanted at least 1, the steps between two falls")
        self.lr, self.step_size, self.gamma = lr, step_size, gamma

    def step(self, count: int, lr: float) -> float:
        """The rate at count from the one before.

        Args:
            count: steps taken.
            lr: the rate before this step.

        Returns:
            The new rate, in float64.
        """
        return lr if count == 0 or count % self.step_size else lr * self.gamma

    def _at(self, count: Float[Tensor, "..."], lr: Float[Tensor, ""]) -> Float[Tensor, "..."]:
        return lr * self.gamma ** (count // self.step_size)


class MultiStepLR(Schedule):
    """The rate falls by a factor at each milestone; twice at one that is named twice.

    lr gamma^(how many milestones are at most count)

    Args:
        lr: the rate at the start.
        milestones: counts, in any order.
        gamma: the factor.

    Examples:
        >>> [round(float(rate), 4) for rate in MultiStepLR(1.0, [1, 3, 3])(array([0, 1, 2, 3]))]
        [1.0, 0.1, 0.1, 0.001]

    References:
        PyTorch, torch.optim.lr_scheduler.MultiStepLR.
    """

    def __init__(self, lr: Rate, milestones: Iterable[int], gamma: float = 0.1) -> None:
        # no step ever reaches a negative one
        self.lr, self.milestones, self.gamma = lr, sorted(m for m in milestones if m >= 0), gamma

    def step(self, count: int, lr: float) -> float:
        """The rate at count from the one before.

        Args:
            count: steps taken.
            lr: the rate before this step.

        Returns:
            The new rate, in float64.
        """
        return lr * self.gamma ** self.milestones.count(count) if count in self.milestones else lr

    def _at(self, count: Float[Tensor, "..."], lr: Float[Tensor, ""]) -> Float[Tensor, "..."]:
        passed = torch.bucketize(count, count.new_tensor(self.milestones), right=True).to(count)
        return lr * self.gamma**passed


class ConstantLR(Schedule):
    """The rate is held at a fraction of itself until total_iters steps are taken.

    lr factor while count < total_iters, then lr

    Args:
        lr: the rate in the end.
        factor: the fraction, in (0, 1].
        total_iters: steps until the whole rate holds; where it is 0, torch's scheduler never lets go, nor does this.

    Raises:
        ValueError: where factor is outside [0, 1], or 0 and to be undone.

    Examples:
        >>> ConstantLR(1.0, factor=0.5, total_iters=2)(array([0, 1, 2, 3])).tolist()
        [0.5, 0.5, 1.0, 1.0]

    References:
        PyTorch, torch.optim.lr_scheduler.ConstantLR.
    """

    def __init__(self, lr: Rate, factor: float = 1.0 / 3, total_iters: int = 5) -> None:
        if not 0 <= factor <= 1 or (factor == 0 and total_iters > 0):
            raise ValueError(
                f"ConstantLR: got factor {factor}, wanted one in (0, 1]: torch divides by it after total_iters steps"
            )
        self.lr, self.factor, self.total_iters = lr, factor, total_iters

    def step(self, count: int, lr: float) -> float:
        """The rate at count from the one before.

        Args:
            count: steps taken.
            lr: the rate before this step.

        Returns:
            The new rate, in float64.
        """
        if count == 0:
            return lr * self.factor
        return lr * (1.0 / self.factor) if count == self.total_iters else lr

    def entered(self, lr: float) -> Schedule:
        """The schedule as SequentialLR enters it: there torch takes its closed form, which lets go where step does not.

        Args:
            lr: the rate before the milestone.

        Returns:
            The schedule that holds from there on.
        """
        return self if self.total_iters > 0 else ConstantLR(self.lr, factor=1.0)

    def _at(self, count: Float[Tensor, "..."], lr: Float[Tensor, ""]) -> Float[Tensor, "..."]:
        held = (count < self.total_iters) | (self.total_iters < 1)
        return torch.where(held, lr * self.factor, lr)


class LinearLR(Schedule):
    """The rate goes along a line from one fraction of itself to another.

    lr (start_factor + (end_factor - start_factor) min(count, total_iters) / total_iters)

    Args:
        lr: the whole rate.
        start_factor: the fraction at count 0, in (0, 1].
        end_factor: the fraction from total_iters on, in [0, 1].
        total_iters: steps from one to the other; where it is 0, the rate stays at the first.

    Raises:
        ValueError: where a fraction is outside its range.

    Examples:
        >>> LinearLR(1.0, start_factor=0.5, total_iters=2)(array([0, 1, 2, 3])).tolist()
        [0.5, 0.75, 1.0, 1.0]

    References:
        PyTorch, torch.optim.lr_scheduler.LinearLR.
    """

    def __init__(self, lr: Rate, start_factor: float = 1.0 / 3, end_factor: float = 1.0, total_iters: int = 5) -> None:
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise ValueError(
                f"LinearLR: got start_factor {start_factor} and end_factor {end_factor}, wanted them in (0, 1] and "
                "[0, 1]; a rate that grows beyond lr is one with a larger lr"
            )
        self.lr, self.start_factor, self.end_factor, self.total_iters = lr, start_factor, end_factor, total_iters

    def step(self, count: int, lr: float) -> float:
        """The rate at count from the one before.

        Args:
            count: steps taken.
            lr: the rate before this step.

        Returns:
            The new rate, in float64.
        """
        if count == 0:
            return lr * self.start_factor
        if count > self.total_iters:
            return lr
        slope = self.end_factor - self.start_factor
        return lr * (1.0 + slope / (self.total_iters * self.start_factor + (count - 1) * slope))

    def _at(self, count: Float[Tensor, "..."], lr: Float[Tensor, ""]) -> Float[Tensor, "..."]:
        along = count.clamp(max=self.total_iters) / max(self.total_iters, 1)
        return lr * (self.start_factor + (self.end_factor - self.start_factor) * along)


class ExponentialLR(Schedule):
    """The rate falls by a factor at every step.

    lr gamma^count

    Args:
        lr: the rate at the start.
        gamma: the factor.

    Examples:
        >>> ExponentialLR(1.0, 0.5)(array([0, 1, 2])).tolist()
        [1.0, 0.5, 0.25]

    References:
        PyTorch, torch.optim.lr_scheduler.ExponentialLR.
    """

    def __init__(self, lr: Rate, gamma: float) -> None:
        self.lr, self.gamma = lr, gamma

    def step(self, count: int, lr: float) -> float:
        """The rate at count from the one before.

        Args:
            count: steps taken.
            lr: the rate before this step.

        Returns:
            The new rate, in float64.
        """
        return lr if count == 0 else lr * self.gamma

    def _at(self, count: Float[Tensor, "..."], lr: Float[Tensor, ""]) -> Float[Tensor, "..."]:
        return lr * self.gamma**count


class PolynomialLR(Schedule):
    """The rate falls to zero as a power of the share of steps that is left.

    lr (1 - min(count, total_iters) / total_iters)^power

    Args:
        lr: the rate at the start.
        total_iters: steps to zero; where it is 0, the rate stays.
        power: the exponent.

    Examples:
        >>> PolynomialLR(1.0, total_iters=4, power=2.0)(array([0, 2, 4, 5])).tolist()
        [1.0, 0.25, 0.0, 0.0]

    References:
        PyTorch, torch.optim.lr_scheduler.PolynomialLR.
    """

    def __init__(self, lr: Rate, total_iters: int = 5, power: float = 1.0) -> None:
        self.lr, self.total_iters, self.power = lr, total_iters, power

    def step(self, count: int, lr: float) -> float:
        """The rate at count from the one before.

        Args:
            count: steps taken.
            lr: the rate before this step.

        Returns:
            The new rate, in float64.
        """
        if count == 0 or count > self.total_iters:
            return lr
        left, before = (1.0 - n / self.total_iters for n in (count, count - 1))
        return lr * (left / before) ** self.power

    def _at(self, count: Float[Tensor, "..."], lr: Float[Tensor, ""]) -> Float[Tensor, "..."]:
        if self.total_iters < 1:
            return lr * torch.ones_like(count)
        left = (self.total_iters - count.clamp(max=self.total_iters)) / self.total_iters
        return lr * left**self.power
