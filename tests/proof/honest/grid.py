"""The grid: every entry at its sizes, seeds and dtypes, judged by the harness."""

import functools
import zlib
from dataclasses import replace
from typing import Any

import numpy as np

from parity.checking import Task, examine
from parity.numerics import Verdict
from parity.report import CaseResult
from parity.sides import side
from proof.honest import DTYPES, SIZES, TABLE, Honest

SEEDS = 5
LONG = ("sum", "norm", "dot", "variance by moments", "logsumexp")
"""Entries whose sums of a million terms are part of the reduced grid."""

Check = tuple[int, str]  # a seed and a working dtype


def sizes(entry: Honest) -> list[int]:
    """The sizes at which an entry exists."""
    return [size for size in SIZES if size not in entry.without]


def dtypes(entry: Honest) -> list[str]:
    """The working dtypes at which an entry exists."""
    return [dtype for dtype in DTYPES if dtype not in entry.without]


def whole() -> dict[tuple[str, int], list[Check]]:
    """Every check, by entry and size."""
    return {
        (entry.name, size): [(seed, dtype) for seed in range(SEEDS) for dtype in dtypes(entry)]
        for entry in TABLE.values()
        for size in sizes(entry)
    }


def reduced() -> dict[tuple[str, int], list[Check]]:
    """Every sixth entry at one small size and float32, and bfloat16 or float64 alone by turns, since compiling is what
    takes the time; and some sums of a million terms.
    """
    chosen: dict[tuple[str, int], list[Check]] = {}
    for place, entry in enumerate(TABLE.values()):
        if place % 6 == 0:
            further = "bfloat16" if place % 12 else "float64"
            chosen[entry.name, sizes(entry)[1]] = [(0, d) for d in dtypes(entry) if d in ("float32", further)]
        if entry.name in LONG:
            chosen[entry.name, SIZES[-1]] = [(0, "float32")]
    return chosen


@functools.cache
def sides(name: str) -> tuple[Any, Any]:
    """Both sides of an entry, made once: seeds of one shape and dtype share what JAX has compiled."""
    entry = TABLE[name]
    return side("torch", entry.torch), side("jax", entry.jax)


def task(entry: Honest, size: int, seed: int) -> Task:
    """The entry's inputs at a size from a seed."""
    rng = np.random.default_rng((zlib.crc32(entry.name.encode()), size, seed))
    return Task(f"{entry.name}, {size:,}, seed {seed}", entry.inputs(rng, size), wrt=entry.wrt)


def examined(entry: Honest, size: int, seed: int, dtypes: tuple[str, ...]) -> CaseResult:
    """One honest check, at one working dtype or several beside float64."""
    torch, jax = sides(entry.name)
    result = examine(torch, jax, task(entry, size, seed), dtypes=dtypes)
    # A convention that is named accepts kinks alone, where a Task's would accept whatever differs there.
    named = [
        f.verdict is Verdict.CONVENTION and f"{f.stage}/{f.torch_path}" in entry.conventions for f in result.findings
    ]
    findings = (replace(f, accepted=True) if kinks else f for f, kinks in zip(result.findings, named, strict=True))
    return replace(result, findings=tuple(findings))
