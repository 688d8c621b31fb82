"""What a user types: exit codes, what goes to stdout and what to stderr, and files that are whole or not there."""

import importlib
import json
import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

import parity
from parity.cli import app

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def typed(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    return lambda *words: CliRunner().invoke(app, list(words))


def test_run_prints_a_line_a_pair_and_leaves_with_0(typed):
    result = typed("run", "gates")
    assert result.exit_code == 0, result.output
    assert "all agree" in result.stdout
    assert result.stderr == ""
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_run_writes_both_files_whole(typed, tmp_path):
    html, data = tmp_path / "r.html", tmp_path / "r.json"
    result = typed("run", "losses", "--html", str(html), "--json", str(data))
    assert result.exit_code == 0, result.output
    assert html.read_text().rstrip().endswith("</html>")
    assert json.loads(data.read_text())["verdict"] == "AGREE"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.html", "r.json"]


def test_json_to_stdout_is_nothing_but_json(typed):
    result = typed("run", "gates", "--json", "-")
    assert json.loads(result.stdout)["exit_status"] == 0


@pytest.mark.parametrize(
    ("concept", "name", "stage"),
    [("losses", "quadratic_cost", "forward"), ("backprop", "backprop", "gradient")],
)
def test_a_planted_fault_leaves_with_1_and_names_pair_stage_and_tensor(typed, monkeypatch, concept, name, stage):
    module = importlib.import_module(f"jax_impl.{concept}")
    if not hasattr(module, name):
        name = next(n for n in module.__all__ if "backprop" in n)
    right = getattr(module, name)
    import jax

    wrong = lambda *a, **k: jax.tree.map(lambda leaf: leaf * (1 + 1e-9), right(*a, **k))
    monkeypatch.setattr(module, name, wrong)
    result = typed("run", concept)
    assert result.exit_code == 1, result.output
    block = next(line for line in result.stdout.splitlines() if line.startswith("SEMANTIC"))
    assert concept in block
    assert stage in block


def test_an_unknown_pair_is_refused_with_the_near_ones(typed):
    result = typed("run", "sprial")
    assert result.exit_code == 2
    assert result.stderr == "parity: no pair is called 'sprial'; did you mean spiral?\n"
    assert typed("show", "losess").exit_code == 2


@pytest.mark.parametrize("option", ["--html", "--json"])
def test_a_folder_that_is_not_there_is_told_before_the_work(typed, option, tmp_path):
    result = typed("run", "gates", option, str(tmp_path / "none" / "r"))
    assert result.exit_code == 2
    assert "does not exist" in result.stderr


def test_a_device_that_is_not_there_is_told(typed, monkeypatch):
    monkeypatch.setattr("parity.doctor.sees_cuda", lambda framework: False)
    result = typed("run", "gates", "--device", "cuda")
    assert result.exit_code == 3
    assert "torch sees no CUDA device" in result.stderr


def test_bad_options_are_usage_errors(typed):
    assert typed("run", "--dtype", "float8").exit_code == 2
    assert typed("run", "--device", "tpu").exit_code == 2


def test_show_prints_both_sides(typed):
    result = typed("show", "losses")
    assert result.exit_code == 0
    assert "torch.logsumexp" in result.stdout
    assert "jax.nn.logsumexp" in result.stdout or "jnp." in result.stdout


def test_doctor_tells_versions_and_what_each_backend_does(typed):
    result = typed("doctor")
    assert result.exit_code == 0
    for line in ("torch on cpu", "jax on cpu", "matmul IEEE float32", "subnormals kept", "subnormals flushed"):
        assert line in result.stdout
    found = json.loads(typed("doctor", "--json").stdout)
    assert {(f["framework"], f["matmul_bits"]) for f in found["fingerprints"] if f["device"] == "cpu"} == {
        ("torch", 24),
        ("jax", 24),
    }


def test_help_and_version(typed):
    assert typed("--help").exit_code == 0
    assert "run" in typed("--help").stdout
    assert typed("--version").stdout == f"parity {parity.__version__}\n"
    assert typed().exit_code == 2


def test_every_version_of_the_project_is_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["hatch"]["version"]["path"] == "parity/__init__.py"
    assert re.search(rf"^## {re.escape(parity.__version__)}", (ROOT / "CHANGELOG.md").read_text(), re.M)
