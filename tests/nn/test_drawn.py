"""Layers that draw: the same masks are replayed into both sides, and two layers do not share theirs."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from nn.module_table import Sample, judged


def sample(module, constructor, *inputs, **options):
    given = tuple(torch.from_numpy(np.random.default_rng(0).normal(size=shape)) for shape in inputs)
    forward = SimpleNamespace(args=given, kwargs=options)
    return Sample(module, 0, True, SimpleNamespace(args=(), kwargs=constructor), forward)


RECURRENT = {"input_size": 2, "hidden_size": 3, "num_layers": 3, "dropout": 0.4}


@pytest.mark.parametrize("module", ["GRU"])
def test_dropout_between_layers_is_torch_s(module):
    result = judged(sample(module, RECURRENT, (2, 2, 2)))
    assert result, result
