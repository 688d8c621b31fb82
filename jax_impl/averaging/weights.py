"""The average of a model's weights, from update to update, and the functions that weigh the models."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int, Num

__all__ = [
    "AveragedModel",
    "get_swa_avg_fn",
    "get_ema_avg_fn",
    "get_swa_multi_avg_fn",
    "get_ema_multi_avg_fn",
]

Arrays = dict[str, Num[Array, "..."]]
Average = dict[str, Any]
AvgFn = Callable[[Num[Array, "..."], Num[Array, "..."], Int[Array, ""]], Num[Array, "..."]]
MultiAvgFn = Callable[[list[Any], list[Any], Int[Array, ""]], list[Any]]
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
        return {"params": dict(params), "buffers": dict(buffers or {}), "n_averaged": jnp.zeros((), dtype=int)}

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
        places = [(kind, name) for kind in kinds for name in averaged[kind]]
        n = averaged["n_averaged"]
        new = {"params": dict(averaged["params"]), "buffers": dict(now["buffers"]), "n_averaged": n + 1}
        for dtype in dict.fromkeys(averaged[kind][name].dtype for kind, name in places):
            chosen = [(kind, name) for kind, name in places if averaged[kind][name].dtype == dtype]
            old, model = ([tree[kind][name] for kind, name in chosen] for tree in (averaged, now))
            for (kind, name), value, copied in zip(chosen, self.multi_avg_fn(old, model, n), model, strict=True):
                new[kind][name] = jnp.where(n == 0, copied, value.astype(dtype))
        return new


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
    return lambda averaged, current, n_averaged: averaged + _real(current - averaged) / (n_averaged + 1)


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
    return lambda averaged, current, n_averaged: decay * _real(averaged) + (1 - decay) * _real(current)


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

    def average(averaged: list[Any], current: list[Any], n_averaged: Int[Array, ""]) -> list[Any]:
        weight = 1 / (n_averaged + 1).astype(jnp.float32)
        if not jnp.issubdtype(averaged[0].dtype, jnp.inexact):
            raise TypeError(NO_INTEGERS)
        return [_lerp(a, w, weight.astype(a.dtype)) for a, w in zip(averaged, current, strict=True)]

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

    def average(averaged: list[Any], current: list[Any], n_averaged: Int[Array, ""]) -> list[Any]:
        if not jnp.issubdtype(averaged[0].dtype, jnp.inexact):
            return [decay * _real(a) + (1 - decay) * _real(w) for a, w in zip(averaged, current, strict=True)]
        return [_lerp(a, w, 1 - decay) for a, w in zip(averaged, current, strict=True)]

    return average


def _real(x: Num[Array, "..."]) -> Float[Array, "..."]:
    return x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.float32)  # torch's, whatever JAX's default is


def _each(avg_fn: AvgFn) -> MultiAvgFn:
    return lambda averaged, current, n: [avg_fn(a, w, n) for a, w in zip(averaged, current, strict=True)]


def _lerp(a: Num[Array, "..."], w: Num[Array, "..."], weight: float | Float[Array, ""]) -> Num[Array, "..."]:
    """a + weight (w - a), from the nearer end, as torch's lerp does it."""
    return jnp.where(jnp.asarray(weight) < 0.5, a + weight * (w - a), w - (w - a) * (1 - weight))


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
