"""What a schedule is: a hyperparameter as a function of the count of steps that were taken, held in no object."""

from collections.abc import Callable
from math import frexp, ldexp, log

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int, Num

__all__ = ["Schedule", "Tabulated"]

Count = Int[Array, "..."] | int
Rate = Float[Array, ""] | float
Hyperparameter = Callable[[Count], Float[Array, "..."] | tuple[Float[Array, "..."] | float, ...]]


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
    def __call__(self, count: Count) -> Float[Array, "..."]:
        """The rate after count steps.

        Args:
            count: steps taken, integer, any shape.

        Returns:
            The rates, shaped as count, of the dtype of lr.
        """
        wide = jnp.promote_types(jnp.result_type(self.lr, float), jnp.float32)
        return self._cast(self._at(jnp.asarray(count), jnp.asarray(self.lr, wide)))

    def step(self, count: int, lr: float) -> float:
        """The rate after count steps from the one before; here it depends on the count alone.

        Args:
            count: steps taken; 0 is torch's initial step, when a scheduler is built.
            lr: the rate before this step, which another schedule may have set.

        Returns:
            The new rate, in float64.
        """
        return float(_alone(self, count))

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

    def _cast(self, values: Float[Array, "..."]) -> Float[Array, "..."]:
        return values.astype(jnp.result_type(self.lr, float))

    def _at(self, count: Int[Array, "..."], lr: Float[Array, ""]) -> Float[Array, "..."]:
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

    def _at(self, count: Int[Array, "..."], lr: Float[Array, ""]) -> Float[Array, "..."]:
        return lr * _looked_up(self.values, count)


def _alone(schedule: Schedule, count: int | np.ndarray) -> np.ndarray:
    """The rate at a count, or at each, in float64 whatever JAX's default is."""
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        return np.asarray(schedule(jnp.asarray(count)), dtype=np.float64)


def _looked_up(values: np.ndarray, count: Int[Array, "..."]) -> Float[Array, "..."]:
    # differs: past the end of a table torch raises; compiled code cannot, and gives NaN
    inside = jnp.where(count < 0, len(values), count).astype(jnp.int32)
    return jnp.asarray(values).at[inside].get(mode="fill", fill_value=jnp.nan)


def _within(count: int, steps: int) -> int:
    if not 0 <= count < steps:
        raise ValueError(f"schedule: asked for count {count}, but it was tabulated for {steps} steps; give more steps")
    return count


def _power(gamma: float, n: Num[Array, "..."]) -> Float[Array, "..."]:
    """gamma^n to a few roundings, also in float32, where gamma itself, rounded, would be wrong by n of them."""
    if gamma == 0:
        return jnp.where(n == 0, 1.0, 0.0)
    mantissa, exponent = frexp(log(abs(gamma)))
    high = ldexp(round(mantissa * 2**12), exponent - 12)  # 12 bits: n times it is exact up to n = 4096 even in float32
    size = jnp.exp(n * high) * jnp.exp(n * (log(abs(gamma)) - high))
    return size if gamma > 0 else jnp.where(n % 2 == 0, size, -size)


def _half_cosine(k: Num[Array, "..."], period: Float[Array, "..."] | float) -> Float[Array, "..."]:
    """(1 + cos(pi k / period)) / 2; as a square of a sine it does not cancel where it is small."""
    return jnp.sin((period - k) * (jnp.pi / 2) / period) ** 2
