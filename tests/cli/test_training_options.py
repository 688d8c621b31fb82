"""`parity check --loss --targets --optimizer --steps --batches --train --weights`, as they are typed."""

import sys

import numpy as np
import optax
import pytest
import torch
from typer.testing import CliRunner

from parity.cli import app, child
from parity.cli.child import Refused
from parity.cli.objects import find
from parity.cli.training import Asked, options_of

MODULE = """
import jax, numpy as np, optax, torch
from flax import nnx

INPUTS = (np.linspace(-3.0, 3.0, 24).reshape(4, 6),)
TARGETS = np.ones((4, 6))
tx = optax.sgd(0.5)
pair = (torch.nn.functional.mse_loss, lambda o, t: ((o - t) ** 2).mean())
summed = lambda o, t: ((o - t) ** 2).sum()
number = 3

def decay():
    return optax.sgd(0.25)

def factory(parameters):
    return torch.optim.SGD(parameters, lr=0.5)

def data():
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(4, 6)), np.ones((4, 6))) for _ in range(3)]

def no_data():
    raise OSError("no such disk")

class Torch(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.linspace(0.5, 2.0, 6))

    def forward(self, x):
        return torch.sin(x * self.weight)

class Jax(nnx.Module):
    def __init__(self):
        self.weight = nnx.Param(jax.numpy.ones(6))

    def __call__(self, x):
        return jax.numpy.sin(x * self.weight)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "net.py").write_text(MODULE)
    np.save(tmp_path / "y.npy", np.zeros((4, 6)))
    yield tmp_path
    sys.modules.pop("net", None)


@pytest.fixture
def typed(folder, monkeypatch):
    monkeypatch.setattr(child, "supervised", lambda do, work, runs: do(work, lambda what: None))
    return lambda *words: CliRunner().invoke(app, ["check", "net:Torch", "net:Jax", "--dtype", "float64", *words])


@pytest.mark.part(1)
@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (
            ("--loss", "net:pair", "--batches", "net:data", "--optimizer", "net:factory", "--optimizer", "net:decay"),
            1,
            "lr 0.25, torch has 0.5",
        ),
        (("--loss", "mse", "--optimizer", "sgd:lr=0.5", "--steps", "2", "--train"), 0, "all agree"),
    ],
    ids=["another rate", "honest"],
)
def test_a_loss_and_a_training_are_compared_by_name(typed, words, status, told):
    result = typed(*words)
    assert result.exit_code == status, result.output
    assert told in result.stdout
    assert "update" in result.stdout.splitlines()[0]
    assert "curve" in result.stdout.splitlines()[0]


def test_names_stand_for_what_the_api_takes(folder):
    side = find("net:Torch", "torch")
    found = options_of(Asked(("mse",), "y.npy", ("adamw:lr=0.1,betas=(0.5, 0.9)",), (), "own", 2, False), side)
    assert (found["loss"], found["steps"], found["train"], found["weights"]) == ("mse", 2, False, None)
    assert not found["targets"].any()
    made = found["optimizer"]([torch.nn.Parameter(torch.zeros(1))])
    assert isinstance(made, torch.optim.AdamW)
    assert (made.defaults["lr"], made.defaults["betas"]) == (0.1, (0.5, 0.9))
    other = options_of(Asked(("net:summed", "net:summed"), None, ("net:factory", "net:tx"), ("net:data",)), side)
    assert other["targets"].all()  # TARGETS of the side's module
    assert callable(other["loss"][0])
    assert isinstance(other["optimizer"][1], optax.GradientTransformation)
    assert len(other["batches"]) == 3
    assert options_of(Asked(), side) == {}


@pytest.mark.parametrize(
    ("asked", "status", "message"),
    [
        (Asked(("mean",)), 2, "--loss 'mean': wanted cross_entropy, mse, or PKG.MOD:OBJ of fn"),
        (Asked(("crossentropy",)), 2, "did you mean cross_entropy?"),
        (Asked(("net:summd", "net:summed")), 2, "net has no 'summd'; did you mean summed"),
        (Asked(("net:summed",)), 2, "--loss net:summed is a function; wanted a function of .* --loss TORCH --loss JAX"),
        (Asked(("net:number", "net:summed")), 2, "--loss net:number is a int, wanted a function"),
        (Asked(("nt:summed", "net:summed")), 2, "--loss: there is no module 'nt'"),
        (Asked(optimizer=("sgb:lr=0.1",)), 2, "torch.optim has no 'sgb'; did you mean sgd"),
        (Asked(optimizer=("sgd:lr=fast",)), 2, "'lr=fast' are no NAME=NUMBER; wanted such as sgd:lr=0.1"),
        (Asked(optimizer=("sgd:0.1,lr=2",)), 2, "'0.1,lr=2' are no NAME=NUMBER"),
        (Asked(optimizer=("sgd:rate=0.1",)), 2, "unexpected keyword argument 'rate'"),
        (Asked(optimizer=("sgd:lr=-1",)), 2, "Invalid learning rate"),
        (Asked(optimizer=("net:tx",)), 2, "--optimizer net:tx is optax's alone; wanted a torch factory"),
        (Asked(batches=("net:data",) * 3), 2, "--batches was given 3 times"),
        (Asked(batches=("net:no_data",)), 3, r"net:no_data\(\) raised: OSError: no such disk"),
        (Asked(targets="z.npy"), 2, "there is no file z.npy"),
        (Asked(weights="map.json"), 2, "--weights map.json: .* wanted auto, own or the file of a WeightMap"),
    ],
)
def test_what_is_no_loss_no_optimizer_and_no_data_is_refused(folder, asked, status, message):
    with pytest.raises(Refused, match=message) as told:
        options_of(asked, find("net:Torch", "torch"))
    assert told.value.status == status


def test_a_training_that_does_not_hold_together_leaves_with_2(typed):
    assert "without an optimizer; give optimizer=" in typed("--steps", "3").stderr
    alone = typed("--loss", "mse", "--batches", "net:data")
    assert (alone.exit_code, "batches without an optimizer" in alone.stderr) == (2, True)
