"""Blocks of networks: attention, transformers, positions, convolutions with a shortcut."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.nn import functional as F

from proof.honest.entry import Honest

SQUARE = "work grows as the square of the length: at most 64 positions, of width 32"


def _weights(rng, *shape):
    """Weights that keep the size of what goes through them."""
    return rng.normal(size=shape) / max(1, shape[0]) ** 0.5


def _extent(size):
    """Batch, positions, width."""
    return {1: (1, 1, 1), 100: (2, 5, 8), 10_000: (4, 24, 32)}.get(size, (8, 64, 32))


def _queries(rng, size):
    b, n, d = _extent(size)
    return {name: rng.normal(size=(b, 2 if d > 1 else 1, n, max(1, d // 2))) for name in "qkv"}


def _attention_weights(rng, size):
    b, n, d = _extent(size)
    return {"x": rng.normal(size=(b, n, d)), "w": _weights(rng, d, 3 * d), "o": _weights(rng, d, d)}


def _mlp_weights(rng, size):
    b, n, d = _extent(size)
    return {
        "x": rng.normal(size=(b * n, d)),
        "w1": _weights(rng, d, 4 * d),
        "b1": rng.normal(size=4 * d),
        "w2": _weights(rng, 4 * d, d),
        "b2": rng.normal(size=d),
    }


def _block_weights(rng, size):
    d = _extent(size)[2]
    return {**_attention_weights(rng, size), "w1": _weights(rng, d, 2 * d), "w2": _weights(rng, 2 * d, d)}


def _heads(d):
    return 2 if d > 1 else 1


def _attention(q, k, v):
    scores = jnp.einsum("bhqd,bhkd->bhqk", q, k) / np.sqrt(q.shape[-1]).item()
    return jnp.einsum("bhqk,bhkd->bhqd", jax.nn.softmax(scores), v)


def _causal(q, k, v):
    n = q.shape[-2]
    scores = jnp.einsum("bhqd,bhkd->bhqk", q * q.shape[-1] ** -0.5, k)
    scores = jnp.where(jnp.tril(jnp.ones((n, n), bool)), scores, jnp.finfo(scores.dtype).min)
    return jax.nn.softmax(scores) @ v


def _torch_self_attention(x, w, o):
    b, n, d = x.shape
    q, k, v = ((x @ w).reshape(b, n, 3, _heads(d), -1)).permute(2, 0, 3, 1, 4)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d) @ o


def _self_attention(x, w, o):
    b, n, d = x.shape
    q, k, v = (jnp.einsum("bnd,de->bne", x, part).reshape(b, n, _heads(d), -1) for part in jnp.split(w, 3, 1))
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / np.sqrt(q.shape[-1]).item()
    return jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), v).reshape(b, n, d) @ o


def _torch_block(x, w, o, w1, w2):
    x = x + _torch_self_attention(F.layer_norm(x, x.shape[-1:]), w, o)
    return x + F.gelu(F.layer_norm(x, x.shape[-1:]) @ w1) @ w2


def _block(x, w, o, w1, w2):
    standardize = functools.partial(jax.nn.standardize, epsilon=1e-5)
    x = x + _self_attention(standardize(x), w, o)
    return x + jax.nn.gelu(standardize(x) @ w1, approximate=False) @ w2


def _angles(rng, size):
    b, n, d = _extent(size)
    return {"x": rng.normal(size=(b, n, 2 * d)), "p": np.arange(n, dtype=float)}


def _torch_rotary(x, p):
    """Pairs of coordinates as complex numbers, turned."""
    d = x.shape[-1] // 2
    angle = torch.outer(p, 100.0 ** (-torch.arange(d, dtype=x.dtype) / d))
    turned = torch.view_as_complex(x.unflatten(-1, (d, 2))) * torch.polar(torch.ones_like(angle), angle)
    return torch.view_as_real(turned).flatten(-2)


def _rotary(x, p):
    """The same by sines and cosines."""
    d = x.shape[-1] // 2
    angle = p[:, None] * 100.0 ** (-jnp.arange(d, dtype=x.dtype) / d)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    even, odd = x[..., 0::2], x[..., 1::2]
    return jnp.stack([even * cos - odd * sin, even * sin + odd * cos], -1).reshape(x.shape)


def _torch_positions(x, p):
    d = x.shape[-1] // 2
    angle = p[:, None] / 100.0 ** (torch.arange(d, dtype=x.dtype) / d)
    return x + torch.stack([angle.sin(), angle.cos()], -1).flatten(-2)


def _positions(x, p):
    d = x.shape[-1] // 2
    angle = p[:, None] * jnp.exp(-np.log(100.0).item() * jnp.arange(d, dtype=x.dtype) / d)
    return x + jnp.zeros(x.shape[1:], x.dtype).at[:, 0::2].set(jnp.sin(angle)).at[:, 1::2].set(jnp.cos(angle))


def _images(rng, size):
    n, c, edge = {1: (1, 1, 1), 100: (1, 2, 7), 10_000: (2, 4, 20)}.get(size, (2, 4, 48))
    return {
        "x": rng.normal(size=(n, c, edge, edge)),
        "w1": rng.normal(size=(c, c, 3, 3)) / (3 * c**0.5),
        "w2": rng.normal(size=(c, c, 3, 3)) / (3 * c**0.5),
        "s": _weights(rng, c, c),
    }


def _torch_residual(x, w1, w2, s):
    y = F.conv2d(F.silu(F.conv2d(x, w1, padding=1)), w2, padding=1)
    gate = torch.sigmoid(y.mean((2, 3)) @ s)
    return F.relu(x + y * gate[:, :, None, None])


def _residual(x, w1, w2, s):
    y = jax.lax.conv(jax.nn.silu(jax.lax.conv(x, w1, (1, 1), "SAME")), w2, (1, 1), "SAME")
    gate = jax.nn.sigmoid(jnp.einsum("ncij,cd->nd", y, s) / (y.shape[2] * y.shape[3]))
    return jnp.maximum(x + jnp.einsum("ncij,nc->ncij", y, gate), 0)


BLOCKS = (
    Honest("attention", lambda q, k, v: F.scaled_dot_product_attention(q, k, v), _attention, _queries, scaled=SQUARE),
    Honest(
        "causal attention",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        _causal,
        _queries,
        scaled=SQUARE,
    ),
    Honest("transformer block", _torch_block, _block, _block_weights, scaled=SQUARE),
    Honest(
        "perceptron",
        lambda x, w1, b1, w2, b2: F.linear(F.gelu(F.linear(x, w1.T, b1)), w2.T, b2),
        lambda x, w1, b1, w2, b2: jax.nn.gelu(x @ w1 + b1, approximate=False) @ w2 + b2,
        _mlp_weights,
        scaled="the width is at most 32, the rows at most 512",
    ),
    Honest(
        "swiglu",
        lambda x, w1, b1, w2, b2: (F.silu(x @ w1[:, ::2]) * (x @ w1[:, 1::2])) @ w2[::2],
        lambda x, w1, b1, w2, b2: (lambda h: (jax.nn.silu(h[:, ::2]) * h[:, 1::2]) @ w2[::2])(x @ w1),
        _mlp_weights,
        scaled="the width is at most 32, the rows at most 512",
    ),
    Honest(
        "rotary embedding",
        _torch_rotary,
        _rotary,
        _angles,
        without={"bfloat16": "torch has no complex numbers of bfloat16"},
        scaled=SQUARE,
    ),
    Honest("positional encoding", _torch_positions, _positions, _angles, scaled=SQUARE),
    Honest("residual block", _torch_residual, _residual, _images, scaled="work is the image times the kernel: 48 x 48"),
)
