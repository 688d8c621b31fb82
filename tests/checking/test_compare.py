"""Two recordings get the verdicts that a check gives; what is not of one check is refused in words."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.nn import functional as F

import parity
from parity import TraceError, Verdict
from parity.checking import Incomparable
from parity.checking.runs import SideError
from parity.trace import Recording

pytestmark = pytest.mark.part(2)

ROOT = Path(__file__).resolve().parents[2]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 32))
W = RNG.normal(size=(32, 32)) / 6
TIED = np.array([[1.0, 3.0, 3.0], [0.3, 0.1, 0.2]])
THIRD = 1.0 / 3.0
TORCH_THIRD, JAX_THIRD = torch.full((32,), THIRD), jnp.full(32, np.nextafter(np.float32(THIRD), np.float32(1)))


def low(x, w):
    if x.dtype == jnp.float64:
        return x @ w
    return jnp.matmul(x.astype(jnp.bfloat16), w.astype(jnp.bfloat16)).astype(x.dtype)


def fast_variance(x):
    mean = x.mean(-1, keepdims=True)
    return (x - mean) / jnp.sqrt((x * x).mean(-1, keepdims=True) - mean * mean + 1e-5)


def tie_to_the_last(x):
    return x.shape[-1] - 1 - jnp.argmax((x * (1 + 1e-16))[..., ::-1], -1)


def refuses_float64(x):
    if x.dtype == torch.float64:
        raise NotImplementedError("\"kernel\" not implemented for 'Double'")
    return torch.exp(x)


def swapped(nest):
    return {"b": nest["p"] * 2, "a": nest["q"]}


PAIRS = {
    "linear": (lambda x, w: torch.relu(x @ w), lambda x, w: jax.nn.relu(x @ w), (X, W), {}),
    "softmax": (lambda x: F.softmax(x, -1), jax.nn.softmax, (X,), {}),
    "bfloat16": (lambda x: F.softmax(x, -1), jax.nn.softmax, (X,), {"dtypes": ("float32", "bfloat16")}),
    "float64 alone": (lambda x: F.softmax(x, -1), jax.nn.softmax, (X,), {"dtypes": ("float64",)}),
    "nest": (swapped, swapped, ({"p": X, "q": W},), {}),
    "indices": (lambda x: x.argmax(-1), lambda x: x.argmax(-1), (X,), {}),
    "a tie": (lambda x: x.argmax(-1), tie_to_the_last, (TIED,), {}),
    "outputs alone": (torch.sin, jnp.sin, (X,), {"gradient": False}),
    "a dead input": (lambda x, b: x + 0 * b, lambda x, b: x + 0 * b, (X, np.zeros((6, 32))), {}),
    "torch without float64": (refuses_float64, jnp.exp, (X,), {"gradient": False}),
    "complex": (lambda z: z * z.conj(), lambda z: z * z.conj(), (X + 1j * X[::-1],), {}),
    "dropout": (lambda x: F.dropout(x, 0.5), lambda x: drop(x, 0.5), (X,), {"randomness": 3}),
    "another rate": (lambda x: F.dropout(x, 0.5), lambda x: drop(x, 0.4), (X,), {"randomness": 3}),
    "tanh gelu": (F.gelu, jax.nn.gelu, (X,), {}),
    "off by 8e-11": (lambda x: F.softmax(x, -1), lambda x: jax.nn.softmax(x * (1 + 8e-11)), (X,), {}),
    "gradient stopped": (lambda x: x * x, lambda x: x * jax.lax.stop_gradient(x), (X,), {}),
    "a low product": (lambda x, w: x @ w, low, (X, W), {}),
    "unstable": (lambda x: F.layer_norm(x, (32,)), fast_variance, (X + 3000,), {}),
    "another shape": (lambda x: x * 1, lambda x: x[:, :3], (X,), {}),
    "one output missing": (lambda x: {"a": x, "b": x}, lambda x: {"a": x}, (X,), {}),
    "nan": (torch.log, lambda x: jnp.log(jnp.abs(x)), (np.array([-1.0, 1.0]),), {}),
}


def drop(x, rate):
    return jnp.where(jax.random.bernoulli(jax.random.key(0), 1 - rate, x.shape), x / (1 - rate), 0)


def recorded(name):
    torch_function, jax_function, inputs, options = PAIRS[name]
    return tuple(
        parity.record(function, *inputs, framework=framework, name=name, **options)
        for framework, function in (("torch", torch_function), ("jax", jax_function))
    )


def told(report):
    """What a check says of every tensor, to the last digit."""
    kept = "stage torch_path jax_path verdict dtype ratio64 ratio rho power worse message".split()
    return [repr(tuple(getattr(f, k) for k in kept)) for f in report.findings]


@pytest.mark.part(5)
@pytest.mark.parametrize("name", PAIRS)
def test_compare_says_what_check_says(name, tmp_path):
    torch_function, jax_function, inputs, options = PAIRS[name]
    checked = parity.check(torch_function, jax_function, *inputs, **options)
    for recording in recorded(name):
        recording.save(tmp_path / recording.framework)
    compared = parity.compare(tmp_path / "jax", tmp_path / "torch")
    assert told(compared) == told(checked)
    assert bool(compared) == bool(checked)
    assert compared.dtypes[-1] == checked.dtypes[-1]
    assert set(checked.results[0].remarks) < set(compared.results[0].remarks)
    assert "slopes at kinks were not probed" in compared.results[0].remarks[-1]


def test_the_table_has_every_verdict_and_both_answers():
    assert {str(parity.compare(*recorded(name)).verdict) for name in ("softmax", "tanh gelu", "a low product")} == {
        "AGREE",
        "SEMANTIC",
        "PRECISION",
    }


def test_what_needs_torch_to_run_is_said_where_it_would_have_been_asked():
    kink = np.array([0.0, 1.0, -2.0])
    sides = torch.abs, lambda x: jnp.where(x > 0, x, -x)
    checked = parity.check(*sides, kink)
    left, right = (parity.record(f, kink, framework=n) for f, n in zip(sides, ("torch", "jax"), strict=True))
    compared = parity.compare(left, right)
    assert (checked.verdict, compared.verdict) == (Verdict.CONVENTION, Verdict.SEMANTIC)
    assert "not tried whether it differs at kinks alone; parity check, with both" in compared.first.note
    accepted = {"gradient/0": "abs at 0"}
    assert parity.compare(left, right, conventions=accepted)
    assert not parity.compare(left, right, conventions=accepted | {"gradient/7": "stale"})
    assert "not tried whether TF32 or a cast explains it" in parity.compare(*recorded("a low product")).first.note


def test_constants_that_each_side_rounded_are_matched_beside_the_other_recording():
    sides = (lambda x: x * TORCH_THIRD), (lambda x: x * JAX_THIRD)
    left, right = (parity.record(f, X, framework=n) for f, n in zip(sides, ("torch", "jax"), strict=True))
    assert parity.check(*sides, X)
    apart = parity.compare(left, right)
    assert apart.verdict is Verdict.SEMANTIC
    assert "record jax again with beside= (--beside) the torch recording" in " ".join(apart.results[0].remarks)
    assert parity.compare(left, parity.record(sides[1], X, framework="jax", beside=left))


SOFTMAX = recorded("softmax")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"framework": "torch"}, "both recordings are of the torch side; wanted one of torch and one of jax"),
        ({"gradient": False}, "torch was recorded with gradients, jax without"),
        ({"randomness": 7}, "the seeds of replayed draws differ: torch None, jax 7"),
        ({"parts": ()}, "no working dtype is in both: torch has float32, jax none"),
        (
            {"parts": (dataclasses.replace(SOFTMAX[1].parts[0], inputs={"0": "float64 (6, 32) 00"}),)},
            r"the inputs differ, torch against jax: 0 \(float64 \(6, 32\) [0-9a-f]{16} against float64 \(6, 32\) 00\)",
        ),
    ],
)
def test_recordings_that_are_not_of_one_check_are_refused(change, message):
    torch_recording, jax_recording = SOFTMAX
    with pytest.raises(Incomparable, match=message):
        parity.compare(dataclasses.replace(jax_recording, **change), torch_recording)


def test_recordings_are_written_to_urls_and_compared_from_there():
    pytest.importorskip("fsspec")
    options = {"dtypes": ("float64",), "gradient": False}
    parity.record(torch.sin, X, **options).save("memory://runs/sine.torch")
    parity.record(jnp.sin, X, beside="memory://runs/sine.torch", framework="jax", **options).save("memory://sine.jax")
    assert parity.compare("memory://runs/sine.torch", "memory://sine.jax")
    with pytest.raises(TraceError, match="there is no file memory://runs/none"):
        parity.compare("memory://runs/none", "memory://sine.jax")


def test_other_inputs_other_sides_and_other_arguments_are_refused_where_they_are_recorded():
    with pytest.raises(TraceError, match=r"beside has other inputs: 0 \(float64"):
        parity.record(jnp.sin, X + 1, beside=SOFTMAX[0])
    with pytest.raises(TraceError, match="beside is a recording of the jax side too"):
        parity.record(jnp.sin, X, beside=SOFTMAX[1])
    with pytest.raises(ValueError, match="framework is 'numpy', wanted one of torch, jax"):
        parity.record(np.sin, X, framework="numpy")
    with pytest.raises(TypeError, match="the torch side is a list, wanted a function of arrays or a model"):
        parity.record([torch.sin], X, framework="torch")
    with pytest.raises(SideError, match="the torch side raised in its float64 run: ZeroDivisionError"):
        parity.record(lambda x: torch.sin(x) / (1 // 0), X)
    with pytest.raises(SideError, match="forward/output is not one tensor of one shape at float64 and at float32"):
        parity.record(lambda x: torch.zeros(3 if x.dtype == torch.float64 else 4), X, gradient=False)


def changed(part, **values):
    return dataclasses.replace(SOFTMAX[0], parts=(dataclasses.replace(part, **values),))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: {"lacking": "no reason"}, "no float64 and no reason why"),
        (lambda p: {"reference": None}, "no float64 and no reason why"),
        (lambda p: {"dtype": "float8"}, "'dtype' is 'float8', wanted float64 or float32"),
        (
            lambda p: {"measured": dataclasses.replace(p.measured, response={"forward/output": np.zeros(3)})},
            "the response of forward/output has not the tensor's shape",
        ),
        (
            lambda p: {"measured": dataclasses.replace(p.measured, flips={"forward/output": np.zeros((6, 32))})},
            "the flips of forward/output has dtype float64",
        ),
        (
            lambda p: {"working": dataclasses.replace(p.working, tensors={"forward/output": np.zeros(2)})},
            "forward/output is not one tensor of one shape at float64 and at float32",
        ),
    ],
)
def test_a_recording_that_contradicts_itself_is_refused(tmp_path, change, message):
    changed(SOFTMAX[0].parts[0], **change(SOFTMAX[0].parts[0])).save(tmp_path / "a")
    with pytest.raises(TraceError, match=message):
        Recording.load(tmp_path / "a")


BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}} (blocked)", name=name)
sys.meta_path.insert(0, Blocked())
import numpy as np, parity
x = np.linspace(-2.0, 2.0, 24).reshape(4, 6)
"""
JAX_FAMILY = ("jax", "jaxlib", "flax", "optax")


@pytest.fixture(scope="module")
def two_hosts(tmp_path_factory):
    """Each side recorded where the other framework is not, and read where neither is."""
    folder = tmp_path_factory.mktemp("hosts")

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
        "import torch\nparity.record(lambda x: torch.softmax(x, -1), x).save('torch.trace')\n"
        "parity.record(lambda x: torch.softmax(x, 0), x).save('wrong.trace')",
        JAX_FAMILY,
    )
    host("import jax\nparity.record(jax.nn.softmax, x).save('jax.trace')", ("torch",))
    return host


def test_two_hosts_each_without_the_other_framework_and_a_third_without_both(two_hosts):
    said = two_hosts(
        "right, wrong = (parity.compare('jax.trace', other) for other in ('torch.trace', 'wrong.trace'))\n"
        "print(right.verdict, wrong.verdict)\nprint(sorted(right.environment))",
        ("torch", *JAX_FAMILY, "safetensors"),
    )
    verdicts, names = said.splitlines()
    assert verdicts == "AGREE SEMANTIC"
    assert names == "['jax on cpu', 'jax recorded', 'torch on cpu', 'torch recorded']"


def test_the_block_of_those_hosts_works(two_hosts):
    with pytest.raises(AssertionError, match="blocked"):
        two_hosts("import torch", ("torch",))
