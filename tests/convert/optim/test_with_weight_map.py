"""An optimizer's rule runs in torch's layout on the leaves of a Flax model, by the map that map_weights proved."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from flax import nnx

import parity

pytestmark = pytest.mark.part(2)

X = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


class Port(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(4, 5, rngs=rngs)
        self.second = nnx.Linear(5, 3, rngs=rngs)

    def __call__(self, x):
        return self.second(jnp.tanh(self.first(x)))


@pytest.mark.parametrize(("kind", "options"), [("AdamW", {"lr": 0.1}), ("Adafactor", {"lr": 0.1})])
def test_training_goes_on_in_the_flax_model_where_torch_stopped(kind, options):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
    optimizer = getattr(torch.optim, kind)(model.named_parameters(), **options)

    def torch_step():
        optimizer.zero_grad()
        model(torch.tensor(X)).square().mean().backward()
        optimizer.step()

    for _ in range(3):
        torch_step()
    port = Port(nnx.Rngs(0))
    weights = parity.map_weights(model, port, X)
    nnx.update(port, weights.to_jax(model.state_dict(), like=nnx.state(port)))
    graph, params = nnx.split(port, nnx.Param)
    translated = parity.optim.from_torch(optimizer, weights)
    state = translated.init(params)

    @jax.jit
    def step(params, state):
        gradients = jax.grad(lambda p: jnp.mean(nnx.merge(graph, p)(X) ** 2))(params)
        updates, state = translated.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    for _ in range(3):
        params, state = step(params, state)
        torch_step()
    wanted = {n: a.numpy() for n, a in model.state_dict().items()}
    got = weights.to_torch(params)
    for name, array in wanted.items():
        # six steps of float32, a few roundings each, of parameters of size 1: a lost moment or layout is 1e-2 and more
        np.testing.assert_allclose(np.asarray(got[name]), array, rtol=0, atol=2e-6, err_msg=name)
