"""Faults of learning-rate schedules: the rates of some steps, as factors of one array."""

import math

import jax.numpy as jnp
import optax
import torch
from torch.optim import lr_scheduler

from proof.faults.fault import Fault, normal

STEPS = 8
INPUTS = normal(p=(3,))


def torch_rates(make):
    """The learning rates that a torch scheduler gives, times p."""

    def function(p):
        optimizer = torch.optim.SGD([torch.nn.Parameter(p.clone())], lr=1.0)
        scheduler = make(optimizer)
        rates = []
        for _ in range(STEPS):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return p * p.new_tensor(rates)[:, None]

    return function


def rates(rate):
    """The same for a function of the step's number."""
    return lambda p: p * jnp.stack([jnp.asarray(rate(t), p.dtype) for t in range(STEPS)])[:, None]


def cosine(length):
    return lambda t: 0.5 * (1 + math.cos(math.pi * t / length))


def one_cycle(t, length=STEPS + 1):
    """torch's OneCycleLR: up to step 0.3 T - 1, then down to step T - 1, both by half a cosine."""
    first, peak, last = 1.0 / 25, 1.0, 1.0 / 25 / 1e4
    turn = 0.3 * length - 1
    low, high, share = (first, peak, t / turn) if t <= turn else (peak, last, (t - turn) / (length - 1 - turn))
    return high + (low - high) / 2 * (1 + math.cos(math.pi * share))


def linear_warmup(late):
    return lambda t: min(1.0, 0.25 + 0.75 * (t + late) / 4)


def fault(name, seen, scheduler, honest, faulty):
    return Fault(name, seen, INPUTS, torch_rates(scheduler), rates(honest), rates(faulty), stage="update")


FAULTS = (
    fault(
        "cosine: over one step less",
        "goodfire-ai/spd#642, PR#821",
        lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS),
        cosine(STEPS),
        cosine(STEPS - 1),
    ),
    fault(
        "cosine: clamped past its end",
        "torch.optim against optax, measured",
        lambda o: lr_scheduler.CosineAnnealingLR(o, 5),
        cosine(5),
        optax.cosine_decay_schedule(1.0, 5),
    ),
    fault(
        "milestones: a double one counts once",
        "torch.optim against optax, measured",
        lambda o: lr_scheduler.MultiStepLR(o, [2, 4, 4], 0.1),
        lambda t: 0.1 ** sum(t >= m for m in (2, 4, 4)),
        optax.piecewise_constant_schedule(1.0, {2: 0.1, 4: 0.1}),
    ),
    fault(
        "one cycle: optax's boundaries",
        "torch.optim against optax, measured",
        lambda o: lr_scheduler.OneCycleLR(o, 1.0, total_steps=STEPS + 1, cycle_momentum=False),
        one_cycle,
        optax.cosine_onecycle_schedule(STEPS + 1, 1.0),
    ),
    fault(
        "warm-up: one step late",
        "made for this table",
        lambda o: lr_scheduler.LinearLR(o, 0.25, 1.0, 4),
        linear_warmup(0),
        linear_warmup(-1),
    ),
)
