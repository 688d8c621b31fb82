"""Faults of Adam and its kin: epsilon, bias correction, weight decay; the moments are compared too."""

import jax.numpy as jnp
import numpy as np
import optax
import torch

from proof.faults.fault import normal
from proof.faults.steps import SMALL, fault, optax_steps, torch_steps

FALLING = normal(p=(6,), gradients=lambda rng: rng.standard_normal((4, 6)) * np.array([[4.0], [2.0], [0.5], [0.2]]))
LONG = normal(p=(6,), gradients=(9, 6))


def adam(eps=1e-8, b2=0.999, root=False, corrected=True, late=0, coupled=0.0, decay=0.0, decay_by_rate=True):
    """Adam by hand: the two moments, their bias corrections, weight decay inside the gradient or beside it."""

    def function(p, gradients):
        m = v = jnp.zeros_like(p)
        for t, g in enumerate(gradients, 1 + late):
            g = g + coupled * p
            p = p - (0.1 if decay_by_rate else 1.0) * decay * p
            m, v = 0.9 * m + (1 - 0.9) * g, b2 * v + (1 - b2) * g * g
            a, b = (1 - 0.9**t, 1 - b2**t) if corrected else (1.0, 1.0)
            p = p - 0.1 * (m / a) / (jnp.sqrt(v / b + eps) if root else jnp.sqrt(v / b) + eps)
        return {"p": p, "exp_avg": m, "exp_avg_sq": v}

    return function


def amsgrad(p, gradients):
    m = v = top = jnp.zeros_like(p)
    for t, g in enumerate(gradients, 1):
        m, v = 0.9 * m + (1 - 0.9) * g, 0.999 * v + (1 - 0.999) * g * g
        top = jnp.maximum(top, v)
        p = p - 0.1 * (m / (1 - 0.9**t)) / (jnp.sqrt(top / (1 - 0.999**t)) + 1e-8)
    return {"p": p}


def nadam(p, gradients):
    m = v = jnp.zeros_like(p)
    product = 1.0
    for t, g in enumerate(gradients, 1):
        now, following = (0.9 * (1 - 0.5 * 0.96 ** (0.004 * k)) for k in (t, t + 1))
        product *= now
        m, v = 0.9 * m + (1 - 0.9) * g, 0.999 * v + (1 - 0.999) * g * g
        step = g * (1 - now) / (1 - product) + m * following / (1 - product * following)
        p = p - 0.1 * step / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return {"p": p}


def radam(corrected_first=False):
    def function(p, gradients):
        m = v = jnp.zeros_like(p)
        limit = 2 / (1 - 0.999) - 1
        for t, g in enumerate(gradients, 1):
            m, v = 0.9 * m + (1 - 0.9) * g, 0.999 * v + (1 - 0.999) * g * g
            correction = 1 - 0.999**t
            length = limit - 2 * t * 0.999**t / correction
            step = m / (1 - 0.9**t)
            if length > 5:
                share = (length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length)
                root = jnp.sqrt(v / correction) + 1e-8 if corrected_first else (jnp.sqrt(v) + 1e-8) / correction**0.5
                step = step * share**0.5 / root
            p = p - 0.1 * step
        return {"p": p}

    return function


def unused(skipped):
    """AdamW where one parameter gets no gradient: torch leaves it alone, zeros still decay it."""

    def function(p, gradients):
        idle = p if skipped else p * (1 - 0.1 * 0.5) ** len(gradients)
        return {**adam(decay=0.5)(p, gradients), "idle": idle}

    return function


def torch_unused(p, gradients):
    idle = torch.nn.Parameter(p.clone())
    with_idle = lambda parameters: torch.optim.AdamW([*parameters, idle], lr=0.1, weight_decay=0.5)
    return {**torch_steps(with_idle, ("exp_avg", "exp_avg_sq"))(p, gradients), "idle": idle.detach()}


ADAM = torch_steps(lambda p: torch.optim.Adam(p, lr=0.1), ("exp_avg", "exp_avg_sq"))
ADAMW = torch_steps(lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.01), ("exp_avg", "exp_avg_sq"))
DECAYED = torch_steps(lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.01), ("exp_avg", "exp_avg_sq"))


FAULTS = (
    fault("Adam: epsilon 1.001e-8", "measured: float32 cannot show it", ADAM, adam(), adam(1.001e-8), SMALL),
    fault("Adam: beta2 off by 1e-9", "measured: float32 cannot show it", ADAM, adam(), adam(b2=0.999 + 1e-9)),
    fault("Adam: epsilon inside the root", "optax#49", ADAM, adam(), adam(root=True), SMALL),
    fault("Adam: no bias correction", "optax#571", ADAM, adam(), adam(corrected=False)),
    fault("Adam: steps counted from 1 again", "made for this table", ADAM, adam(), adam(late=1)),
    fault(
        "Adam: amsgrad's maximum of corrected moments",
        "optax#571",
        torch_steps(lambda p: torch.optim.Adam(p, lr=0.1, amsgrad=True)),
        amsgrad,
        optax_steps(optax.amsgrad(0.1)),
        FALLING,
    ),
    fault(
        "weight decay: decoupled for coupled",
        "torch.optim against optax, measured",
        DECAYED,
        adam(coupled=0.01),
        adam(decay=0.01),
    ),
    fault(
        "weight decay: coupled for decoupled",
        "torch.optim against optax, measured",
        ADAMW,
        adam(decay=0.01),
        adam(coupled=0.01),
    ),
    fault(
        "weight decay: optax's default of 1e-4",
        "torch.optim against optax, measured",
        ADAMW,
        adam(decay=0.01),
        adam(decay=1e-4),
    ),
    fault(
        "weight decay: not times the learning rate",
        "torch.optim against optax, measured in Adafactor",
        ADAMW,
        adam(decay=0.01),
        adam(decay=0.01, decay_by_rate=False),
    ),
    fault(
        "NAdam: constant beta1",
        "torch.optim against optax, measured",
        torch_steps(lambda p: torch.optim.NAdam(p, lr=0.1)),
        nadam,
        optax_steps(optax.nadam(0.1)),
    ),
    fault(
        "RAdam: epsilon beside the corrected root",
        "torch.optim against optax, measured: float32 cannot show it",
        torch_steps(lambda p: torch.optim.RAdam(p, lr=0.1)),
        radam(),
        radam(corrected_first=True),
        LONG,
    ),
    fault(
        "no gradient: zeros that decay a parameter",
        "torch.optim against optax, measured",
        torch_unused,
        unused(skipped=True),
        unused(skipped=False),
    ),
)
