"""Ports whose map a search could easily get wrong: layers around a draw, heads that share, a table read backwards."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from torch import nn

import parity


class TorchNoisy(nn.Module):
    """A mean and the logarithm of a variance, a draw from that normal distribution, and a decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.log, self.decoder = (nn.Linear(4, 4) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = self.mean(x)
        return self.decoder(mean + torch.randn_like(mean) * torch.exp(0.5 * self.log(x)))


class JaxNoisy(nnx.Module):
    """The same; `half` is 0.5 where it is right."""

    def __init__(self, half: float) -> None:
        self.rngs, self.half = nnx.Rngs(0), half
        self.a, self.b, self.c = (nnx.Linear(4, 4, rngs=self.rngs) for _ in range(3))

    def __call__(self, x: jax.Array) -> jax.Array:
        mean = self.a(x)
        return self.c(mean + jax.random.normal(self.rngs.noise(), mean.shape) * jnp.exp(self.half * self.b(x)))


@pytest.mark.part(0)
def test_layers_of_one_shape_around_a_random_draw_are_mapped_with_the_same_draw_on_both_sides():
    torch.manual_seed(0)
    x = np.random.default_rng(0).normal(size=(3, 4))
    honest = parity.check(TorchNoisy(), JaxNoisy(0.5), x)
    assert honest, str(honest)
    assert not any("stopped" in remark for remark in honest.results[0].remarks)
    assert not parity.check(TorchNoisy(), JaxNoisy(1.0), x)


class TorchGrouped(nn.Module):
    """Attention in which two heads share the keys and the values of one."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(16, n, bias=False) for n in (16, 8, 8, 16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (y.unflatten(-1, (-1, 4)).transpose(1, 2) for y in (self.q(x), self.k(x), self.v(x)))
        k, v = k.repeat_interleave(2, 1), v.repeat_interleave(2, 1)
        return self.o(nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(-2))


class JaxGrouped(nnx.Module):
    """The same; heads next to one another share, or every other one."""

    def __init__(self, tiled: bool) -> None:
        rngs, self.tiled = nnx.Rngs(0), tiled
        self.q, self.k, self.v, self.o = (nnx.Linear(16, n, use_bias=False, rngs=rngs) for n in (16, 8, 8, 16))

    def __call__(self, x: jax.Array) -> jax.Array:
        q, k, v = (y.reshape(*x.shape[:2], -1, 4) for y in (self.q(x), self.k(x), self.v(x)))
        if self.tiled:
            k, v = (jnp.tile(y, (1, 1, 2, 1)) for y in (k, v))
        return self.o(jax.nn.dot_product_attention(q, k, v).reshape(x.shape))


@pytest.mark.part(0)
def test_heads_that_share_in_another_order_are_told_and_not_the_projection_after_them():
    torch.manual_seed(0)
    x = 0.3 * np.random.default_rng(0).normal(size=(2, 5, 16))  # small: heads then come near one another in numbers
    model = TorchGrouped()
    assert parity.check(model, JaxGrouped(tiled=False), x)
    report = parity.check(model, JaxGrouped(tiled=True), x)
    assert [f.torch_path for f in report.findings if not f and f.stage == "layer"] == ["v .. o"]


@pytest.mark.part(0)
def test_a_table_that_is_read_backwards_agrees_by_a_map_that_is_told():
    class TorchTable(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(5, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.table(torch.arange(5)) * x

    class JaxTable(nnx.Module):
        def __init__(self, backwards: bool) -> None:
            self.table, self.backwards = nnx.Embed(5, 3, rngs=nnx.Rngs(0)), backwards

        def __call__(self, x: jax.Array) -> jax.Array:
            return self.table(jnp.arange(5)[:: -1 if self.backwards else 1]) * x

    x = np.random.default_rng(0).normal(size=(5, 3))
    reports = [parity.check(TorchTable(), JaxTable(backwards), x) for backwards in (False, True)]
    assert all(reports), [str(report) for report in reports]
    told = ["runs backwards" in " ".join(report.results[0].remarks) for report in reports]
    assert told == [False, True]
