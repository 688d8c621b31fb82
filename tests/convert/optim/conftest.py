"""JAX at float64 and torch with one thread, for each test that asks; both as they were after it."""

from collections.abc import Iterator

import pytest
import torch

from parity.sides import jax_backend


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def wide() -> Iterator[None]:
    """float64 in both: torch keeps its scalar slots (NAdam's mu_product, ASGD's eta) in its default dtype."""
    torch.set_default_dtype(torch.float64)
    try:
        with jax_backend.start().enable_x64(True):
            yield
    finally:
        torch.set_default_dtype(torch.float32)
