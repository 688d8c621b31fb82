"""Faults of structure: outputs that are missing, of another shape or dtype, or under another's name."""

import jax
import jax.numpy as jnp
import torch

from proof.faults.fault import Fault, normal

ROWS = normal(x=(6, 8))
CELL = normal(x=(4, 3), h=(4, 3), w=(3, 3))
HEADS = normal(q=(2, 5, 4), k=(2, 5, 4))


def weights(q, k):
    return jax.nn.softmax(q @ k.swapaxes(-1, -2) / 2)


def moments(x):
    return {"mean": x.mean(0), "var": x.var(0, ddof=1)}


def torch_moments(x):
    return {"mean": x.mean(0), "var": x.var(0)}


def fault(name, seen, inputs, torch_function, honest, faulty, verdict="STRUCTURE", stage="structure"):
    return Fault(name, seen, inputs, torch_function, honest, faulty, stage=stage, verdict=verdict)


FAULTS = (
    fault(
        "outputs: one is missing",
        "parameters without buffers, in published suites",
        ROWS,
        torch_moments,
        moments,
        lambda x: {"mean": x.mean(0)},
    ),
    fault(
        "outputs: one too many",
        "made for this table",
        ROWS,
        torch_moments,
        moments,
        lambda x: {**moments(x), "count": jnp.asarray(len(x), x.dtype)},
    ),
    fault(
        "outputs: another name",
        "statedict2pytree: names matched by hand",
        ROWS,
        torch_moments,
        moments,
        lambda x: {"mean": x.mean(0), "variance": x.var(0, ddof=1)},
    ),
    fault(
        "outputs: two of one shape swapped",
        "statedict2pytree",
        CELL,
        lambda x, h, w: {"h": torch.tanh(x @ w), "s": torch.sigmoid(h @ w)},
        lambda x, h, w: {"h": jnp.tanh(x @ w), "s": jax.nn.sigmoid(h @ w)},
        lambda x, h, w: {"s": jnp.tanh(x @ w), "h": jax.nn.sigmoid(h @ w)},
        verdict="SEMANTIC",
        stage="forward",
    ),
    fault(
        "shape: a kept axis",
        "made for this table",
        ROWS,
        lambda x: x.sum(-1),
        lambda x: x.sum(-1),
        lambda x: x.sum(-1, keepdims=True),
    ),
    fault(
        "shape: a batch of one squeezed",
        "made for this table",
        normal(x=(1, 8)),
        lambda x: x.tanh(),
        lambda x: jnp.tanh(x),
        lambda x: jnp.tanh(x).squeeze(),
    ),
    fault(
        "shape: a scalar for a constant row",
        "made for this table: NumPy's checks broadcast",
        normal(x=(6,)),
        lambda x: x.mean().expand(6).clone(),
        lambda x: jnp.broadcast_to(x.mean(), (6,)),
        lambda x: x.mean(),
    ),
    fault(
        "shape: attention weights averaged over the heads",
        "torch.nn.MultiheadAttention against flax, measured",
        HEADS,
        lambda q, k: torch.softmax(q @ k.mT / 2, -1).mean(0),
        lambda q, k: weights(q, k).mean(0),
        weights,
    ),
    fault(
        "dtype: bfloat16 logits",
        "openpi#738",
        CELL,
        lambda x, h, w: x @ w,
        lambda x, h, w: x @ w,
        lambda x, h, w: (x @ w).astype(jnp.bfloat16),
    ),
    fault(
        "dtype: a mask of numbers for booleans",
        "transformers#19897, NeMo Automodel PR#2658",
        ROWS,
        lambda x: x > 0,
        lambda x: x > 0,
        lambda x: (x > 0).astype(x.dtype),
    ),
    fault(
        "dtype: counts as floating numbers",
        "torch against jax.numpy, measured: dtype of a sum",
        ROWS,
        lambda x: (x > 0).sum(-1),
        lambda x: (x > 0).sum(-1),
        lambda x: jnp.sum(x > 0, -1, dtype=x.dtype),
    ),
)
