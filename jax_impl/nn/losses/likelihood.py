"""Layers of negative log-likelihoods, and of the divergence of two distributions."""

from jax import Array
from jaxtyping import Float

from jax_impl import functional as F
from jax_impl.nn.losses.reduction import _Loss

__all__ = [
    "GaussianNLLLoss",
    "PoissonNLLLoss",
    "KLDivLoss",
]


class GaussianNLLLoss(_Loss):
    """(log v + (x - y)^2 / v) / 2, the variance v at least eps.

    Args:
        full: whether to add log(2 pi) / 2.
        eps: the least variance.
        reduction: "none", "mean" or "sum".

    Examples:
        >>> float(GaussianNLLLoss()(array([1.0]), array([3.0]), array([1.0])))
        2.0

    References:
        PyTorch, torch.nn.GaussianNLLLoss.
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full, self.eps = full, eps

    def __call__(
        self, input: Float[Array, "*S"], target: Float[Array, "*S"], var: Float[Array, "..."] | float
    ) -> Float[Array, "..."]:
        """The loss of means, targets and variances."""
        return F.gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


class PoissonNLLLoss(_Loss):
    """exp(x) - y x of a rate's logarithm x, or x - y log(x + eps) of the rate.

    Args:
        log_input: whether x is the rate's logarithm.
        full: whether to add Stirling's term where y > 1.
        size_average: deprecated.
        eps: keeps the logarithm finite.
        reduce: deprecated.
        reduction: "none", "mean" or "sum".

    Examples:
        >>> float(PoissonNLLLoss()(array([0.0]), array([2.0])))
        1.0

    References:
        PyTorch, torch.nn.PoissonNLLLoss.
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def __call__(self, input: Float[Array, "*S"], target: Float[Array, "*S"]) -> Float[Array, "..."]:
        """The loss of input and target."""
        return F.poisson_nll_loss(input, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction)


class KLDivLoss(_Loss):
    """q (log q - x): the divergence of the distribution q from the one whose logarithm is x.

    Args:
        size_average: deprecated.
        reduce: deprecated.
        reduction: "none", "mean" (over every number), "batchmean" (over examples) or "sum".
        log_target: whether the target is log q.

    Examples:
        >>> float(KLDivLoss(reduction="sum", log_target=True)(array([-1.0]), array([0.0])))
        1.0

    References:
        PyTorch, torch.nn.KLDivLoss.
    """

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def __call__(self, input: Float[Array, "*S"], target: Float[Array, "*S"]) -> Float[Array, "..."]:
        """The loss of input and target."""
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)
