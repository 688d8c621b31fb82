"""Attention's masks: every form, and a query that may see nothing, with torch's NaN where torch has it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from nn.module_table import judged
from nn.test_drawn import sample

import jax_impl.functional
import parity
import torch_impl.functional

RNG = np.random.default_rng(0)
Q, K, V = (RNG.normal(size=shape) for shape in ((2, 4, 3, 5), (2, 4, 6, 5), (2, 4, 6, 2)))
SEEN = RNG.random((3, 6)) < 0.6
LOST = SEEN & (np.arange(3) != 1)[:, None]  # the second query sees nothing
FORMS = {
    "no mask": {},
    "bool": {"attn_mask": SEEN},
    "bool, one query sees nothing": {"attn_mask": LOST},
    "float": {"attn_mask": RNG.normal(size=(2, 1, 3, 6))},
    "float with minus infinity": {"attn_mask": np.where(LOST, 0.5, -np.inf)},
    "causal": {"is_causal": True},
    "scale": {"scale": 0.3},
    "fewer heads of keys": {"enable_gqa": True},
}


@pytest.mark.part(3)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("theirs", [torch.nn.functional, torch_impl.functional], ids=["torch's own", "written out"])
def test_scaled_dot_product_attention_is_torch_s(theirs, form):
    options = dict(FORMS[form])
    mask = options.pop("attn_mask", None)
    keys, values = (K[:, :2], V[:, :2]) if "enable_gqa" in options else (K, V)

    def in_torch(q, k, v):
        given = None if mask is None else torch.from_numpy(mask if mask.dtype == bool else mask.astype(np.float64))
        given = given if given is None or given.dtype == torch.bool else given.to(q.dtype)
        return theirs.scaled_dot_product_attention(q, k, v, attn_mask=given, **options)

    def in_jax(q, k, v):
        given = None if mask is None else jnp.asarray(mask, None if mask.dtype == bool else q.dtype)
        return jax_impl.functional.scaled_dot_product_attention(q, k, v, given, **options)

    parity.assert_parity(in_torch, in_jax, Q, keys, values)


def test_a_query_that_sees_nothing_gets_zeros_alone_and_nan_with_its_weights():
    q, k, v = (jnp.asarray(x[0, :1], jnp.float32) for x in (Q, K, V))
    alone = jax_impl.functional.scaled_dot_product_attention(q, k, v, jnp.asarray(LOST))
    assert not alone[:, 1].any()
    gradient = jax.grad(lambda q: jax_impl.functional.scaled_dot_product_attention(q, k, v, jnp.asarray(LOST)).sum())(q)
    assert jnp.isfinite(gradient).all()


MASKS = {
    "bool (L, S)": {"attn_mask": ~LOST},
    "float (L, S)": {"attn_mask": RNG.normal(size=(3, 6))},
    "bool (N H, L, S)": {"attn_mask": RNG.random((4, 3, 6)) < 0.3},
    "padding": {"key_padding_mask": np.arange(6) > np.array([[3], [4]])},
    "float padding": {"key_padding_mask": RNG.normal(size=(2, 6))},
    "both": {"attn_mask": ~SEEN, "key_padding_mask": np.arange(6) > np.array([[3], [4]])},
    "no weights": {"attn_mask": ~LOST, "need_weights": False},
    "weights of each head": {"average_attn_weights": False},
}
LAYERS = {
    "packed": {},
    "keys and values of their own sizes": {"kdim": 6, "vdim": 2},
    "one more key and one of zeros": {"add_bias_kv": True, "add_zero_attn": True},
    "dropout": {"dropout": 0.3},
}


@pytest.mark.part(4)
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("layer", LAYERS)
def test_multihead_attention_takes_every_mask_as_torch_does(layer, mask):
    constructor = {"embed_dim": 4, "num_heads": 2, **LAYERS[layer]}
    inputs = (3, 2, 4), (6, 2, constructor.get("kdim", 4)), (6, 2, constructor.get("vdim", 4))
    options = {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in MASKS[mask].items()}
    result = judged(sample("MultiheadAttention", constructor, *inputs, **options))
    assert result, result
