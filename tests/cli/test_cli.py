"""What a user types: exit codes, what goes to stdout and what to stderr, and files that are whole or not there."""

import importlib
import json
import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

import parity
from parity.cases import runner
from parity.cli import app

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def typed(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.fixture
def few_cases(monkeypatch):
    """Let `parity run` find these cases only; which command line they come through does not depend on their number."""

    def keep(*names):
        whole = runner.cases_of
        monkeypatch.setattr(runner, "cases_of", lambda concept: tuple(c for c in whole(concept) if c.name in names))

    return keep


def test_run_prints_a_line_a_case_and_leaves_with_0(typed, few_cases):
    few_cases("gates.sum", "gates.product")
    result = typed("run", "gates")
    assert result.exit_code == 0, result.output
    assert "all agree" in result.stdout
    assert "product" in result.stdout
    assert result.stderr == ""
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_run_writes_both_files_whole(typed, few_cases, tmp_path):
    few_cases("losses.mse")
    html, data = tmp_path / "r.html", tmp_path / "r.json"
    result = typed("run", "losses", "--html", str(html), "--json", str(data))
    assert result.exit_code == 0, result.output
    assert html.read_text().rstrip().endswith("</html>")
    assert json.loads(data.read_text())["verdict"] == "AGREE"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.html", "r.json"]


def test_json_to_stdout_is_nothing_but_json(typed, few_cases):
    few_cases("gates.sum")
    told = json.loads(typed("run", "gates", "--json", "-").stdout)
    assert told["exit_status"] == 0
    assert {"command", "date", "torch", "torch on cpu", "jax on cpu"} <= set(told["environment"])


def test_several_processes_give_the_same_report_as_one(typed):
    pairs = ("averaging", "gates")
    one, two = (json.loads(typed("run", *pairs, "--json", "-", "--jobs", n).stdout) for n in ("1", "2"))
    for report in (one, two):
        for result in report["results"]:
            del result["seconds"]
    assert one["results"] == two["results"]


def scaled(right):
    return lambda *a, **k: right(*a, **k) * (1 + 1e-9)


def scaled_in_its_gradient(right):
    import jax

    def loss(*arguments, **options):
        value = right(*arguments, **options)
        return (1 + 1e-9) * value - 1e-9 * jax.lax.stop_gradient(value)

    return loss


def with_more_momentum(right):
    return lambda *a, momentum, **k: right(*a, momentum=momentum + 1e-9, **k)


@pytest.mark.parametrize(
    ("case", "name", "fault", "told"),
    [
        ("losses.quadratic_cost", "quadratic_cost", scaled, "forward of output"),
        ("losses.mse", "mse", scaled_in_its_gradient, "gradient of "),
        ("sgd.hand_momentum", "train", with_more_momentum, "curve of losses"),
    ],
)
def test_a_planted_fault_leaves_with_1_and_names_pair_stage_and_tensor(
    typed, monkeypatch, few_cases, case, name, fault, told
):
    few_cases(case)
    module = importlib.import_module(f"jax_impl.{case.partition('.')[0]}")
    monkeypatch.setattr(module, name, fault(getattr(module, name)))
    result = typed("run", case.partition(".")[0])
    assert result.exit_code == 1, result.output
    blocks = [line for line in result.stdout.splitlines() if line.startswith("SEMANTIC  ")]
    assert any(case in block and told in block for block in blocks), result.stdout


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
