"""The house: a floor imports only from those below it; only some rooms import a framework."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEIGHT = {
    "numerics": 0,
    "files": 0,
    "markup": 0,
    "data": 0,
    "environment": 0,
    "trace": 1,
    "sides": 2,
    "convert": 3,
    "report": 3,
    "doctor": 3,
}
HEIGHT |= {"checking": 4, "cases": 5, "bench": 6, "cli": 7, "pytest_plugin": 7, "__main__": 8, "__init__": 8}
FRAMEWORKS = {"torch", "jax", "flax", "optax"}
FILES = sorted((ROOT / "parity").rglob("*.py"))


def room(file: Path) -> str:
    return file.relative_to(ROOT / "parity").parts[0].removesuffix(".py")


def imports(source: str) -> set[str]:
    """Every module that a source imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def climbing(file: Path, source: str) -> set[str]:
    """Imports of rooms on the same floor or above, other than the file's own room."""
    own = room(file)
    rooms = {n.split(".")[1] for n in imports(source) if n.startswith("parity.")} & set(HEIGHT) - {own}
    return {r for r in rooms if HEIGHT[r] >= HEIGHT[own] and not (own == "cases" and r == "data")}


def test_every_room_has_its_floor():
    assert {room(f) for f in FILES} <= set(HEIGHT)


@pytest.mark.parametrize("file", [f for f in FILES if room(f) not in ("__init__", "__main__")], ids=str)
def test_a_floor_imports_only_from_those_below(file):
    assert climbing(file, file.read_text()) == set()


@pytest.mark.parametrize("file", [f for f in FILES if room(f) not in ("sides", "convert", "bench")], ids=str)
def test_only_the_sides_the_conversion_and_the_benchmarks_import_a_framework(file):
    assert {n.partition(".")[0] for n in imports(file.read_text())} & FRAMEWORKS == set()


def test_a_climbing_import_is_seen():
    file = ROOT / "parity" / "numerics" / "verdict.py"
    assert climbing(file, "def f():\n    from parity.report import Report\n") == {"report"}
