"""Cells and what loops over them: torch's own kernels and Python loops beside scans."""

import jax
import jax.numpy as jnp
import torch

from proof.honest.entry import Honest

STEPS = "work grows with the steps: 50 of a plain cell or 12 of an LSTM, batch times width 400 at most"


def _cell(gates):
    """Inputs, a state and the weights of a cell with that many gates, in torch's layout."""

    def inputs(rng, size):
        b, d = {1: (1, 1), 100: (3, 4), 10_000: (16, 24)}.get(size, (64, 32))
        return {
            "x": rng.normal(size=(b, d)),
            "h": rng.normal(size=(b, d)),
            "wi": rng.normal(size=(gates * d, d)) / d**0.5,
            "wh": rng.normal(size=(gates * d, d)) / d**0.5,
            "bi": rng.normal(size=gates * d),
            "bh": rng.normal(size=gates * d),
        }

    return inputs


def _lstm_inputs(rng, size):
    given = _cell(4)(rng, size)
    return {**given, "c": rng.normal(size=given["h"].shape)}


def _sequence(gates, most):
    """The same with up to that many steps of input."""

    def inputs(rng, size):
        given = _cell(gates)(rng, min(size, 10_000))
        steps = {1: 1, 100: 8}.get(size, most)
        return {**given, "x": rng.normal(size=(steps, *given["h"].shape)), "c": rng.normal(size=given["h"].shape)}

    return inputs


def _gru(x, h, wi, wh, bi, bh):
    ri, zi, ni = jnp.split(x @ wi.T + bi, 3, -1)
    rh, zh, nh = jnp.split(h @ wh.T + bh, 3, -1)
    z = jax.nn.sigmoid(zi + zh)
    return (1 - z) * jnp.tanh(ni + jax.nn.sigmoid(ri + rh) * nh) + z * h


def _lstm(x, h, c, wi, wh, bi, bh):
    i, f, g, o = jnp.split(jnp.concatenate([x, h], -1) @ jnp.concatenate([wi, wh], 1).T + (bi + bh), 4, -1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def _torch_lstm(x, h, c, wi, wh, bi, bh):
    outputs, h, c = torch.lstm(x, (h[None], c[None]), [wi, wh, bi, bh], True, 1, 0.0, False, False, False)
    return outputs, h[0], c[0]


def _lstm_scan(x, h, c, wi, wh, bi, bh):
    def step(state, now):
        state = _lstm(now, *state, wi, wh, bi, bh)
        return state, state[0]

    (h, c), outputs = jax.lax.scan(step, (h, c), x)
    return outputs, h, c


def _torch_recurrence(x, h, c, wi, wh, bi, bh):
    states = []
    for now in x:
        h = torch.tanh(now @ wi.T + bi + h @ wh.T + bh)
        states.append(h)
    return torch.stack(states)


def _recurrence(x, h, c, wi, wh, bi, bh):
    def step(state, now):
        state = jnp.tanh(now + state @ wh.T)
        return state, state

    return jax.lax.scan(step, h, x @ wi.T + (bi + bh))[1]


def _decay(rng, size):
    """A linear recurrence: y_t = a_t y_(t-1) + x_t over up to 50 steps."""
    steps = {1: 1, 100: 8, 10_000: 20}.get(size, 50)
    width = max(1, min(size, 100_000) // steps)
    return {"x": rng.normal(size=(steps, width)), "a": rng.uniform(0.5, 1, size=(steps, width))}


def _torch_decay(x, a):
    y, states = torch.zeros_like(x[0]), []
    for now, keep in zip(x, a, strict=True):
        y = keep * y + now
        states.append(y)
    return torch.stack(states)


def _parallel_decay(x, a):
    def join(left, right):
        return left[0] * right[0], left[1] * right[0] + right[1]

    return jax.lax.associative_scan(join, (a, x))[1]


RECURRENT = (
    Honest(
        "rnn cell",
        lambda x, h, wi, wh, bi, bh: torch.rnn_tanh_cell(x, h, wi, wh, bi, bh),
        lambda x, h, wi, wh, bi, bh: jnp.tanh(x @ wi.T + h @ wh.T + (bi + bh)),
        _cell(1),
        scaled="batch times width 2,048 at most",
    ),
    Honest(
        "gru cell",
        lambda x, h, wi, wh, bi, bh: torch.gru_cell(x, h, wi, wh, bi, bh),
        _gru,
        _cell(3),
        scaled="batch times width 2,048 at most",
    ),
    Honest(
        "lstm cell",
        lambda x, h, c, wi, wh, bi, bh: torch.lstm_cell(x, (h, c), wi, wh, bi, bh),
        _lstm,
        _lstm_inputs,
        scaled="batch times width 2,048 at most",
    ),
    Honest("lstm over steps", _torch_lstm, _lstm_scan, _sequence(4, 12), scaled=STEPS),
    Honest("recurrence over steps", _torch_recurrence, _recurrence, _sequence(1, 50), scaled=STEPS),
    # By a the tree of the scan is the less stable of the two: up to 2.3 times the bound of the loop, UNSTABLE by right.
    Honest("linear recurrence", _torch_decay, _parallel_decay, _decay, wrt=("x",), scaled="50 steps of 2,000 at most"),
)
