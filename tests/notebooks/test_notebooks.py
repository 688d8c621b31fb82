"""The notebooks: committed as they ran, and run again: one of them always, all of them with --whole."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "notebooks"
NAMES = (
    "01_tensors",
    "02_autograd",
    "03_circuits",
    "04_gradient_descent",
    "05_backpropagation",
    "06_spiral",
    "07_digits",
    "08_classifier",
    "09_traps_and_speed",
)
QUICKEST = "04_gradient_descent"
LARGEST = 400_000  # bytes: a code host shows no notebook that is much larger


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind]


def code(path: Path) -> str:
    return "\n\n".join("".join(cell["source"]) for cell in cells(path, "code"))


def run_plainly(source: str) -> subprocess.CompletedProcess[str]:
    """Run the cells one after another as a program, which takes no kernel."""
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-"], input=source, capture_output=True, text=True, cwd=FOLDER, env=environment
    )


def test_there_is_one_a_concept_and_no_other():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_committed_as_it_ran(name):
    path = FOLDER / f"{name}.ipynb"
    ran = cells(path, "code")
    assert [cell["execution_count"] for cell in ran] == list(range(1, len(ran) + 1))
    outputs = [output for cell in ran for output in cell["outputs"]]
    assert "error" not in {output["output_type"] for output in outputs}
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert "assert " in code(path)
    assert path.stat().st_size < LARGEST
    assert str(Path.home()) not in path.read_text()
    prose = ["".join(cell["source"]) for cell in cells(path, "markdown")]
    assert prose[0].startswith(f"# {int(name[:2])}. ")
    assert prose[-1].startswith("## What to try next")


@pytest.mark.part(1)
@pytest.mark.parametrize("name", sorted(NAMES, key=lambda name: name != QUICKEST))
def test_it_runs(name, whole, tmp_path):
    path = FOLDER / f"{name}.ipynb"
    if whole:
        for file in (path, FOLDER / "style.mplstyle"):
            shutil.copy(file, tmp_path)
        command = [sys.executable, str(Path(__file__).parent / "execute.py"), path.name]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    else:
        ran = run_plainly(code(path))
    assert ran.returncode == 0, ran.stderr
    if whole:
        again, kept = (cells(file, "code") for file in (tmp_path / path.name, path))
        assert [cell["metadata"] for cell in again] == [cell["metadata"] for cell in kept]


def test_a_number_that_a_notebook_states_falsely_stops_it():
    ran = run_plainly("stated = 0.49\nassert f'{0.5:.2f}' == f'{stated:.2f}'")
    assert ran.returncode == 1
    assert "AssertionError" in ran.stderr
