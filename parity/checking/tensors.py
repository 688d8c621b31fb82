"""Tensors of one run, each judged by the rule."""

from typing import Any

from parity.checking.runs import ENSEMBLE, Runs, response
from parity.numerics import Finding, Reading, judge


def judge_tensors(torch: Any, runs: Runs, names: list[str], device: str, *, step: int | None = None) -> list[Finding]:
    """Judge every tensor of a run.

    Args:
        torch: The torch side, whose operations can be disturbed one by one.
        runs: The four runs.
        names: Tensors whose structure agrees.
        device: Where.
        step: The training step, or None.

    Returns:
        One Finding a tensor.
    """
    responses, flips = response(torch, runs, names, device=device, members=ENSEMBLE)
    found = []
    for name in names:
        stage, _, path = name.partition("/")
        torch64, jax64, torch_p, jax_p = runs.arrays(name)
        reading = Reading(torch64, jax64, torch_p, jax_p, runs.dtype, responses.get(name, 0.0), flips.get(name))
        found.append(judge(reading, stage=stage, torch_path=path, jax_path=path, step=step))
    return found
