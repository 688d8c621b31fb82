"""The step at which two trainings part, taken apart: loss, gradient, clipping, optimizer state, or the update."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from parity.checking.runs import Runs
from parity.numerics import Finding, Verdict
from parity.sides.mapped import OPTIMIZER, PARAMETERS

if TYPE_CHECKING:
    from parity.checking.training import Training

ORDER = ("loss", "gradient", OPTIMIZER, PARAMETERS, "state")
"""What a step makes, in the order in which it makes it; the first to part is where a fault is."""

WORDS = {
    "loss": "the loss",
    "gradient": "the gradients",
    OPTIMIZER: "the optimizer's state",
    PARAMETERS: "the parameters",
    "state": "the state",
}
MANY = ("gradient", PARAMETERS)

GENTLE = 2.0**-20
"""Factor of the loss that takes every gradient below a threshold of clipping, and changes no other rule's ratio."""

UNIFORM = 1e-6
"""Two updates are one times a factor where no element's quotient strays further from the median: far above float64's
rounding of a difference of parameters, far below the smallest change of a rate that anybody writes."""


@dataclass(frozen=True)
class Parting:
    """What parted at a step.

    Attributes:
        step: The step.
        told: In words.
        cause, fix: Named where an experiment shows it, else empty.
        kinds: What of the step it explains.
    """

    step: int
    told: str
    cause: str = ""
    fix: str = ""
    kinds: tuple[str, ...] = ORDER

    def explains(self, finding: Finding) -> bool:
        """Whether a finding of the step, before it has its user's names, differs for this cause."""
        return not finding and finding.step == self.step and _kind(finding) in self.kinds


def explained(training: "Training", runs: Runs, found: list[Finding], step: int) -> Parting | None:
    """Say what of a step parts first, and where an experiment can show it, why.

    Args:
        training: Both sides.
        runs: The four runs of the step.
        found: What was judged from them.
        step: Its number.

    Returns:
        None where the step agrees, or differs in precision alone.
    """
    parted = {_kind(f) for f in found if not f and f.verdict in (Verdict.SEMANTIC, Verdict.UNSTABLE)}
    first = next((kind for kind in ORDER if kind in parted), None)
    if first is None:
        return None
    before = [WORDS[kind] for kind in ORDER[: ORDER.index(first)] if any(_kind(f) == kind for f in found)]
    agree = f"{', '.join(before)} agree{'' if len(before) > 1 else 's'} there; " if before else ""
    told = f"parts at step {step:,}: {agree}{WORDS[first]} {'differ' if first in MANY else 'differs'}"
    plain = Parting(step, told)
    if parted & {OPTIMIZER, PARAMETERS}:
        proven = _setting(training)
        if proven is not None:
            # Beside gradients that differ the optimizer has a fault of its own, and is not all that parts the curves.
            kinds = ORDER if first in (OPTIMIZER, PARAMETERS) else (OPTIMIZER, PARAMETERS)
            return replace(plain, cause=proven[0], fix=proven[1], kinds=kinds)
    if first == OPTIMIZER:
        return _clipping(training, runs, plain)
    if first == PARAMETERS:
        return _factor(runs, plain)
    return plain


def unstepped(training: "Training") -> Parting | None:
    """Of curves that part where no single step does, since torch keeps a state that JAX has not: why."""
    proven = _setting(training)
    if proven is None:
        return None
    told = "no single step parts; what torch's optimizer keeps between steps is what jax's has not"
    return Parting(-1, told, *proven)


def _setting(training: "Training") -> tuple[str, str] | None:
    """The setting in which the two optimizers differ, by experiments on parameters and gradients of their own."""
    from parity.checking.causes import explain_optimizer

    question = training.question
    if not isinstance(question.optimizer, (tuple, list)):
        return None
    try:
        return explain_optimizer(*question.optimizer)
    except Exception:
        # It may take no other parameters than the model's: then the step itself has to tell.
        return None


def _kind(finding: Finding) -> str:
    return finding.torch_path.partition(".")[0]


def _clipping(training: "Training", runs: Runs, plain: Parting) -> Parting:
    """Whether the optimizer's state agrees once gradients are small: then one side, or each otherwise, clips them."""
    gentle = replace(training.task(steps=1, curve=False), inputs={**runs.inputs, "scale": GENTLE})
    small = Runs.of(training.torch, training.jax, gentle, dtype=runs.dtype, device=training.question.device)
    slots = [n for n in runs.torch64.tensors if n.startswith(f"update/{OPTIMIZER}.") and n in runs.jax64.tensors]
    if max((_apart(runs, n) for n in slots), default=0.0) < UNIFORM:
        return plain
    left = max((_apart(small, n) for n in slots), default=0.0)
    if left > UNIFORM:
        return plain
    cause = f"clipping: with the loss times {GENTLE:.0e} the optimizer's states agree to {left:.0e} of their size"
    fix = "clip by the same norm on both sides: optax.clip_by_global_norm, torch.nn.utils.clip_grad_norm_"
    return replace(plain, cause=cause, fix=fix)


def _apart(runs: Runs, name: str) -> float:
    torch, jax = runs.torch64.tensors[name], runs.jax64.tensors[name]
    size = float(np.abs(torch).max(initial=0.0))
    return float(np.abs(torch - jax).max(initial=0.0)) / size if size else 0.0


def _factor(runs: Runs, plain: Parting) -> Parting:
    """Whether one update is the other times a number, or they differ by a multiple of the parameters."""
    torch, jax, values = [], [], []
    for name, before in runs.inputs[PARAMETERS].items():
        after = [trace.tensors.get(f"update/{PARAMETERS}.{name}") for trace in (runs.torch64, runs.jax64)]
        if after[0] is None or after[1] is None:
            return plain
        torch.append((after[0] - before).reshape(-1))
        jax.append((after[1] - before).reshape(-1))
        values.append(np.asarray(before).reshape(-1))
    ours, theirs, own = (np.concatenate(parts) for parts in (torch, jax, values))
    times = _quotient(theirs, ours)
    if times is not None:
        name = "learning rate" if plain.step == 0 else "the schedule of the learning rate"
        cause = f"{name}: jax's update is {times:.6g} times torch's in every element, from the same state"
        return replace(plain, cause=cause, fix="compare the learning rates, and the schedules' values at this step")
    decay = _quotient(theirs - ours, own)
    if decay is not None:
        cause = f"weight decay: jax's update has {decay:.6g} times the parameters more than torch's, in every element"
        return replace(plain, cause=cause, fix="compare weight_decay, and whether it is decoupled, on both sides")
    return plain


def _quotient(above: np.ndarray, below: np.ndarray) -> float | None:
    """The one number that `above` is of `below` in every element that is not small; None where it is not one."""
    large = np.abs(below) > np.abs(below).max(initial=0.0) / 64
    if not large.any():
        return None
    quotients = above[large] / below[large]
    middle = float(np.median(quotients))
    return middle if middle and np.abs(quotients - middle).max() <= UNIFORM * abs(middle) else None
