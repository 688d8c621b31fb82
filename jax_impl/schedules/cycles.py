"""Schedules that cycle the rate and, against it, the momentum: one cycle for a whole run, and cycles without end."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from jax_impl.schedules.schedule import Count, Hyperparameter, Rate, Schedule, _half_cosine, _looked_up, _power

__all__ = ["OneCycleLR", "CyclicLR"]


class OneCycleLR(Schedule):
    """The rate goes up to max_lr and then down far below its start; the momentum goes down, and up.

    Each phase goes from one value to the next along a cosine or a line, at (count - start) / (end - start) of the way.
    The first ends at pct_start total_steps - 1, which need be no integer, the last at total_steps - 1; the count
    total_steps, which torch lets one take as well, lies one step beyond it.

    Args:
        max_lr: the highest rate.
        total_steps: steps of the cycle; or else epochs and steps_per_epoch, of which it is the product.
        epochs, steps_per_epoch: see total_steps.
        pct_start: share of the steps in which the rate goes up, in [0, 1].
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether the momentum moves too.
        base_momentum, max_momentum: the momentum where the rate is highest, and at both ends.
        div_factor: max_lr over the rate at the start.
        final_div_factor: the rate at the start over that at the end.
        three_phase: come back to the first rate as one went up, and only then go to the last.
        betas: those of an optimizer of Adam's kind, whose first then moves; None where the optimizer has a momentum.

    Raises:
        ValueError: where the steps, pct_start or anneal_strategy are none of the above, or a phase has no length.

    Examples:
        >>> cycle = OneCycleLR(1.0, total_steps=10, pct_start=0.5, anneal_strategy="linear")
        >>> [round(float(cycle(count)), 4) for count in (0, 4, 9)]
        [0.04, 1.0, 0.0]
        >>> [round(float(cycle.schedules["momentum"](count)), 4) for count in (0, 4, 9)]
        [0.95, 0.85, 0.95]

    References:
        L. Smith and N. Topin, "Super-Convergence" (2017); PyTorch, torch.optim.lr_scheduler.OneCycleLR.
    """

    def __init__(
        self,
        max_lr: Rate,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        *,
        betas: tuple[float, ...] | None = None,
    ) -> None:
        if total_steps is None and epochs is not None and steps_per_epoch is not None:
            total_steps = epochs * steps_per_epoch
        if total_steps is None or total_steps < 1:
            raise ValueError(
                f"OneCycleLR: got total_steps {total_steps}, epochs {epochs} and steps_per_epoch {steps_per_epoch}; "
                "wanted total_steps of at least 1, or both of the others"
            )
        if not 0 <= pct_start <= 1 or anneal_strategy not in _ANNEAL:
            raise ValueError(
                f"OneCycleLR: got pct_start {pct_start} and anneal_strategy {anneal_strategy!r}, wanted a share in "
                f"[0, 1] and one of {sorted(_ANNEAL)}"
            )
        top = pct_start * total_steps - 1
        self.ends = [top, 2 * pct_start * total_steps - 2, total_steps - 1] if three_phase else [top, total_steps - 1]
        if self.ends[0] == 0:
            raise ValueError(
                f"OneCycleLR: with total_steps {total_steps} and pct_start {pct_start} a phase has no length, and "
                "torch divides by it; take more steps or another pct_start"
            )
        # torch divides by the last phase's length at the count total_steps alone
        self.total_steps = total_steps - (self.ends[-1] == self.ends[-2])
        self.lr, self.anneal_strategy, self.cycle_momentum, self.betas = max_lr, anneal_strategy, cycle_momentum, betas
        first, last = 1 / div_factor, 1 / div_factor / final_div_factor
        self.shares = [first, 1.0, first, last] if three_phase else [first, 1.0, last]
        self.momenta = [max_momentum, base_momentum, max_momentum, max_momentum][: len(self.shares)]

    def momentum(self, count: Count) -> Float[Array, "..."]:
        """The momentum, or the first of the betas, after count steps.

        Args:
            count: steps taken, integer, any shape.

        Returns:
            The momenta, shaped as count, of the dtype of the rate.
        """
        return self._cast(self._anneal(jnp.asarray(count), self.momenta))

    @property
    def schedules(self) -> dict[str, Hyperparameter]:
        """Every hyperparameter that moves, by torch's name, each as a function of the count."""
        return {"lr": self} | (_momenta(self.momentum, self.betas) if self.cycle_momentum else {})

    def _at(self, count: Int[Array, "..."], lr: Float[Array, ""]) -> Float[Array, "..."]:
        return lr * self._anneal(count, self.shares)

    def _anneal(self, count: Int[Array, "..."], values: list[float]) -> Float[Array, "..."]:
        """From value to value, phase by phase: the first phase whose end is not passed, or the last."""
        # differs: past total_steps torch raises; compiled code cannot, and gives NaN
        starts = [0.0, *self.ends]
        phases = []
        for start, end, one, other in zip(starts, self.ends, values, values[1:], strict=False):
            way = (count - start) / ((end - start) or 1.0)  # a phase without length holds for no count
            phases.append(_ANNEAL[self.anneal_strategy](one, other, way))
        value = phases.pop()
        for end in reversed(self.ends[:-1]):
            value = jnp.where(count <= end, phases.pop(), value)
        return jnp.where(count <= self.total_steps, value, jnp.nan)


class CyclicLR(Schedule):
    """The rate goes up and down between two bounds, the momentum against it; the height may shrink.

    base_lr + (max_lr - base_lr) height scale, height from 0 up to 1 and back along lines

    Args:
        base_lr: the lower bound, where each cycle starts.
        max_lr: the upper bound.
        step_size_up: steps up.
        step_size_down: steps down; None for as many as up.
        mode: "triangular", scale 1; "triangular2", half with each cycle; "exp_range", gamma^count.
        gamma: see mode.
        scale_fn: a function of Python numbers for scale, before mode.
        scale_mode: whether scale_fn takes the number of the cycle, from 1 on ("cycle"), or the count ("iterations").
        cycle_momentum: whether the momentum moves too.
        base_momentum, max_momentum: the momentum at the top of the cycle, and at its bottom.
        betas: those of an optimizer of Adam's kind, whose first then moves; None where the optimizer has a momentum.
        steps: with scale_fn, the number of counts that it is asked for; the schedule holds for as many.

    Raises:
        ValueError: where mode or scale_mode is none of the above, a step size is not positive, or scale_fn comes
            without steps.

    Examples:
        >>> cycle = CyclicLR(0.0, 1.0, step_size_up=2, mode="triangular2")
        >>> cycle(array([0, 1, 2, 3, 4, 5, 6])).tolist()
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.25, 0.5]
        >>> [round(float(cycle.schedules["momentum"](count)), 4) for count in (0, 2, 6)]
        [0.9, 0.8, 0.85]

    References:
        L. Smith, "Cyclical Learning Rates for Training Neural Networks" (2017); PyTorch,
        torch.optim.lr_scheduler.CyclicLR.
    """

    def __init__(
        self,
        base_lr: Rate,
        max_lr: Rate,
        step_size_up: float = 2000,
        step_size_down: float | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float = 0.8,
        max_momentum: float = 0.9,
        *,
        betas: tuple[float, ...] | None = None,
        steps: int | None = None,
    ) -> None:
        down = step_size_up if step_size_down is None else step_size_down
        if step_size_up <= 0 or down < 0:
            raise ValueError(f"CyclicLR: got {step_size_up} steps up and {down} down, wanted positive numbers")
        if (scale_fn is None and mode not in _MODES) or scale_mode not in ("cycle", "iterations"):
            raise ValueError(
                f"CyclicLR: got mode {mode!r} and scale_mode {scale_mode!r}, wanted one of {_MODES}, and 'cycle' or "
                "'iterations'"
            )
        if scale_fn is not None and steps is None:
            raise ValueError("CyclicLR: scale_fn is a function of Python numbers; give steps, for how many counts")
        self.lr, self.max_lr, self.up, self.total = base_lr, max_lr, step_size_up, step_size_up + down
        self.mode, self.gamma, self.cycle_momentum, self.betas = mode, gamma, cycle_momentum, betas
        self.base_momentum, self.max_momentum = base_momentum, max_momentum
        self.scales: np.ndarray | None = None
        if scale_fn is not None and steps is not None:
            self.mode = scale_mode
            asked = range(steps) if scale_mode == "iterations" else range(1, int(steps / self.total) + 2)
            self.scales = np.array([scale_fn(n) for n in asked], dtype=np.float64)

    def momentum(self, count: Count) -> Float[Array, "..."]:
        """The momentum, or the first of the betas, after count steps.

        Args:
            count: steps taken, integer, any shape.

        Returns:
            The momenta, shaped as count, of the dtype of the rate.
        """
        reach = self.max_momentum - self.base_momentum
        return self._cast(self.max_momentum - reach * self._height(jnp.asarray(count)))

    @property
    def schedules(self) -> dict[str, Hyperparameter]:
        """Every hyperparameter that moves, by torch's name, each as a function of the count."""
        return {"lr": self} | (_momenta(self.momentum, self.betas) if self.cycle_momentum else {})

    def _at(self, count: Int[Array, "..."], lr: Float[Array, ""]) -> Float[Array, "..."]:
        return lr + (self.max_lr - lr) * self._height(count)

    def _height(self, count: Int[Array, "..."]) -> Float[Array, "..."]:
        """How far up between the bounds a count is, scaled."""
        cycle, within = count // self.total, count % self.total
        way = jnp.where(within <= self.up, within / self.up, (self.total - within) / ((self.total - self.up) or 1.0))
        if self.scales is not None:
            return way * _looked_up(self.scales, cycle if self.mode == "cycle" else count)
        if self.mode == "triangular2":
            return way * _power(0.5, cycle)
        return way * _power(self.gamma, count) if self.mode == "exp_range" else way


_MODES = ("triangular", "triangular2", "exp_range")
_ANNEAL: dict[str, Callable[..., Any]] = {
    "cos": lambda start, end, way: end + (start - end) * _half_cosine(way, 1.0),
    "linear": lambda start, end, way: start + (end - start) * way,
}


def _momenta(
    momentum: Callable[[Count], Float[Array, "..."]], betas: tuple[float, ...] | None
) -> dict[str, Hyperparameter]:
    return {"momentum": momentum} if betas is None else {"betas": lambda count: (momentum(count), *betas[1:])}
