"""The error of every layer in order of execution, from the findings that tell where two models part."""

import math
from collections.abc import Iterable
from dataclasses import replace

from parity.numerics import Finding
from parity.report import LayerError

STAGES = {"layer": ("forward64", "forward"), "layer gradient": ("gradient64", "gradient")}
"""Where the two parts of the bound of a finding go, by its stage."""


def profile(findings: Iterable[Finding]) -> tuple[LayerError, ...]:
    """One entry a layer, or a place between two.

    Args:
        findings: Of `parity.checking.divergence.locate`: what differs follows the finding that stands for its place.

    Returns:
        The entries in the order of the findings, which is torch's order of execution.

    Examples:
        >>> from parity.numerics import Verdict
        >>> norm = Finding("layer", "norm", "ln", Verdict.AGREE, "", ratio64=0.1, ratio=0.2)
        >>> (error,) = profile((norm, Finding("layer gradient", "norm", "ln", Verdict.AGREE, "", ratio64=0.3)))
        >>> error.torch_path, error.forward64, error.forward, error.gradient64
        ('norm', 0.1, 0.2, 0.3)
    """
    found: list[LayerError] = []
    label = ""
    for finding in findings:
        if finding.stage not in STAGES or not finding.compared:
            continue
        if not found or not _same(found[-1], label, finding):
            found.append(LayerError(finding.torch_path, finding.jax_path, dtype=finding.dtype))
            label = finding.label
        if not finding and not finding.follows:
            label = finding.label
        found[-1] = _with(found[-1], finding)
    return tuple(found)


def _same(last: LayerError, label: str, finding: Finding) -> bool:
    """Whether a finding is of the layer before it: by name, as its consequence, or as a gradient inside it."""
    if (finding.torch_path, finding.jax_path) == (last.torch_path, last.jax_path) or finding.follows == label:
        return True
    inside = finding.torch_path.startswith((f"{last.torch_path}.", f"{last.torch_path} (input)"))
    return inside and finding.stage == "layer gradient" and math.isnan(last.gradient64) and not finding.follows


def _with(entry: LayerError, finding: Finding) -> LayerError:
    fields = zip(STAGES[finding.stage], (finding.ratio64, finding.ratio), strict=True)
    largest = {name: max((getattr(entry, name), ratio), key=_size) for name, ratio in fields}
    return replace(entry, agrees=entry.agrees and bool(finding), **largest)


def _size(ratio: float) -> float:
    return -1.0 if math.isnan(ratio) else ratio
