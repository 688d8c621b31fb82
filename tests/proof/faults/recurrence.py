"""Faults of recurrent cells: gates, biases, padding."""

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.nn import functional as F

from proof.faults.fault import Fault, normal

SEQUENCE = normal(x=(2, 2, 3), w=(16, 3), u=(16, 4), b=(16,), c=(16,))
GATES = normal(x=(2, 2, 3), w=(12, 3), u=(12, 4), b=(12,), c=(12,))
BOTH_WAYS = normal(x=(3, 2, 3), w=(2, 4, 3), u=(2, 4, 4), lengths=lambda rng: np.array([3, 2]))


def lstm(order=(0, 1, 2, 3)):
    def function(x, w, u, b, c):
        h = s = jnp.zeros((x.shape[1], 4), x.dtype)
        for row in x:
            gates = jnp.split(row @ w.T + b + h @ u.T + c, 4, -1)
            i, f, g, o = (gates[k] for k in order)
            s = jax.nn.sigmoid(f) * s + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(s)
        return {"h": h, "s": s}

    return function


def torch_lstm(x, w, u, b, c):
    start = (x.new_zeros(1, x.shape[1], 4), x.new_zeros(1, x.shape[1], 4))
    _, h, s = torch.lstm(x, start, (w, u, b, c), True, 1, 0.0, False, False, False)
    return {"h": h[0], "s": s[0]}


def gru(reset_first=False, bias=True, order=(0, 1, 2)):
    def function(x, w, u, b, c):
        h = jnp.zeros((x.shape[1], 4), x.dtype)
        for row in x:
            own, past = jnp.split(row @ w.T + b, 3, -1), jnp.split(h @ u.T + c, 3, -1)
            r, z = (jax.nn.sigmoid(own[k] + past[k]) for k in order[:2])
            after = r * (past[2] if bias else past[2] - c[8:])
            candidate = (r * h) @ u[8:].T + c[8:] if reset_first else after
            h = (1 - z) * jnp.tanh(own[2] + candidate) + z * h
        return h

    return function


def torch_gru(x, w, u, b, c):
    _, h = torch.gru(x, x.new_zeros(1, x.shape[1], 4), (w, u, b, c), True, 1, 0.0, False, False, False)
    return h[0]


def step_of_biases(gradient_of_loss):
    """One step of SGD on the biases of a cell, and what the cell gives after it."""

    def function(x, h, w, u, b, c):
        return gradient_of_loss(lambda b, c: jnp.tanh(x @ w.T + b + h @ u.T + c), b, c)

    return function


def two_biases(cell, b, c):
    to_b, to_c = jax.grad(lambda b, c: jnp.sum(cell(b, c) ** 2), (0, 1))(b, c)
    return cell(b - 0.1 * to_b, c - 0.1 * to_c)


def one_bias(cell, b, c):
    merged = b + c
    return cell(merged - 0.1 * jax.grad(lambda b: jnp.sum(cell(b, 0.0) ** 2))(merged), 0.0)


def torch_step_of_biases(x, h, w, u, b, c):
    cell = lambda b, c: torch.tanh(F.linear(x, w, b) + F.linear(h, u, c))
    b, c = b.clone().requires_grad_(), c.clone().requires_grad_()
    to_b, to_c = torch.autograd.grad(cell(b, c).square().sum(), (b, c))
    return cell(b - 0.1 * to_b, c - 0.1 * to_c).detach()


def both_ways(flip):
    def function(x, w, u, lengths):
        def run(x, w, u):
            h = jnp.zeros((x.shape[1], 4), x.dtype)
            rows = []
            for t, row in enumerate(x):
                h = jnp.where((t < lengths)[:, None], jnp.tanh(row @ w.T + h @ u.T), h)
                rows.append(jnp.where((t < lengths)[:, None], h, 0))
            return jnp.stack(rows)

        return jnp.concatenate((run(x, w[0], u[0]), flip(run(flip(x, lengths), w[1], u[1]), lengths)), -1)

    return function


def flip_valid(x, lengths):
    """Each sequence reversed within its own length."""
    t = jnp.arange(len(x))[:, None]
    return jnp.take_along_axis(x, jnp.where(t < lengths, lengths - 1 - t, t)[:, :, None], 0)


def torch_both_ways(x, w, u, lengths):
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths.tolist())
    weights = [p for d in range(2) for p in (w[d], u[d], x.new_zeros(4), x.new_zeros(4))]
    y, _ = torch.rnn_tanh(packed.data, packed.batch_sizes, x.new_zeros(2, 2, 4), weights, True, 1, 0.0, False, True)
    return torch.nn.utils.rnn.pad_packed_sequence(torch.nn.utils.rnn.PackedSequence(y, packed.batch_sizes))[0]


FAULTS = (
    Fault(
        "LSTM: gates in the order i, g, f, o",
        "several converters",
        SEQUENCE,
        torch_lstm,
        lstm(),
        lstm((0, 2, 1, 3)),
    ),
    Fault(
        "LSTM: output gate before the candidate",
        "several converters",
        SEQUENCE,
        torch_lstm,
        lstm(),
        lstm((0, 1, 3, 2)),
    ),
    Fault(
        "LSTM: one bias for two, after a step",
        "flax#3746",
        normal(x=(5, 3), h=(5, 4), w=(4, 3), u=(4, 4), b=(4,), c=(4,)),
        torch_step_of_biases,
        step_of_biases(two_biases),
        step_of_biases(one_bias),
        stage="update",
    ),
    Fault(
        "GRU: reset before the product",
        "flax#5594",
        GATES,
        torch_gru,
        gru(),
        gru(reset_first=True),
    ),
    Fault(
        "GRU: no bias b_hn",
        "flax#5594",
        GATES,
        torch_gru,
        gru(),
        gru(bias=False),
    ),
    Fault(
        "GRU: update gate before reset",
        "several converters",
        GATES,
        torch_gru,
        gru(),
        gru(order=(1, 0)),
    ),
    Fault(
        "bidirectional: padding reversed too",
        "flax#2170",
        BOTH_WAYS,
        torch_both_ways,
        both_ways(flip_valid),
        both_ways(lambda x, lengths: x[::-1]),
    ),
)
