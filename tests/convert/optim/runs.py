"""A small net trained in torch and in JAX on the same batches: AdamW, OneCycleLR with its cycling betas, clipping."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

import parity
from jax_impl.clipping import clip_grad_norm

SIZES, BATCH, STEPS = (6, 16, 3), 12, 300
MAX_NORM = 0.5


def batch(step: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(step)
    x = rng.normal(size=(BATCH, SIZES[0]))
    return x, (np.abs(x[:, :1] * x[:, 1:2]) + 0.1 * x[:, 2:5]) ** 2


class Torch:
    """The run in torch.

    Args:
        dtype: Of all.
        ulps: Seed of a start that is one unit in the last place away, up or down, in every weight; 0 for none.
    """

    def __init__(self, dtype: str = "float64", ulps: int = 0, steps: int = STEPS) -> None:
        kind = getattr(torch, dtype)
        layers = [torch.nn.Linear(*SIZES[:2], dtype=kind), torch.nn.Tanh(), torch.nn.Linear(*SIZES[1:], dtype=kind)]
        self.model = torch.nn.Sequential(*layers)
        rng, move = np.random.default_rng(7), np.random.default_rng(ulps)
        with torch.no_grad():
            for p in self.model.parameters():
                start = torch.tensor(rng.normal(size=p.shape) / 2, dtype=kind)
                to = torch.tensor(move.choice([-np.inf, np.inf], size=p.shape), dtype=kind)
                p.copy_(torch.nextafter(start, to) if ulps else start)
        self.optimizer = torch.optim.AdamW(self.model.named_parameters(), lr=0.01)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, max_lr=0.05, total_steps=steps)

    def train(self, first: int, last: int) -> list[float]:
        losses = []
        for step in range(first, last):
            x, y = (torch.tensor(a, dtype=self.model[0].weight.dtype) for a in batch(step))
            self.optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(self.model(x), y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), MAX_NORM)
            self.optimizer.step()
            self.scheduler.step()
            losses.append(float(loss.detach()))
        return losses

    def save(self, path: Any, step: int, steps: int) -> None:
        parity.optim.save_torch(path, self.model, self.optimizer, self.scheduler, step=step, steps=steps)

    def load(self, path: Any) -> int:
        return parity.optim.load_torch(path, self.model, self.optimizer, self.scheduler)


def loss_of(params: Any, x: Any, y: Any) -> Any:
    hidden = jnp.tanh(x @ params["0.weight"].T + params["0.bias"])
    return jnp.mean((hidden @ params["2.weight"].T + params["2.bias"] - y) ** 2)


def jax_train(run: Any, first: int, last: int) -> tuple[Any, Any, list[float]]:
    """The same in JAX: the params, the state, and the losses."""

    @jax.jit
    def stepped(params: Any, state: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(params, x, y)
        clipped, _ = clip_grad_norm(gradients, MAX_NORM)
        updates, state = run.optimizer.update(clipped, state, params)
        return optax.apply_updates(params, updates), state, loss

    params, state, losses = run.params, run.state, []
    dtype = params["0.weight"].dtype
    for step in range(first, last):
        params, state, loss = stepped(params, state, *(jnp.asarray(a, dtype) for a in batch(step)))
        losses.append(float(loss))
    return params, state, losses


def gone_over(path: Any, dtype: str, change: Any = lambda run: run) -> tuple[Any, Any, Any, list[float]]:
    """A hundred steps in torch, a hundred in JAX: run, params, state and losses; `change` plants a fault."""
    first = Torch(dtype)
    losses = first.train(0, 100)
    first.save(path, 100, 200)
    run = change(parity.optim.load_jax(path))
    params, state, more = jax_train(run, 100, 200)
    return run, params, state, losses + more


def switched(path: Any, dtype: str) -> list[float]:
    """The losses of torch, JAX, torch, a hundred steps each, the run carried by a file."""
    run, params, state, losses = gone_over(path, dtype)
    parity.optim.save_jax(path, run.optimizer, params, state, step=200, others=run.others)
    last = Torch(dtype)
    assert last.load(path) == 200
    return losses + last.train(200, STEPS)
