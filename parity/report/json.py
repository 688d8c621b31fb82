"""A Report as JSON: complete, strict, and with the names of the dataclasses' fields as keys."""

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from parity.report.result import CaseResult, Curve, Report

SCHEMA = 1
"""Raised whenever a key changes its meaning or goes; new keys may come at any time."""

POINTS = 1_000
"""A curve keeps at most this many of its steps, the first and the last among them."""


def render(report: Report) -> str:
    """The report as JSON.

    Each object is one dataclass of the report and has its fields as keys; a verdict is its name. What a report derives
    (`agrees`, `verdict`, `exit_status`, `stages`, `first`, `cause`) stands beside it. JSON has no NaN and no infinity:
    they are the strings "NaN", "Infinity" and "-Infinity", which `float` and JavaScript's `Number` read back. A curve
    longer than 1,000 steps is thinned: `index` names the steps that are kept, `steps` says how many there were.

    Args:
        report: The report.

    Returns:
        ASCII text that strict parsers read; the same report always gives the same text. It ends with a newline.
    """
    first = next(((r, f) for r in report.results for f in r.findings if not f), None)
    cause = report.cause
    whole = {
        "schema": SCHEMA,
        "agrees": bool(report),
        "verdict": report.verdict,
        "exit_status": report.exit_status,
        "stages": report.stages,
        "first": {"name": first[0].name, **_fields(first[1])} if first else None,
        "cause": {"text": cause.text, "fix": cause.fix} if cause else None,
        "dtypes": report.dtypes,
        "environment": report.environment,
        "results": [_result(r) for r in report.results],
    }
    return _laid_out(_plain(whole)) + "\n"


def _result(result: CaseResult) -> dict[str, Any]:
    derived = {"concept": result.concept, "agrees": bool(result), "verdict": result.verdict, "stages": result.stages}
    return {"name": result.name, **derived, **_fields(result)}


def _curve(curve: Curve) -> dict[str, Any]:
    steps = len(curve.torch64)
    index = np.unique(np.linspace(0, max(steps - 1, 0), min(steps, POINTS)).round().astype(np.int64))
    kept = {
        name: value[index] if isinstance(value, np.ndarray) and value.ndim else value
        for name, value in _fields(curve).items()
    }
    return {"name": curve.name, "steps": steps, "index": index, **kept}


def _fields(instance: Any) -> dict[str, Any]:
    return {field.name: getattr(instance, field.name) for field in dataclasses.fields(instance)}


def _plain(value: Any) -> Any:
    """Nothing but dicts, lists, strings, finite numbers, booleans and None."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, float):
        return (
            value if math.isfinite(value) else "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        )
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, Curve):
        return _plain(_curve(value))
    if dataclasses.is_dataclass(value):
        return _plain({**({"agrees": bool(value)} if hasattr(type(value), "__bool__") else {}), **_fields(value)})
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return str(value)


def _laid_out(value: Any, indent: str = "") -> str:
    """Short things and lists of scalars on one line, so that a person can read it and a diff is small."""
    inner = indent + "  "
    if isinstance(value, dict):
        start, end = "{}"
        items = [f"{json.dumps(key)}: {_laid_out(item, inner)}" for key, item in value.items()]
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        start, end = "[]"
        items = [_laid_out(item, inner) for item in value]
    else:
        return json.dumps(value)
    flat = start + ", ".join(items) + end
    if "\n" not in flat and len(indent) + len(flat) <= 120:
        return flat
    return start + "\n" + ",\n".join(inner + item for item in items) + "\n" + indent + end
