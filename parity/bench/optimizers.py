"""One step of an optimizer, compiled, beside stock optax's and torch's, in one run and on the same numbers.

All take turns round by round, and who begins changes, so that what else the machine does falls on each alike; a ratio
is of two neighbours in time, and its median over the rounds is told.
"""

import importlib.util
import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.bench.table import print_grid
from parity.environment import environment

if TYPE_CHECKING:
    from rich.console import Console

OURS, OPTAX = "jax_impl.optim", "optax"
TORCH = {
    "torch one by one": {"foreach": False},
    "torch foreach": {"foreach": True},
    "torch fused": {"fused": True},
}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 1e-3, "momentum": 0.9},
    "Adam": {"lr": 1e-3},
    "AdamW": {"lr": 1e-3, "weight_decay": 0.01},
}
ROUNDS = 15
WARM_UP = 2
PAUSE = 0.25  # seconds between the frameworks: a pool of threads goes on spinning for a while after its work
TENSORS = 8  # what a model has is several


@dataclass(frozen=True)
class Row:
    """What one step of one implementation took.

    Attributes:
        optimizer: Such as "Adam".
        name: Whose step it is.
        seconds: Median over the rounds; None where it could not run.
        quickest: The shortest.
        times_optax: Its seconds by optax's of the same round, the median over the rounds; None without optax.
        missing: Why it could not run.
    """

    optimizer: str
    name: str
    seconds: float | None = None
    quickest: float | None = None
    times_optax: float | None = None
    missing: str = ""


@dataclass(frozen=True)
class Table:
    """The rows of one run.

    Attributes:
        elements: Parameters, in all.
        rounds: How often each was timed.
        rows: Optimizer by optimizer.
        environment: Versions and machine.
    """

    elements: int
    rounds: int
    rows: tuple[Row, ...]
    environment: dict[str, str]

    def to_json(self) -> str:
        """All of it as JSON."""
        told = {"benchmark": "optimizers", "elements": self.elements, "rounds": self.rounds}
        rows = [asdict(row) for row in self.rows]
        return json.dumps({**told, "rows": rows, "environment": self.environment}, indent=2, allow_nan=False) + "\n"


def measure(elements: int, progress: Callable[[str, int, int], None] = lambda *_: None) -> Table:
    """Time a step of each optimizer in float32, on each implementation that is installed.

    Args:
        elements: Parameters in all; at 10^7 some 1.5 GB of memory and half a minute.
        progress: Called with what runs next, how many are done, and how many there are.

    Returns:
        The Table.
    """
    rows: list[Row] = []
    for done, optimizer in enumerate(OPTIMIZERS):
        progress(optimizer, done, len(OPTIMIZERS))
        rows += rows_of(optimizer, elements)
    return Table(elements, ROUNDS, tuple(rows), environment())


def rows_of(optimizer: str, elements: int) -> list[Row]:
    """The rows of one optimizer."""
    steps, missing = steps_of(optimizer, *numbers(elements))
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(WARM_UP):
        for step in steps.values():
            step()
    for turn in range(ROUNDS):
        for framework in ((OURS, OPTAX), tuple(TORCH)):
            names = [name for name in framework if name in steps]
            time.sleep(PAUSE)
            for place in range(len(names)):
                name = names[(place + turn) % len(names)]
                start = time.perf_counter()
                steps[name]()
                times[name].append(time.perf_counter() - start)
    rows = [Row(optimizer, name, missing=why) for name, why in missing.items()]
    for name, seconds in times.items():
        ratios = [own / optax for own, optax in zip(seconds, times.get(OPTAX, ()), strict=False)]
        ratio = statistics.median(ratios) if ratios else None
        rows.append(Row(optimizer, name, statistics.median(seconds), min(seconds), ratio))
    order = [OURS, OPTAX, *TORCH]
    return sorted(rows, key=lambda row: order.index(row.name))


def numbers(elements: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Parameters and gradients: a few matrices of so many elements in all, by name.

    Examples:
        >>> sum(array.size for array in numbers(1000)[0].values())
        1000
    """
    rng = np.random.default_rng(0)
    sizes = [len(part) for part in np.array_split(np.empty(elements, np.bool_), TENSORS)]
    parameters, gradients = (
        {f"w{i}": rng.standard_normal(size, np.float32) for i, size in enumerate(sizes)} for _ in range(2)
    )
    return parameters, gradients


def steps_of(
    optimizer: str, parameters: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray]
) -> tuple[dict[str, Callable[[], Mapping[str, Any]]], dict[str, str]]:
    """A function for each implementation that takes one step, waits for it, and gives the parameters after it.

    Args:
        optimizer: One of OPTIMIZERS.
        parameters: Where all start.
        gradients: Of every step.

    Returns:
        The functions by name, and why those that are absent are.
    """
    steps: dict[str, Callable[[], Mapping[str, Any]]] = {}
    missing: dict[str, str] = {}
    if all(importlib.util.find_spec(name) for name in ("jax", "optax")):
        import jax_impl.optim

        hyperparameters = OPTIMIZERS[optimizer]
        steps[OURS] = _jax_step(getattr(jax_impl.optim, optimizer)(**hyperparameters), parameters, gradients)
        steps[OPTAX] = _jax_step(_stock(optimizer, hyperparameters), parameters, gradients)
    else:
        missing |= dict.fromkeys((OURS, OPTAX), "jax or optax is not installed")
    if importlib.util.find_spec("torch"):
        for name, how in TORCH.items():
            steps[name] = _torch_step(optimizer, how, parameters, gradients)
    else:
        missing |= dict.fromkeys(TORCH, "torch is not installed")
    return steps, missing


def _stock(optimizer: str, hyperparameters: Mapping[str, Any]) -> Any:
    import optax

    if optimizer == "SGD":
        return optax.sgd(hyperparameters["lr"], hyperparameters["momentum"])
    if optimizer == "Adam":
        return optax.adam(hyperparameters["lr"])
    return optax.adamw(hyperparameters["lr"], weight_decay=hyperparameters["weight_decay"])


def _jax_step(transform: Any, parameters: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray]) -> Any:
    import jax
    import jax.numpy as jnp
    import optax

    # Both give their buffers away, as a training loop does; without it each step would also allocate.
    def stepped(params: Any, state: Any, gradients: Any) -> Any:
        updates, state = transform.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    compiled = jax.jit(stepped, donate_argnums=(0, 1))
    # jnp.array copies: what is given away must not be NumPy's own memory.
    params, given = ({name: jnp.array(value) for name, value in tree.items()} for tree in (parameters, gradients))
    run = [params, transform.init(params)]

    def step() -> Mapping[str, Any]:
        run[:] = jax.block_until_ready(compiled(*run, given))
        return run[0]

    return step


def _torch_step(
    optimizer: str, how: Mapping[str, bool], parameters: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray]
) -> Any:
    import torch

    held = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in parameters.items()}
    for name, parameter in held.items():
        parameter.grad = torch.tensor(gradients[name])
    live = getattr(torch.optim, optimizer)(held.values(), **OPTIMIZERS[optimizer], **how)

    def step() -> Mapping[str, Any]:
        live.step()
        return {name: parameter.detach() for name, parameter in held.items()}

    return step


def print_table(table: Table, console: "Console") -> None:
    """The rows as text, 80 columns wide."""
    for optimizer in OPTIMIZERS:
        rows = [row for row in table.rows if row.optimizer == optimizer]
        told = ", ".join(f"{name} {value:g}" for name, value in OPTIMIZERS[optimizer].items())
        print_grid(
            console,
            f"{optimizer} ({told}), {table.elements:,} float32 parameters",
            ("one step", "ms", "quickest", "x optax"),
            [
                (
                    row.name,
                    f"{1e3 * row.seconds:,.4g}",
                    f"{1e3 * row.quickest:,.4g}",
                    "-" if row.times_optax is None else f"{row.times_optax:.3g}",
                )
                for row in rows
                if row.seconds is not None and row.quickest is not None
            ],
            [f"{row.name} did not run: {row.missing}" for row in rows if row.missing],
        )
    console.print(
        f"Medians of {table.rounds} rounds in which all take turns. x optax: the median of a step's\n"
        "time by optax's in the same round.",
        highlight=False,
    )
