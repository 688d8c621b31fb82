"""Connectionist temporal classification: the probability of a label sequence, summed over all its alignments."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from jax_impl.functional.losses.reduction import reduced

__all__ = ["ctc_loss"]


def ctc_loss(
    log_probs: Float[Array, "T *N C"],
    targets: Int[Array, "..."],
    input_lengths: Int[Array, "*N"] | Sequence[int],
    target_lengths: Int[Array, "*N"] | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Float[Array, "..."]:
    """-log of the summed probability of all paths of length T that read as the target.

    A path reads as what is left of it when repeats are merged and blanks dropped. alpha_t(s), the probability of the
    paths that have read s of the target by step t, is carried along t (Graves et al., equations 6 to 8).

    The gradient is torch's: that of the loss in the scores before log_softmax, exp(log_probs) minus the share of the
    paths. Behind a log_softmax, where this loss belongs, it is the gradient; at log_probs themselves it is not.

    Args:
        log_probs: (T, C) or (T, N, C), floating, logarithms of probabilities.
        targets: (N, S), or (S,) without N, or all one after the other (sum of target_lengths,); integer, never blank.
        input_lengths: how many of the T steps count, of each sequence; at most T.
        target_lengths: how many labels, of each sequence.
        blank: the class of the blank.
        reduction: "none", "sum", or "mean": each loss divided by its target's length, then the mean.
        zero_infinity: whether a target that no path reads, being too long, has loss and gradient 0 rather than infinity
            and NaN.

    Returns:
        (N,) or (), or a scalar.

    Raises:
        ValueError: for another reduction.
        RuntimeError: where shapes, dtypes, lengths or the blank do not fit.

    Examples:
        >>> import math
        >>> even = array([[[0.5, 0.5]], [[0.5, 0.5]]])
        >>> round(math.exp(-float(ctc_loss(even - math.log(2) - 0.5, array([[1]]), [2], [1]))), 4)
        0.75

    References:
        PyTorch, torch.nn.functional.ctc_loss; A. Graves et al., "Connectionist Temporal Classification" (2006).
    """
    batched = log_probs.ndim == 3
    steps, sizes = _lengths(input_lengths), _lengths(target_lengths)
    _check(log_probs, targets, steps, sizes, blank)
    log_p = log_probs if batched else log_probs[:, None]
    labels = _padded(targets, sizes, len(sizes))
    loss = _negative_log_likelihood(log_p, labels, steps, sizes, blank)
    loss = _torch_gradient(loss, log_p, steps, 0.0 if zero_infinity else math.nan)
    if zero_infinity:
        loss = jnp.where(jnp.isinf(loss), 0, loss)
    if reduction == "mean":
        return (loss / jnp.maximum(sizes, 1).astype(loss.dtype)).mean()
    return reduced("ctc_loss", loss if batched else loss[0], reduction)


def _negative_log_likelihood(
    log_p: Float[Array, "T N C"],
    labels: Int[Array, "N S"],
    steps: Int[Array, " N"],
    sizes: Int[Array, " N"],
    blank: int,
) -> Float[Array, " N"]:
    # the target with a blank before, between and after: (N, 2S + 1)
    path = jnp.full((len(labels), 2 * labels.shape[1] + 1), blank, labels.dtype).at[:, 1::2].set(labels)
    # a blank may be left out between two labels that differ
    skips = jnp.pad((path[:, 2:] != blank) & (path[:, 2:] != path[:, :-2]), ((0, 0), (2, 0)))[:, : path.shape[1]]
    emitted = jax.vmap(lambda step: jnp.take_along_axis(step, path, 1))(log_p)  # (T, N, 2S + 1)
    places = jnp.arange(path.shape[1])
    # before the first step a path stands in front of the first blank, from where it may go to that or to the label
    start = jnp.where(places < 2, 0.0, -jnp.inf).astype(log_p.dtype)[None] + emitted[0]
    start = jnp.where(places < jnp.where(sizes > 0, 2, 1)[:, None], start, -jnp.inf)

    def step(alpha: Float[Array, "N P"], now: tuple[Any, Any]) -> tuple[Float[Array, "N P"], None]:
        t, gained = now
        ways = _sum_of(alpha, _later(alpha, 1), jnp.where(skips, _later(alpha, 2), -jnp.inf))
        return jnp.where((t < steps)[:, None], ways + gained, alpha), None

    alpha, _ = jax.lax.scan(step, start, (jnp.arange(1, len(log_p)), emitted[1:]))
    last = jnp.take_along_axis(alpha, 2 * sizes[:, None], 1)[:, 0]
    before = jnp.take_along_axis(alpha, jnp.maximum(2 * sizes - 1, 0)[:, None], 1)[:, 0]
    ended = _sum_of(last, jnp.where(sizes > 0, before, -jnp.inf))
    # a sequence of no steps has read nothing, for certain
    return -jnp.where(steps > 0, ended, jnp.where(sizes == 0, 0, -jnp.inf))


def _later(alpha: Float[Array, "N P"], places: int) -> Float[Array, "N P"]:
    return jnp.pad(alpha, ((0, 0), (places, 0)), constant_values=-jnp.inf)[:, : alpha.shape[1]]


def _sum_of(*logs: Float[Array, "..."]) -> Float[Array, "..."]:
    """log of the sum, minus infinity of nothing but those, without the NaN that its gradient would have there."""
    top = jax.lax.stop_gradient(jnp.stack(logs).max(0))
    impossible = top == -jnp.inf
    total = sum(jnp.exp(log - jnp.where(impossible, 0, top)) for log in logs)
    return jnp.where(impossible, -jnp.inf, jnp.log(jnp.where(impossible, 1, total)) + jnp.where(impossible, 0, top))


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def _torch_gradient(
    loss: Float[Array, " N"], log_p: Float[Array, "T N C"], steps: Int[Array, " N"], of_infinity: float
) -> Float[Array, " N"]:
    """The loss, with exp(log_p) added to its gradient, and that of an infinite one multiplied by of_infinity."""
    return loss


@_torch_gradient.defjvp
def _torch_gradient_jvp(of_infinity: float, primals: tuple, tangents: tuple) -> tuple:
    (loss, log_p, steps), (d_loss, d_log_p, _) = primals, tangents
    counted: Bool[Array, "T N 1"] = (jnp.arange(len(log_p))[:, None] < steps)[..., None]
    change = d_loss + jnp.where(counted, jnp.exp(log_p) * d_log_p, 0).sum((0, 2))
    return loss, jnp.where(jnp.isinf(loss), of_infinity, 1) * change


def _padded(targets: Int[Array, "..."], sizes: Int[Array, " N"], batch: int) -> Int[Array, "N S"]:
    """Targets as (N, S), whether they came so or one after the other; what lies behind a target is any label."""
    if targets.ndim == 2:
        return targets
    longest = len(targets) if isinstance(sizes, jax.core.Tracer) else int(sizes.max(initial=0))
    places = (jnp.cumsum(sizes) - sizes)[:, None] + jnp.arange(longest)
    return (
        targets[jnp.clip(places, 0, max(0, len(targets) - 1))] if len(targets) else jnp.zeros((batch, 0), targets.dtype)
    )


def _lengths(given: Any) -> Any:
    """In NumPy where they are known, so that they stay so under jit; integers also where there are none."""
    if isinstance(given, jax.core.Tracer):
        return jnp.atleast_1d(given)
    known = np.atleast_1d(np.asarray(given))
    return known if known.size else known.astype(int)


def _check(
    log_probs: Float[Array, "..."],
    targets: Int[Array, "..."],
    steps: Int[Array, " N"],
    sizes: Int[Array, " N"],
    blank: int,
) -> None:
    if log_probs.ndim not in (2, 3):
        raise RuntimeError(f"ctc_loss: log_probs has shape {tuple(log_probs.shape)}, wanted (T, C) or (T, N, C)")
    length, classes = log_probs.shape[0], log_probs.shape[-1]
    batch = log_probs.shape[1] if log_probs.ndim == 3 else 1
    for name, value in (("input_lengths", steps), ("target_lengths", sizes)):
        if not jnp.issubdtype(value.dtype, jnp.integer):
            raise RuntimeError(f"ctc_loss: {name} is {value.dtype}, wanted integers")
        if value.shape != (batch,):
            raise RuntimeError(f"ctc_loss: {name} has shape {tuple(value.shape)}, wanted ({batch},): one a sequence")
    if not jnp.issubdtype(targets.dtype, jnp.integer) or targets.ndim not in (1, 2):
        raise RuntimeError(
            f"ctc_loss: targets has shape {tuple(targets.shape)} and dtype {targets.dtype}, wanted "
            "integers (N, S) or (S,)"
        )
    if targets.ndim == 2 and len(targets) != batch:
        raise RuntimeError(f"ctc_loss: targets has shape {tuple(targets.shape)}, wanted ({batch}, S): a row a sequence")
    if not 0 <= blank < classes:
        raise RuntimeError(f"ctc_loss: blank is {blank}, wanted 0 to {classes - 1}")
    if not isinstance(steps, jax.core.Tracer) and bool((steps > length).any() | (steps < 0).any()):
        raise RuntimeError(f"ctc_loss: input_lengths are {steps.tolist()}, wanted 0 to {length}: steps of log_probs")
    if isinstance(sizes, jax.core.Tracer):
        return
    if bool((sizes < 0).any()) or (targets.ndim == 2 and bool((sizes > targets.shape[1]).any())):
        raise RuntimeError(f"ctc_loss: target_lengths are {sizes.tolist()}, wanted 0 to {targets.shape[-1]}")
    if targets.ndim == 1 and int(sizes.sum()) != len(targets):
        raise RuntimeError(
            f"ctc_loss: target_lengths sum to {int(sizes.sum())}, wanted {len(targets)}: targets, one after the other"
        )
