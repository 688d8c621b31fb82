"""What a loss may be in place of the one that was meant, as torch functions of (output, targets)."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn import functional as F

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
IGNORED = -100
SMOOTHING = (0.05, 0.1, 0.2)
SETTINGS = ("loss", "reduction", "factor", "label_smoothing", "ignore_index")
"""In which a port's loss goes wrong."""


def losses(output: torch.Tensor, targets: torch.Tensor) -> Iterator[tuple[str, dict[str, str], Loss]]:
    """The losses that these arrays allow.

    Args:
        output: Logits (N, C) or (..., C), or numbers of the targets' shape.
        targets: Classes (N,) or (...), or numbers.

    Yields:
        (family, settings by name, function).
    """
    if not targets.is_floating_point():
        for family, settings, function in _of_classes(targets):
            yield family, settings, _by_rows(function)
        return
    if output.shape != targets.shape:
        return
    families: dict[str, Callable[..., torch.Tensor]] = {
        "mse": F.mse_loss,
        "l1": F.l1_loss,
        "smooth_l1": F.smooth_l1_loss,
        "huber": F.huber_loss,
        "binary cross entropy of logits": F.binary_cross_entropy_with_logits,
        "binary cross entropy of probabilities": F.binary_cross_entropy,
        # Torch's own mean is this one, and warns that it is not the mean over rows.
        "KL divergence of log-probabilities": lambda o, t, reduction: getattr(
            F.kl_div(o, t, reduction="none"), reduction
        )(),
    }
    for name, function in families.items():
        for reduction, scale in ((r, s) for r in ("mean", "sum", "sum / rows") for s in (1.0, 0.5)):
            settings = {"loss": name, "reduction": reduction, "factor": f"{scale:g}"}
            yield "regression", settings, _reduced(function, reduction, scale)


def _reduced(function: Callable[..., torch.Tensor], reduction: str, scale: float) -> Loss:
    def run(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        value = function(output, targets, reduction=reduction.partition(" ")[0])
        return scale * (value / len(output) if "/" in reduction else value)

    return run


def _by_rows(function: Loss) -> Loss:
    """The loss of logits (..., C) and classes (...) as of one row each, such as of every word of a sentence."""

    def run(output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if output.dim() > 2 and output.shape[:-1] == targets.shape:
            return function(output.flatten(0, -2), targets.flatten())
        return function(output, targets)

    return run


def _of_classes(targets: torch.Tensor) -> Iterator[tuple[str, dict[str, str], Loss]]:
    ignored = (IGNORED, *(int(t) for t in targets.unique().tolist() if t >= 0))
    for reduction in ("mean", "sum", "mean over all rows"):
        for smoothing in (0.0, *SMOOTHING):
            for ignore in (None, *ignored):
                settings = {
                    "loss": "cross entropy",
                    "reduction": reduction,
                    "label_smoothing": f"{smoothing:g}",
                    "ignore_index": str(ignore),
                }

                def run(
                    output: torch.Tensor,
                    targets: torch.Tensor,
                    r: str = reduction,
                    s: float = smoothing,
                    i: Any = ignore,
                ) -> torch.Tensor:
                    kind = "sum" if r == "mean over all rows" else r
                    options: dict[str, Any] = {"reduction": kind, "label_smoothing": s}
                    value = F.cross_entropy(output, targets.long(), ignore_index=IGNORED if i is None else i, **options)
                    return value / targets.numel() if kind != r else value

                yield "classification", settings, run
