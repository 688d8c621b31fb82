"""The losses of torch.nn.functional.

References:
    PyTorch, torch.nn.functional, "Loss functions".
"""

from jax_impl.functional.losses.binary import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    multilabel_soft_margin_loss,
    soft_margin_loss,
)
from jax_impl.functional.losses.cross_entropy import cross_entropy, linear_cross_entropy, nll_loss
from jax_impl.functional.losses.ctc import ctc_loss
from jax_impl.functional.losses.likelihood import gaussian_nll_loss, kl_div, poisson_nll_loss
from jax_impl.functional.losses.margins import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from jax_impl.functional.losses.reduction import reduced, reduction_name
from jax_impl.functional.losses.regression import huber_loss, l1_loss, mse_loss, smooth_l1_loss

__all__ = [
    "reduction_name",
    "reduced",
    "l1_loss",
    "mse_loss",
    "smooth_l1_loss",
    "huber_loss",
    "nll_loss",
    "cross_entropy",
    "linear_cross_entropy",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "soft_margin_loss",
    "multilabel_soft_margin_loss",
    "gaussian_nll_loss",
    "poisson_nll_loss",
    "kl_div",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "cosine_embedding_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    "ctc_loss",
]
