"""One number in a function: found where the function can give the array, and not where it cannot."""

import pytest
import torch

from parity.sides.torch_fitted import fitted

X = torch.linspace(-2.0, 3.0, 12, dtype=torch.float64)


@pytest.mark.parametrize("number", [1 / 2.1, 0.5, -1.0, 8.0, 0.125])
def test_a_factor_in_a_function_is_found_to_twelve_digits(number: float):
    found = fitted(lambda t: torch.nn.functional.gelu(t * X), torch.nn.functional.gelu(number * X))
    assert found == pytest.approx(number, rel=1e-12)


def test_no_number_is_found_where_another_function_gave_the_array():
    assert fitted(lambda t: torch.nn.functional.gelu(t * X), torch.nn.functional.silu(X)) is None
    assert fitted(lambda t: torch.tanh(t * X), torch.tanh(0.5 * X) + 1e-9) is None
