"""Whether all of the proof is wanted."""

import pytest


@pytest.fixture(scope="session")
def whole(request: pytest.FixtureRequest) -> bool:
    """Whether --whole was asked for."""
    return request.config.getoption("whole", default=False)
