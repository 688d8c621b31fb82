"""What "agree" means, in pure NumPy: no framework, no model."""

from parity.numerics.comparator import Errors, errors
from parity.numerics.curve_rule import CurveReading, curve_bound, judge_curve
from parity.numerics.dtypes import FORMATS, FloatFormat, float_format, round_to
from parity.numerics.instability import asymmetric
from parity.numerics.reading import FALSE_ALARMS, Reading, bound, confidence_factor
from parity.numerics.rule import judge
from parity.numerics.tost import Equivalence, Likeness, equivalence
from parity.numerics.verdict import Finding, Verdict, worst

__all__ = [
    "FALSE_ALARMS",
    "FORMATS",
    "CurveReading",
    "Equivalence",
    "Errors",
    "Finding",
    "FloatFormat",
    "Likeness",
    "Reading",
    "Verdict",
    "asymmetric",
    "bound",
    "confidence_factor",
    "curve_bound",
    "equivalence",
    "errors",
    "float_format",
    "judge",
    "judge_curve",
    "round_to",
    "worst",
]
