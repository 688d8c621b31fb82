"""The rate at which weights are averaged: from wherever it is to a constant one."""

from math import cos, pi

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from jax_impl.schedules.schedule import Rate, Schedule

__all__ = ["SWALR"]


class SWALR(Schedule):
    """The rate goes from wherever it is to a constant one, at which weights are averaged.

    swa_lr alpha + lr (1 - alpha), alpha from 0 to 1 in anneal_epochs steps

    Args:
        lr: the rate when this schedule takes over.
        swa_lr: the constant rate.
        anneal_epochs: steps from one to the other; where it is 0, the rate is swa_lr at once.
        anneal_strategy: "cos" or "linear".

    Raises:
        ValueError: where anneal_epochs is negative or anneal_strategy none of the above.

    Examples:
        >>> SWALR(1.0, 0.5, anneal_epochs=2, anneal_strategy="linear")(array([0, 1, 2, 3])).tolist()
        [1.0, 0.75, 0.5, 0.5]

    References:
        PyTorch, torch.optim.swa_utils.SWALR.
    """

    def __init__(self, lr: Rate, swa_lr: float, anneal_epochs: int = 10, anneal_strategy: str = "cos") -> None:
        if anneal_epochs < 0 or anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"SWALR: got anneal_epochs {anneal_epochs} and anneal_strategy {anneal_strategy!r}, wanted at least 0, "
                "and 'cos' or 'linear'"
            )
        self.lr, self.swa_lr, self.anneal_epochs, self.anneal_strategy = lr, swa_lr, anneal_epochs, anneal_strategy

    def step(self, count: int, lr: float) -> float:
        """The rate at count from the one before.

        Args:
            count: steps taken.
            lr: the rate before this step.

        Returns:
            The new rate, in float64.
        """
        count = count if self.anneal_epochs else max(count, 1)
        before, alpha = (self._alpha(min(1, max(0, n / max(self.anneal_epochs, 1)))) for n in (count - 1, count))
        start = self.swa_lr if before == 1 else (lr - before * self.swa_lr) / (1 - before)
        return self.swa_lr * alpha + start * (1 - alpha)

    def entered(self, lr: float) -> Schedule:
        """The schedule as SequentialLR enters it: from the rate that is there.

        Args:
            lr: the rate before the milestone.

        Returns:
            The schedule that holds from there on.
        """
        return SWALR(lr, self.swa_lr, self.anneal_epochs, self.anneal_strategy)

    def _alpha(self, way: float) -> float:
        return way if self.anneal_strategy == "linear" else (1 - cos(pi * way)) / 2

    def _at(self, count: Int[Array, "..."], lr: Float[Array, ""]) -> Float[Array, "..."]:
        if not self.anneal_epochs:
            return self.swa_lr + 0.0 * count
        way = jnp.minimum(count, self.anneal_epochs) / self.anneal_epochs
        # a squared sine is (1 - cos) / 2, and does not cancel where it is small
        alpha = way if self.anneal_strategy == "linear" else jnp.sin(way * (jnp.pi / 2)) ** 2
        return self.swa_lr * alpha + lr * (1 - alpha)
