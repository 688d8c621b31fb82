"""Schedulers of torch beside the pair's, each built from one table: what the tests of schedules run over."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch.optim import lr_scheduler as torch_schedulers

STEPS = 300
RATES = (0.1, 0.003)  # one for each group of parameters


@dataclass(frozen=True)
class Entry:
    """One scheduler: how torch builds it on an optimizer, and how the pair builds it for the rate of one group.

    Attributes:
        theirs: A function of torch's module of schedulers and an optimizer.
        ours: A function of the pair's module of schedules and a rate.
        additive: Whether torch adds terms of the size of the base rate, so that its rounding is of that size, however
            small the result; where it only multiplies, rounding is a share of the result.
        amplified: By how much torch's own recursion amplifies a rounding, where it divides by a small difference.
        counts: How many counts torch's scheduler holds for.
        betas: Whether the optimizer is of Adam's kind.
    """

    theirs: Callable[[ModuleType, torch.optim.Optimizer], Any]
    ours: Callable[[ModuleType, float], Any]
    additive: bool = False
    amplified: float = 1.0
    counts: int = STEPS
    betas: bool = False


def optimizer(*, betas: bool = False) -> torch.optim.Optimizer:
    groups = [{"params": [torch.zeros(1)], "lr": rate} for rate in RATES]
    return torch.optim.Adam(groups, betas=(0.7, 0.99)) if betas else torch.optim.SGD(groups, momentum=0.7)


def run(entry: Entry) -> list[dict[str, np.ndarray]]:
    """What torch's scheduler sets each group's hyperparameters to, at every count."""
    stepped = optimizer(betas=entry.betas)
    scheduler = entry.theirs(torch_schedulers, stepped)
    second = "betas" if entry.betas else "momentum"
    rows: list[list[dict[str, Any]]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an optimizer that is never stepped
        for _ in range(entry.counts):
            rows.append([{name: group[name] for name in ("lr", second)} for group in stepped.param_groups])
            if len(rows) < entry.counts:
                scheduler.step()
    return [{name: np.array([row[i][name] for row in rows]) for name in ("lr", second)} for i in range(len(RATES))]


def simple(name: str, *, additive: bool = False, amplified: float = 1.0, **arguments: Any) -> Entry:
    """A scheduler that takes the same arguments on both sides."""
    return Entry(
        lambda schedulers, stepped: getattr(schedulers, name)(stepped, **arguments),
        lambda schedules, lr: getattr(schedules, name)(lr, **arguments),
        additive,
        amplified,
    )


def cosine(T_max: int, **arguments: Any) -> Entry:
    # torch divides by 1 + cos(pi (T - 1) / T), which is near pi^2 / 2 T^2 and carries a rounding of 1
    return simple("CosineAnnealingLR", T_max=T_max, additive=True, amplified=max(1.0, T_max**2 / 5), **arguments)


def called(name: str, function: Callable[[int], float]) -> Entry:
    return Entry(
        lambda schedulers, stepped: getattr(schedulers, name)(stepped, function),
        lambda schedules, lr: getattr(schedules, name)(lr, function, steps=STEPS),
    )


def one_cycle(counts: int = STEPS, *, betas: bool = False, **arguments: Any) -> Entry:
    return Entry(
        lambda schedulers, stepped: schedulers.OneCycleLR(stepped, [10 * rate for rate in RATES], **arguments),
        lambda schedules, lr: schedules.OneCycleLR(10 * lr, betas=(0.7, 0.99) if betas else None, **arguments),
        True,
        counts=counts,
        betas=betas,
    )


def cyclic(*, betas: bool = False, steps: int | None = None, **arguments: Any) -> Entry:
    return Entry(
        lambda schedulers, stepped: schedulers.CyclicLR(stepped, RATES, [10 * rate for rate in RATES], **arguments),
        lambda schedules, lr: schedules.CyclicLR(
            lr, 10 * lr, betas=(0.7, 0.99) if betas else None, steps=steps, **arguments
        ),
        True,
        betas=betas,
    )


def sequential(theirs: list[Any], ours: list[Any], milestones: list[int], **options: Any) -> Entry:
    return Entry(
        lambda schedulers, stepped: schedulers.SequentialLR(
            stepped, [f(schedulers, stepped) for f in theirs], milestones
        ),
        lambda schedules, lr: schedules.SequentialLR([f(schedules, lr) for f in ours], milestones),
        **options,
    )


def both(name: str, **arguments: Any) -> tuple[Any, Any]:
    entry = simple(name, **arguments)
    return entry.theirs, entry.ours


def composed(*parts: tuple[Any, Any], milestones: list[int] | None = None, **options: Any) -> Entry:
    theirs, ours = [list(side) for side in zip(*parts, strict=True)]
    if milestones is not None:
        return sequential(theirs, ours, milestones, **options)
    return Entry(
        lambda schedulers, stepped: schedulers.ChainedScheduler([f(schedulers, stepped) for f in theirs]),
        lambda schedules, lr: schedules.ChainedScheduler([f(schedules, lr) for f in ours], steps=STEPS),
        **options,
    )


def entries(entry: Entry) -> tuple[Any, Any]:
    return entry.theirs, entry.ours


def wave(x: float) -> float:
    return 0.5 * (1 + math.sin(x * math.pi / 2))


def warmup(count: int) -> float:
    return min(1.0, (count + 1) / 20) if count < 100 else 0.5


WARMUP = both("LinearLR", start_factor=0.01, total_iters=20)
DECAY = both("ExponentialLR", gamma=0.99)
DROPS = both("MultiStepLR", milestones=[30, 30, 80], gamma=0.5)
ANNEAL = both("CosineAnnealingLR", T_max=100)
HELD = both("ConstantLR", factor=0.5, total_iters=7)

TABLE: dict[str, Entry] = {
    "step": simple("StepLR", step_size=30),
    "step every": simple("StepLR", step_size=1, gamma=0.95),
    "step to zero": simple("StepLR", step_size=40, gamma=0.0),
    "step growing": simple("StepLR", step_size=50, gamma=2.0),
    "step with signs": simple("StepLR", step_size=70, gamma=-0.5),
    "milestones": simple("MultiStepLR", milestones=[30, 80]),
    "milestones twice": simple("MultiStepLR", milestones=[80, 30, 30, 30], gamma=0.3),
    "milestones at 0 and past the end": simple("MultiStepLR", milestones=[0, -3, 299, 1000]),
    "no milestones": simple("MultiStepLR", milestones=[]),
    "constant": simple("ConstantLR"),
    "constant half": simple("ConstantLR", factor=0.5, total_iters=123),
    "constant for ever": simple("ConstantLR", factor=0.5, total_iters=0),
    "linear": simple("LinearLR", additive=True),
    "linear down": simple("LinearLR", start_factor=1.0, end_factor=0.0, total_iters=200, additive=True),
    "linear warmup": simple("LinearLR", start_factor=1e-3, total_iters=250, additive=True),
    "linear for ever": simple("LinearLR", total_iters=0),
    "exponential": simple("ExponentialLR", gamma=0.9),
    "exponential slow": simple("ExponentialLR", gamma=0.9999),
    "exponential to zero": simple("ExponentialLR", gamma=0.0),
    "polynomial": simple("PolynomialLR", additive=True),
    "polynomial squared": simple("PolynomialLR", total_iters=200, power=2.0, additive=True),
    "polynomial root": simple("PolynomialLR", total_iters=299, power=0.5, additive=True),
    "polynomial 0": simple("PolynomialLR", total_iters=100, power=0.0),
    "polynomial for ever": simple("PolynomialLR", total_iters=0),
    "cosine": cosine(300),
    "cosine climbing back": cosine(100),
    "cosine many times": cosine(7, eta_min=0.001),
    "cosine of one step": cosine(1, eta_min=0.0005),
    "cosine from below": cosine(90, eta_min=0.2),
    "restarts": simple("CosineAnnealingWarmRestarts", T_0=50, additive=True),
    "restarts longer": simple("CosineAnnealingWarmRestarts", T_0=10, T_mult=2, eta_min=1e-4, additive=True),
    "restarts each step": simple("CosineAnnealingWarmRestarts", T_0=1, T_mult=3, additive=True),
    "one cycle": one_cycle(total_steps=300),
    "one cycle to its last count": one_cycle(101, total_steps=100),
    "one cycle linear": one_cycle(total_steps=300, anneal_strategy="linear", pct_start=0.27),
    "one cycle three phases": one_cycle(total_steps=300, three_phase=True, final_div_factor=10.0),
    "one cycle three phases linear": one_cycle(248, total_steps=247, three_phase=True, anneal_strategy="linear"),
    "one cycle three long phases": one_cycle(101, total_steps=100, three_phase=True, pct_start=0.7),
    "one cycle of epochs": one_cycle(epochs=10, steps_per_epoch=30, pct_start=0.101),
    "one cycle down": one_cycle(total_steps=300, pct_start=0.0),
    "one cycle up": one_cycle(total_steps=300, pct_start=1.0),
    "one cycle of one step": one_cycle(2, total_steps=1),
    "one cycle betas": one_cycle(total_steps=300, betas=True, base_momentum=0.8, max_momentum=0.99, div_factor=7.0),
    "one cycle rate alone": one_cycle(total_steps=300, cycle_momentum=False),
    "cyclic": cyclic(step_size_up=20),
    "cyclic unequal": cyclic(step_size_up=13, step_size_down=40),
    "cyclic fractions": cyclic(step_size_up=7.3, step_size_down=11.9),
    "cyclic triangular2": cyclic(step_size_up=10, mode="triangular2"),
    "cyclic exp_range": cyclic(step_size_up=10, mode="exp_range", gamma=0.99),
    "cyclic by cycle": cyclic(step_size_up=20, scale_fn=wave, steps=STEPS),
    "cyclic by iteration": cyclic(step_size_up=20, scale_fn=wave, scale_mode="iterations", steps=STEPS),
    "cyclic betas": cyclic(step_size_up=20, betas=True, base_momentum=0.5, max_momentum=0.95),
    "cyclic rate alone": cyclic(step_size_up=20, cycle_momentum=False),
    "lambda": called("LambdaLR", warmup),
    "lambda decay": called("LambdaLR", lambda count: 0.95**count),
    "multiplicative": called("MultiplicativeLR", lambda count: 0.97 if count % 2 else 1.02),
    "warmup then exponential": composed(WARMUP, DECAY, milestones=[20], additive=True),
    "warmup then cosine past its end": composed(WARMUP, ANNEAL, milestones=[20], additive=True, amplified=2000),
    "three in turn": composed(HELD, DROPS, DECAY, milestones=[50, 200]),
    "two at one milestone": composed(HELD, DROPS, DECAY, milestones=[50, 50]),
    "nothing before the first milestone": composed(HELD, DECAY, milestones=[0]),
    "constant that would never let go, entered": composed(DECAY, both("ConstantLR", total_iters=0), milestones=[9]),
    "function then restarts": composed(
        entries(called("LambdaLR", warmup)),
        both("CosineAnnealingWarmRestarts", T_0=30),
        milestones=[100],
        additive=True,
    ),
    "multiplicative goes on": composed(HELD, entries(called("MultiplicativeLR", lambda n: 0.98)), milestones=[40]),
    "multiplicative goes on, twice": composed(
        DECAY,
        entries(called("MultiplicativeLR", lambda n: 0.98)),
        entries(called("MultiplicativeLR", lambda n: 1.01 + n / 1e5)),
        milestones=[40, 77],
    ),
    "cycle then decay": composed(entries(cyclic(step_size_up=9)), DECAY, milestones=[50], additive=True),
    "decay then cycle": composed(
        DECAY, entries(cyclic(step_size_up=9, base_momentum=0.5)), milestones=[50], additive=True
    ),
    "chain of factors": composed(WARMUP, DECAY, DROPS, additive=True),
    "chain of a cosine past its end": composed(ANNEAL, HELD, additive=True, amplified=2000),
    "chain that overwrites": composed(DECAY, entries(called("LambdaLR", warmup)), HELD),
    "chain of restarts": composed(both("CosineAnnealingWarmRestarts", T_0=30), DECAY, additive=True),
    "chain of a sequence": composed(entries(composed(WARMUP, DECAY, milestones=[20])), DROPS, additive=True),
    "chain with a sequence within": composed(HELD, entries(composed(WARMUP, DECAY, milestones=[20])), additive=True),
    "chain of a chain": composed(entries(composed(WARMUP, DROPS)), DECAY, additive=True),
    "chain with a multiplicative sequence": composed(
        entries(composed(HELD, entries(called("MultiplicativeLR", lambda n: 0.98)), milestones=[40])), DECAY
    ),
}
