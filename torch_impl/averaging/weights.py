"""The average of a model's weights, from update to update, and the functions that weigh the models."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Int, Num
from torch import Tensor

__all__ = [
    "AveragedModel",
    "get_swa_avg_fn",
    "get_ema_avg_fn",
    "get_swa_multi_avg_fn",
    "get_ema_multi_avg_fn",
]

Arrays = dict[str, Num[Tensor, "..."]]
Average = dict[str, Any]
AvgFn = Callable[[Num[Tensor, "..."], Num[Tensor, "..."], Int[Tensor, ""]], Num[Tensor, "..."]]
MultiAvgFn = Callable[[list[Any], list[Any], Int[Tensor, ""]], list[Any]]
NO_INTEGERS = (
    "get_swa_multi_avg_fn: torch has no such average of integers; give avg_fn=get_swa_avg_fn(), which truncates"
)


class AveragedModel:
    """The rule of a running average of a model's parameters, and of its buffers where that is asked for.

    init gives the average before the first update: a copy. The first update copies too, and each one after it averages.
    The average is "params", "buffers" and "n_averaged", the number of updates.

    Args:
        avg_fn: a function of an averaged tensor, the model's, and n_averaged, that gives the new average; None for the
            equal average of get_swa_avg_fn.
        multi_avg_fn: the same for lists of tensors of one dtype.
        use_buffers: average the buffers too; or else they are the model's last.

    Raises:
        ValueError: where both functions are given.

    Examples:
        >>> rule = AveragedModel()
        >>> average = rule.init({"w": array([0.0])})
        >>> for weight in (1.0, 2.0, 6.0):
        ...     average = rule.update_parameters(average, {"w": array([weight])})
        >>> average["params"]["w"].tolist(), int(average["n_averaged"])
        ([3.0], 3)

    References:
        PyTorch, torch.optim.swa_utils.AveragedModel.
    """

    def __init__(
        self, *, avg_fn: AvgFn | None = None, multi_avg_fn: MultiAvgFn | None = None, use_buffers: bool = False
    ) -> None:
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError(
                "AveragedModel: got avg_fn and multi_avg_fn, wanted one of them, or none for equal weights"
            )
        self.multi_avg_fn = multi_avg_fn or _each(avg_fn or get_swa_avg_fn())
        self.use_buffers = use_buffers

    def init(self, params: Arrays, buffers: Arrays | None = None) -> Average:
        """The average before the first update: copies of the model's arrays.

        Args:
            params: the parameters by name.
            buffers: running statistics by name, which may be integer; None for none.

        Returns:
            The average.
        """
        # differs: torch overwrites its average in place, JAX makes a new one at each update and shares what it can
        copies = [{name: a.detach().clone() for name, a in arrays.items()} for arrays in (params, buffers or {})]
        return {"params": copies[0], "buffers": copies[1], "n_averaged": torch.tensor(0)}

    def update_parameters(self, averaged: Average, params: Arrays, buffers: Arrays | None = None) -> Average:
        """Take the model as it is now into the average.

        Args:
            averaged: what init or this gave before.
            params: the parameters now, named and shaped as those of init.
            buffers: the buffers now.

        Returns:
            The average, n_averaged one higher.

        Raises:
            ValueError: where a name is missing or unexpected.
        """
        now = {"params": params, "buffers": buffers or {}}
        _check(averaged, now)
        kinds = ("params", "buffers") if self.use_buffers else ("params",)
        pairs = [(a, now[kind][name].detach()) for kind in kinds for name, a in averaged[kind].items()]
        n = averaged["n_averaged"]
        with torch.no_grad():
            for dtype in dict.fromkeys(a.dtype for a, _ in pairs):
                old, model = map(list, zip(*[pair for pair in pairs if pair[0].dtype == dtype], strict=True))
                for a, value in zip(old, model if n == 0 else self.multi_avg_fn(old, model, n), strict=True):
                    a.copy_(value)
            for name, a in averaged["buffers"].items() if not self.use_buffers else ():
                a.copy_(now["buffers"][name])
            n += 1
        return averaged


def get_swa_avg_fn() -> AvgFn:
    """The equal average of all models so far.

    a + (w - a) / (n + 1)

    Returns:
        A function of the average a, the model's w, and n, how many models a is of.

    Examples:
        >>> get_swa_avg_fn()(array(1.0), array(4.0), array(2)).tolist()
        2.0

    References:
        PyTorch, torch.optim.swa_utils.get_swa_avg_fn.
    """
    return lambda averaged, current, n_averaged: averaged + (current - averaged) / (n_averaged + 1)


def get_ema_avg_fn(decay: float = 0.999) -> AvgFn:
    """The average that fades: each model counts by a constant factor less with every later one.

    decay a + (1 - decay) w

    Args:
        decay: in [0, 1].

    Returns:
        A function of the average a, the model's w, and n.

    Raises:
        ValueError: where decay is outside.

    Examples:
        >>> get_ema_avg_fn(0.75)(array(1.0), array(5.0), array(2)).tolist()
        2.0

    References:
        PyTorch, torch.optim.swa_utils.get_ema_avg_fn.
    """
    _check_decay(decay)
    return lambda averaged, current, n_averaged: decay * averaged + (1 - decay) * current


def get_swa_multi_avg_fn() -> MultiAvgFn:
    """The equal average for lists, as torch interpolates it: with 1 / (n + 1) rounded to float32, whatever the dtype.

    a + (w - a) / (n + 1)

    Returns:
        A function of the averages, the model's tensors, and n; it raises TypeError for integers, as torch does.

    Examples:
        >>> [float(a) for a in get_swa_multi_avg_fn()([array(1.0)], [array(4.0)], array(3))]
        [1.75]

    References:
        PyTorch, torch.optim.swa_utils.get_swa_multi_avg_fn.
    """

    def average(averaged: list[Any], current: list[Any], n_averaged: Int[Tensor, ""]) -> list[Any]:
        weight = 1 / (n_averaged + 1).to(torch.float32)
        if not averaged[0].is_floating_point():
            raise TypeError(NO_INTEGERS)
        return [torch.lerp(a, w, weight.to(a.dtype)) for a, w in zip(averaged, current, strict=True)]

    return average


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAvgFn:
    """The average that fades, for lists.

    a + (1 - decay) (w - a)

    Args:
        decay: in [0, 1].

    Returns:
        A function of the averages, the model's tensors, and n.

    Raises:
        ValueError: where decay is outside.

    Examples:
        >>> [float(a) for a in get_ema_multi_avg_fn(0.75)([array(1.0)], [array(5.0)], array(2))]
        [2.0]

    References:
        PyTorch, torch.optim.swa_utils.get_ema_multi_avg_fn.
    """
    _check_decay(decay)

    def average(averaged: list[Any], current: list[Any], n_averaged: Int[Tensor, ""]) -> list[Any]:
        if not averaged[0].is_floating_point():
            return [decay * a + (1 - decay) * w for a, w in zip(averaged, current, strict=True)]
        return [torch.lerp(a, w, 1 - decay) for a, w in zip(averaged, current, strict=True)]

    return average


def _each(avg_fn: AvgFn) -> MultiAvgFn:
    return lambda averaged, current, n: [avg_fn(a, w, n) for a, w in zip(averaged, current, strict=True)]


def _check_decay(decay: float) -> None:
    if not 0 <= decay <= 1:
        raise ValueError(
            f"averaging: got decay {decay}, wanted it in [0, 1], the share of the old average that is kept"
        )


def _check(averaged: Average, now: dict[str, Arrays]) -> None:
    for kind, arrays in now.items():
        if arrays.keys() != averaged[kind].keys():
            raise ValueError(
                f"update_parameters: the average has {kind} {sorted(averaged[kind])}, the model {sorted(arrays)}; give "
                "update_parameters what init got"
            )
