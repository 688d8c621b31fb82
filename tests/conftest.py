"""What every test shares: the two sides of a pair behind one fixture, the option --whole and the summary."""

import contextlib
import gc
import importlib
import os
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from nn import module_summary
from proof import summary
from whole import pytest_addoption, pytest_collection_modifyitems, pytest_configure, whole

__all__ = ["Pair", "pair", "pytest_addoption", "pytest_collection_modifyitems", "pytest_configure", "whole"]

pytest_plugins = ["pytester"]

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")  # a test file that makes an array starts the backend for all of them
# where in the sources an operation comes from: a tenth of the time to lower a program, which no test reads there
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")
os.environ.setdefault("JAX_INCLUDE_FULL_TRACEBACKS_IN_LOCATIONS", "0")


def pytest_collection_finish() -> None:
    """Leave what the imports made out of every later collection of garbage, and look for garbage less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    summary.write(terminalreporter)
    module_summary.write(terminalreporter)


class Pair:
    """One side of a pair: its modules, and its arrays made from and turned into NumPy's."""

    def __init__(self, name: str) -> None:
        self.name = name

    def module(self, concept: str) -> ModuleType:
        return importlib.import_module(f"{self.name}_impl.{concept}")

    def array(self, values: Any, dtype: str | None = None) -> Any:
        host = np.asarray(values)
        if dtype is not None:
            host = host.astype(dtype)
        if self.name == "torch":
            import torch

            return torch.tensor(host)
        import jax.numpy as jnp

        return jnp.array(host)

    def numpy(self, array: Any) -> np.ndarray:
        return array.detach().cpu().numpy() if self.name == "torch" else np.asarray(array)


@pytest.fixture(params=["torch", "jax"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with contextlib.ExitStack() as stack:
        if request.param == "jax":
            from parity.sides import jax_backend

            stack.enter_context(jax_backend.start().enable_x64(True))
        else:
            import torch

            torch.set_num_threads(1)
        yield Pair(request.param)
