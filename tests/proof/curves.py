"""Training runs for the proof: honest ones of the library, and optimizers with faults that float32 cannot see."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from parity.cases.lenet import lenet_state
from parity.checking import Task, examine
from parity.data import as_32x32, case_study, digits, random_orders
from parity.report import CaseResult
from parity.sides import side

DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class HonestRun:
    """A training run of a pair.

    Attributes:
        name: What it is.
        concept: The pair.
        results: Names of what its `train` returns.
        inputs: Its inputs for a number of steps.
        steps: How many the whole run has.
        short: How many fit into every run of the tests.
        parts: Whether its float32 curves part before the end of the whole run.
        whole_horizon: How many steps of the whole run float64 can compare at least.
    """

    name: str
    concept: str
    results: tuple[str, str]
    inputs: Callable[[int], dict[str, Any]]
    steps: int
    short: int
    parts: bool
    whole_horizon: int

    def examine(self, steps: int) -> CaseResult:
        """Both sides compared over so many steps."""
        sides = []
        for framework in ("torch", "jax"):
            train = importlib.import_module(f"{framework}_impl.{self.concept}").train
            sides.append(side(framework, self._named(train)))
        task = Task(self.name, self.inputs(steps), stage="curve", wrt=(), carry=self.results[:1])
        return examine(*sides, task, dtypes=DTYPES)

    def _named(self, train: Callable[..., Any]) -> Callable[..., Any]:
        return lambda **inputs: dict(zip(self.results, train(**inputs), strict=True))


def spiral(learning_rate: float) -> Callable[[int], dict[str, Any]]:
    """The case study's net on its own points."""
    study = case_study()
    given = {"params": study.two_layer, "X": study.X, "y": study.y, "learning_rate": learning_rate, "reg": 1e-3}
    return lambda steps: {**given, "steps": steps}


def lenet(learning_rate: float, *, batch: int = 4) -> Callable[[int], dict[str, Any]]:
    """LeNet with momentum on the digits, in batches as small as the tutorial's."""

    def inputs(steps: int) -> dict[str, Any]:
        rng, data = np.random.default_rng(0), digits()
        params = lenet_state(rng)
        order = random_orders(1500, batch, -(-steps * batch // 1500), rng=rng).reshape(-1, batch)[:steps]
        return {
            "state": {"params": params, "momentum_buffer": {name: np.zeros_like(w) for name, w in params.items()}},
            "images": 2 * as_32x32(data.train_images) - 1,
            "labels": data.train_labels,
            "order": order,
            "learning_rate": learning_rate,
        }

    return inputs


NET, NET_WITH_MOMENTUM = ("params", "losses"), ("state", "losses")
HONEST = (
    HonestRun("spiral, learning rate 0.1", "spiral", NET, spiral(0.1), 10_000, 300, False, 10_000),
    HonestRun("spiral, learning rate 1", "spiral", NET, spiral(1.0), 10_000, 300, True, 2000),
    HonestRun("LeNet, learning rate 0.0003", "classifier", NET_WITH_MOMENTUM, lenet(0.0003), 2000, 20, False, 2000),
    HonestRun("LeNet, learning rate 0.001", "classifier", NET_WITH_MOMENTUM, lenet(0.001), 2000, 20, True, 2000),
)


RATE, DECAY = 1e-3, 1e-2


def adam_inputs(steps: int, *, learning_rate: float = RATE) -> dict[str, Any]:
    """A small net's whole training state, its batches, and a teacher's answers."""
    rng = np.random.default_rng(0)
    params = {"W": rng.normal(size=(6, 8)) / 2, "b": rng.normal(size=8) / 4, "W2": rng.normal(size=(8, 3)) / 3}
    zeros = {name: np.zeros_like(w) for name, w in params.items()}
    X = rng.normal(size=(40, 16, 6))
    return {
        "state": {"params": params, "m": zeros, "v": zeros, "count": np.array(0)},
        "X": X,
        "Y": np.sin(X @ rng.normal(size=(6, 3))),
        "order": np.arange(steps) % 40,
        "learning_rate": learning_rate,
    }


def torch_adam(state: Any, X: Any, Y: Any, order: Any, learning_rate: float) -> dict[str, Any]:
    """Torch's own AdamW."""
    params = {name: torch.nn.Parameter(w.clone()) for name, w in state["params"].items()}
    optimizer = torch.optim.AdamW(params.values(), lr=learning_rate, weight_decay=DECAY)
    for name, w in params.items():
        slots = {"exp_avg": state["m"][name].clone(), "exp_avg_sq": state["v"][name].clone()}
        optimizer.state[w] = {"step": state["count"].to(torch.float32), **slots}
    losses = []
    for i in order:
        optimizer.zero_grad()
        error = torch.tanh(X[i] @ params["W"] + params["b"]) @ params["W2"] - Y[i]
        loss = (error * error).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    slots = {name: optimizer.state[w] for name, w in params.items()}
    return {
        "state": {
            "params": {name: w.detach() for name, w in params.items()},
            "m": {name: slot["exp_avg"] for name, slot in slots.items()},
            "v": {name: slot["exp_avg_sq"] for name, slot in slots.items()},
            "count": state["count"] + len(order),
        },
        "losses": torch.stack(losses),
    }


def jax_adam(make: Callable[[Any], optax.GradientTransformation]) -> Callable[..., dict[str, Any]]:
    """A training by an optax chain whose first link is `scale_by_adam`; `make` gets the learning rate."""

    def loss_of(params: Any, x: Any, y: Any) -> Any:
        error = jnp.tanh(x @ params["W"] + params["b"]) @ params["W2"] - y
        return (error * error).mean()

    def train(state: Any, X: Any, Y: Any, order: Any, learning_rate: float) -> dict[str, Any]:
        optimizer = make(learning_rate)
        _, *others = optimizer.init(state["params"])
        first = optax.ScaleByAdamState(jnp.asarray(state["count"], jnp.int32), state["m"], state["v"])

        def step(carry: Any, i: Any) -> Any:
            params, slots = carry
            loss, gradients = jax.value_and_grad(loss_of)(params, X[i], Y[i])
            updates, slots = optimizer.update(gradients, slots, params)
            return (optax.apply_updates(params, updates), slots), loss

        (params, (slots, *_)), losses = jax.lax.scan(step, (state["params"], (first, *others)), order)
        after = {"params": params, "m": slots.mu, "v": slots.nu, "count": state["count"] + len(order)}
        return {"state": after, "losses": losses}

    return train


def corrected_in_full(b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> optax.GradientTransformation:
    """Adam with the bias corrections 1 - beta^t as -expm1(t log beta): as good at float32 as torch's, in double."""

    def init(params: Any) -> Any:
        return optax.scale_by_adam().init(params)

    def update(gradients: Any, state: Any, params: Any) -> Any:
        count = state.count + 1
        m = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, gradients)
        v = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, state.nu, gradients)
        first, second = (-jnp.expm1(count * np.log(beta)) for beta in (b1, b2))
        updates = jax.tree.map(lambda m, v: (m / first) / (jnp.sqrt(v / second) + eps), m, v)
        return updates, optax.ScaleByAdamState(count, m, v)

    return optax.GradientTransformation(init, update)


def exact_adamw(rate: Any) -> optax.GradientTransformation:
    """AdamW with bias corrections that float32 keeps."""
    return optax.chain(corrected_in_full(), optax.add_decayed_weights(DECAY), optax.scale_by_learning_rate(rate))


def momentum_in_bfloat16(rate: Any) -> optax.GradientTransformation:
    """AdamW whose first moment is kept in bfloat16 wherever the parameters are float32."""
    adam = corrected_in_full()

    def update(gradients: Any, state: Any, params: Any) -> Any:
        updates, state = adam.update(gradients, state, params)
        kept = jax.tree.map(lambda m: jax.lax.reduce_precision(m, 8, 7) if m.dtype == jnp.float32 else m, state.mu)
        return updates, state._replace(mu=kept)

    return optax.chain(
        optax.GradientTransformation(adam.init, update),
        optax.add_decayed_weights(DECAY),
        optax.scale_by_learning_rate(rate),
    )


def adamw(**options: Any) -> Callable[[Any], optax.GradientTransformation]:
    """AdamW as its links; options are those of the first."""
    return lambda rate: optax.chain(
        optax.scale_by_adam(**options), optax.add_decayed_weights(DECAY), optax.scale_by_learning_rate(rate)
    )


def decay_not_scaled(rate: Any) -> optax.GradientTransformation:
    """The paper's decay, which the learning rate does not scale; as large as torch's in the first digit."""
    return optax.chain(
        optax.scale_by_adam(), optax.scale_by_learning_rate(rate), optax.add_decayed_weights(-1.01 * RATE * DECAY)
    )


def decay_last(rate: Any) -> optax.GradientTransformation:
    """Decay of what the step has given, in place of what it started from."""

    def update(updates: Any, state: Any, params: Any) -> Any:
        return jax.tree.map(lambda u, w: u - rate * DECAY * (w + u), updates, params), state

    last = optax.GradientTransformation(lambda params: optax.EmptyState(), update)
    return optax.chain(optax.scale_by_adam(), optax.scale_by_learning_rate(rate), last)


@dataclass(frozen=True)
class OptimizerFault:
    """An optimizer that is a little wrong.

    Attributes:
        name: What is wrong.
        make: The optimizer, given the learning rate.
        curve_step: The first loss at float64 that shows it.
        forced_step: The first of the single steps from a shared state that shows it.
    """

    name: str
    make: Callable[[Any], optax.GradientTransformation]
    curve_step: int
    forced_step: int


FAULTS = (
    OptimizerFault("eps 1.001e-8 in place of 1e-8", adamw(eps=1.001e-8), 1, 0),
    # the bias correction hides it in the first update
    OptimizerFault("beta2 0.999000001 in place of 0.999", adamw(b2=0.999 + 1e-9), 2, 0),
    OptimizerFault("eps inside the root", adamw(eps=0.0, eps_root=1e-8), 1, 0),
    OptimizerFault("decay not scaled by the learning rate, 1% off", decay_not_scaled, 1, 0),
    OptimizerFault("decay after the step in place of before", decay_last, 1, 0),
)


def trained(
    make: Callable[[Any], optax.GradientTransformation],
    steps: int,
    *,
    dtypes: tuple[str, ...] = DTYPES,
    **options: Any,
) -> CaseResult:
    """Torch's AdamW against an optax chain."""
    task = Task("AdamW", adam_inputs(steps, **options), stage="curve", wrt=(), carry=("state",))
    return examine(side("torch", torch_adam), side("jax", jax_adam(make)), task, dtypes=dtypes)
