"""SparseAdam: Adam that passes over the rows that have no gradient."""

from collections import namedtuple
from typing import Any

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jax_impl.optim.arguments import at_least, within_unit
from jax_impl.optim.lift import Optimizer, bias_correction, lift

__all__ = ["SparseAdam"]

SparseAdamSlots = namedtuple("SparseAdamSlots", ["step", "exp_avg", "exp_avg_sq"])


def SparseAdam(
    lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, maximize: bool = False
) -> Optimizer:
    """Adam's step for the rows with a gradient; the others keep their averages and their values.

    m = b1 m + (1 - b1) g,          v = b2 v + (1 - b2) g^2                 in rows where g is not all zero
    p = p - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)              in those rows

    torch.optim.SparseAdam takes sparse gradients and steps the rows that they list. Here gradients are dense, and a row
    (an index of the first axis; the whole of a scalar) counts as listed where any of it is not zero. So a row that is
    listed with zeros for a gradient, which torch steps, is passed over. Steps are counted for the parameter, whichever
    rows take part, as in torch.

    Slots: step, exp_avg (m), exp_avg_sq (v).

    Args:
        lr: learning rate, above 0.
        betas: b1 and b2, each in [0, 1).
        eps: added to the root of v before its bias is corrected; above 0.
        maximize: climb instead.

    Returns:
        The optimizer. lr, betas and eps move.

    Raises:
        ValueError: for a hyperparameter out of range, or by init for a complex parameter.

    Examples:
        >>> optimizer, params = SparseAdam(lr=0.5), {"w": array([[1.0], [1.0]])}
        >>> updates, state = optimizer.update({"w": array([[3.0], [0.0]])}, optimizer.init(params), params)
        >>> [round(float(row[0]), 6) for row in updates["w"]]
        [-0.5, 0.0]

    References:
        PyTorch, torch.optim.SparseAdam.
    """
    at_least("SparseAdam", 0.0, lr=lr, eps=eps)
    within_unit("SparseAdam", betas=betas)
    if lr == 0 or eps == 0:
        raise ValueError(
            f"SparseAdam: lr is {lr} and eps {eps}, wanted both above 0, as torch.optim.SparseAdam wants them"
        )

    def start(p: Float[Array, "..."]) -> SparseAdamSlots:
        return SparseAdamSlots(jnp.zeros((), jnp.float32), jnp.zeros_like(p), jnp.zeros_like(p))

    return lift(
        "SparseAdam", SparseAdamSlots, start, _sparse_adam, maximize=maximize, real=True, lr=lr, betas=betas, eps=eps
    )


def _sparse_adam(
    g: Float[Array, "..."], p: Float[Array, "..."], s: SparseAdamSlots, *, lr: Any, betas: Any, eps: Any
) -> tuple[Float[Array, "..."], SparseAdamSlots]:
    b1, b2 = betas
    t = (s.step + 1).astype(p.dtype)
    listed = jnp.any(g != 0, axis=tuple(range(1, g.ndim)), keepdims=True)
    m = jnp.where(listed, s.exp_avg + (1 - b1) * (g - s.exp_avg), s.exp_avg)
    v = jnp.where(listed, s.exp_avg_sq + (1 - b2) * (g * g - s.exp_avg_sq), s.exp_avg_sq)
    rate = lr * jnp.sqrt(bias_correction(b2, t)) / bias_correction(b1, t)
    return jnp.where(listed, -rate * (m / (jnp.sqrt(v) + eps)), 0.0), SparseAdamSlots(t, m, v)
