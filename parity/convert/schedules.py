"""A live scheduler of torch as schedules of a count: torch's own code runs ahead on a copy, and what it sets is kept.

So any scheduler can be translated: nested and composed ones, functions in Python, a user's own class. The one that
follows a metric, ReduceLROnPlateau, is translated to its state machine.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from jax_impl.schedules import ReduceLROnPlateau

__all__ = ["tabulate", "schedules", "plateau"]


def tabulate(scheduler: Any, steps: int) -> dict[int, dict[str, np.ndarray]]:
    """What a scheduler will set every hyperparameter to, from its present state on.

    Args:
        scheduler: Of torch.optim.lr_scheduler, of torch.optim.swa_utils, or a class of one's own with .optimizer and
            .step(). It is copied, with what it holds; a plain function that it calls is not, and one that counts its
            own calls goes on counting.
        steps: How many of the optimizer's steps to tabulate, at least 1.

    Returns:
        For each param group, by its position, the hyperparameters that move, and lr in any case, by torch's name:
        (steps,) float64, (steps, 2) for betas. Row 0 is the present: what the next step of the optimizer will use.

    Raises:
        TypeError: Where it follows a metric, or moves something that is no number.
        ValueError: Where steps is less than 1, or the scheduler refuses to be stepped so often.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> tabulate(torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5), 4)[0]["lr"].tolist()
        [1.0, 0.5, 0.25, 0.125]
    """
    name = type(scheduler).__name__
    if steps < 1:
        raise ValueError(f"tabulate: got steps {steps}, wanted at least 1, the optimizer steps that are still to come")
    if _follows_a_metric(scheduler):
        raise TypeError(f"tabulate: a {name} follows a metric, no count; plateau(scheduler) translates it")
    ahead, groups, names = _copied(scheduler)
    rows = [_hyperparameters(groups, names)]
    while len(rows) < steps:
        try:
            ahead.step()
        except Exception as error:
            raise ValueError(
                f"tabulate: the {name} takes {len(rows) - 1} more steps and then refuses ({error}); ask for steps up "
                f"to {len(rows)}"
            ) from error
        rows.append(_hyperparameters(groups, names))
    return {group: _moved(name, [row[group] for row in rows]) for group in range(len(groups))}


def schedules(scheduler: Any, steps: int, *, every: int = 1) -> dict[int, dict[str, Callable[[Any], Any]]]:
    """The same as schedules of a count, 0 at the present, for optax and for jax_impl.optim.

    Args:
        scheduler: As tabulate takes it.
        steps: How many of the optimizer's steps they hold for; beyond, they give NaN.
        every: The optimizer's steps to one of the scheduler: 1, or the steps of an epoch.

    Returns:
        For each param group, by its position, torch's name of a hyperparameter -> a function of the count: traced,
        mapped over, compiled. betas gives a tuple, in which one that stays is a plain number.

    Raises:
        TypeError, ValueError: As tabulate.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> halved = schedules(torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5), 4, every=2)[0]["lr"]
        >>> [float(halved(count)) for count in range(4)]
        [1.0, 1.0, 0.5, 0.5]
    """
    from jax_impl.schedules import Tabulated

    if every < 1:
        raise ValueError(
            f"schedules: got every {every}, wanted at least 1, the optimizer's steps to one of the scheduler"
        )

    def function(values: np.ndarray) -> Callable[[Any], Any]:
        lasting = np.repeat(values, every, axis=0)[:steps]
        if lasting.ndim == 1:
            return Tabulated(lasting)
        columns = [Tabulated(c) if np.ptp(c) else float(c[0]) for c in lasting.T]
        return lambda count: tuple(c if isinstance(c, float) else c(count) for c in columns)

    table = tabulate(scheduler, -(-steps // every))
    return {group: {name: function(values) for name, values in moved.items()} for group, moved in table.items()}


def plateau(scheduler: Any) -> tuple[ReduceLROnPlateau, dict[str, Any]]:
    """A ReduceLROnPlateau as a pure state machine, in the state that it is in.

    Args:
        scheduler: A torch.optim.lr_scheduler.ReduceLROnPlateau.

    Returns:
        The rule, whose update(state, metric) gives the next state, and the present state: "lr" holds one rate for each
        param group.

    Raises:
        TypeError: Where it is none, or its class has a step of its own.

    Examples:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> rule, state = plateau(torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0))
        >>> rule.update(rule.update(state, 2.0), 2.0)["lr"].tolist()
        [0.5]
    """
    import jax.numpy as jnp
    import torch

    from jax_impl.schedules import ReduceLROnPlateau

    theirs, own = torch.optim.lr_scheduler.ReduceLROnPlateau, type(scheduler)
    if not issubclass(own, theirs) or any(
        getattr(own, name) is not getattr(theirs, name) for name in ("step", "_reduce_lr", "_is_better", "in_cooldown")
    ):
        raise TypeError(
            f"plateau: got a {own.__name__}, wanted torch's ReduceLROnPlateau, whose rule is known; tabulate() "
            "translates a schedule that follows the count"
        )
    rates = [float(group["lr"]) for group in scheduler.optimizer.param_groups]
    floors = list(scheduler.min_lrs)
    if len(floors) != len(rates) and scheduler.default_min_lr is not None:
        floors = [scheduler.default_min_lr] * len(rates)  # as torch does where groups were added
    rule = ReduceLROnPlateau(
        scheduler.mode,
        scheduler.factor,
        scheduler.patience,
        scheduler.threshold,
        scheduler.threshold_mode,
        scheduler.cooldown,
        floors,
        scheduler.eps,
    )
    counters = ("num_bad_epochs", "cooldown_counter", "last_epoch")
    state = rule.init(jnp.asarray(rates)) | {name: jnp.asarray(getattr(scheduler, name)) for name in counters}
    return rule, state | {"best": jnp.asarray(scheduler.best, state["best"].dtype)}


def _follows_a_metric(scheduler: Any) -> bool:
    import torch

    return isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)


def _copied(scheduler: Any) -> tuple[Any, list[dict[str, Any]], list[str]]:
    """A copy of the scheduler on a stand-in for its optimizer, that one's groups, and the names of hyperparameters.

    The parameters are not copied: a scheduler moves hyperparameters alone.
    """
    optimizer: torch.optim.Optimizer = scheduler.optimizer
    stand_in = object.__new__(type(optimizer))
    groups = [
        {name: list(value) if name == "params" else copy.deepcopy(value) for name, value in group.items()}
        for group in optimizer.param_groups
    ]

    def step(*arguments: Any, **options: Any) -> None:
        """Nothing: torch only wants to see it called before the scheduler's."""

    step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    vars(stand_in).update(vars(optimizer))
    vars(stand_in).update(param_groups=groups, state=defaultdict(dict), step=step, _opt_called=True)
    ahead = copy.deepcopy(scheduler, {id(optimizer): stand_in})
    return ahead, groups, ["lr", *(name for name in optimizer.defaults if name != "lr")]


def _hyperparameters(groups: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    return [{name: _number(group[name]) for name in names if name in group} for group in groups]


def _number(value: Any) -> Any:
    """A number, or a tuple of them, as floats; anything else as it is."""
    if isinstance(value, tuple | list):
        return tuple(_number(part) for part in value)
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    return float(value)  # a tensor too, which its owner may overwrite later


def _moved(scheduler: str, rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    found = {}
    for name, first in rows[0].items():
        values = [row[name] for row in rows]
        if name != "lr" and all(value == first for value in values):
            continue
        if not all(
            isinstance(part, float) for value in values for part in np.atleast_1d(np.array(value, dtype=object))
        ):
            other = next(value for value in values if value != first)
            raise TypeError(
                f"tabulate: the {scheduler} moves {name} from {first} to {other}, which is no number and cannot be "
                "traced; make an optimizer for each value"
            )
        found[name] = np.array(values, dtype=np.float64)
    return found
