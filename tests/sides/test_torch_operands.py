"""Short operands: products keep as many bits as asked for, and nothing else changes."""

import pytest
import torch

from parity.sides.torch_operands import OperandRounding


@pytest.mark.parametrize("bits", [8, 11])
def test_a_product_keeps_the_bits_and_drops_the_next(bits):
    eye = torch.eye(2, dtype=torch.float64)
    for exponent, kept in ((bits - 1, True), (bits + 1, False)):
        x = torch.full((2, 2), 1 + 2.0**-exponent, dtype=torch.float64)
        with OperandRounding(bits) as mode:
            product = x @ eye
        assert torch.equal(product, x) == kept
        assert mode.products == 1


def test_rounding_and_cutting_off_differ_past_the_middle():
    x = torch.full((1, 1), 1 + 0.75 * 2.0**-10, dtype=torch.float64)
    one = torch.ones(1, 1, dtype=torch.float64)
    with OperandRounding(11):
        rounded = x @ one
    with OperandRounding(11, truncate=True):
        cut = x @ one
    assert (float(rounded), float(cut)) == (1 + 2.0**-10, 1.0)


@pytest.mark.parametrize("product", ["linear", "convolution", "batched"])
def test_a_bias_is_no_factor_and_stays_whole(product):
    bias = torch.full((1,), 1 + 2.0**-40, dtype=torch.float64)
    ones = torch.ones(1, 1, 1, dtype=torch.float64)
    with OperandRounding(8) as mode:
        y = {
            "linear": lambda: torch.nn.functional.linear(ones[0], ones[0], bias),
            "convolution": lambda: torch.nn.functional.conv1d(ones, ones, bias),
            "batched": lambda: torch.baddbmm(bias, ones, ones),
        }[product]()
    assert mode.products == 1
    assert float(y) == float(bias) + 1


def test_what_is_no_product_is_left_alone():
    x = torch.full((3,), 1 + 2.0**-40, dtype=torch.float64)
    with OperandRounding(8) as mode:
        y = x * 1 + 0
    assert torch.equal(x, y)
    assert mode.products == 0
