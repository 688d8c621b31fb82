"""The schedule that follows the run: the rate falls where the loss no longer does."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Num

__all__ = ["ReduceLROnPlateau"]

Plateau = dict[str, Num[Array, "..."]]


class ReduceLROnPlateau:
    """The rate falls by a factor where a metric has not improved for more than patience updates.

    It is no function of the count: init makes a state, update gives the next one, which holds the new rate. The state
    is "lr" and, in torch's names, "best", "num_bad_epochs", "cooldown_counter" and "last_epoch".

    Args:
        mode: "min" where the metric should fall, "max" where it should rise.
        factor: what the rate is multiplied with, below 1.
        patience: updates without improvement that are borne.
        threshold: how much counts as an improvement.
        threshold_mode: whether the threshold is a share of the best ("rel") or stands alone ("abs").
        cooldown: updates after a fall in which none is counted as bad.
        min_lr: the rates stop here: a float, or one for each of the rates.
        eps: a fall by no more than this is not made.

    Raises:
        ValueError: where factor is not below 1, or a mode is none of the above.

    Examples:
        >>> plateau = ReduceLROnPlateau(factor=0.5, patience=1)
        >>> state = plateau.init(1.0)
        >>> for loss in (3.0, 2.0, 2.0, 2.0):
        ...     state = plateau.update(state, array(loss))
        >>> float(state["lr"]), int(state["num_bad_epochs"])
        (0.5, 0)

    References:
        PyTorch, torch.optim.lr_scheduler.ReduceLROnPlateau.
    """

    def __init__(
        self,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1 or mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise ValueError(
                f"ReduceLROnPlateau: got factor {factor}, mode {mode!r} and threshold_mode {threshold_mode!r}, wanted "
                "a factor below 1, 'min' or 'max', and 'rel' or 'abs'"
            )
        self.mode, self.factor, self.patience, self.cooldown = mode, factor, patience, cooldown
        self.threshold, self.threshold_mode, self.min_lr, self.eps = threshold, threshold_mode, min_lr, eps

    def init(self, lr: Float[Array, "..."] | float) -> Plateau:
        """The state before the first update.

        Args:
            lr: the rate, or one for each group of parameters.

        Returns:
            The state, its floats of the dtype of lr.
        """
        lr = jnp.asarray(lr, dtype=jnp.result_type(lr, float))
        zero = jnp.zeros((), dtype=int)
        best = jnp.asarray(jnp.inf if self.mode == "min" else -jnp.inf, lr.dtype)
        return {"lr": lr, "best": best, "num_bad_epochs": zero, "cooldown_counter": zero, "last_epoch": zero}

    def update(self, state: Plateau, metric: Float[Array, ""]) -> Plateau:
        """The state after one more value of the metric; a NaN is no improvement.

        Args:
            state: what init or update gave.
            metric: the loss, or whatever is watched.

        Returns:
            The next state.
        """
        best = state["best"]
        share = best * (1.0 - self.threshold if self.mode == "min" else 1.0 + self.threshold)
        apart = best - self.threshold if self.mode == "min" else best + self.threshold
        bar = share if self.threshold_mode == "rel" else apart
        better = metric < bar if self.mode == "min" else metric > bar
        cooling = state["cooldown_counter"] > 0
        bad = jnp.where(better | cooling, 0, state["num_bad_epochs"] + 1)
        cooldown = jnp.where(cooling, state["cooldown_counter"] - 1, state["cooldown_counter"])
        falls = bad > self.patience
        lr = jnp.maximum(state["lr"] * self.factor, jnp.asarray(self.min_lr, state["lr"].dtype))
        return {
            "lr": jnp.where(falls & (state["lr"] - lr > self.eps), lr, state["lr"]),
            "best": jnp.where(better, jnp.asarray(metric, best.dtype), best),
            "num_bad_epochs": jnp.where(falls, 0, bad),
            "cooldown_counter": jnp.where(falls, self.cooldown, cooldown),
            "last_epoch": state["last_epoch"] + 1,
        }
