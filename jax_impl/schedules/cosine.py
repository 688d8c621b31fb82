"""Schedules along a cosine: one that goes down and up for ever, and one that starts again."""

from math import cos, pi

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from jax_impl.schedules.schedule import Rate, Schedule, _half_cosine

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts"]


class CosineAnnealingLR(Schedule):
    """The rate goes along a cosine from lr to eta_min in T_max steps, back up in as many, and so on.

    eta_min + (lr - eta_min) (1 + cos(pi count / T_max)) / 2

    Args:
        lr: the rate at the start.
        T_max: steps of one way.
        eta_min: the lowest rate.

    Raises:
        ValueError: where T_max is not positive.

    Examples:
        >>> [round(float(rate), 4) for rate in CosineAnnealingLR(1.0, T_max=2)(array([0, 1, 2, 3, 4]))]
        [1.0, 0.5, 0.0, 0.5, 1.0]

    References:
        I. Loshchilov and F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017), equation 5, without
        restarts; PyTorch, torch.optim.lr_scheduler.CosineAnnealingLR.
    """

    def __init__(self, lr: Rate, T_max: int, eta_min: float = 0.0) -> None:
        if T_max <= 0:
            raise ValueError(f"CosineAnnealingLR: got T_max {T_max}, wanted at least 1, the steps from lr to eta_min")
        self.lr, self.T_max, self.eta_min = lr, T_max, eta_min

    def step(self, count: int, lr: float) -> float:
        """The rate at count from the one before.

        Args:
            count: steps taken.
            lr: the rate before this step.

        Returns:
            The new rate, in float64.
        """
        if count == 0:
            return lr
        T, low = self.T_max, self.eta_min
        if (count - 1 - T) % (2 * T) == 0:  # at the bottom the ratio below is 0 / 0
            return lr + (float(self.lr) - low) * (1 - cos(pi / T)) / 2
        return (1 + cos(pi * count / T)) / (1 + cos(pi * (count - 1) / T)) * (lr - low) + low

    def _at(self, count: Int[Array, "..."], lr: Float[Array, ""]) -> Float[Array, "..."]:
        return self.eta_min + (lr - self.eta_min) * _half_cosine(count % (2 * self.T_max), self.T_max)


class CosineAnnealingWarmRestarts(Schedule):
    """The rate goes along a cosine from lr to eta_min, and starts again at lr; each period may be longer than the last.

    eta_min + (lr - eta_min) (1 + cos(pi T_cur / T_i)) / 2, T_cur steps into a period of T_i

    Args:
        lr: the rate at each start.
        T_0: steps of the first period.
        T_mult: how many times longer each period is than the one before.
        eta_min: the rate that each period goes to.

    Raises:
        ValueError: where T_0 or T_mult is no integer of at least 1.

    Examples:
        >>> rates = CosineAnnealingWarmRestarts(1.0, T_0=2, T_mult=2)(array([0, 1, 2, 4, 6]))
        >>> [round(float(rate), 4) for rate in rates]
        [1.0, 0.5, 1.0, 0.5, 1.0]

    References:
        Loshchilov and Hutter (2017), equation 5; PyTorch, torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.
    """

    def __init__(self, lr: Rate, T_0: int, T_mult: int = 1, eta_min: float = 0.0) -> None:
        if T_0 < 1 or T_mult < 1 or not isinstance(T_0, int) or not isinstance(T_mult, int):
            raise ValueError(
                f"CosineAnnealingWarmRestarts: got T_0 {T_0} and T_mult {T_mult}, wanted integers of at least 1"
            )
        self.lr, self.T_0, self.T_mult, self.eta_min = lr, T_0, T_mult, eta_min

    def _at(self, count: Int[Array, "..."], lr: Float[Array, ""]) -> Float[Array, "..."]:
        T_cur, T_i = self._period(count)
        return self.eta_min + (lr - self.eta_min) * _half_cosine(T_cur, T_i)

    def _period(self, count: Int[Array, "..."]) -> tuple[Int[Array, "..."], Float[Array, "..."] | float]:
        """How far into its period a count is, and how long that period is."""
        if self.T_mult == 1:
            return count % self.T_0, self.T_0
        lengths, starts = [self.T_0], [0]
        while starts[-1] + lengths[-1] < 2**31:
            starts.append(starts[-1] + lengths[-1])
            lengths.append(lengths[-1] * self.T_mult)
        at = jnp.asarray(starts, dtype=jnp.int32)
        period = jnp.searchsorted(at, count, side="right") - 1
        return count - at[period], jnp.asarray(lengths, dtype=float)[period]
