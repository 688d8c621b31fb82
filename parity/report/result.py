"""The Report: what a check found, in one frozen object from which text, JSON, HTML and pictures derive."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from parity.numerics import Finding, Verdict, worst

STAGES = (
    "structure",
    "weights",
    "forward",
    "loss",
    "state",
    "gradient",
    "layer",
    "layer gradient",
    "data",
    "update",
    "curve",
)


@dataclass(frozen=True)
class PublishedNumber:
    """A number that a source prints, beside what both frameworks give at float64.

    Attributes:
        source: Where it is printed.
        label: Which number it is, such as "losses, step 1,000".
        printed: The number as the page has it, such as "0.294946".
        torch, jax: The two float64 values.
        allowed: Half a unit of the last printed place, plus the rounding bound of the curve at that step.

    Examples:
        >>> bool(PublishedNumber("CS231n", "losses, step 0", "1.10", torch=1.0986, jax=1.0986, allowed=0.005))
        True
    """

    source: str
    label: str
    printed: str
    torch: float
    jax: float
    allowed: float

    def __bool__(self) -> bool:
        return all(abs(value - float(self.printed)) <= self.allowed for value in (self.torch, self.jax))


@dataclass(frozen=True)
class Curve:
    """One training curve of both sides at both precisions, for pictures.

    Attributes:
        name: Of the output, such as "losses".
        torch64, jax64, torch, jax: Arrays of shape (T,).
        bound: The float64 bound of every step, of shape (T,).
        horizon: Number of steps that were compared pointwise.
        dtype: The working dtype.

    Examples:
        >>> loss = np.array([1.1, 0.9, 0.8])
        >>> curve = Curve("losses", loss, loss, loss, loss, bound=1e-14 * loss, horizon=3, dtype="float32")
        >>> drawn = Report((CaseResult("spiral.train", curves=(curve,)),)).plot()
        >>> len(drawn.axes)  # the curves, and how far they part
        2
    """

    name: str
    torch64: np.ndarray
    jax64: np.ndarray
    torch: np.ndarray
    jax: np.ndarray
    bound: np.ndarray
    horizon: int
    dtype: str


@dataclass(frozen=True)
class LayerError:
    """How far one layer alone, fed torch's input, is from torch's: in parts of its rounding bound, for pictures.

    Attributes:
        torch_path, jax_path: The layer's name on each side, or of what lies between two layers.
        forward64, forward: The largest part of the bound that its outputs take, at float64 and at the working dtype;
            NaN where nothing was compared.
        gradient64, gradient: The same of its vector-Jacobian products, those of its parameters and inputs together.
        agrees: Whether all of them do by the verdict rule.
        dtype: The working dtype.

    Examples:
        >>> norm = LayerError("norm", "ln", forward64=4.4e9, forward=8.2, agrees=False)
        >>> math.isnan(norm.gradient), norm.agrees
        (True, False)
    """

    torch_path: str
    jax_path: str
    forward64: float = math.nan
    forward: float = math.nan
    gradient64: float = math.nan
    gradient: float = math.nan
    agrees: bool = True
    dtype: str = "float32"


@dataclass(frozen=True)
class Cause:
    """What is behind a divergence, shown by an experiment.

    Attributes:
        text: The cause's name and its evidence.
        fix: What to write instead.
        finding: The divergence that it explains.
    """

    text: str
    fix: str
    finding: Finding

    def __str__(self) -> str:
        return self.text + (f"; fix: {self.fix}" if self.fix else "")


@dataclass(frozen=True)
class CaseResult:
    """What one case found.

    Attributes:
        name: "concept.case".
        findings: Every comparison made, in order; there is one a tensor, a stage and a working dtype.
        published: Numbers that a source prints.
        curves: Training curves, for pictures.
        error: Why a side could not run, or None.
        missing: True where that is because a framework or a device is not there.
        seconds: Wall time.
        device: "cpu" or "cuda".
        remarks: What else a reader should know, such as a third witness's numbers.
        layers: Of models that differ, every layer in torch's order of execution, for pictures.

    Examples:
        >>> found = Finding("forward", "logits", "logits", Verdict.AGREE, "within 0.1 of the rounding bound")
        >>> result = CaseResult("lenet.forward", (found,))
        >>> bool(result), result.concept, result.stages
        (True, 'lenet', {'forward': <Verdict.AGREE: 'AGREE'>})
        >>> bool(CaseResult("lenet.forward", error="torch is not installed", missing=True))  # nothing was compared
        False
    """

    name: str
    findings: tuple[Finding, ...] = ()
    published: tuple[PublishedNumber, ...] = ()
    curves: tuple[Curve, ...] = ()
    error: str | None = None
    missing: bool = False
    seconds: float = 0.0
    device: str = "cpu"
    remarks: tuple[str, ...] = ()
    layers: tuple[LayerError, ...] = ()

    @property
    def concept(self) -> str:
        """The pair that this case belongs to: the part of the name before the dot."""
        return self.name.partition(".")[0]

    @property
    def stages(self) -> dict[str, Verdict]:
        """The worst verdict of each stage that was compared, in the order of work."""
        return {
            s: worst([f for f in self.findings if f.stage == s])
            for s in STAGES
            if any(f.stage == s for f in self.findings)
        }

    @property
    def verdict(self) -> Verdict:
        """The worst verdict; a side that could not run is STRUCTURE, a printed number that is not met SEMANTIC."""
        if self.error is not None:
            return Verdict.STRUCTURE
        found = worst(self.findings)
        if not all(self.published):
            return max(found, Verdict.SEMANTIC, key=lambda v: v.severity)
        return found

    def __bool__(self) -> bool:
        return self.error is None and bool(self.findings) and all(self.findings) and all(self.published)


@dataclass(frozen=True, repr=False)
class Report:
    """What a check found; truthy where something was compared and everything agrees.

    Attributes:
        results: One CaseResult a case, in the order in which they were run.
        environment: Versions, devices and thread counts, by name.
        dtypes: The precisions at which both sides ran.
    """

    results: tuple[CaseResult, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    dtypes: tuple[str, ...] = ("float64", "float32")

    def __bool__(self) -> bool:
        return bool(self.results) and all(self.results)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every comparison made, in order."""
        return tuple(f for r in self.results for f in r.findings)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all cases."""
        return max((r.verdict for r in self.results), key=lambda v: v.severity, default=Verdict.AGREE)

    @property
    def first(self) -> Finding | None:
        """The first divergence, or None."""
        return next((f for f in self.findings if not f), None)

    @property
    def cause(self) -> Cause | None:
        """The cause of the first divergence that has one, or None."""
        found = next((f for f in self.findings if not f and f.cause), None)
        return Cause(found.cause, found.fix, found) if found is not None else None

    @property
    def stages(self) -> dict[str, Verdict]:
        """The worst verdict of each stage over all cases, in the order of work."""
        return {
            s: worst([f for f in self.findings if f.stage == s])
            for s in STAGES
            if any(f.stage == s for f in self.findings)
        }

    @property
    def concepts(self) -> dict[str, tuple[CaseResult, ...]]:
        """The results by pair, in order."""
        names = dict.fromkeys(r.concept for r in self.results)
        return {name: tuple(r for r in self.results if r.concept == name) for name in names}

    @property
    def exit_status(self) -> int:
        """0 agree, 1 differ, 3 a side is missing or could not run."""
        if any(r.error is not None for r in self.results):
            return 3
        return 0 if self else 1

    def __str__(self) -> str:
        from parity.report.text import render

        return render(self)

    def __repr__(self) -> str:
        from parity.report.closing import counts, headline

        return f"<Report of {counts(self)}: {headline(self)}>"

    def _repr_html_(self) -> str:
        from parity.report.html import fragment

        return fragment(self)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The report as JSON.

        Args:
            path: Where to write it, atomically; nowhere where not given.

        Returns:
            The JSON text.
        """
        from parity.files import write_atomically
        from parity.report.json import render

        text = render(self)
        if path is not None:
            write_atomically(Path(path), text)
        return text

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write the report as one self-contained HTML file, atomically.

        Args:
            path: The file to write.
        """
        from parity.files import write_atomically
        from parity.report.html import page

        write_atomically(Path(path), page(self))

    def plot(self) -> Any:
        """Draw the training curves with how far they part, and the error of every layer where layers were compared.

        Returns:
            A matplotlib Figure; a notebook shows it, and it belongs to no window.

        Raises:
            ValueError: If the report has neither.
        """
        from parity.report.picture import figure

        return figure(self)
