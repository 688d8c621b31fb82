"""Connectionist temporal classification, as a layer."""

from collections.abc import Sequence

from jax import Array
from jaxtyping import Float, Int

from jax_impl import functional as F
from jax_impl.nn.losses.reduction import _Loss

__all__ = [
    "CTCLoss",
]


class CTCLoss(_Loss):
    """-log of the summed probability of all paths that read as the target.

    Args:
        blank: the class of the blank.
        reduction: "none", "sum", or "mean": each loss divided by its target's length, then the mean.
        zero_infinity: whether a target that no path reads has loss and gradient 0.

    Examples:
        >>> import math
        >>> even = array([[[0.5, 0.5]], [[0.5, 0.5]]]) - math.log(2) - 0.5
        >>> round(math.exp(-float(CTCLoss()(even, array([[1]]), [2], [1]))), 4)
        0.75

    References:
        PyTorch, torch.nn.CTCLoss.
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def __call__(
        self,
        log_probs: Float[Array, "T *N C"],
        targets: Int[Array, "..."],
        input_lengths: Int[Array, "*N"] | Sequence[int],
        target_lengths: Int[Array, "*N"] | Sequence[int],
    ) -> Float[Array, "..."]:
        """The loss of log-probabilities with label sequences; see functional.ctc_loss."""
        return F.ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )
