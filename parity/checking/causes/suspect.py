"""A suspected cause: what to patch on which side, and what to say where that makes the difference go."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from parity.numerics import Finding

TOGETHER = 3
"""Suspects that are tried together at most: a layer with more faults than that was written anew."""


@dataclass(frozen=True)
class Suspect:
    """One known difference of a layer.

    Attributes:
        cause: What it is, with both sides' values, torch first.
        patched: The experiment in half a sentence: "With epsilon = 1e-05".
        fix: What to write on the JAX side.
        source: Where it was seen in public.
        attributes: Of the JAX layer, for the experiment.
        arguments: Of its call, by path.
        torch: Turns torch's function of the layer into an emulation of JAX's, where JAX's cannot be patched.
    """

    cause: str
    patched: str
    fix: str
    source: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    torch: Callable[[Callable[..., Any]], Callable[..., Any]] | None = None


def proven(
    suspects: Sequence[Suspect], experiment: Callable[[tuple[Suspect, ...]], list[Finding]]
) -> tuple[tuple[Suspect, ...], list[Finding]] | None:
    """The fewest suspects under which everything agrees.

    Args:
        suspects: All that fit.
        experiment: Runs the layer with these patched.

    Returns:
        (suspects, what the experiment found), or None where no set of at most TOGETHER explains all.
    """
    for together in _subsets(suspects):
        found = experiment(together)
        if found and all(found):
            return together, found
    return None


def told(findings: Sequence[Finding], suspects: Sequence[Suspect], proof: Sequence[Finding]) -> list[Finding]:
    """The findings that differ with their cause, the experiment's result and the fix."""
    left = max((r for f in proof for r in (f.ratio64, f.ratio) if math.isfinite(r)), default=0.0)
    patched = " and ".join(s.patched[0].lower() + s.patched[1:] if i else s.patched for i, s in enumerate(suspects))
    cause = f"{'; '.join(s.cause for s in suspects)}. {patched} the difference falls to {left:.2g} x the bound"
    cause += f" ({'; '.join(dict.fromkeys(s.source for s in suspects))})"
    fix = "; ".join(s.fix for s in suspects)
    return [f if f else replace(f, cause=cause, fix=fix) for f in findings]


def untold(findings: Sequence[Finding], tried: Sequence[str]) -> list[Finding]:
    """The findings that differ, without a cause, with a note of what was tried."""
    note = f"no cause is named; tried, and none explains it: {', '.join(tried)}"
    return [f if f else replace(f, note="; ".join(filter(None, (f.note, note)))) for f in findings]


def _subsets(suspects: Sequence[Suspect]) -> Iterator[tuple[Suspect, ...]]:
    for size in range(1, min(TOGETHER, len(suspects)) + 1):
        for chosen in itertools.combinations(suspects, size):
            names = [n for s in chosen for n in (*s.attributes, *s.arguments)]
            if len(names) == len(set(names)):
                yield chosen
