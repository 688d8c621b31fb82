"""Torch's own table of optimizers and configurations: each against torch.optim itself, over 50 steps, on both sides."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from optim_stream import distance, reference, run
from whole import COUNTED

pytestmark = pytest.mark.part(1)

STREAMED = "SGD Adam AdamW Adamax NAdam RAdam RMSprop Adagrad Adadelta ASGD Rprop Adafactor Muon SparseAdam".split()
OPTIMIZERS = (*STREAMED, "LBFGS")

# The table is asked for in a process of its own: importing it freezes torch's global flags for good. It lies beside
# torch's own test cases, whose package for expected output it does not use, and decorates device tests with a class
# from the table of operators, half of the import's time.
ASK = """
import json, sys, types, unittest.mock
sys.modules.setdefault("expecttest", types.SimpleNamespace(TestCase=unittest.TestCase))
operators = types.SimpleNamespace(DecorateInfo=unittest.mock.Mock())
sys.modules["torch.testing._internal.common_methods_invocations"] = operators
import torch
from torch.testing._internal.common_optimizers import optim_db

def plain(value):
    if isinstance(value, tuple):
        return [plain(v) for v in value]
    return value.tolist() if isinstance(value, torch.Tensor) else value

def kwargs(config):
    return {name: plain(value) for name, value in config.kwargs.items()}

right = [
    (info.optim_cls.__name__, config.desc, kwargs(config))
    for info in optim_db
    for config in info.optim_inputs_func(device="cpu")
]
wrong = [
    (info.optim_cls.__name__, error.error_regex, kwargs(error.optimizer_error_input))
    for info in optim_db
    for error in info.optim_error_inputs_func("cpu", torch.float64)
    if error.error_type is ValueError and error.optimizer_error_input.kwargs
]
json.dump({"right": right, "wrong": wrong}, sys.stdout)
"""


@pytest.fixture(scope="session")
def table():
    """The configurations that torch tests its optimizers with, and those that it sees refused."""
    answer = subprocess.run([sys.executable, "-W", "ignore", "-c", ASK], capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def configurations(table, optimizer):
    return [(desc, kwargs) for name, desc, kwargs in table["right"] if name == optimizer]


def test_every_configuration_of_the_table_is_compared_and_none_refused(table, record_property):
    refused = sorted({name for name, _, _ in table["right"]} - set(OPTIMIZERS))
    said = f"{len(table['right'])} configurations of {len(OPTIMIZERS)} optimizers, {len(refused)} refused {refused}"
    record_property(COUNTED, f"torch's own table of optimizers: {said}")
    assert not refused, said
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    assert f"all {len(table['right'])} configurations of torch's own table" in readme, said
    assert all(configurations(table, optimizer) for optimizer in OPTIMIZERS)


@pytest.mark.part(4)
@pytest.mark.parametrize("side", ["torch", "jax"])
@pytest.mark.parametrize("optimizer", STREAMED)
def test_each_configuration_takes_torch_s_steps(table, side, optimizer):
    for desc, kwargs in configurations(table, optimizer):
        path, slots = run(side, optimizer, kwargs)
        wanted, wanted_slots = reference(optimizer, kwargs)
        assert distance(path, wanted) < 1e-12, desc
        # "step" is what SGD counts where it is dampened, to know its first step
        assert slots.keys() - wanted_slots.keys() <= ({"step"} if optimizer == "SGD" else set()), desc
        for slot, column in wanted_slots.items():
            assert column.keys() == slots[slot].keys(), (desc, slot)
            for n, value in column.items():
                ours = slots[slot][n]
                assert ours.shape == value.shape, (desc, slot, n)
                size = max(np.abs(value).max(), np.finfo(np.float64).tiny)
                assert np.abs(ours - value).max() / size < 1e-12, (desc, slot, n)


def test_what_torch_s_constructors_refuse_is_refused(table, pair):
    optim = pair.module("optim")
    for name, regex, kwargs in table["wrong"]:
        # flags of kernels are no arguments here, and a tensor is as good a number as any
        if "foreach" in kwargs or "both floats or both Tensors" in regex:
            continue
        kwargs = {
            key: pair.array(value) if isinstance(value, list) and key == "lr" else value
            for key, value in kwargs.items()
        }
        arguments = ({"w": pair.array([1.0])},) if name == "LBFGS" else ()
        with pytest.raises(ValueError, match=name):
            getattr(optim, name)(*arguments, **kwargs)
