"""Schedules: every scheduler of torch.optim.lr_scheduler by its name, as a function of the count of steps.

    StepLR(0.1, step_size=30)       schedule(count) is the rate after count steps: a schedule as optax takes it
    OneCycleLR(...).schedules       {"lr": function, "momentum": function}: all that moves, for the optimizer's update

References:
    PyTorch, torch.optim.lr_scheduler.
"""

from torch_impl.schedules.composition import ChainedScheduler, SequentialLR
from torch_impl.schedules.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from torch_impl.schedules.cycles import CyclicLR, OneCycleLR
from torch_impl.schedules.decay import ConstantLR, ExponentialLR, LinearLR, MultiStepLR, PolynomialLR, StepLR
from torch_impl.schedules.functions import LambdaLR, MultiplicativeLR
from torch_impl.schedules.plateau import ReduceLROnPlateau
from torch_impl.schedules.schedule import Schedule, Tabulated

__all__ = [
    "Schedule",
    "Tabulated",
    "StepLR",
    "MultiStepLR",
    "ConstantLR",
    "LinearLR",
    "ExponentialLR",
    "PolynomialLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "OneCycleLR",
    "CyclicLR",
    "LambdaLR",
    "MultiplicativeLR",
    "SequentialLR",
    "ChainedScheduler",
    "ReduceLROnPlateau",
]
