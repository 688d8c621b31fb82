"""Averages of a model's weights over the steps of its training: equal (SWA), or fading (EMA); and the rate for SWA.

References:
    PyTorch, torch.optim.swa_utils; P. Izmailov et al., "Averaging Weights Leads to Wider Optima and Better
    Generalization" (2018).
"""

from torch_impl.averaging.rate import SWALR
from torch_impl.averaging.weights import (
    AveragedModel,
    get_ema_avg_fn,
    get_ema_multi_avg_fn,
    get_swa_avg_fn,
    get_swa_multi_avg_fn,
)

__all__ = [
    "AveragedModel",
    "get_swa_avg_fn",
    "get_ema_avg_fn",
    "get_swa_multi_avg_fn",
    "get_ema_multi_avg_fn",
    "SWALR",
]
