"""Training whose random streams cannot be shared: two sets of seeds, and a test that shows them to be equivalent."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from parity.checking.runs import SideError
from parity.environment import environment
from parity.numerics import Finding, Verdict
from parity.numerics.tost import Equivalence, Likeness, equivalence
from parity.report import CaseResult, Report

PART = 10
"""The final loss is the mean over the last tenth of a curve, and a target is reached where the mean over the tenth that
ends there is at or below it: one minibatch's loss says little of either."""

VERDICTS = {
    Likeness.EQUIVALENT: Verdict.AGREE,
    Likeness.UNDECIDED: Verdict.UNDECIDED,
    Likeness.DIFFERENT: Verdict.SEMANTIC,
}

Train = Callable[[Any], Any]


def check_seeds(
    torch_train: Train,
    jax_train: Train,
    *,
    seeds: int | Sequence[int] = 23,
    margin: float = 1.0,
    target: float | None = None,
    alpha: float = 0.05,
    together: bool = False,
    name: str = "check_seeds",
) -> Report:
    """Compare two trainings that draw their own random numbers, by the losses that many seeds end in.

    The final loss, the mean loss over the run (which a slower training raises, even one that ends as low), and with a
    target the steps until it is reached, are judged by two one-sided tests each: AGREE where the means are shown to lie
    within the margin, SEMANTIC where they are shown to differ by more, UNDECIDED where the seeds show neither. Slower
    fails like faster, and too few seeds show nothing. Seeds that fail (a loss that is no number, a target that is not
    reached) are counted, and their share is judged by the same test on ones and zeros.

    Where the random numbers can be shared, a check with replayed draws tells far more with one run.

    Args:
        torch_train, jax_train: Functions of an integer seed that train from scratch with random streams of their own
            and return the loss of every step, (T,), as an array of their framework or of NumPy; with `together`, of
            the list of seeds, with a row of losses for each, (seeds, T).
        seeds: How many seeds each side is given, from 0 on, or the seeds.
        margin: What counts as the same, in pooled standard deviations over seeds. With 23 seeds trainings that are the
            same pass one test at 1.0 nine times in ten (all of them with 28, with a target 30); at 0.5 that takes 88
            seeds, at 1.5 11, at 2.0 7.
        target: A loss that training should reach.
        alpha: Chance that trainings exactly a margin apart pass.
        together: Whether each side trains with all seeds in one call, as `loops.train_seeds` of either side can.
        name: What the report calls the pair.

    Returns:
        A Report with findings of stage "curve", truthy where all are shown to be equivalent. A side that raises is
        reported there.

    Raises:
        TypeError: If a side is not callable.
        ValueError: If there are fewer than two seeds, or the margin or alpha is out of range.

    Examples:
        >>> def train(offset):
        ...     return lambda seed: np.random.default_rng((offset, seed)).normal(1.0, 0.1, size=50)
        >>> bool(check_seeds(train(1), train(2)))
        True

    References:
        D. Schuirmann, 1987, as for `parity.numerics.equivalence`.
    """
    began = time.perf_counter()
    for framework, train in (("torch", torch_train), ("jax", jax_train)):
        if not callable(train):
            raise TypeError(
                f"check_seeds: the {framework} side is a {type(train).__name__}, wanted a function of "
                + ("a list of seeds" if together else "a seed")
            )
    chosen = list(range(seeds)) if isinstance(seeds, int) else [int(seed) for seed in seeds]
    if len(chosen) < 2:
        raise ValueError(f"check_seeds: got {len(chosen)} seeds, wanted 2 or more, such as the default 23")
    # An option out of range is told before any training, not after hours of it.
    equivalence((0.0, 1.0), (0.0, 1.0), margin=margin, alpha=alpha)
    dtype, error = "float32", None
    findings: list[Finding] = []
    try:
        curves_of = _rows if together else _curves
        torch, dtype = curves_of("torch", torch_train, chosen)
        jax, _ = curves_of("jax", jax_train, chosen)
        findings = _compare(torch, jax, dtype=dtype, margin=margin, alpha=alpha, target=target)
    except SideError as raised:
        error = str(raised)
    result = CaseResult(name, tuple(findings), error=error, seconds=time.perf_counter() - began)
    return Report((result,), environment(), (dtype,))


def _curves(framework: str, train: Train, seeds: Sequence[int]) -> tuple[list[np.ndarray], str]:
    """The loss curve of every seed, float64, and the dtype in which the side has them."""
    curves: list[np.ndarray] = []
    dtype = "float32"
    for seed in seeds:
        curve, dtype = _losses(framework, train, seed, f"at seed {seed}")
        if curve.ndim != 1 or curve.size == 0:
            raise SideError(
                f"the {framework} side gives an array of shape {curve.shape} at seed {seed}, wanted (steps,), the loss "
                "of every step"
            )
        curves.append(curve)
    return curves, dtype


def _rows(framework: str, train: Train, seeds: Sequence[int]) -> tuple[list[np.ndarray], str]:
    """The same of a training that takes all seeds at once."""
    curves, dtype = _losses(framework, train, list(seeds), f"with {len(seeds)} seeds together")
    if curves.ndim != 2 or len(curves) != len(seeds) or curves.size == 0:
        raise SideError(
            f"the {framework} side gives an array of shape {curves.shape} for {len(seeds)} seeds, wanted "
            f"({len(seeds)}, steps), a row of losses for each"
        )
    return list(curves), dtype


def _losses(framework: str, train: Train, given: int | list[int], told: str) -> tuple[np.ndarray, str]:
    """What a training returns, at float64, and the dtype that it had."""
    try:
        losses = train(given)
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise SideError(f"the {framework} side raised {told}: {type(error).__name__}: {first}") from error
    of_torch = hasattr(losses, "detach")  # NumPy reads such a tensor only on the host, and only in its own dtypes
    values = np.asarray(losses.detach().cpu().double() if of_torch else losses)
    dtype = str(losses.dtype).removeprefix("torch.") if of_torch else values.dtype.name
    return values.astype(np.float64), dtype


def _compare(
    torch: list[np.ndarray],
    jax: list[np.ndarray],
    *,
    dtype: str,
    margin: float,
    alpha: float,
    target: float | None,
) -> list[Finding]:
    lengths = [sorted({len(curve) for curve in curves}) for curves in (torch, jax)]
    if len({*lengths[0], *lengths[1]}) > 1:
        message = f"curves differ in length: torch {_listed(lengths[0])} steps, jax {_listed(lengths[1])}"
        return [Finding("structure", "losses", "losses", Verdict.STRUCTURE, message, dtype)]
    whole = f"{len(torch)} and {len(jax)} curves of {lengths[0][0]:,} steps"
    found = [Finding("structure", "", "", Verdict.AGREE, whole, dtype)]
    test = partial(_judge, dtype=dtype, margin=margin, alpha=alpha)
    sound = [np.array([np.isfinite(curve).all() for curve in curves]) for curves in (torch, jax)]
    found += _share("seeds with a loss at every step", sound[0], sound[1], dtype=dtype, margin=margin, alpha=alpha)
    kept = [
        [curve for curve, good in zip(*side, strict=True) if good] for side in zip((torch, jax), sound, strict=True)
    ]
    for path, quantity in (("final loss", final_loss), ("mean loss", np.mean)):
        found.append(test(path, *(np.array([quantity(curve) for curve in curves]) for curves in kept)))
    if target is not None:
        left, right = (np.array([steps_to(curve, target) for curve in curves]) for curves in (torch, jax))
        reached = np.isfinite(left), np.isfinite(right)
        found += _share(f"seeds that reach {target:g}", *reached, dtype=dtype, margin=margin, alpha=alpha)
        found.append(test(f"steps to {target:g}", left[reached[0]], right[reached[1]], may_be_constant=True))
    return found


def final_loss(curve: np.ndarray) -> float:
    """The mean over the last tenth of a curve, at least one step.

    Examples:
        >>> final_loss(np.arange(20.0))
        18.5
    """
    return float(curve[-max(1, len(curve) // PART) :].mean())


def steps_to(curve: np.ndarray, target: float) -> float:
    """The first step after which the mean over a tenth of the curve is at or below a target; infinity where none is.

    Examples:
        >>> steps_to(np.array([4.0, 3.0, 2.0, 1.0]), 2.0)
        3.0
    """
    length = max(1, len(curve) // PART)
    with np.errstate(invalid="ignore"):
        below = np.lib.stride_tricks.sliding_window_view(curve, length).mean(axis=1) <= target
    return float(np.argmax(below) + length) if below.any() else np.inf


def _share(path: str, torch: np.ndarray, jax: np.ndarray, *, dtype: str, margin: float, alpha: float) -> list[Finding]:
    """How many seeds of each side succeed, where not all do."""
    if torch.all() and jax.all():
        return []
    answer = equivalence(torch.astype(float), jax.astype(float), margin=margin, alpha=alpha)
    message = f"torch {torch.sum()} of {torch.size}, jax {jax.sum()} of {jax.size}; {_said(answer, margin)}"
    return [Finding("curve", path, path, VERDICTS[answer.likeness], message, dtype)]


def _judge(
    path: str,
    torch: np.ndarray,
    jax: np.ndarray,
    *,
    dtype: str,
    margin: float,
    alpha: float,
    may_be_constant: bool = False,
) -> Finding:
    """One quantity of every seed that has it."""
    base = Finding("curve", path, path, Verdict.UNDECIDED, "", dtype)
    sides = {"torch": torch, "jax": jax}
    few = [side for side, values in sides.items() if values.size < 2]
    if few:
        return replace(base, message=f"undecided: fewer than two seeds of {' and '.join(few)} have one")
    same = [side for side, values in sides.items() if np.ptp(values) == 0.0]
    if same and not may_be_constant:
        message = (
            f"undecided: every seed gives {' and '.join(same)} the same, so its training does not depend on the seed "
            "and the spread over seeds is not known; compare one run of each as a curve"
        )
        return replace(base, message=message)
    answer = equivalence(torch, jax, margin=margin, alpha=alpha)
    message = f"torch {torch.mean():.6g}, jax {jax.mean():.6g} in the mean; {_said(answer, margin)}"
    return replace(base, verdict=VERDICTS[answer.likeness], message=message)


def _said(answer: Equivalence, margin: float) -> str:
    """The answer with the numbers that it rests on."""
    seeds = (
        f"{answer.sizes[0]} seeds" if len(set(answer.sizes)) == 1 else f"{' and '.join(map(str, answer.sizes))} seeds"
    )
    low, high = answer.interval
    numbers = (
        f"difference {answer.difference:.3g}, interval {low:.3g} to {high:.3g}, margin {answer.margin:.3g} "
        f"({margin:g} standard deviations over seeds)"
    )
    if answer.likeness is Likeness.EQUIVALENT:
        return f"equivalent over {seeds}: {numbers}, p = {answer.p:.2g}"
    if answer.likeness is Likeness.DIFFERENT:
        return f"different over {seeds}: {numbers}, p = {answer.p_different:.2g}"
    needed = max(answer.needed, answer.needed_to_tell)
    return f"undecided: {seeds} cannot tell, needs about {needed:,} a side; {numbers}"


def _listed(lengths: list[int]) -> str:
    return f"{lengths[0]:,}" if len(lengths) == 1 else f"{lengths[0]:,} to {lengths[-1]:,}"
