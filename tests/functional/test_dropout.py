"""Dropout: with masks given it is the same on all sides, drawn masks are torch's where replayed, and fair otherwise."""

import jax
import numpy as np
import pytest
import torch
from functional.calls import normal

import parity
from jax_impl import functional as J
from torch_impl import functional as T

X = normal(4, 3, 2, 5)
KEPT = np.random.default_rng(1).random(X.shape) < 0.7
CHANNELS = KEPT[:, :, :1, :1]

MASKED = {
    "dropout": lambda F, x, m, c: F.dropout(x, 0.3, mask=m),
    "dropout1d": lambda F, x, m, c: F.dropout1d(x[..., 0], 0.3, mask=c[..., 0]),
    "dropout2d": lambda F, x, m, c: F.dropout2d(x, 0.3, mask=c),
    "dropout3d": lambda F, x, m, c: F.dropout3d(x, 0.3, mask=c[:, 0, :, :, None]),
    "all": lambda F, x, m, c: F.dropout(x, 1.0, mask=m),
    "evaluation": lambda F, x, m, c: F.dropout(x, 0.3, False),
    "alpha": lambda F, x, m, c: F.alpha_dropout(x, 0.3, True, mask=m),
    "alpha, all": lambda F, x, m, c: F.alpha_dropout(x, 1.0, True),
    "alpha, channels": lambda F, x, m, c: F.feature_alpha_dropout(x, 0.3, True, mask=c),
}

DRAWN = {
    "dropout": lambda F, x, key: F.dropout(x, 0.3, **key),
    "dropout1d": lambda F, x, key: F.dropout1d(x[..., 0], 0.3, **key),
    "dropout2d": lambda F, x, key: F.dropout2d(x, 0.3, **key),
    "alpha_dropout": lambda F, x, key: F.alpha_dropout(x, 0.3, True, **key),
    "feature_alpha_dropout": lambda F, x, key: F.feature_alpha_dropout(x, 0.3, True, **key),
}


def test_with_masks_given_both_sides_agree():
    sides = [lambda *inputs, F=F: {name: call(F, *inputs) for name, call in MASKED.items()} for F in (T, J)]
    report = parity.check(*sides, X, KEPT, CHANNELS)
    assert report, str(report)


def test_masks_that_torch_s_own_draws_are_replayed_and_agree():
    key = {"key": jax.random.key(0)}
    torch_side = lambda x: {name: call(torch.nn.functional, x, {}) for name, call in DRAWN.items()}
    report = parity.check(
        torch_side, lambda x: {name: call(J, x, key) for name, call in DRAWN.items()}, X, randomness=3
    )
    assert report, str(report)


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_drawn_masks_keep_as_many_as_asked_and_the_moments_that_they_promise(pair, name):
    F = pair.module("functional")
    x = normal(2500, 4, 1, 1)
    given = {"key": jax.random.key(0)} if pair.name == "jax" else {"key": torch.Generator().manual_seed(0)}
    y = pair.numpy(DRAWN[name](F, pair.array(x), given))
    dropped = np.unique(y, return_counts=True)[1].max() / y.size  # no two others are equal
    # five standard errors of a share among 10,000, of a mean, and of a variance
    assert abs(dropped - 0.3) < 5 * (0.3 * 0.7 / x.size) ** 0.5
    assert abs(y.mean() - x.mean()) < 5 * y.std() / x.size**0.5
    if "alpha" in name:
        assert abs(y.var() - x.var()) < 5 * 2**0.5 / x.size**0.5


def test_a_draw_without_a_key_is_refused_where_jax_must_be_given_one(pair):
    F = pair.module("functional")
    x = pair.array(X)
    for call in DRAWN.values():
        if pair.name == "jax":
            with pytest.raises(ValueError, match=r"jax\.random\.key"):
                call(F, x, {})
        else:
            call(F, x, {})
    for name in ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"):
        with pytest.raises(ValueError, match="probability"):
            getattr(F, name)(x[0, 0] if name == "dropout1d" else x, 1.5)
