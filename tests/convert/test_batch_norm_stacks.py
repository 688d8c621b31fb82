"""BatchNorm in stacks and in train mode: every statistic gets its partner, though no output of a train run reads it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import linen, nnx
from torch import nn

import parity

WIDTH, LAYERS = 6, 3
X = np.random.default_rng(0).standard_normal((16, WIDTH))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(WIDTH, WIDTH)
        self.bn = nn.BatchNorm1d(WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.tanh(self.bn(self.fc(x)))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(x))


class LinenBlock(linen.Module):
    train: bool

    @linen.compact
    def __call__(self, x: jax.Array, _: None) -> tuple[jax.Array, None]:
        norm = linen.BatchNorm(use_running_average=not self.train, momentum=0.9, epsilon=1e-5)
        return x + jnp.tanh(norm(linen.Dense(WIDTH)(x))), None


class LinenNet(linen.Module):
    train: bool

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        axes = {"params": 0, "batch_stats": 0}
        stack = linen.scan(LinenBlock, variable_axes=axes, split_rngs={"params": True}, length=LAYERS)
        return linen.Dense(2)(stack(self.train)(x, None)[0])


class NnxBlock(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.lin = nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        self.norm = nnx.BatchNorm(WIDTH, momentum=0.9, epsilon=1e-5, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return x + jnp.tanh(self.norm(self.lin(x)))


class NnxNet(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.blocks = nnx.split_rngs(splits=LAYERS)(nnx.vmap(lambda rngs: NnxBlock(rngs)))(rngs)
        self.out = nnx.Linear(WIDTH, 2, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        scan = nnx.scan(lambda x, block: block(x), in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
        return self.out(scan(x, self.blocks))


def on_linen(train: bool) -> Any:
    module = LinenNet(train)
    variables = module.init(jax.random.key(0), jnp.asarray(X, np.float32))
    return parity.JaxSide(module, variables, call=lambda apply, x: apply(x, mutable=["batch_stats"])[0])


def on_nnx(train: bool) -> Any:
    module = NnxNet(nnx.Rngs(0))
    (module.train if train else module.eval)()
    return module


@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("make", [on_linen, on_nnx])
def test_statistics_of_a_stack_are_those_of_the_layers_that_they_belong_to(make: Any, train: bool) -> None:
    torch.manual_seed(0)
    model = Net().train(train)
    found = parity.map_weights(model, make(train), X)
    assert found.proof.startswith("proven")
    statistics = {rule.torch: rule.jax for rule in found.rules if "running" in rule.torch}
    assert len(statistics) == 2 * LAYERS
    for name, place in statistics.items():
        assert place.endswith(f"{'mean' if 'mean' in name else 'var'}[{name.split('.')[1]}]")
    state = {n: t for n, t in model.state_dict().items() if n not in found.torch_alone}
    back = found.to_torch(found.to_jax(state))
    assert all(torch.equal(back[n], t) for n, t in state.items())


def test_a_stack_that_normalises_by_running_statistics_where_torch_is_in_another_mode_is_no_map() -> None:
    with pytest.raises(parity.convert.MappingError, match=r"blocks\.0\.bn"):
        parity.map_weights(Net().eval(), on_linen(train=True), X)
