"""Schedules of schedules: one after the other, and one on top of the other."""

from bisect import bisect_right
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from jax_impl.schedules.schedule import Count, Hyperparameter, Schedule, _alone, _looked_up

__all__ = ["SequentialLR", "ChainedScheduler"]


class SequentialLR(Schedule):
    """One schedule after the other: each starts at its milestone as if it stood alone, and counts from there.

    What a schedule moves beside the rate stays, once another has taken over, where it was; before, it is at its start.

    Args:
        schedulers: the schedules, of one lr where they start from it.
        milestones: the counts at which each but the first takes over.

    Raises:
        ValueError: where their numbers do not fit, milestones fall, or a chain comes later than first, which torch
            cannot enter.

    Examples:
        >>> class Growing(Schedule):
        ...     lr = 0.5
        ...
        ...     def _at(self, count, lr):
        ...         return lr * (count + 1)
        >>> SequentialLR([Growing(), Growing()], milestones=[2])(array([0, 1, 2, 3])).tolist()
        [0.5, 1.0, 0.5, 1.0]

    References:
        PyTorch, torch.optim.lr_scheduler.SequentialLR.
    """

    def __init__(self, schedulers: list[Schedule], milestones: list[int]) -> None:
        if len(schedulers) != len(milestones) + 1 or milestones != sorted(milestones):
            raise ValueError(
                f"SequentialLR: got {len(schedulers)} schedulers and milestones {milestones}, wanted one milestone for "
                "each scheduler but the first, in rising order"
            )
        if any(isinstance(schedule, SequentialLR | ChainedScheduler) for schedule in schedulers):
            raise ValueError(
                "SequentialLR: got a composed scheduler within, which torch cannot enter at a milestone, and as the "
                "first steps once too often; write its schedules out, or chain this one"
            )
        self.schedulers, self.milestones, self.lr = schedulers, milestones, schedulers[0].lr
        self.starts = [0, *milestones]
        self.lasts: list[int | None] = [
            max(m - start - 1, 0) for start, m in zip(self.starts, milestones, strict=False)
        ]
        self.lasts.append(None)
        self.held = schedulers[:1]  # the schedules as they are entered
        for schedule, start in zip(schedulers[1:], milestones, strict=True):
            if start and type(schedule).entered is not Schedule.entered:
                active = bisect_right(self.starts[: len(self.held)], start - 1) - 1
                schedule = schedule.entered(float(_alone(self.held[active], start - 1 - self.starts[active])))
            self.held.append(schedule)

    def step(self, count: int, lr: float) -> float:
        """The rate at count from the one before.

        Args:
            count: steps taken.
            lr: the rate before this step.

        Returns:
            The new rate, in float64.
        """
        i = bisect_right(self.milestones, count)
        if count == 0:
            return self.schedulers[i].step(0, float(self.lr))  # torch puts the first rate back when it builds this one
        if i and count == self.starts[i]:
            return float(_alone(self.schedulers[i].entered(lr), 0))
        return self.schedulers[i].step(count - self.starts[i], lr)

    def __call__(self, count: Count) -> Float[Array, "..."]:
        """The rate after count steps.

        Args:
            count: steps taken, integer, any shape.

        Returns:
            The rates, shaped as count, of the dtype of lr.
        """
        return _piecewise(list(zip(self.held, self.starts, self.lasts, strict=True)), count)

    @property
    def schedules(self) -> dict[str, Hyperparameter]:
        """Every hyperparameter that moves, by torch's name, each as a function of the count."""
        moved = {name: None for schedule in self.schedulers for name in schedule.schedules if name != "lr"}
        return {"lr": self} | {name: self._beside(name) for name in moved}

    def _beside(self, name: str) -> Hyperparameter:
        """What some of the schedules move: each from its milestone on; before, as the one built last has set it."""
        pieces: list[Piece] = [
            (schedule.schedules[name], start, last)
            for schedule, start, last in zip(self.schedulers, self.starts, self.lasts, strict=True)
            if name in schedule.schedules
        ]
        return lambda count: _piecewise([(pieces[-1][0], 0, 0), *pieces], count)


class ChainedScheduler(Schedule):
    """All schedules at every step, each changing the rate that the one before it has left.

    rate(count) = s_k.step(count, ... s_2.step(count, s_1.step(count, rate(count - 1)))), tabulated in float64

    The product of the factors where each multiplies; a schedule of the count alone overwrites those before it.

    Args:
        schedulers: the schedules, of one lr where they start from it.
        steps: the number of counts, from 0 on, that the schedule holds for.

    Raises:
        ValueError: where there is no schedule, or steps is less than 1.

    Examples:
        >>> class Halving(Schedule):
        ...     lr = 1.0
        ...
        ...     def step(self, count, lr):
        ...         return lr / 2 if count else lr
        >>> ChainedScheduler([Halving(), Halving()], steps=10)(array([0, 1, 2])).tolist()
        [1.0, 0.25, 0.0625]

    References:
        PyTorch, torch.optim.lr_scheduler.ChainedScheduler.
    """

    def __init__(self, schedulers: list[Schedule], *, steps: int) -> None:
        if not schedulers or steps < 1:
            raise ValueError(
                f"ChainedScheduler: got {len(schedulers)} schedulers and steps {steps}, wanted at least 1 of each"
            )
        self.schedulers, self.lr = schedulers, schedulers[0].lr
        # those of the count alone at all counts at once: one by one each would be dispatched to the device
        known = {i: _alone(s, np.arange(steps)) for i, s in enumerate(schedulers) if type(s).step is Schedule.step}
        rate, rates = float(self.lr), []
        for count in range(steps):
            for i, schedule in enumerate(schedulers):
                rate = float(known[i][count]) if i in known else schedule.step(count, rate)
            rates.append(rate)
        self.rates = np.array(rates)

    def step(self, count: int, lr: float) -> float:
        """The rate at count from the one before.

        Args:
            count: steps taken.
            lr: the rate before this step.

        Returns:
            The new rate, in float64.
        """
        for schedule in self.schedulers:
            lr = schedule.step(count, lr)
        return lr

    @property
    def schedules(self) -> dict[str, Hyperparameter]:
        """Every hyperparameter that moves, by torch's name, each as a function of the count."""
        moved = {name: moves for schedule in self.schedulers for name, moves in schedule.schedules.items()}
        return moved | {"lr": self}

    def _at(self, count: Int[Array, "..."], lr: Float[Array, ""]) -> Float[Array, "..."]:
        return _looked_up(self.rates, count)


Piece = tuple[Hyperparameter, int, int | None]


def _piecewise(pieces: list[Piece], count: Count) -> Any:
    """The function of the last start that is not past, of the count since then, up to the last that it holds for."""
    count = jnp.asarray(count)
    values = [function(jnp.clip(count - start, 0, last)) for function, start, last in pieces]
    reached = [count >= start for _, start, _ in pieces]
    return jax.tree.map(lambda *leaves: jnp.select(reached[::-1], leaves[::-1], leaves[0]), *values)
