"""A small perceptron with layer norm, GELU and dropout: in torch, NNX, Linen and Equinox."""

from typing import Any

import equinox
import flax.linen as linen
import jax
from flax import nnx
from torch import nn

from twins.handmade import Handmade

IN, HIDDEN, OUT = 5, 8, 3

MLP_MAP = Handmade(
    up__weight=("fc1.kernel", 1, 0),
    up__bias=("fc1.bias",),
    norm__weight=("ln.scale",),
    norm__bias=("ln.bias",),
    down__weight=("fc2.kernel", 1, 0),
    down__bias=("fc2.bias",),
)
LINEN_MAP = Handmade(
    **{n.replace(".", "__"): (f"params.{path}", *axes) for n, (path, *axes) in MLP_MAP.rules_by_name.items()}
)


class TorchMLP(nn.Module):
    def __init__(self, *, dropout: float = 0.0, eps: float = 1e-5) -> None:
        super().__init__()
        self.up = nn.Linear(IN, HIDDEN)
        self.norm = nn.LayerNorm(HIDDEN, eps=eps)
        self.drop = nn.Dropout(dropout)
        self.down = nn.Linear(HIDDEN, OUT)

    def forward(self, x: Any) -> Any:
        return self.down(self.drop(self.norm(nn.functional.gelu(self.up(x)))))


class NnxMLP(nnx.Module):
    def __init__(self, *, eps: float, tanh: bool, bias: bool, dropout: float, left_on: bool) -> None:
        rngs = nnx.Rngs(0)
        self.fc1 = nnx.Linear(IN, HIDDEN, rngs=rngs)
        self.ln = nnx.LayerNorm(HIDDEN, epsilon=eps, rngs=rngs)
        self.drop = nnx.Dropout(dropout, rngs=rngs)
        self.fc2 = nnx.Linear(HIDDEN, OUT, use_bias=bias, rngs=rngs)
        self.tanh, self.left_on = tanh, left_on

    def __call__(self, x: Any) -> Any:
        hidden = self.ln(nnx.gelu(self.fc1(x), approximate=self.tanh))
        return self.fc2(self.drop(hidden, deterministic=False if self.left_on else None))


def mlp(
    *, eps: float = 1e-5, tanh: bool = False, bias: bool = True, dropout: float = 0.0, left_on: bool = False
) -> NnxMLP:
    return NnxMLP(eps=eps, tanh=tanh, bias=bias, dropout=dropout, left_on=left_on)


class LinenMLP(linen.Module):
    eps: float = 1e-5
    dropout: float = 0.0

    @linen.compact
    def __call__(self, x: Any, *, train: bool = False) -> Any:
        hidden = linen.gelu(linen.Dense(HIDDEN, name="fc1")(x), approximate=False)
        hidden = linen.LayerNorm(epsilon=self.eps, name="ln")(hidden)
        hidden = linen.Dropout(self.dropout, deterministic=not train)(hidden)
        return linen.Dense(OUT, name="fc2")(hidden)


class EquinoxMLP(equinox.Module):
    up: equinox.nn.Linear
    norm: equinox.nn.LayerNorm
    down: equinox.nn.Linear

    def __init__(self, eps: float = 1e-5) -> None:
        keys = jax.random.split(jax.random.key(0))
        self.up = equinox.nn.Linear(IN, HIDDEN, key=keys[0])
        self.norm = equinox.nn.LayerNorm(HIDDEN, eps=eps)
        self.down = equinox.nn.Linear(HIDDEN, OUT, key=keys[1])

    def __call__(self, x: Any) -> Any:
        return self.down(self.norm(jax.nn.gelu(self.up(x), approximate=False)))
