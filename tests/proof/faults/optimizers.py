"""Faults of other optimizers, of clipping and of moving averages."""

import jax.numpy as jnp
import optax
import torch

from proof.faults.fault import normal
from proof.faults.steps import SMALL, fault, optax_steps, torch_steps


def sgd(decay_first=True, nesterov=False, dampening=0.0, damp_first=False, decay=0.0, clip=None):
    """SGD with momentum by hand, weight decay before or after the momentum."""

    def function(p, gradients):
        m = None
        for g in gradients:
            g = g if clip is None else clip(g)
            g = g + decay * p if decay_first else g
            first = (1 - dampening) * g if damp_first else g
            m = first if m is None else 0.9 * m + (1 - dampening) * g
            step = g + 0.9 * m if nesterov else m
            p = p - 0.1 * (step if decay_first else step + decay * p)
        return {"p": p}

    return function


def rms_prop(p, gradients):
    v = jnp.zeros_like(p)
    for g in gradients:
        v = 0.99 * v + (1 - 0.99) * g * g
        p = p - 0.1 * g / (jnp.sqrt(v) + 1e-8)
    return {"p": p}


def adagrad(p, gradients):
    v = jnp.zeros_like(p)
    for g in gradients:
        v = v + g * g
        p = p - 0.1 * g / (jnp.sqrt(v) + 1e-10)
    return {"p": p}


def rprop(p, gradients):
    before, size = jnp.zeros_like(p), jnp.full_like(p, 0.1)
    for g in gradients:
        sign = jnp.sign(g * before)
        size = jnp.clip(jnp.where(sign > 0, 1.2 * size, jnp.where(sign < 0, 0.5 * size, size)), 1e-6, 50)
        before = jnp.where(sign < 0, 0, g)
        p = p - jnp.sign(before) * size
    return {"p": p}


def adadelta(p, gradients):
    square = change = jnp.zeros_like(p)
    for g in gradients:
        square = 0.9 * square + (1 - 0.9) * g * g
        step = jnp.sqrt(change + 1e-6) / jnp.sqrt(square + 1e-6) * g
        change = 0.9 * change + (1 - 0.9) * step * step
        p = p - step
    return {"p": p}


def momentum_at_rates(rate_in_trace):
    """SGD with momentum while the learning rate falls: torch keeps it out of the momentum."""

    def function(p, gradients):
        m = jnp.zeros_like(p)
        for rate, g in zip((0.1, 0.05, 0.025, 0.0125), gradients, strict=True):
            m = 0.9 * m + (rate * g if rate_in_trace else g)
            p = p - (m if rate_in_trace else rate * m)
        return {"p": p}

    return function


def torch_clip(parameters):
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)


def clip_by_norm(g):
    norm = jnp.sqrt(jnp.sum(g * g))
    return g * jnp.minimum(1.0, 1.0 / (norm + 1e-6))


def optax_clip(g):
    return optax.clip_by_global_norm(1.0).update(g, optax.EmptyState())[0]


def torch_clipped_pair(a, b):
    parameters = [torch.nn.Parameter(x.clone()) for x in (a, b)]
    for parameter, gradient in zip(parameters, (a, b), strict=True):
        parameter.grad = gradient.clone()
    torch_clip(parameters)
    return {"a": parameters[0].grad, "b": parameters[1].grad}


def clipped_pair(together):
    def function(a, b):
        norms = [jnp.sum(g * g) for g in (a, b)]
        norms = [sum(norms)] * 2 if together else norms
        return {
            n: g * jnp.minimum(1.0, 1.0 / (jnp.sqrt(s) + 1e-6)) for n, g, s in zip("ab", (a, b), norms, strict=True)
        }

    return function


def average(decay, start):
    """Exponential moving average of the parameters along the steps."""

    def function(p, gradients):
        kept = start(p)
        for g in gradients:
            p = p - 0.1 * g
            kept = decay * kept + (1 - decay) * p
        return {"p": p, "average": kept}

    return function


def torch_average(p, gradients):
    parameter = torch.nn.Linear(1, 6, bias=False).to(p.dtype)
    parameter.weight = torch.nn.Parameter(p.clone()[:, None])
    kept = torch.optim.swa_utils.AveragedModel(
        parameter, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9), use_buffers=False
    )
    kept.update_parameters(parameter)
    for g in gradients:
        with torch.no_grad():
            parameter.weight -= 0.1 * g[:, None]
        kept.update_parameters(parameter)
    return {"p": parameter.weight.detach()[:, 0], "average": kept.module.weight.detach()[:, 0]}


MOMENTUM = torch_steps(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01))
DAMPED = torch_steps(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.5))


FAULTS = (
    fault(
        "weight decay: after the momentum",
        "torch.optim against optax, measured",
        MOMENTUM,
        sgd(decay=0.01),
        sgd(decay=0.01, decay_first=False),
    ),
    fault(
        "SGD: Nesterov for plain momentum",
        "made for this table",
        MOMENTUM,
        sgd(decay=0.01),
        sgd(decay=0.01, nesterov=True),
    ),
    fault("SGD: no dampening", "torch.optim against optax, measured", DAMPED, sgd(dampening=0.5), sgd()),
    fault(
        "SGD: dampening of the first step too",
        "torch.optim against optax, measured",
        DAMPED,
        sgd(dampening=0.5),
        sgd(dampening=0.5, damp_first=True),
    ),
    fault(
        "SGD: momentum of the steps while the rate falls",
        "torch.optim against optax, measured",
        torch_steps(
            lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
            schedule=lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.5),
        ),
        momentum_at_rates(rate_in_trace=False),
        momentum_at_rates(rate_in_trace=True),
    ),
    fault(
        "RMSprop: epsilon inside the root",
        "optax#532",
        torch_steps(lambda p: torch.optim.RMSprop(p, lr=0.1)),
        rms_prop,
        optax_steps(optax.rmsprop(0.1, decay=0.99)),
        SMALL,
    ),
    fault(
        "RMSprop: decay 0.9 for 0.99",
        "torch.optim against optax, measured",
        torch_steps(lambda p: torch.optim.RMSprop(p, lr=0.1)),
        rms_prop,
        optax_steps(optax.rmsprop(0.1, eps_in_sqrt=False)),
    ),
    fault(
        "Adagrad: starts from 0.1",
        "torch.optim against optax, measured",
        torch_steps(lambda p: torch.optim.Adagrad(p, lr=0.1)),
        adagrad,
        optax_steps(optax.adagrad(0.1)),
    ),
    fault(
        "Adadelta: without a learning rate it ascends",
        "optax, measured",
        torch_steps(lambda p: torch.optim.Adadelta(p)),
        adadelta,
        optax_steps(optax.adadelta(rho=0.9, eps=1e-6)),
    ),
    fault(
        "Rprop: one step behind",
        "optax PR#1725",
        torch_steps(lambda p: torch.optim.Rprop(p, lr=0.1)),
        rprop,
        optax_steps(optax.rprop(0.1)),
    ),
    fault(
        "clipping: norm without torch's 1e-6",
        "goodfire-ai/spd#643",
        torch_steps(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), clip=torch_clip),
        sgd(clip=clip_by_norm),
        sgd(clip=optax_clip),
    ),
    fault(
        "clipping: each tensor by its own norm",
        "made for this table",
        torch_clipped_pair,
        clipped_pair(together=True),
        clipped_pair(together=False),
        normal(a=(5,), b=(3, 2)),
    ),
    fault(
        "moving average: decay is the complement",
        "openpi#978",
        torch_average,
        average(0.9, lambda p: p),
        average(1 - 0.9, lambda p: p),
    ),
    fault(
        "moving average: starts from zero",
        "openpi#978",
        torch_average,
        average(0.9, lambda p: p),
        average(0.9, jnp.zeros_like),
    ),
    fault(
        "moving average: left out",
        "openpi#978",
        torch_average,
        average(0.9, lambda p: p),
        lambda p, gradients: dict.fromkeys(("p", "average"), p - 0.1 * gradients.sum(0)),
    ),
)
