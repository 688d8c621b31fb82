"""Matched PyTorch and JAX implementations, and a harness that proves that they agree.

Importing this package imports no framework; each part is imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parity.bench.speed import speed as speed
    from parity.checking import ParityError as ParityError
    from parity.checking import assert_parity as assert_parity
    from parity.checking import check as check
    from parity.checking import check_seeds as check_seeds
    from parity.checking import compare as compare
    from parity.checking import record as record
    from parity.convert import WeightMap as WeightMap
    from parity.convert import map_weights as map_weights
    from parity.convert import optim as optim
    from parity.numerics import Finding as Finding
    from parity.numerics import Verdict as Verdict
    from parity.report import Report as Report
    from parity.report.side_by_side import show as show
    from parity.sides.given import JaxSide as JaxSide
    from parity.sides.given import TorchSide as TorchSide
    from parity.trace import Recording as Recording
    from parity.trace import Trace as Trace
    from parity.trace import TraceError as TraceError

__version__ = "0.1.0"

_HOMES = {
    "Finding": "parity.numerics",
    "JaxSide": "parity.sides.given",
    "ParityError": "parity.checking",
    "Recording": "parity.trace",
    "Report": "parity.report",
    "TorchSide": "parity.sides.given",
    "Trace": "parity.trace",
    "TraceError": "parity.trace",
    "Verdict": "parity.numerics",
    "WeightMap": "parity.convert",
    "assert_parity": "parity.checking",
    "check": "parity.checking",
    "check_seeds": "parity.checking",
    "compare": "parity.checking",
    "map_weights": "parity.convert",
    "optim": "parity.convert",
    "record": "parity.checking",
    "show": "parity.report.side_by_side",
    "speed": "parity.bench.speed",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'parity' has no attribute {name!r}; it has {', '.join(_HOMES)}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
