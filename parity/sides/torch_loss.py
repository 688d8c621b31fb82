"""The losses that a check knows by name, in torch."""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from parity.sides.single import single_output


def named_loss(name: str) -> Callable[[Any, Any], torch.Tensor]:
    """loss(output, targets) -> scalar, the mean over all that counts.

    Args:
        name: "cross_entropy" of logits and classes (the classes' axis is the last of the logits, or the second where
            the targets' shape says so; targets of -100 do not count), or "mse".

    Returns:
        The loss.
    """
    return {"cross_entropy": _cross_entropy, "mse": _mse}[name]


def _cross_entropy(output: Any, targets: torch.Tensor) -> torch.Tensor:
    logits = single_output(output)
    if targets.shape == logits.shape[:-1]:
        logits = logits.reshape(-1, logits.shape[-1])
        targets = targets.reshape(-1)
    return F.cross_entropy(logits, targets)


def _mse(output: Any, targets: torch.Tensor) -> torch.Tensor:
    predicted = single_output(output)
    if predicted.shape != targets.shape:
        raise ValueError(f"mse: the output has shape {tuple(predicted.shape)}, the targets {tuple(targets.shape)}")
    return F.mse_loss(predicted, targets)
