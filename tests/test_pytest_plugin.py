"""The pytest plugin as its users have it: fixture, options, summary, xdist, junit; in sessions of their own.

Most of them check made-up sides, so that no framework need start, and run within this process, which costs a tenth of
a second each and not the seconds that an interpreter takes with all that it imports.
"""

import doctest
import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import parity

ROOT = Path(__file__).resolve().parent.parent
# Where the package is installed, its entry point gives the plugin too; once is enough.
# Hypothesis imports all of itself for its line in a summary, with every assert rewritten.
OTHERS = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
PLUGIN = ("-p", "no:parity", "-p", "parity.pytest_plugin", *OTHERS)

MADE_UP = """
import parity
from parity.numerics import Finding, Verdict
from parity.report import CaseResult, Report

def found(verdict, dtype):
    return Finding("forward", "output", "output", verdict, "made up", dtype, ratio=0.5)

def check(torch, jax, *inputs, dtypes=("float64", "float32"), device="cpu", name="check", **options):
    error, findings = (jax, ()) if torch == "error" else (None, (found(Verdict(torch), dtypes[-1]),))
    results = (CaseResult(name, findings, error=error, device=device),)
    return Report(results, {"date": "today"}, dtypes)

parity.check = check
"""
WITHOUT = """
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in ("jax", "flax", "optax") else real(name, package)
"""
TESTS = """
def test_agrees(parity):
    assert parity.check("AGREE", None)
    parity.assert_parity("CONVENTION" if parity.Verdict is None else "AGREE", None, name="second")

def test_differs(parity):
    parity.check("SEMANTIC", None)

def test_cannot_run(parity):
    parity.check("error", "the jax side raised in its float64 run: ZeroDivisionError")

def test_of_another_kind():
    assert 1 == 2
"""


@pytest.fixture(autouse=True)
def imported():
    """What a session in this process finds imported: it takes what it imports itself out again, as pytester does."""
    for name in ("json", "html", "text", "result"):
        importlib.import_module(f"parity.report.{name}")
    importlib.import_module("parity.checking")


@pytest.fixture
def session(pytester, monkeypatch):
    """Run pytest anew: session(files, *arguments); what its conftest replaces is put back afterwards."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(parity, "check", parity.check)
    monkeypatch.setattr(importlib.util, "find_spec", importlib.util.find_spec)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

    def run(conftest, tests, *arguments, within=True):
        pytester.makeconftest(conftest)
        pytester.makepyfile(test_port=tests)
        start = pytester.runpytest_inprocess if within else pytester.runpytest_subprocess
        return start(*PLUGIN, *arguments)

    return run


def test_a_session_fails_in_our_words_and_ends_with_a_summary_and_the_next_command(session, pytester):
    result = session(MADE_UP, TESTS, "--junitxml=junit.xml", "--parity-json=all.json", "--parity-html=all.html")
    result.assert_outcomes(passed=1, failed=3)
    text = result.stdout.str()
    failure = text[text.index("_ test_differs _") : text.index("_ test_cannot_run _")]
    assert "SEMANTIC forward of output  (test_port.py:6)" in failure
    assert "1 pair, 1 case, 1 comparison: 1 differs" in failure
    for foreign in ("def test_differs", "pytest_plugin.py", "E  ", "Traceback", "ParityError"):
        assert foreign not in failure
    assert "the jax side raised in its float64 run: ZeroDivisionError  (test_port.py:9)" in text
    assert "assert 1 == 2" in text  # others' failures stay as they are
    summary = text[text.index("= parity =") : text.index("short test summary")]
    assert re.findall(r"^(\w+(?: \w+)?) +(?:0\.5|-) x bound +(\S+)( #2)?$", summary, re.M) == [
        ("AGREE", "test_port.py::test_agrees", ""),
        ("AGREE", "test_port.py::test_agrees", ""),
        ("NOT RUN", "test_port.py::test_cannot_run", ""),
        ("SEMANTIC", "test_port.py::test_differs", ""),
    ]
    last = [line for line in summary.splitlines()[:-1] if line.strip()][-1]
    assert last == "4 checks, 2 differ; next: pytest test_port.py::test_cannot_run --parity-html all.html"
    assert "FAILED test_port.py::test_differs - Failed: SEMANTIC forward of output" in text
    told = json.loads((pytester.path / "all.json").read_text())
    names = ["test_port.test_agrees", "second", "test_port.test_cannot_run", "test_port.test_differs"]
    assert [r["name"] for r in told["results"]] == names
    assert told["environment"]["command"].startswith("pytest ")
    assert (pytester.path / "all.html").read_text().rstrip().endswith("</html>")
    junit = (pytester.path / "junit.xml").read_text()
    assert '<property name="parity:test_port.test_differs" value="SEMANTIC, 0.5 x the bound"' in junit
    assert sorted(p.name for p in pytester.path.glob("*.part")) == []


def test_two_workers_give_one_report(session, pytester):
    tests = "import pytest\n\n@pytest.mark.parametrize('n', range(6))\ndef test_many(parity, n):\n"
    tests += "    parity.check('AGREE' if n else 'PRECISION', None, name=f'many.{n}')\n"
    result = session(MADE_UP, tests, "-n", "2", "--parity-json", "all.json", "--parity-dtype", "bfloat16", within=False)
    result.assert_outcomes(passed=5, failed=1)
    told = json.loads((pytester.path / "all.json").read_text())
    assert [r["name"] for r in told["results"]] == [f"many.{n}" for n in range(6)]
    assert told["dtypes"] == ["float64", "bfloat16"]
    text = result.stdout.str()
    assert text.count("= parity =") == 1
    assert "6 checks, 1 differs; next: pytest 'test_port.py::test_many[0]' --parity-html parity.html" in text


def test_options_hold_unless_a_test_says_otherwise(session, pytester):
    tests = """
def test_defaults(parity):
    report = parity.check("AGREE", None)
    assert report.dtypes == ("float64", "float16", "float32")
    assert parity.check("AGREE", None, dtypes=("float64",), name="own").dtypes == ("float64",)
"""
    arguments = ("--parity-dtype", "float16", "--parity-dtype", "float32", "--parity-dtype", "float16")
    result = session(MADE_UP, tests, *arguments)
    result.assert_outcomes(passed=1)
    assert "2 checks, 0 differ; next: pytest " in result.stdout.str()
    result = session(MADE_UP, tests, "--parity-html", "none/r.html")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "the folder of none/r.html does not exist; create it, or name another file" in result.stderr.str()
    assert session(MADE_UP, tests, "--parity-device", "tpu").ret == pytest.ExitCode.USAGE_ERROR


def test_a_missing_framework_skips_and_fails_where_it_is_required(session):
    tests = "def test_port(parity):\n    parity.check('AGREE', None)\n"
    skipped = session(MADE_UP + WITHOUT, tests)
    skipped.assert_outcomes(skipped=1)
    install = "pip install 'parity[jax]'"
    assert f"skipped 1: the jax side cannot run: jax, flax, optax not installed; {install}" in skipped.stdout.str()
    assert f"0 checks, 0 differ; next: {install}" in skipped.stdout.str()
    for wanted, outcome in (("jax", "failed"), ("all", "failed"), ("torch", "skipped")):
        required = session(MADE_UP + WITHOUT, tests, "--parity-require", wanted)
        required.assert_outcomes(**{outcome: 1})
        assert ("(required by --parity-require)" in required.stdout.str()) == (outcome == "failed")


def test_a_report_that_cannot_be_written_is_told_and_fails_the_session(session):
    breaking = MADE_UP + "\nimport os\ndef pytest_sessionfinish():\n    os.makedirs('all.json')\n"
    result = session(breaking, "def test_port(parity):\n    parity.check('AGREE', None)\n", "--parity-json", "all.json")
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    assert "cannot write all.json: it is a folder, wanted a file" in result.stdout.str()


def test_sides_of_both_frameworks_with_and_without_the_fixture(session):
    for name in ("jax", "torch", "parity.sides.jax_side", "parity.sides.torch_side"):
        importlib.import_module(name)
    fixture = importlib.import_module("parity.pytest_plugin").parity
    shown = "".join(example.source for example in doctest.DocTestParser().get_examples(inspect.getdoc(fixture)))
    assert "def test_sine(parity):" in shown
    tests = """
import parity as package

def test_without_the_fixture():
    package.assert_parity(torch.nn.functional.gelu, jax.nn.gelu, np.linspace(-2.0, 2.0, 12))
"""
    result = session("", shown + tests)
    result.assert_outcomes(passed=1, failed=1)
    text = result.stdout.str()
    assert "SEMANTIC forward of output  (test_port.py:9)" in text
    assert "> " not in text[text.index("_ test_without_the_fixture _") : text.index("= parity =")]
    assert "2 checks, 1 differs; next: pytest test_port.py::test_without_the_fixture" in text


def test_without_the_plugin_the_failure_has_our_text_and_none_of_our_frames(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(
        test_port=MADE_UP + "import parity.checking.api as api\napi.check = check\n"
        "def test_port():\n    parity.assert_parity('SEMANTIC', None)\n"
    )
    text = pytester.runpytest_subprocess("-p", "no:parity", *OTHERS).stdout.str()
    assert "1 pair, 1 case, 1 comparison: 1 differs" in text
    assert "def assert_parity" not in text


def test_help_lists_the_options_and_costs_no_framework(tmp_path):
    code = (
        f"import sys, pytest\npytest.main([*{PLUGIN!r}, '--help'])\n"
        "print('IMPORTED', sorted({'torch', 'jax', 'numpy', 'rich', 'parity.checking'} & set(sys.modules)))"
    )
    # Other plugins that happen to be installed may import what they like.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=True)
    assert run.stdout.rstrip().endswith("IMPORTED []")
    for option in ("device", "dtype", "html", "json", "require"):
        assert f"--parity-{option}" in run.stdout
