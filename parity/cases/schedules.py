"""Cases of schedules: every scheduler at all counts of a run, and what it moves beside the rate."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from parity.cases.case import Case, Inputs

STEPS = 120


def counts(rng: np.random.Generator, *, steps: int = STEPS) -> Inputs:
    """A rate and every count of a run."""
    return {"lr": rng.uniform(0.05, 0.2, size=()), "counts": np.arange(steps)}


def at(build: Callable[..., Any]) -> Callable[..., Any]:
    """The case's call: a schedule for the rate, evaluated at all counts, with all that it moves."""

    def call(impl: Any, *, lr: Any, counts: Any) -> dict[str, Any]:
        return {name: function(counts) for name, function in build(impl, lr).schedules.items()}

    return call


def case(short: str, covers: str, build: Callable[..., Any], *, steps: int = STEPS, concrete: bool = False) -> Case:
    """A case of one scheduler.

    Args:
        short: The case's name after the concept.
        covers: The scheduler.
        build: build(module, lr) -> a schedule.
        steps: Counts to evaluate.
        concrete: Whether the rate must be known when the schedule is built, and so is not differentiated.
    """
    return Case(
        name=f"schedules.{short}",
        inputs=partial(counts, steps=steps),
        call=at(build),
        covers=(covers,),
        wrt=() if concrete else ("lr",),
        jit=not concrete,
    )


def wave(x: float) -> float:
    return 0.5 * (1 + math.sin(x * math.pi / 2))


def warmup(count: int) -> float:
    return min(1.0, (count + 1) / 20)


def plateau(impl: Any, lr: Any, metrics: Any) -> dict[str, Any]:
    """Every state of the plateau's run over the metrics."""
    rule = impl.ReduceLROnPlateau(factor=0.5, patience=3, cooldown=2, threshold=0.05, min_lr=[0.01, 0.001])
    state, states = rule.init(lr), {}
    for step in range(len(metrics)):
        state = rule.update(state, metrics[step])
        states[f"{step:02d}"] = state
    return states


CASES = (
    case("step", "StepLR", lambda s, lr: s.StepLR(lr, 30, 0.5)),
    case("milestones_twice", "MultiStepLR", lambda s, lr: s.MultiStepLR(lr, [30, 30, 80], 0.5)),
    case("constant", "ConstantLR", lambda s, lr: s.ConstantLR(lr, 0.5, 40)),
    case("linear", "LinearLR", lambda s, lr: s.LinearLR(lr, 0.1, total_iters=50)),
    case("exponential", "ExponentialLR", lambda s, lr: s.ExponentialLR(lr, 0.97)),
    case("polynomial", "PolynomialLR", lambda s, lr: s.PolynomialLR(lr, 100, 2.0)),
    case("cosine_climbing_back", "CosineAnnealingLR", lambda s, lr: s.CosineAnnealingLR(lr, 50, 1e-3)),
    case("restarts", "CosineAnnealingWarmRestarts", lambda s, lr: s.CosineAnnealingWarmRestarts(lr, 10, 2)),
    case("one_cycle", "OneCycleLR", lambda s, lr: s.OneCycleLR(lr, 119)),
    case(
        "one_cycle_three_phases",
        "OneCycleLR",
        lambda s, lr: s.OneCycleLR(lr, 120, anneal_strategy="linear", three_phase=True, betas=(0.9, 0.99)),
    ),
    case("cyclic", "CyclicLR", lambda s, lr: s.CyclicLR(lr, 10 * lr, 13, 7, mode="triangular2")),
    case("cyclic_exp_range", "CyclicLR", lambda s, lr: s.CyclicLR(lr, 10 * lr, 10, mode="exp_range", gamma=0.99)),
    case("cyclic_function", "CyclicLR", lambda s, lr: s.CyclicLR(lr, 10 * lr, 10, scale_fn=wave, steps=STEPS)),
    case("lambda", "LambdaLR", lambda s, lr: s.LambdaLR(lr, warmup, steps=STEPS)),
    case("multiplicative", "MultiplicativeLR", lambda s, lr: s.MultiplicativeLR(lr, lambda n: 0.98, steps=STEPS)),
    case(
        "sequential",
        "SequentialLR",
        lambda s, lr: s.SequentialLR([s.LinearLR(lr, 0.1), s.CosineAnnealingLR(lr, 50)], [10]),
    ),
    case(
        "sequential_cycle",
        "SequentialLR",
        lambda s, lr: s.SequentialLR([s.ExponentialLR(lr, 0.9), s.CyclicLR(lr, 10 * lr, 9)], [10]),
    ),
    case(
        "chained",
        "ChainedScheduler",
        lambda s, lr: s.ChainedScheduler([s.ConstantLR(lr), s.CosineAnnealingLR(lr, 50)], steps=STEPS),
        concrete=True,
    ),
    Case(
        name="schedules.tabulated",
        inputs=lambda rng: {"lr": np.array(0.1), "counts": rng.integers(0, 50, size=30)},
        call=at(lambda s, lr: s.Tabulated(np.linspace(1, 0, 50) ** 2, lr=lr)),
        covers=("Tabulated", "Schedule"),
        wrt=("lr",),
    ),
    Case(
        name="schedules.plateau",
        inputs=lambda rng: {
            "lr": np.array([0.1, 0.02]),
            "metrics": np.concatenate([np.linspace(2, 1, 10), 1 + rng.uniform(size=30)]),
        },
        call=plateau,
        covers=("ReduceLROnPlateau",),
        wrt=(),
    ),
)
