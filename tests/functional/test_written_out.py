"""What torch_impl.functional writes out in tensor code against torch's own, value and gradient, by the verdict rule."""

import numpy as np
import pytest
import torch
from functional.calls import normal
from functional.test_functional_losses import CLASSES, LABELS, NUMBERS, P, W, X, Y
from functional.test_normalization import CALLS, B, L, M, V
from functional.test_normalization import W as SCALES
from functional.test_normalization import X as IMAGES
from functional.test_spatial import TABLE
from nn.test_attention import FORMS, K, Q
from nn.test_attention import V as VALUES

import torch_impl.functional as written
from parity.checking.work import Task, examine
from parity.numerics import Verdict
from parity.sides import side

LOSSES = {name: call for name, call in NUMBERS.items() if name.startswith(("nll", "cross entropy"))}
NORMS = {name: call for name, call in CALLS.items() if not name.startswith("local")}  # that one is torch's own

x, h, c = normal(3, 2), normal(3, 4, seed=1), normal(3, 4, seed=2)
CELLS = {
    "rnn tanh": lambda F, x, h, c, i, j, b, d: F.rnn_tanh_cell(x, h, i[:4], j[:4], b[:4], d[:4]),
    "rnn relu": lambda F, x, h, c, i, j, b, d: F.rnn_relu_cell(x, h, i[:4], j[:4], b[:4], d[:4]),
    "lstm": lambda F, x, h, c, i, j, b, d: F.lstm_cell(x, (h, c), i, j, b, d),
    "gru": lambda F, x, h, c, i, j, b, d: F.gru_cell(x, h, i[:12], j[:12], b[:12], d[:12]),
    "lstm, no bias": lambda F, x, h, c, i, j, b, d: F.lstm_cell(x, (h, c), i, j),
}


class Cells:
    """Torch's own, which lie beside torch.nn.functional."""

    rnn_tanh_cell, rnn_relu_cell = staticmethod(torch.rnn_tanh_cell), staticmethod(torch.rnn_relu_cell)
    lstm_cell, gru_cell = staticmethod(torch.lstm_cell), staticmethod(torch.gru_cell)


def attended(options):
    def call(F, q, k, v):
        given = dict(options)
        if (mask := given.pop("attn_mask", None)) is not None:
            mask = torch.from_numpy(np.asarray(mask))
            given["attn_mask"] = mask if mask.dtype == torch.bool else mask.to(q.dtype)
        keys = k[:, :2], v[:, :2]
        return F.scaled_dot_product_attention(q, *(keys if "enable_gqa" in given else (k, v)), **given)

    return call


OF_CHANNELS = {"dropout1d": (4, 3, 10), "dropout2d": (4, 3, 2, 5), "dropout3d": (2, 6, 1, 2, 5)}
OF_CHANNELS["feature_alpha_dropout"] = OF_CHANNELS["dropout2d"]
"""Dropouts of whole channels, and the shapes that they are given."""


def dropped(name):
    """A dropout whose mask is drawn by torch's own: the same, where it is given what that kept of ones."""

    def call(F, x):
        x = x.reshape(OF_CHANNELS.get(name, x.shape))
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(5)
            own = getattr(torch.nn.functional, name)
            if F is torch.nn.functional:
                return own(x, 0.3, True)
            of_ones = own(torch.ones_like(x.detach()), 0.3, True)
            # alpha dropout scales and shifts all: of two values the higher is what was kept
            kept = of_ones > of_ones.mean()
            if name in OF_CHANNELS:  # one element tells of a channel
                kept = kept[:, :, *(slice(1),) * (x.ndim - 2)]
            return getattr(F, name)(x, 0.3, True, mask=kept)

    return call


FOLDS, (IMAGE, COLUMNS, SMALL) = TABLE["folding"][1], TABLE["folding"][0]
GROUPS = {  # calls, inputs, and torch's own namespace
    "norms": (NORMS, (IMAGES, M, V, SCALES, B, L), torch.nn.functional),
    "losses": (LOSSES, (X, Y, P, W, CLASSES, LABELS), torch.nn.functional),
    "cells": (CELLS, (x, h, c, normal(16, 2), normal(16, 4), normal(16), normal(16, seed=3)), Cells),
    "attention": ({name: attended(options) for name, options in FORMS.items()}, (Q, K, VALUES), torch.nn.functional),
    "folding": (FOLDS, (IMAGE, COLUMNS, SMALL), torch.nn.functional),
    "convolution": (TABLE["convolution by unfold"][1], TABLE["convolution by unfold"][0], torch.nn.functional),
    "dropout": (
        {name: dropped(name) for name in ("dropout", "alpha_dropout", *OF_CHANNELS)},
        (normal(4, 3, 2, 5),),
        torch.nn.functional,
    ),
    "products": (
        {
            "linear": lambda F, x, w, b, a: F.linear(x, w, b),
            "linear, no bias": lambda F, x, w, b, a: F.linear(x[0], w),
            "bilinear": lambda F, x, w, b, a: F.bilinear(x, x * x, a, b),
        },
        (normal(4, 3), normal(5, 3), normal(5), normal(5, 3, 3)),
        torch.nn.functional,
    ),
}
CONSTANT = {"norms": (1, 2), "losses": (2, 3)}
"""Inputs that torch's own take no gradient in."""


class Second:
    """A torch side in the other side's place."""

    framework = "jax"

    def __init__(self, function):
        self.side = side("torch", function)

    def run(self, inputs, constants=None, **options):
        return self.side.run(inputs, **options)


def judged(group, ours=written):
    calls, inputs, own = GROUPS[group]
    fixed = CONSTANT.get(group, ())

    def all_of(F):
        def called(inputs):
            given = [value.detach() if i in fixed else value for i, value in enumerate(inputs)]
            return {name: call(F, *given) for name, call in calls.items()}

        return called

    return examine(
        side("torch", all_of(own)), Second(all_of(ours)), Task(group, {"inputs": list(inputs)}), dtypes=("float32",)
    )


@pytest.mark.parametrize("group", GROUPS)
def test_what_is_written_out_is_torch_s_own(group):
    result = judged(group)
    assert result.error is None, result.error
    assert not [f"{f.verdict} {f.label}: {f.message}" for f in result.findings if not f]
    assert len(result.findings) > len(GROUPS[group][0])


class Faulty:
    """As written out, with one part in a billion too much of each output."""

    def __getattr__(self, name):
        return lambda *arguments, **options: getattr(written, name)(*arguments, **options) * (1 + 1e-9)


@pytest.mark.parametrize("group", ["products", "dropout"])
def test_one_part_in_a_billion_is_found(group):
    result = judged(group, Faulty())
    assert {f.verdict for f in result.findings if not f} == {Verdict.SEMANTIC}
