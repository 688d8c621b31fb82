"""The verdicts, and the finding that one comparison ends in."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from parity.numerics.comparator import Errors


class Verdict(StrEnum):
    """What one comparison found, from the mildest to the most severe; `judge` has the rule.

    Examples:
        >>> Verdict.SEMANTIC == "SEMANTIC", Verdict.AGREE.severity, Verdict.STRUCTURE.severity
        (True, 0, 6)
    """

    AGREE = "AGREE"
    CONVENTION = "CONVENTION"
    UNDECIDED = "UNDECIDED"
    PRECISION = "PRECISION"
    UNSTABLE = "UNSTABLE"
    SEMANTIC = "SEMANTIC"
    STRUCTURE = "STRUCTURE"

    @property
    def severity(self) -> int:
        """0 for AGREE, rising to 6 for STRUCTURE; the worst finding decides a report."""
        return list(Verdict).index(self)


@dataclass(frozen=True)
class Finding:
    """One comparison of one tensor: the verdict, and everything that it rests on.

    Truthy where the two sides agree, or differ in a convention that was accepted by name.

    Attributes:
        stage: "structure", "forward", "loss", "state", "gradient", "layer", "layer gradient", "data", "update" or
            "curve".
        torch_path, jax_path: The tensor's name on each side.
        verdict: The Verdict.
        message: One sentence for a person, without the verdict's name.
        dtype: The working dtype that stood beside float64.
        step: The training step, or None.
        ratio64, ratio: Largest |D_64| / B_64 and |D_p| / B_p; at most 1 where they agree. NaN where there is no bound.
        rho: |D_64| / |D_p| in the Euclidean norm; NaN where D_p is zero and D_64 too.
        errors64, errors: Statistics at float64 and at the working dtype, torch left, JAX right, torch's float64 run as
            the reference.
        at64, at: Where ratio64 and ratio are reached.
        lam: The factor lambda of the bound.
        false_alarms: The budget delta that lambda keeps.
        terms: Roundings on the longest path to this tensor, read from JAX's graph; the bound does not use them.
        power: Smallest relative error of this tensor that the check would have found at float64; from 1 on it would
            have found none.
        horizon: For a curve, the number of steps that could be compared pointwise at float64.
        own_ratio: For a curve, how much further torch is from its own float64 run than JAX from its own, at the
            working dtype; below 1 where JAX is further.
        worse: "torch" or "jax", where a verdict names a side.
        cause, fix: What a confirming experiment found behind it, and what to write instead; empty where none did.
        reference: The precision that the float64 runs really had; lower where some code could not be lifted.
        compared: False where nothing was: past a curve's horizon, where rounding alone decides. Reports count it apart.
        accepted: Whether a CONVENTION was accepted by name.
        note: Further remarks: a convention's reason, a width of integers.
        follows: Of one that differs because another does: that one's `label`; empty where it stands for itself.

    Examples:
        >>> finding = Finding("gradient", "fc1.weight", "fc1.kernel", Verdict.SEMANTIC, "the formulas differ", step=3)
        >>> bool(finding), finding.label
        (False, 'gradient of fc1.weight, step 3')
    """

    stage: str
    torch_path: str
    jax_path: str
    verdict: Verdict
    message: str
    dtype: str = "float32"
    step: int | None = None
    ratio64: float = math.nan
    ratio: float = math.nan
    rho: float = math.nan
    errors64: Errors | None = None
    errors: Errors | None = None
    at64: tuple[int, ...] | None = None
    at: tuple[int, ...] | None = None
    lam: float = math.nan
    false_alarms: float = math.nan
    terms: float = math.nan
    power: float = math.nan
    horizon: int | None = None
    own_ratio: float = math.nan
    worse: str | None = None
    cause: str = ""
    fix: str = ""
    reference: str = "float64"
    compared: bool = True
    accepted: bool = False
    note: str = ""
    follows: str = ""

    def __bool__(self) -> bool:
        return self.verdict is Verdict.AGREE or (self.verdict is Verdict.CONVENTION and self.accepted)

    @property
    def label(self) -> str:
        """Its stage, its tensor and its step: "gradient of fc1.weight, step 3"."""
        step = "" if self.step is None else f", step {self.step:,}"
        return f"{self.stage} of {self.torch_path or self.jax_path or 'the whole output'}{step}"

    @property
    def powerless(self) -> bool:
        """Whether an error as large as the tensor itself would have passed; the message says why."""
        return self.power >= 1.0


def worst(findings: Mapping[Any, Finding] | tuple[Finding, ...] | list[Finding]) -> Verdict:
    """The most severe verdict among findings; AGREE where there are none.

    Examples:
        >>> verdicts = (Verdict.AGREE, Verdict.PRECISION, Verdict.CONVENTION)
        >>> worst([Finding("forward", "y", "y", verdict, "") for verdict in verdicts])
        <Verdict.PRECISION: 'PRECISION'>
    """
    items = findings.values() if isinstance(findings, Mapping) else findings
    return max((f.verdict for f in items), key=lambda v: v.severity, default=Verdict.AGREE)
