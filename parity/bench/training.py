"""Whole trainings beside each other: a NumPy script, the readable loops, the fast ones, and the products they need."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.bench import numpy_loops
from parity.bench.bars import Bar, Panel, draw
from parity.bench.rounds import Clock, Spread, take_turns
from parity.bench.table import duration, print_grid
from parity.bench.variants import alike, compiled_anew
from parity.cases import loops as inputs_of
from parity.cases.network import train_in_numpy
from parity.environment import environment
from parity.sides import jax_backend, require
from parity.sides.inputs import is_float, rebuild

if TYPE_CHECKING:
    from rich.console import Console

NUMPY, TORCH, TORCH_FAST, JAX, JAX_FAST = "NumPy script", "torch readable", "torch fast", "jax readable", "jax fast"
FLOOR = "matrix products alone"
SEEDS = 16
ROUNDS, SECONDS = 5, 20.0


@dataclass(frozen=True)
class Loop:
    """A training that is timed.

    Attributes:
        name: Such as "spiral".
        title: What it is, in words.
        steps: Updates in it.
        inputs: inputs(steps) makes what the loops take.
        readable: Concept and function of the readable loop.
        fast: Name of the fast one in `loops`.
        numpy: The script, where there is one.
    """

    name: str
    title: str
    steps: int
    inputs: Callable[[int], dict[str, Any]]
    readable: tuple[str, str]
    fast: str
    numpy: Callable[[dict[str, Any]], Any] | None = None


LOOPS = (
    Loop(
        "spiral",
        "the spiral's net",
        10_000,
        lambda steps: inputs_of.spiral(np.random.default_rng(0), steps=steps),
        ("spiral", "train"),
        "train_spiral",
        lambda given: numpy_loops.train_spiral(**given),
    ),
    Loop(
        "network",
        "Nielsen's network on digits, 30 epochs",
        4500,
        lambda steps: inputs_of.network(np.random.default_rng(0), epochs=max(1, steps // 150)),
        ("network", "train_epochs"),
        "train_network",
        train_in_numpy,
    ),
    Loop(
        "lenet",
        "LeNet on digits, an epoch",
        187,
        lambda steps: inputs_of.lenet(np.random.default_rng(0), steps=steps),
        ("classifier", "train"),
        "train_lenet",
    ),
)


@dataclass(frozen=True)
class Row:
    """What one training took.

    Attributes:
        loop: Name of the loop.
        dtype: Of all of it.
        name: Whose it is.
        spread: Its times; None where it did not run.
        times_numpy: The NumPy script's median by this one: how many times as fast it is.
        times_floor: Its median by that of the matrix products alone.
        missing: Why it did not run.
    """

    loop: str
    dtype: str
    name: str
    spread: Spread | None = None
    times_numpy: float | None = None
    times_floor: float | None = None
    missing: str = ""


@dataclass(frozen=True)
class Table:
    """The rows of one run.

    Attributes:
        rows: Loop by loop.
        steps: Updates of each loop.
        clock: "processor time" or "time".
        device, threads: How all of it ran.
        environment: Versions and machine.
    """

    rows: tuple[Row, ...]
    steps: Mapping[str, int]
    clock: str
    device: str
    threads: int
    environment: dict[str, str]

    def to_json(self) -> str:
        """All of it as JSON."""
        told = {"benchmark": "training", "clock": self.clock, "device": self.device, "threads": self.threads}
        whole = {**told, "steps": dict(self.steps), "rows": [asdict(row) for row in self.rows]}
        return json.dumps({**whole, "environment": self.environment}, indent=2, allow_nan=False) + "\n"


def measure(
    *,
    device: str = "cpu",
    threads: int = 1,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    part: int = 1,
    clock: Clock | None = None,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Table:
    """Time every training at float32 and float64.

    On the CPU processor time is measured, which other programs on the machine disturb least; on a GPU time.

    Args:
        device: "cpu" or "cuda".
        threads: Of torch; JAX's are set before its backend starts.
        rounds: How many at most.
        seconds: That a training may take in the mean; three rounds at least.
        part: Only one step in so many.
        clock: Another clock.
        progress: Called with what runs next, how many are done, and how many there are.

    Returns:
        The Table.
    """
    for framework in ("torch", "jax"):
        require(framework)
    jax = jax_backend.start()
    how = "processor time" if device == "cpu" else "time"
    clock = clock or (time.process_time if device == "cpu" else time.perf_counter)
    given = {loop.name: loop.inputs(max(1, loop.steps // part)) for loop in LOOPS}
    steps = {name: _steps(inputs) for name, inputs in given.items()}
    rows: list[Row] = []
    turns = partial(take_turns, rounds=rounds, seconds=seconds, clock=clock)
    work = [(loop, dtype) for loop in LOOPS for dtype in ("float32", "float64")]
    with alike(threads, device), compiled_anew():
        for done, (loop, dtype) in enumerate(work):
            progress(f"{loop.name} at {dtype}", done, len(work) + 1)
            with jax.enable_x64(dtype == "float64"):
                rows += _rows(loop, dtype, given[loop.name], device, turns, steps[loop.name])
        progress("many seeds at once", len(work), len(work) + 1)
        steps["seeds"] = max(1, 500 // part)
        rows += _seeds(inputs_of.sweep(np.random.default_rng(0), SEEDS, steps["seeds"]), device, turns)
    return Table(tuple(rows), steps, how, device, threads, environment())


def _steps(given: dict[str, Any]) -> int:
    return int(np.prod(given["order"].shape[:-1])) if "order" in given else given["steps"]


Turns = Callable[[Mapping[str, Callable[[], Any]]], dict[str, Spread]]


def _rows(loop: Loop, dtype: str, given: dict[str, Any], device: str, turns: Turns, steps: int) -> list[Row]:
    narrow, tensors, arrays = _both(given, dtype, device)
    calls: dict[str, Callable[[], Any]] = {}
    if loop.numpy is not None:
        calls[NUMPY] = partial(loop.numpy, narrow)
    calls |= {
        TORCH: _awaited_torch(*loop.readable, tensors, device),
        TORCH_FAST: _awaited_torch("loops", loop.fast, tensors, device),
        JAX: _awaited_jax(*loop.readable, arrays),
        JAX_FAST: _awaited_jax("loops", loop.fast, arrays),
    }
    times = turns(calls)
    floor = _floor(numpy_loops.products(loop.name), dtype, turns, steps) if device == "cpu" else None
    numpy = times[NUMPY].median if NUMPY in times else None
    found = [
        Row(
            loop.name,
            dtype,
            name,
            spread,
            numpy / spread.median if numpy is not None and spread.median else None,
            spread.median / floor.median if floor is not None and floor.median else None,
        )
        for name, spread in times.items()
    ]
    if NUMPY not in times:
        found.insert(0, Row(loop.name, dtype, NUMPY, missing="NumPy has no convolution"))
    if floor is None:
        return [*found, Row(loop.name, dtype, FLOOR, missing="on a GPU they overlap with the rest")]
    return [*found, Row(loop.name, dtype, FLOOR, floor)]


def _floor(shapes: list[numpy_loops.Product], dtype: str, turns: Turns, steps: int) -> Spread:
    """The products of one step, each the quickest way, as often as there are steps."""
    quickest = []
    for ways in numpy_loops.multiply(shapes, dtype):
        times = turns({str(place): way for place, way in enumerate(ways)})
        quickest.append(ways[int(min(times, key=lambda place: times[place].median))])

    def all_of_them() -> None:
        for call in quickest:
            call()

    one = turns({FLOOR: all_of_them})[FLOOR]
    return Spread(one.median * steps, one.low * steps, one.high * steps, one.rounds, one.repeats, one.first * steps)


def _seeds(given: dict[str, Any], device: str, turns: Turns) -> list[Row]:
    _, tensors, arrays = _both(given, "float32", device)
    calls: dict[str, Callable[[], Any]] = {}
    for side, lanes in (("torch", tensors), ("jax", arrays)):
        train = _function(side, "spiral", "train")
        calls[f"{side} readable, each"] = partial(_lane_by_lane, train, lanes, side, device)
    for how, together in (("in turn", False), ("vmap", True)):
        calls[f"torch {how}"] = _awaited_torch("loops", "train_seeds", tensors | {"together": together}, device)
        calls[f"jax {how}"] = _awaited_jax("loops", "train_seeds", arrays | {"together": together})
    return [Row("seeds", "float32", name, spread) for name, spread in turns(calls).items()]


def _lane_by_lane(train: Callable[..., Any], given: dict[str, Any], side: str, device: str) -> None:
    """One training after another, each awaited."""
    import torch

    shared = {name: value for name, value in given.items() if name not in ("params", "learning_rates")}
    for lane, rate in enumerate(given["learning_rates"]):
        params = {name: value[lane] for name, value in given["params"].items()}
        output = train(params, learning_rate=float(rate), **shared)
        if side == "jax":
            _jax().block_until_ready(output)
        elif device == "cuda":
            torch.cuda.synchronize()


def _both(given: dict[str, Any], dtype: str, device: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The inputs as NumPy's arrays, torch's and JAX's."""
    import torch

    jax = _jax()
    place = jax.devices("gpu" if device == "cuda" else "cpu")[0]
    narrow = rebuild(given, lambda _, leaf: leaf.astype(dtype) if is_float(leaf) else leaf)
    held = lambda leaf: isinstance(leaf, np.ndarray)
    tensors = rebuild(narrow, lambda _, leaf: torch.tensor(leaf, device=device) if held(leaf) else leaf)
    arrays = rebuild(narrow, lambda _, leaf: jax.device_put(jax.numpy.asarray(leaf), place) if held(leaf) else leaf)
    return narrow, tensors, arrays


def _function(side: str, concept: str, name: str) -> Callable[..., Any]:
    import importlib

    return getattr(importlib.import_module(f"{side}_impl.{concept}"), name)


def _jax() -> Any:
    return jax_backend.start()


def _awaited_torch(concept: str, name: str, given: dict[str, Any], device: str) -> Callable[[], Any]:
    import torch

    train = _function("torch", concept, name)

    def call() -> Any:
        output = train(**given)
        if device == "cuda":
            torch.cuda.synchronize()
        return output

    return call


def _awaited_jax(concept: str, name: str, given: dict[str, Any]) -> Callable[[], Any]:
    jax, train = _jax(), _function("jax", concept, name)
    return lambda: jax.block_until_ready(train(**given))


def _grouped(table: Table) -> list[tuple[str, list[Row]]]:
    """The rows of each loop at each precision, with their title."""
    titles = {loop.name: loop.title for loop in LOOPS} | {"seeds": f"{SEEDS} learning rates and seeds of the spiral"}
    kinds = dict.fromkeys((row.loop, row.dtype) for row in table.rows)
    rows = {kind: [row for row in table.rows if (row.loop, row.dtype) == kind] for kind in kinds}
    return [(f"{titles[loop]}: {table.steps[loop]:,} steps, {dtype}", rows[loop, dtype]) for loop, dtype in kinds]


def picture(table: Table, path: str | Path) -> None:
    """Draw what a step takes as bars, a panel a loop and precision, the products alone as a line.

    Args:
        table: The rows.
        path: A file that matplotlib can write, such as "training.svg".
    """
    panels = []
    for title, rows in _grouped(table):
        steps = table.steps[rows[0].loop]
        spreads = {row.name: row.spread for row in rows if row.spread is not None}
        floor = spreads.pop(FLOOR, None)
        bars = [Bar(name, s.median / steps, s.low / steps, s.high / steps) for name, s in spreads.items()]
        if bars:
            panels.append(Panel(title, tuple(bars), (FLOOR, floor.median / steps) if floor else None))
    draw(panels, f"seconds a step ({table.clock}, {table.device}, {table.threads} thread(s) a side)", path)


def print_table(table: Table, console: "Console") -> None:
    """The rows as text, 80 columns wide."""
    for title, rows in _grouped(table):
        loop = rows[0].loop
        print_grid(
            console,
            title,
            ("training", "median", "us a step", "compile", "x NumPy", "x products"),
            [
                (
                    row.name,
                    duration(row.spread.median),
                    f"{1e6 * row.spread.median / table.steps[loop]:,.3g}",
                    duration(row.spread.compile) if row.name.startswith("jax") else "-",
                    "-" if row.times_numpy is None else f"{row.times_numpy:.2f}",
                    "-" if row.times_floor is None else f"{row.times_floor:.2f}",
                )
                for row in rows
                if row.spread is not None
            ],
            [f"{row.name}: {row.missing}" for row in rows if row.missing],
        )
    console.print(
        f"Medians in {table.clock} on {table.device}, {table.threads} thread(s) a side, of rounds in which all\n"
        "take turns. x NumPy: how many times as fast as the script. x products: the time\n"
        "by that of the matrix products of all steps alone, each the quickest way.",
        highlight=False,
        soft_wrap=True,
    )
