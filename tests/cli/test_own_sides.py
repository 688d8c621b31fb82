"""`parity check`, `record` and `compare` as they are typed: exit codes, what goes where, and nothing half-written.

Most run in this process, where both frameworks are at hand; two go through processes of their own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from parity.cli import app, child

pytestmark = pytest.mark.part(2)

ROOT = Path(__file__).resolve().parents[2]
PORT = """
import os, signal
import numpy as np
import jax
import torch

print("a print of the user's")

def inputs():
    return (np.linspace(-3.0, 3.0, 24).reshape(4, 6),)

def torch_gelu(x):
    return torch.nn.functional.gelu(x)

def jax_gelu(x):
    return jax.nn.gelu(x)

def jax_exact():
    return lambda x: jax.nn.gelu(x, approximate=False)

def torch_fails(x):
    raise RuntimeError("no such weather")

def torch_needs_too_much(x):
    return torch.empty(2**45) + x

def torch_dies(x):
    os.kill(os.getpid(), signal.SIGKILL)

def torch_abs(x):
    return torch.abs(x)

def jax_abs(x):
    return jax.numpy.where(x > 0, x, -x)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "port.py").write_text(PORT)
    np.savez(tmp_path / "in.npz", np.linspace(-1.0, 1.0, 9))
    yield tmp_path
    sys.modules.pop("port", None)


@pytest.fixture
def typed(folder, monkeypatch):
    """Run a command here, its work in this process."""
    monkeypatch.setattr(child, "supervised", lambda do, work, runs: do(work, lambda what: None))
    return lambda *words: CliRunner().invoke(app, list(words))


def test_sides_that_agree_leave_with_0_and_both_files(typed, folder):
    result = typed("check", "port:torch_gelu", "port:jax_exact", "--html", "r.html", "--json", "r.json")
    assert result.exit_code == 0, result.output
    assert "3 comparisons: all agree" in result.stdout
    assert (folder / "r.html").read_text().rstrip().endswith("</html>")
    told = json.loads((folder / "r.json").read_text())
    assert told["results"][0]["name"] == "torch_gelu / jax_exact"
    assert told["environment"]["command"].split()[0] == "parity"
    assert sorted(p.suffix for p in folder.iterdir() if p.is_file()) == [".html", ".json", ".npz", ".py"]


def test_sides_that_differ_leave_with_1_and_json_alone_on_stdout(typed):
    result = typed("check", "port:torch_gelu", "port:jax_gelu", "--json", "-", "--dtype", "bfloat16", "--no-gradient")
    assert result.exit_code == 1
    told = json.loads(result.stdout[result.stdout.index("{") :])
    assert told["verdict"] == "SEMANTIC"
    assert told["dtypes"] == ["float64", "bfloat16"]
    assert "gradient" not in told["stages"]


def test_inputs_from_a_file_and_conventions_by_name(typed):
    differing = typed("check", "port:torch_abs", "port:jax_abs", "--inputs", "in.npz")
    assert differing.exit_code == 1
    assert "CONVENTION" in differing.stdout
    accepted = ("--convention", "gradient/0=abs at 0")
    assert typed("check", "port:torch_abs", "port:jax_abs", "--inputs", "in.npz", *accepted).exit_code == 0
    refused = typed("check", "port:torch_abs", "port:jax_abs", "--convention", "gradient/0")
    assert refused.exit_code == 2
    assert "--convention 'gradient/0' has no reason; wanted PATH=REASON" in refused.stderr


def test_a_side_that_raises_or_runs_out_of_memory_leaves_with_3_and_is_named(typed):
    failing = typed("check", "port:torch_fails", "port:jax_gelu")
    assert failing.exit_code == 3
    assert "the torch side raised in its float64 run: RuntimeError: no such weather" in failing.stdout
    hungry = typed("check", "port:torch_needs_too_much", "port:jax_gelu")
    assert hungry.exit_code == 3
    assert "the torch side ran out of memory in its float64 run: RuntimeError" in hungry.stdout


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("check", "port:torch_gelu"), 2, "Missing argument 'PKG.MOD:JAX'"),
        (("check", "port:torch_gelo", "port:jax_gelu"), 2, "port has no 'torch_gelo'; did you mean torch_gelu"),
        (("check", "prt:x", "port:jax_gelu"), 2, "the torch side: there is no module 'prt'"),
        (("check", "port:torch_gelu", "prt:x"), 2, "the jax side: there is no module 'prt'"),
        (("check", "port:torch_gelu", "port:jax_gelu", "--inputs", "no.npz"), 2, "there is no file no.npz of inputs"),
        (("check", "port:torch_gelu", "port:jax_gelu", "--html", "no/r.html"), 2, "the folder of no/r.html does not"),
        (("check", "port:torch_gelu", "port:jax_gelu", "--device", "tpu"), 2, "tpu"),
        (("record", "port:inputs", "-o", "a"), 2, "gave a tuple"),
        (("record", "port:torch_gelu", "-o", "no/a"), 2, "the folder of no/a does not exist"),
        (
            ("record", "port:torch_fails", "-o", "a", "--framework", "torch"),
            3,
            "the torch side raised in its float64 run: RuntimeError",
        ),
        (("record", "port:torch_fails", "-o", "a"), 2, "torch_fails mentions both frameworks; say which it is"),
        (("record", "port:torch_gelu", "-o", "a", "--beside", "in.npz"), 2, "trace: in.npz: "),
        (("compare", "a", "in.npz"), 2, "trace: there is no file a"),
        (("compare", "in.npz", "in.npz"), 2, "it is truncated or no trace"),
    ],
)
def test_what_cannot_be_done_is_told_on_stderr_and_writes_nothing(typed, folder, words, status, message):
    before = sorted(folder.glob("*.*"))
    result = typed(*words)
    assert result.exit_code == status, result.output
    assert message in result.stderr
    assert [p for p in sorted(folder.glob("*.*")) if p.suffix != ".pyc"] == before


def test_two_recordings_are_compared_in_either_order(typed, folder):
    for side in ("torch_gelu", "jax_gelu", "jax_exact"):
        extra = ["--framework", "jax", "--beside", "torch_gelu"] if side == "jax_exact" else []
        result = typed("record", f"port:{side}", "-o", side, *extra)
        assert result.exit_code == 0, result.output
        assert result.stdout.replace("a print of the user's\n", "") == ""
        assert "2 tensors (outputs and gradients) at float64 and float32" in result.stderr
    agreeing = typed("compare", "torch_gelu", "jax_exact", "--json", "-")
    assert agreeing.exit_code == 0, agreeing.output
    assert json.loads(agreeing.stdout)["verdict"] == "AGREE"
    differing = typed("compare", "jax_gelu", "torch_gelu", "--html", "r.html")
    assert differing.exit_code == 1
    assert "SEMANTIC  torch_gelu  forward of output" in differing.stdout
    assert "compared from recordings" in differing.stdout
    assert (folder / "r.html").exists()
    twice = typed("compare", "jax_gelu", "jax_exact")
    assert twice.exit_code == 2
    assert "both recordings are of the jax side" in twice.stderr


def own_process(folder, *words):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "parity", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)


def test_a_side_that_dies_is_told_of_in_the_report_and_prints_are_no_data(folder):
    result = own_process(folder, "check", "port:torch_dies", "port:jax_gelu", "--json", "-", "--html", "r.html")
    assert result.returncode == 3, result.stderr
    told = json.loads(result.stdout)
    assert "the process was killed by SIGKILL while at work on: torch at float64" in told["results"][0]["error"]
    assert result.stderr.splitlines() == ["a print of the user's"]
    assert "SIGKILL" in (folder / "r.html").read_text()


@pytest.mark.part(1)
@pytest.mark.parametrize(
    "command", [("check", "port:torch_gelu", "port:jax_gelu"), ("record", "port:jax_gelu", "-o", "a")]
)
def test_a_missing_framework_leaves_with_3_and_says_what_to_install(folder, command):
    hide = (
        "import importlib.util, sys\nreal = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda n, p=None: None if n == 'flax' else real(n, p)\n"
    )
    (folder / "sitecustomize.py").write_text(hide)
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    whole = [sys.executable, "-m", "parity", *command]
    result = subprocess.run(whole, capture_output=True, text=True, cwd=folder, env=environment, check=False)
    assert result.returncode == 3, result.stderr
    assert "the jax side cannot run: flax not installed; pip install 'parity[jax]'" in result.stderr


MODELS = """
import jax
import numpy as np
import torch
from flax import nnx

INPUTS = (np.linspace(-3.0, 3.0, 24).reshape(4, 6),)

class TorchScale(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.linspace(0.5, 2.0, 6))

    def forward(self, x):
        return torch.sin(x * self.weight)

class JaxScale(nnx.Module):
    def __init__(self):
        self.weight = nnx.Param(jax.numpy.ones(6))

    def __call__(self, x):
        return jax.numpy.sin(x * self.weight)

class JaxWrong(JaxScale):
    def __call__(self, x):
        return jax.numpy.sin(x) * self.weight
"""


def test_two_models_are_recorded_apart_and_compared(typed, folder):
    (folder / "nets.py").write_text(MODELS)
    try:
        assert typed("record", "nets:TorchScale", "-o", "t").exit_code == 0
        alone = typed("record", "nets:JaxScale", "-o", "j")
        assert alone.exit_code == 2
        assert "beside= (--beside) names the torch model's recording" in alone.stderr
        assert not (folder / "j").exists()
        for side, status in (("JaxScale", 0), ("JaxWrong", 1)):
            recorded = typed("record", f"nets:{side}", "-o", "j", "--beside", "t")
            assert recorded.exit_code == 0, recorded.output
            assert typed("compare", "t", "j").exit_code == status
        missing = typed("record", "nets:JaxScale", "-o", "k", "--beside", "t", "--weights", "none.json")
        assert missing.exit_code == 2
        assert "none.json" in missing.stderr
    finally:
        sys.modules.pop("nets", None)
