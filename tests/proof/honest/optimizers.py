"""Three steps of an optimizer: torch.optim beside optax, and the state after them."""

import functools

import jax.numpy as jnp
import numpy as np
import optax
import torch

from proof.honest.entry import INDEPENDENT, Honest, capped

STEPS = 3


# optax takes 1 - beta ** t in float32, where torch takes it in double: an update of Adam's is off by up to 2e-5 of
# itself. That is worth a PRECISION finding where the update itself is compared, or a parameter near 0; a parameter of
# size 1 moves by a thousandth of itself, and both are right.


def _descent(rng, size):
    """Parameters away from 0, and a gradient for each step."""
    return {"p": rng.uniform(0.5, 2, size=size), "g": rng.normal(size=(STEPS, size))}


def _torch_steps(make, p, g):
    parameter = torch.nn.Parameter(p.detach().clone())
    optimizer = make([parameter])
    for now in g:
        parameter.grad = now.clone()
        optimizer.step()
    return parameter.detach()


def _optax_steps(rule, p, g):
    state = rule.init(p)
    for now in g:
        updates, state = rule.update(now, state, p)
        p = optax.apply_updates(p, updates)
    return p


def _pair(name, make, rule, **options):
    return Honest(
        name,
        functools.partial(_torch_steps, make),
        functools.partial(_optax_steps, rule),
        _descent,
        wrt=(),
        **options,
    )


def _torch_clip(p, g):
    parameter = torch.nn.Parameter(p.detach().clone())
    parameter.grad = g[0].clone()
    norm = torch.nn.utils.clip_grad_norm_([parameter], 0.5)
    return parameter.grad, norm


def _clip(p, g):
    norm = jnp.linalg.norm(g[0])
    return g[0] * jnp.minimum(1.0, 0.5 / (norm + 1e-6)), norm


def _averages(p, g):
    """An exponential moving average of the parameters, written out."""
    weights = 0.9 ** np.arange(STEPS, -1, -1) * np.array([1, *[0.1] * STEPS])
    return jnp.tensordot(jnp.asarray(weights, p.dtype), jnp.concatenate([p[None], g]), 1)


def _torch_averages(p, g):
    for now in g:
        p = torch.lerp(p, now, 0.1)
    return p


OPTIMIZERS = capped(
    (
        _pair("sgd", lambda p: torch.optim.SGD(p, 0.1), optax.sgd(0.1)),
        _pair(
            "sgd with momentum",
            lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
            optax.chain(optax.add_decayed_weights(0.01), optax.sgd(0.1, momentum=0.9, nesterov=True)),
        ),
        _pair("adam", lambda p: torch.optim.Adam(p, 1e-3), optax.adam(1e-3)),
        _pair("adamw", lambda p: torch.optim.AdamW(p, 1e-3, weight_decay=0.1), optax.adamw(1e-3, weight_decay=0.1)),
        _pair(
            "rmsprop",
            lambda p: torch.optim.RMSprop(p, 1e-2, alpha=0.9),
            optax.rmsprop(1e-2, decay=0.9, eps_in_sqrt=False),
        ),
        _pair(
            "adadelta",
            lambda p: torch.optim.Adadelta(p, 0.5, rho=0.9, eps=1e-6),
            optax.adadelta(0.5, rho=0.9, eps=1e-6),
        ),
        Honest("clip by norm", _torch_clip, _clip, _descent, wrt=()),
        Honest("moving average", _torch_averages, _averages, _descent),
    ),
    INDEPENDENT,
    whole=("clip by norm",),
)
