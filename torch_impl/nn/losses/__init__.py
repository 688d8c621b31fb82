"""The losses of torch.nn: in one file what functional.losses has in one.

References:
    PyTorch, torch.nn, "Loss Functions".
"""

from torch_impl.nn.losses.adaptive import AdaptiveLogSoftmaxWithLoss
from torch_impl.nn.losses.binary import BCELoss, BCEWithLogitsLoss, MultiLabelSoftMarginLoss, SoftMarginLoss
from torch_impl.nn.losses.cross_entropy import CrossEntropyLoss, LinearCrossEntropyLoss, NLLLoss
from torch_impl.nn.losses.ctc import CTCLoss
from torch_impl.nn.losses.likelihood import GaussianNLLLoss, KLDivLoss, PoissonNLLLoss
from torch_impl.nn.losses.margins import (
    CosineEmbeddingLoss,
    HingeEmbeddingLoss,
    MarginRankingLoss,
    MultiLabelMarginLoss,
    MultiMarginLoss,
    TripletMarginLoss,
    TripletMarginWithDistanceLoss,
)
from torch_impl.nn.losses.regression import HuberLoss, L1Loss, MSELoss, SmoothL1Loss

__all__ = [
    "L1Loss",
    "MSELoss",
    "SmoothL1Loss",
    "HuberLoss",
    "NLLLoss",
    "CrossEntropyLoss",
    "LinearCrossEntropyLoss",
    "BCELoss",
    "BCEWithLogitsLoss",
    "SoftMarginLoss",
    "MultiLabelSoftMarginLoss",
    "HingeEmbeddingLoss",
    "MarginRankingLoss",
    "CosineEmbeddingLoss",
    "MultiMarginLoss",
    "MultiLabelMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
    "GaussianNLLLoss",
    "PoissonNLLLoss",
    "KLDivLoss",
    "CTCLoss",
    "AdaptiveLogSoftmaxWithLoss",
]
