"""Every public name has an example, and every example runs: the pairs' with `array` and `rngs` of their side."""

import ast
import doctest
import importlib
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


def names(package: str) -> list[str]:
    found = []
    for file in sorted((ROOT / package).rglob("*.py")):
        parts = list(file.relative_to(ROOT).with_suffix("").parts)
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts[-1] != "__main__" and ">>> " in file.read_text():
            found.append(".".join(parts))
    return found


def run(module: ModuleType, extra: dict[str, object]) -> None:
    """The examples of a module, with what its package exports, since a reader imports that."""
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    package = vars(sys.modules[module.__package__ or module.__name__])
    said: list[str] = []
    for test in finder.find(module, globs={**package, **vars(module), **extra}):
        runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def sources(package: str) -> dict[str, str]:
    """The public modules of a package by their paths."""
    files = [f for f in sorted((ROOT / package).rglob("*.py")) if not f.name.startswith("_") or f.stem == "__init__"]
    return {str(f.relative_to(ROOT)): f.read_text() for f in files}


def doors() -> list[str]:
    """Where users of the harness, and authors of pairs, reports and plugins, import: each room that tells its names in
    `__all__`, and the modules that stand beside the rooms."""
    files = [
        *(ROOT / "parity").glob("*.py"),
        *(ROOT / "parity").glob("*/__init__.py"),
        ROOT / "parity" / "convert" / "optim" / "__init__.py",
    ]
    rooms = [f for f in sorted(files) if f.parent.parent == ROOT or "__all__ = [" in f.read_text()]
    return [".".join(f.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for f in rooms]


def exported(package: str) -> dict[str, set[str]] | None:
    """The names behind those doors, by the file that has each; None for all of a package."""
    if package != "parity":
        return None
    found: dict[str, set[str]] = defaultdict(set)
    for door in map(importlib.import_module, doors()):
        for name in getattr(door, "__all__", vars(door)):
            home = getattr(getattr(door, name), "__module__", None)
            if home == door.__name__ or (home and hasattr(door, "__all__")):
                found[str(Path(sys.modules[home].__file__).relative_to(ROOT))].add(name)
    return found


def without_example(texts: dict[str, str], wanted: dict[str, set[str]] | None = None) -> list[str]:
    """Public functions and classes that no example shows, or that no docstring explains, read as syntax trees.

    An exception needs none, and neither does what a public function with an example returns. A class may show itself
    in a method.
    """
    found = [
        (file, node)
        for file, text in texts.items()
        for node in ast.parse(text).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
        if wanted is None or node.name in wanted.get(file, ())
    ]
    functions = [node for _, node in found if isinstance(node, ast.FunctionDef) and ">>> " in shown(node)]
    returned = {name.id for f in functions if f.returns for name in ast.walk(f.returns) if isinstance(name, ast.Name)}
    return [
        f"{file}: {node.name}"
        for file, node in found
        if not ast.get_docstring(node) or not (">>> " in shown(node) or is_error(node) or node.name in returned)
    ]


def shown(node: ast.FunctionDef | ast.ClassDef) -> str:
    inside = [m for m in node.body if isinstance(m, ast.FunctionDef)] if isinstance(node, ast.ClassDef) else []
    return "\n".join(ast.get_docstring(n) or "" for n in (node, *inside))


def is_error(node: ast.FunctionDef | ast.ClassDef) -> bool:
    bases = [ast.unparse(base) for base in getattr(node, "bases", ())]
    return any(base.endswith(("Error", "Warning", "Exception")) for base in bases)


@pytest.mark.parametrize("package", ["torch_impl", "jax_impl", "parity"])
def test_every_public_name_has_a_docstring_with_an_example(package):
    assert without_example(sources(package), exported(package)) == []


def test_a_public_name_without_an_example_is_noticed():
    texts = {
        "a.py": 'def bare(x):\n    """Says nothing."""\n\ndef _own(x): ...\n\ndef mute(x): ...\n',
        "b.py": 'class Wrong(ValueError):\n    """An error."""\n\nclass Made:\n    """What make gives."""\n\n'
        'def make() -> Made:\n    """Make it.\n\n    >>> make()\n    """\n',
    }
    assert without_example(texts) == ["a.py: bare", "a.py: mute"]
    assert without_example(texts, {"a.py": {"mute"}, "b.py": {"make"}}) == ["a.py: mute"]


def test_a_name_behind_a_door_that_loses_its_example_is_noticed():
    texts = sources("parity")
    for file in ("parity/numerics/reading.py", "parity/sides/__init__.py", "parity/doctor.py"):
        texts[file] = texts[file].replace(">>> ", "")
    lost = [line.rpartition(" ")[2] for line in without_example(texts, exported("parity"))]
    assert {"bound", "confidence_factor", "side", "require", "examine", "as_text"} <= set(lost)
    assert "limits" not in lost  # which no door leads to


@pytest.mark.parametrize("name", names("torch_impl"))
def test_the_examples_of_torch_impl_run(name):
    import torch

    run(importlib.import_module(name), {"array": torch.tensor, "rngs": {}})


@pytest.mark.part(9)
@pytest.mark.parametrize("name", names("jax_impl"))
def test_the_examples_of_jax_impl_run(name):
    from parity.sides import jax_backend

    jax = jax_backend.start()
    from flax import nnx

    # what a constructor takes here and not in torch, so that one example serves both
    run(importlib.import_module(name), {"array": jax.numpy.asarray, "rngs": {"rngs": nnx.Rngs(0)}})


@pytest.mark.parametrize("name", names("parity"))
def test_the_examples_of_the_harness_run(name):
    import numpy as np

    run(importlib.import_module(name), {"np": np})
