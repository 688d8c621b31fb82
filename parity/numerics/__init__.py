"""What "agree" means, in pure NumPy: no framework, no model."""

from parity.numerics.comparator import Errors, errors
from parity.numerics.dtypes import FORMATS, FloatFormat, float_format, round_to
from parity.numerics.verdict import (
    FALSE_ALARMS,
    CurveReading,
    Finding,
    Reading,
    Verdict,
    bound,
    confidence_factor,
    curve_bound,
    judge,
    judge_curve,
    worst,
)

__all__ = [
    "FALSE_ALARMS",
    "FORMATS",
    "CurveReading",
    "Errors",
    "Finding",
    "FloatFormat",
    "Reading",
    "Verdict",
    "bound",
    "confidence_factor",
    "curve_bound",
    "errors",
    "float_format",
    "judge",
    "judge_curve",
    "round_to",
    "worst",
]
