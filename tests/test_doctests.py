"""Every example in a docstring runs: the pairs' with `array` and `rngs` of their side, the harness's as they are."""

import doctest
import importlib
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
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    for test in finder.find(module, globs={**vars(module), **extra}):
        runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


@pytest.mark.parametrize("name", names("torch_impl"))
def test_the_examples_of_torch_impl_run(name):
    import torch

    run(importlib.import_module(name), {"array": torch.tensor, "rngs": {}})


@pytest.mark.part(10)
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
