"""Floors: flops and bytes of a program as counted by hand, and the larger of the two times."""

import jax
import jax.numpy as jnp
import pytest
import torch

from parity.bench import floors, jax_cost, torch_cost
from parity.bench.floors import Rates, Work


def work(function, *arrays):
    return jax_cost.work(jax.make_jaxpr(function)(*arrays), 100)


def test_a_product_has_its_flops_and_a_scan_as_many_as_it_has_steps():
    x = jnp.ones((16, 16))
    once = work(lambda x: x @ x, x)
    assert once.flops == 2 * 16**3

    def nested(x):
        inner = lambda c, _: (jax.lax.scan(lambda d, _: (d @ d, None), c, length=3)[0], None)
        return jax.lax.scan(inner, x, length=7)[0]

    many = work(nested, x)
    # XLA counts the loop's own counter too: some operations a step beside 8,192.
    assert many.flops == pytest.approx(21 * once.flops, rel=0.01)
    assert "a scan's body times its length" in many.flops_by


def test_a_loop_whose_length_is_not_known_is_not_counted():
    found = work(lambda x: jax.lax.while_loop(lambda c: c.sum() < 9, lambda c: c + 1, x), jnp.ones(3))
    assert found.flops is None
    assert "while loop" in found.flops_by


def test_torch_counts_products_and_operations_backwards_too():
    x = torch.ones(8, 8, requires_grad=True)
    assert torch_cost.flops(lambda: (x @ x).sum().backward()) == 3 * 2 * 8**3
    assert torch_cost.operations(lambda x: torch.relu(x) + 1, {"x": torch.ones(3)}) == 2


def test_the_floor_is_the_larger_of_both_times_at_the_bandwidth_of_that_size():
    rates = Rates(1e9, {1 << 10: 4e9, 1 << 20: 1e9})
    assert rates.floor(Work(5e6, "", 1 << 20)) == (5e-3, "flops")
    assert rates.floor(Work(1e3, "", 1 << 20)) == ((1 << 20) / 1e9, "bytes")
    assert rates.floor(Work(1.0, "", 1 << 11)) == ((1 << 11) / 4e9, "bytes")


def test_rates_are_the_quickest_of_the_runs_after_the_first(monkeypatch):
    monkeypatch.setattr(floors, "SIDE", 10)
    ticks = iter([*range(2 * floors.ROUNDS), *(10.0 * i for i in range(4 * floors.ROUNDS))])
    rates = floors.measured("float32", "cpu", clock=lambda: float(next(ticks)))
    assert rates.flops == 2 * 10**3 / 1.0
    assert rates.bandwidth == {size: 2 * size / 10.0 for size in (floors.SMALLEST, floors.LARGEST)}
