"""Two models recorded apart: torch's weights travel in its recording, and `compare` says what a check would."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import parity
from parity.checking import Incomparable
from parity.convert import Layout, Rule, WeightMap
from parity.trace import Recording, TraceError

ROOT = Path(__file__).resolve().parents[2]
TORCH = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.n, self.b = torch.nn.Linear(6, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 3)

    def forward(self, x):
        return {"y": self.b(torch.tanh(self.n(self.a(x))))}

class Dropped(Net):
    def forward(self, x):
        return {"y": torch.dropout(super().forward(x)["y"], 0.5, self.training)}
"""
JAX = """
import jax
from flax import nnx

class Net(nnx.Module):
    def __init__(self, epsilon=1e-5):
        rngs = nnx.Rngs(0)
        self.one, self.two = nnx.Linear(6, 8, rngs=rngs), nnx.Linear(8, 3, rngs=rngs)
        self.norm = nnx.BatchNorm(8, momentum=0.9, epsilon=epsilon, use_running_average=False, rngs=rngs)

    def __call__(self, x):
        return {"y": self.two(jax.numpy.tanh(self.norm(self.one(x))))}

class Evaluated(Net):
    def __call__(self, x):
        return {"other": self.two(jax.numpy.tanh(self.norm(self.one(x), use_running_average=True)))}

class Dropped(Net):
    def __call__(self, x):
        kept = jax.random.bernoulli(jax.random.key(0), 0.5, (4, 3))
        return {"y": jax.numpy.where(kept, super().__call__(x)["y"] / 0.5, 0.0)}
"""
X = np.linspace(-2.0, 2.0, 24).reshape(4, 6) ** 2


def weight_map():
    same, turned = Layout.parse("a -> a"), Layout.parse("o i -> i o")
    rules = [Rule(f"{t}.weight", f"{j}.kernel", turned) for t, j in (("a", "one"), ("b", "two"))]
    rules += [Rule(f"{t}.bias", f"{j}.bias", same) for t, j in (("a", "one"), ("n", "norm"), ("b", "two"))]
    rules += [Rule(f"n.{t}", f"norm.{j}", same) for t, j in (("weight", "scale"), ("running_mean", "mean"))]
    rules += [Rule("n.running_var", "norm.var", same)]
    of_torch = {"a.weight": (8, 6), "a.bias": (8,), "b.weight": (3, 8), "b.bias": (3,)}
    of_torch |= {f"n.{name}": (8,) for name in ("weight", "bias", "running_mean", "running_var")}
    shapes = {r.jax: of_torch[r.torch][::-1] for r in rules}
    paths = {name: tuple(name.split(".")) for name in shapes}
    return WeightMap(tuple(rules), of_torch, shapes, paths, torch_alone={"n.num_batches_tracked": "a counter"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Both models as modules of their own, and the map as a file."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "of_torch.py").write_text(TORCH)
    (folder / "of_jax.py").write_text(JAX)
    weight_map().to_json(folder / "map.json")
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    for name in ("of_torch", "of_jax"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def models(folder):
    import of_jax
    import of_torch

    return of_torch, of_jax


@pytest.fixture(scope="module")
def of_torch(models):
    return parity.record(models[0].Net(), X, name="net")


def told(report):
    kept = "stage torch_path jax_path verdict dtype ratio64 ratio rho power worse message".split()
    return [repr(tuple(getattr(f, k) for k in kept)) for f in report.findings if f.stage != "layer"]


def test_compare_says_of_two_models_what_check_says(models, of_torch, folder):
    torch_models, jax_models = models
    checked = parity.check(torch_models.Net(), jax_models.Net(), X, weights=weight_map(), name="net")
    of_jax = parity.record(jax_models.Net(), X, beside=of_torch, weights=weight_map())
    for recording in (of_torch, of_jax):
        recording.save(folder / f"{recording.framework}.trace")
    compared = parity.compare(folder / "jax.trace", folder / "torch.trace")
    # Flax keeps the biased variance: the one honest difference of this pair.
    assert [(f.stage, f.torch_path, f.jax_path) for f in compared.findings if not f] == [
        ("state", "n.running_var", "norm.var")
    ]
    assert told(compared) == told(checked)
    assert any(f.torch_path == "a.weight" and f.jax_path == "one.kernel" and f for f in compared.findings)
    assert {r for r in checked.results[0].remarks if "layers:" not in r} < set(compared.results[0].remarks)


def test_an_output_of_another_name_is_matched_by_its_place(models, of_torch):
    of_jax = parity.record(models[1].Evaluated(), X, beside=of_torch, weights=weight_map(), layers=False)
    report = parity.compare(of_torch, of_jax)
    assert "outputs matched by position, torch / jax: y / other" in report.results[0].remarks
    assert ("y", "other") in {(f.torch_path, f.jax_path) for f in report.findings if not f}


def test_draws_are_replayed_from_the_seed_in_torchs_recording(models):
    drawn = parity.record(models[0].Dropped(), X)
    assert (drawn.randomness, len(drawn.draws)) == (0, 1)
    of_jax = parity.record(models[1].Dropped(), X, beside=drawn, weights=weight_map())
    report = parity.compare(drawn, of_jax)
    assert {f.torch_path for f in report.findings if not f} == {"n.running_var"}


def test_what_does_not_go_together_is_refused(models, of_torch):
    net = models[1].Net()
    with pytest.raises(TraceError, match="recorded with torch's weights: beside= "):
        parity.record(net, X)
    with pytest.raises(TraceError, match="the two models have other names or shapes; a JAX model is recorded with"):
        parity.record(net, X, beside=of_torch)
    with pytest.raises(ValueError, match="weights= is for the JAX model"):
        parity.record(models[0].Net(), X, weights=weight_map())
    with pytest.raises(TypeError, match=r"wanted a parity\.WeightMap or the file of one"):
        parity.record(net, X, beside=of_torch, weights=3)
    function = parity.record(lambda x: x + 0, X, framework="jax")
    with pytest.raises(Incomparable, match="torch was recorded as a model, jax as a function of arrays"):
        parity.compare(of_torch, function)
    with pytest.raises(TraceError, match=r"the recording beside has other inputs: inputs\.0"):
        parity.record(net, X + 1, beside=of_torch, weights=weight_map())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"aliases": {"head": "nowhere"}}, "names a weight 'nowhere' that the file does not have"),
        ({"training": "yes"}, "'training' is no boolean"),
        ({"order": ("a", "a")}, "'order' has a name twice"),
    ],
)
def test_a_recording_whose_weights_contradict_it_is_refused(of_torch, tmp_path, change, message):
    dataclasses.replace(of_torch, model=dataclasses.replace(of_torch.model, **change)).save(tmp_path / "a")
    with pytest.raises(TraceError, match=message):
        Recording.load(tmp_path / "a")


def test_weights_come_back_bit_for_bit(of_torch, tmp_path, models):
    of_torch.save(tmp_path / "a")
    back = Recording.load(tmp_path / "a").model
    state = models[0].Net().state_dict()
    assert list(back.weights) == list(state)
    for name, array in back.weights.items():
        assert array.dtype in (np.float64, np.int64)
        np.testing.assert_array_equal(array, state[name].numpy())


BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}} (blocked)", name=name)
sys.meta_path.insert(0, Blocked())
import numpy as np, parity
x = np.linspace(-2.0, 2.0, 24).reshape(4, 6) ** 2
"""
JAX_FAMILY = ("jax", "jaxlib", "flax", "optax")


def test_each_model_is_recorded_where_the_other_framework_is_not(folder):
    def host(code, blocked):
        run = subprocess.run(
            [sys.executable, "-c", BLOCKED.format(blocked=blocked) + code],
            capture_output=True,
            text=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            check=False,
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    host(
        "sys.path.insert(0, '')\nimport of_torch\nparity.record(of_torch.Net().eval(), x).save('host.torch')",
        JAX_FAMILY,
    )
    host(
        "sys.path.insert(0, '')\nimport of_jax\n"
        "for name, model in (('right', of_jax.Net()), ('wrong', of_jax.Net(epsilon=1e-3))):\n"
        "    model.eval()\n"
        "    parity.record(model, x, beside='host.torch', weights='map.json').save(f'host.{name}')\n",
        ("torch",),
    )
    said = host(
        "for name in ('right', 'wrong'):\n"
        "    report = parity.compare('host.torch', f'host.{name}')\n"
        "    first = report.first\n"
        "    print(report.verdict, None if first is None else (first.torch_path, first.jax_path))\n",
        ("torch", *JAX_FAMILY, "safetensors"),
    )
    right, wrong = said.splitlines()
    assert right == "AGREE None"
    assert re.match(r"SEMANTIC \('n', 'norm'\)", wrong)  # the layer, though neither side ran beside the other
