"""From the rule of one parameter to the optimizer of a whole model: what every optimizer here shares.

A rule says what one step does to one array: rule(gradient, parameter, slots, **hyperparameters) -> (update, slots).
lift() makes of it an optimizer of a nest of parameters, torch's way: each parameter counts its own steps, one without a
gradient is passed over, every hyperparameter can be moved from step to step.
"""

import math
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Optimizer", "lift", "decayed", "shrinkage", "bias_correction"]

Scalar = float | Float[Tensor, ""]


class Optimizer(namedtuple("Optimizer", ["init", "update"])):
    """An optimizer as two functions: init, which makes its state, and update, which takes a step.

    init(params) -> state: torch's slots under torch's names, each nested as the params are, before the first step.
    update(gradients, state, params, **hyperparameters) -> (updates, state): what to add to the params, and the state
    after the step. The keywords are hyperparameters that have moved since the optimizer was made, such as lr; a
    gradient None leaves its parameter and its slots as they are.

    Examples:
        >>> still = Optimizer(lambda params: (), lambda gradients, state, params, **moved: (gradients, state))
        >>> still.init({"w": array(1.0)}), still.update({"w": None}, (), {"w": array(1.0)})
        ((), ({'w': None}, ()))
    """

    __slots__ = ()


def lift(
    optimizer: str,
    slots: Any,
    start: Callable[..., Any],
    rule: Callable[..., tuple[Any, Any]],
    *,
    maximize: bool = False,
    real: bool = False,
    **hyperparameters: Any,
) -> Optimizer:
    """Make an optimizer of the rule of a single parameter.

    Args:
        optimizer: its name, for the messages.
        slots: the named tuple type of its slots.
        start: start(parameter) -> slots, the slots before the first step; None for one that the parameter does not
            have.
        rule: rule(gradient, parameter, slots, **hyperparameters) -> (update, slots), all of one floating dtype; scalar
            slots as they are kept.
        maximize: climb rather than descend, by the negated gradient.
        real: refuse complex parameters, as torch's optimizer does.
        **hyperparameters: numbers, or tuples of numbers, which update() may be given anew at each step.

    Returns:
        The optimizer. A parameter of 16 bits is stepped in float32 and its slots are rounded once, as torch's fused
        kernels do it; a complex one is stepped as its real and imaginary parts, its gradient as torch defines it.

    Raises:
        TypeError: by update(), for a keyword that is no hyperparameter of this optimizer.
        ValueError: by update(), where the params are not given; by init(), for a complex parameter where real.

    Examples:
        >>> from collections import namedtuple
        >>> rule = lambda g, p, slots, lr: (-lr * g, slots)
        >>> descent = lift("descent", namedtuple("Slots", ""), lambda p: (), rule, lr=0.5)
        >>> params = {"w": array([1.0])}
        >>> updates, state = descent.update({"w": array([3.0])}, descent.init(params), params, lr=0.25)
        >>> updates["w"].tolist()
        [-0.75]
    """
    hyperparameters = {name: _plain(value) for name, value in hyperparameters.items()}

    def init(params: dict[str, Tensor]) -> Any:
        rows = {}
        for name, p in params.items():
            if real and p.is_complex():
                raise ValueError(f"{optimizer}: {name} is {p.dtype}, wanted a real one, as torch wants it")
            row = start(_real(p.detach()))
            rows[name] = [None if slot is None else _like(slot, p) for slot in row]
        return _columns(slots, rows)

    @torch.no_grad()
    def update(
        gradients: dict[str, Tensor | None], state: Any, params: dict[str, Tensor] | None = None, **moved: Any
    ) -> tuple[dict[str, Tensor], Any]:
        if params is None:
            raise ValueError(f"{optimizer}: update() needs the params; give update(gradients, state, params)")
        unknown = moved.keys() - hyperparameters.keys()
        if unknown:
            raise TypeError(
                f"{optimizer}: update() was given {', '.join(sorted(unknown))}, but this optimizer moves only "
                f"{', '.join(hyperparameters)}; what is not among them is set where the optimizer is made"
            )
        current = {name: _plain(moved.get(name, value)) for name, value in hyperparameters.items()}
        updates = {}
        # differs: torch overwrites the slots that it is given, JAX returns new ones
        for name, p in params.items():
            g = gradients[name]
            if g is None:
                updates[name] = torch.zeros_like(p)
                continue
            dtype = _working_dtype(p)
            kept = [None if column is None or column[name] is None else _real(column[name]) for column in state]
            row = slots(*(None if slot is None else slot.to(_working_dtype(slot)) for slot in kept))
            u, after = rule(_real(-g if maximize else g).to(dtype), _real(p).to(dtype), row, **current)
            updates[name] = _like(u, p)
            for old, new in zip(kept, after, strict=True):
                if old is not None and old is not new:
                    old.copy_(new)
        return updates, state

    return Optimizer(init, update)


def decayed(g: Float[Tensor, "..."], p: Float[Tensor, "..."], weight_decay: Scalar) -> Float[Tensor, "..."]:
    """The gradient of the cost with its penalty, lambda/2 |w|^2: coupled weight decay.

    g + lambda w; g itself where lambda is the number 0, so that an infinite weight does no harm.

    Args:
        g: a gradient, floating.
        p: its parameter, of the same shape and dtype.
        weight_decay: lambda.

    Returns:
        The gradient, decayed.

    Examples:
        >>> decayed(array([1.0]), array([2.0]), 0.5).tolist()
        [2.0]
    """
    return g if weight_decay == 0 else g.add(p, alpha=float(weight_decay))


def shrinkage(p: Float[Tensor, "..."], rate: Scalar) -> Float[Tensor, "..."]:
    """What multiplying a parameter by 1 - rate adds to it: decoupled weight decay.

    p (c - 1) with c = 1 - rate rounded to the parameter's dtype. Torch multiplies by that c, and in float32 at a rate
    of 1e-5 the rounding is a thousandth of the decay, in the same direction at every step.

    Args:
        p: a parameter, floating.
        rate: the fraction to lose, such as lr lambda.

    Returns:
        The update, of the parameter's shape and dtype.

    Examples:
        >>> shrinkage(array([2.0]), 0.25).tolist()
        [-0.5]
    """
    c = torch.tensor(1 - rate, dtype=p.dtype)
    return p * (c - 1)


def bias_correction(beta: Scalar, t: Scalar) -> Scalar:
    """How much of a running average that began at zero the first t steps have filled.

    1 - beta^t, written -expm1(t log beta): in float32 the difference itself, at beta 0.999 and t 1, would keep three
    digits.

    Args:
        beta: the decay rate, in [0, 1). A number keeps its double precision; an array has been rounded to its own.
        t: steps taken, at least 1.

    Returns:
        The fraction.

    Examples:
        >>> round(float(bias_correction(0.9, array(2.0))), 6), float(bias_correction(0.0, array(1.0)))
        (0.19, 1.0)

    References:
        D. P. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization" (2015), section 3.
    """
    # differs: torch computes on the host in double precision, JAX where the arrays are, in their own
    return -math.expm1(float(t) * math.log(beta)) if beta else 1.0


def _plain(value: Any) -> Any:
    """A hyperparameter as a Python float, so that it is rounded only where it is used."""
    if value is None:
        return None
    if isinstance(value, tuple | list):
        return tuple(_plain(v) for v in value)
    if math.prod(getattr(value, "shape", ())) != 1:
        raise ValueError(f"a hyperparameter has shape {tuple(value.shape)}, wanted a single number")
    return float(value)


def _working_dtype(x: Tensor) -> torch.dtype:
    """Float32 for 16 bits, the tensor's own otherwise; of a complex tensor, that of its parts."""
    return torch.promote_types(x.dtype.to_real() if x.is_complex() else x.dtype, torch.float32)


def _real(x: Tensor) -> Tensor:
    """A complex tensor as a view of its real and imaginary parts on a new last axis; a real one as it is."""
    return torch.view_as_real(x.resolve_conj()) if x.is_complex() else x


def _like(x: Tensor, other: Tensor) -> Tensor:
    """The inverse of _real where x has the parts of a complex other."""
    return torch.view_as_complex(x) if other.is_complex() and x.shape == (*other.shape, 2) else x


def _columns(slots: Any, rows: dict[str, list[Any]]) -> Any:
    """From the slots of each parameter to the dict of each slot; None for a slot that no parameter has."""
    columns = [{name: row[i] for name, row in rows.items()} for i in range(len(slots._fields))]
    return slots(*(None if all(v is None for v in column.values()) else column for column in columns))
