"""Faults of losses: what a mean divides by, halves, smoothing, and gradients that the loss does not show."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from jax import lax
from torch.nn import functional as F

from proof.faults.fault import Fault, normal

LOGITS = normal(logits=(8, 5), targets=lambda rng: rng.integers(0, 5, size=8))
IGNORED = normal(logits=(8, 5), targets=lambda rng: np.array([0, 4, -100, 2, 1, -100, -100, 3]))
PAIR = normal(x=(6, 4), y=(6, 4))
RAGGED = normal(x=(10, 4), w=(4,))
LENGTHS = normal(x=(3, 6), lengths=lambda rng: np.array([6, 2, 3]))
MODEL = normal(x=(12, 3), y=(12,), w=(3,))


def nll(logits, targets):
    return -jax.nn.log_softmax(logits)[jnp.arange(len(targets)), targets]


def ignoring(mean):
    def function(logits, targets):
        valid = targets != -100
        losses = jnp.where(valid, nll(logits, jnp.where(valid, targets, 0)), 0)
        return losses.sum() / (valid.sum() if mean else len(targets))

    return function


def smoothed(share_of_target):
    def function(logits, targets):
        log_p = jax.nn.log_softmax(logits)
        off = 0.1 / 5 if share_of_target else 0.1 / 4
        on = 0.9 + off if share_of_target else 0.9
        return -jnp.sum(log_p * jnp.where(jax.nn.one_hot(targets, 5) > 0, on, off)) / len(targets)

    return function


def kl(divide, swap=False):
    def function(x, y):
        log_p, log_q = jax.nn.log_softmax(x), jax.nn.log_softmax(y)
        log_p, log_q = (log_q, log_p) if swap else (log_p, log_q)
        return jnp.sum(jnp.exp(log_q) * (log_q - log_p)) / divide(x)

    return function


def torch_kl(x, y):
    return F.kl_div(F.log_softmax(x, -1), F.softmax(y, -1), reduction="batchmean")


def weighted(mean_by_weight):
    def function(logits, targets):
        weights = jnp.arange(1.0, 6.0, dtype=logits.dtype)[targets]
        return jnp.sum(weights * nll(logits, targets)) / (weights.sum() if mean_by_weight else len(targets))

    return function


def binary(weight):
    def function(x, y):
        labels = (y > 0).astype(x.dtype)
        return jnp.mean(-(weight * labels * jax.nn.log_sigmoid(x) + (1 - labels) * jax.nn.log_sigmoid(-x)))

    return function


def huber(delta, over):
    return lambda x, y: jnp.mean(optax.huber_loss(x, y, delta=delta)) / over


def mean_of_means(x, w):
    return jnp.mean(jnp.stack([jnp.mean(jnp.tanh(part @ w)) for part in (x[:4], x[4:8], x[8:])]))


def over_lengths(padded):
    def function(x, lengths):
        valid = jnp.arange(6) < lengths[:, None]
        return jnp.sum(jnp.where(valid, x * x, 0)) / (valid.size if padded else valid.sum())

    return function


def own_target(stop):
    """A loss against a target that the same network makes, as in self-distillation."""
    return lambda x, w: jnp.mean((jnp.tanh(x @ w) - stop(jnp.cos(x @ w))) ** 2)


def scaled_by_buffer(stop_scale, stop_weight):
    return lambda x, w, scale: jnp.tanh(x @ stop_weight(w)) * stop_scale(scale)


def data_parallel(reduce):
    """One step of SGD from the gradients of four devices; vmap's named axis stands for them."""

    def function(x, y, w):
        loss = lambda w, x, y: jnp.mean((x @ w - y) ** 2)
        shards = (x.reshape(4, 3, 3), y.reshape(4, 3))
        gradient = jax.vmap(lambda x, y: reduce(jax.grad(loss)(w, x, y), "devices"), axis_name="devices")(*shards)
        return w - 0.1 * gradient[0]

    return function


def torch_step(x, y, w):
    w = w.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(((x @ w - y) ** 2).mean(), w)
    return (w - 0.1 * gradient).detach()


def same(x):
    return x


FAULTS = (
    Fault(
        "cross-entropy: ignored targets count in the mean",
        "torch.nn against optax, measured",
        IGNORED,
        lambda logits, targets: F.cross_entropy(logits, targets),
        ignoring(mean=True),
        ignoring(mean=False),
    ),
    Fault(
        "cross-entropy: ignored targets give NaN",
        "torch.nn against optax, measured",
        IGNORED,
        lambda logits, targets: F.cross_entropy(logits, targets),
        ignoring(mean=True),
        lambda logits, targets: optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean(),
    ),
    Fault(
        "cross-entropy: smoothing shared among the other classes",
        "torch.nn against optax, measured",
        LOGITS,
        lambda logits, targets: F.cross_entropy(logits, targets, label_smoothing=0.1),
        smoothed(share_of_target=True),
        smoothed(share_of_target=False),
    ),
    Fault(
        "cross-entropy: class weights not in the mean's divisor",
        "torch.nn against optax, measured",
        LOGITS,
        lambda logits, targets: F.cross_entropy(logits, targets, torch.arange(1.0, 6.0, dtype=logits.dtype)),
        weighted(mean_by_weight=True),
        weighted(mean_by_weight=False),
    ),
    Fault(
        "cross-entropy: of probabilities for logits",
        "made for this table",
        LOGITS,
        lambda logits, targets: F.cross_entropy(logits, targets),
        lambda logits, targets: nll(logits, targets).mean(),
        lambda logits, targets: nll(jax.nn.softmax(logits), targets).mean(),
    ),
    Fault(
        "binary cross-entropy: pos_weight left out",
        "torch.nn against optax, measured",
        PAIR,
        lambda x, y: F.binary_cross_entropy_with_logits(x, (y > 0).to(x.dtype), pos_weight=torch.tensor(3.0).to(x)),
        binary(3.0),
        binary(1.0),
    ),
    Fault(
        "KL divergence: mean over the elements for the batch",
        "torch.nn against optax, measured",
        PAIR,
        torch_kl,
        kl(len),
        kl(lambda x: x.size),
    ),
    Fault(
        "KL divergence: arguments swapped",
        "torch.nn against optax: the target stands first there",
        PAIR,
        torch_kl,
        kl(len),
        kl(len, swap=True),
    ),
    Fault(
        "mean squared error: l2_loss's half",
        "torch.nn against optax, measured",
        PAIR,
        lambda x, y: F.mse_loss(x, y),
        lambda x, y: 2 * optax.l2_loss(x, y).mean(),
        lambda x, y: optax.l2_loss(x, y).mean(),
    ),
    Fault(
        "smooth L1: Huber with the same beta",
        "torch.nn against optax, measured",
        PAIR,
        lambda x, y: F.smooth_l1_loss(x, y, beta=0.5),
        huber(0.5, over=0.5),
        huber(0.5, over=1.0),
    ),
    Fault(
        "log loss: epsilon added for clamped",
        "made for this table",
        normal(p=lambda rng: rng.uniform(0.2, 0.8, size=(6, 4))),
        lambda p: -torch.log(p.clamp(min=1e-8)).mean(),
        lambda p: -jnp.log(jnp.maximum(p, 1e-8)).mean(),
        lambda p: -jnp.log(p + 1e-8).mean(),
    ),
    Fault(
        "loss: mean of the means of ragged batches",
        "AlgoPerf#318, spd PR#777",
        RAGGED,
        lambda x, w: torch.tanh(x @ w).mean(),
        lambda x, w: jnp.tanh(x @ w).mean(),
        mean_of_means,
    ),
    Fault(
        "loss: padding in the mean's divisor",
        "AlgoPerf PR#272",
        LENGTHS,
        lambda x, lengths: torch.cat([row[:n] for row, n in zip(x, lengths.tolist(), strict=True)]).square().mean(),
        over_lengths(padded=False),
        over_lengths(padded=True),
    ),
    Fault(
        "loss: gradient stopped where none is",
        "jax#22101: the same loss, other gradients",
        RAGGED,
        lambda x, w: ((torch.tanh(x @ w) - torch.cos(x @ w)) ** 2).mean(),
        own_target(same),
        own_target(lax.stop_gradient),
        stage="gradient",
    ),
    Fault(
        "loss: gradient through a detached target",
        "jax#22101: the same loss, other gradients",
        RAGGED,
        lambda x, w: ((torch.tanh(x @ w) - torch.cos(x @ w).detach()) ** 2).mean(),
        own_target(lax.stop_gradient),
        own_target(same),
        stage="gradient",
    ),
    Fault(
        "model: a buffer trained as a parameter",
        "transformers' Flax ports",
        normal(x=(6, 4), w=(4, 4), scale=(4,)),
        lambda x, w, scale: torch.tanh(x @ w) * scale.detach(),
        scaled_by_buffer(lax.stop_gradient, same),
        scaled_by_buffer(same, same),
        stage="gradient",
    ),
    Fault(
        "model: a parameter frozen as a buffer",
        "transformers' Flax ports",
        normal(x=(6, 4), w=(4, 4), scale=(4,)),
        lambda x, w, scale: torch.tanh(x @ w) * scale,
        scaled_by_buffer(same, same),
        scaled_by_buffer(same, lax.stop_gradient),
        stage="gradient",
    ),
    Fault(
        "data parallel: gradients of four devices summed",
        "measured: exactly 4.0 on 4 devices",
        MODEL,
        torch_step,
        data_parallel(lax.pmean),
        data_parallel(lax.psum),
        stage="update",
    ),
)
