"""The proof's option, its summary, and whether all of it is wanted."""

import pytest

from proof.summary import pytest_addoption, pytest_terminal_summary

__all__ = ["pytest_addoption", "pytest_terminal_summary", "whole"]


@pytest.fixture(scope="session")
def whole(request: pytest.FixtureRequest) -> bool:
    """Whether --whole was asked for."""
    return request.config.getoption("whole", default=False)
