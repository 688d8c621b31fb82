"""How fast both sides of a pair are, or a user's own two functions: every way to run them, in one run, in turns."""

import json
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from parity.bench import floors, torch_cost
from parity.bench.floors import Rates, Work
from parity.bench.rounds import ROUNDS, SECONDS, Spread, take_turns, timed
from parity.bench.variants import (
    COMPILE,
    EAGER,
    JAX_EAGER,
    JIT,
    SCAN,
    alike,
    compiled_anew,
    jax_variants,
    torch_variants,
)
from parity.cases import Case, cases_of, resolve
from parity.environment import environment
from parity.sides import MissingFramework, jax_backend, require
from parity.sides.given import as_jax_side, as_torch_side
from parity.sides.inputs import leaves

Progress = Callable[[str, int, int], None]
MOSTLY = 0.5
"""From this share of its time on, a variant is said to be dispatch."""


class SideRaised(RuntimeError):
    """A side could not run; the message names it."""


@dataclass(frozen=True)
class Row:
    """How long one variant of one case takes.

    Attributes:
        case: Such as "spiral.loss".
        variant: Such as "jax jit".
        spread: Its times; None where it did not run.
        dispatch: Share of its time that entering the framework from Python takes at least, by the time of the smallest
            operation; None where that was not counted.
        times_floor: Its median by the floor.
        missing: Why it did not run.
    """

    case: str
    variant: str
    spread: Spread | None = None
    dispatch: float | None = None
    times_floor: float | None = None
    missing: str = ""


@dataclass(frozen=True)
class Floor:
    """The least time that a case's work can take.

    Attributes:
        case: The case.
        seconds: The larger of the arithmetic at the matrix products' rate and the bytes at a copy's bandwidth.
        bound: Which of the two it is: "flops" or "bytes".
        work: What is to be done.
        entry: Seconds of the smallest operation of either framework, from Python.
    """

    case: str
    seconds: float
    bound: str
    work: Work
    entry: float = 0.0


@dataclass(frozen=True)
class Speed:
    """The rows of one run.

    Attributes:
        rows: Case by case.
        floors: One a case.
        rates: What the machine can do at this precision.
        dtype, device, threads: How all of it ran.
        environment: Versions and machine.
    """

    rows: tuple[Row, ...]
    floors: tuple[Floor, ...]
    rates: Rates
    dtype: str
    device: str
    threads: int
    environment: dict[str, str]

    def to_json(self) -> str:
        """All of it as JSON."""
        told = {"benchmark": "speed", "dtype": self.dtype, "device": self.device, "threads": self.threads}
        rates = {"flops": self.rates.flops, "bandwidth": {str(k): v for k, v in self.rates.bandwidth.items()}}
        rest = {"rows": [asdict(row) for row in self.rows], "floors": [asdict(floor) for floor in self.floors]}
        whole = {**told, "rates": rates, **rest, "environment": self.environment}
        return json.dumps(whole, indent=2, allow_nan=False) + "\n"

    def __str__(self) -> str:
        from rich.console import Console

        from parity.bench.speed_text import print_speed

        console = Console(width=80, color_system=None, force_terminal=False)
        with console.capture() as captured:
            print_speed(self, console)
        return captured.get()


def speed(
    torch_side: Any,
    jax_side: Any,
    *inputs: Any,
    dtype: str = "float32",
    device: str = "cpu",
    threads: int = 1,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    compile: bool = True,
    name: str = "",
    progress: Progress = lambda *_: None,
) -> Speed:
    """Time your own two functions or models: compile time apart, results awaited, all variants in turns.

    Args:
        torch_side: A function of tensors, an nn.Module, or a parity.TorchSide.
        jax_side: A function of JAX arrays, a Flax NNX or Equinox module, or a parity.JaxSide.
        *inputs: NumPy arrays, or nests of them.
        dtype: What floating inputs are turned into; the weights of a model stay as they are.
        device: "cpu" or "cuda".
        threads: Of torch, on the CPU. JAX takes its own from NPROC when its backend starts: `parity bench` sets both.
        rounds: How many at most.
        seconds: That a variant may take in the mean.
        compile: Whether torch.compile takes part: it needs a C++ compiler, and half a minute.
        name: What the table calls it.
        progress: Called with what runs next, how many are done, and how many there are.

    Returns:
        A Speed: printable, with `to_json`.

    Raises:
        SideRaised: Where a side raises.
        TypeError: Where a side is nothing that can be run.

    Examples:
        >>> import jax, torch
        >>> table = speed(torch.tanh, jax.numpy.tanh, np.ones((64, 64)), compile=False, seconds=0.01, rounds=3)
        >>> [row.variant for row in table.rows]
        ['torch eager', 'jax eager', 'jax jit']
    """
    for framework in ("torch", "jax"):
        require(framework)
    given = {str(position): value for position, value in enumerate(inputs)}
    sides = _torch_call(as_torch_side(torch_side), device), _jax_call(as_jax_side(jax_side))
    named = Case(name or "your functions", lambda rng: given)
    return _measured([(named, sides)], dtype, device, threads, rounds, seconds, compile, progress)


def concepts(
    names: Sequence[str] = (),
    *,
    dtype: str = "float32",
    device: str = "cpu",
    threads: int = 1,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
    compile: bool = True,
    progress: Progress = lambda *_: None,
) -> Speed:
    """Time built-in pairs on the inputs of their own cases.

    Args:
        names: Of concepts; none means all.
        dtype, device, threads, rounds, seconds, compile, progress: As for `speed`.

    Returns:
        A Speed.

    Raises:
        UnknownConcept: For a name that is none.
        SideRaised: Where a side raises.
    """
    chosen = [case for concept in resolve(names) for case in worth_timing(cases_of(concept))]
    for framework in ("torch", "jax"):
        require(framework)
    jax_backend.start()
    work = [(case, (case.function("torch_impl"), case.function("jax_impl"))) for case in chosen]
    return _measured(work, dtype, device, threads, rounds, seconds, compile, progress)


def worth_timing(cases: Sequence[Case]) -> list[Case]:
    """Of a pair's cases the one with the most numbers in its inputs, of each stage.

    Examples:
        >>> [case.name for case in worth_timing(cases_of("losses"))]
        ['losses.quadratic_cost', 'losses.cross_entropy_gradient']
    """
    largest: dict[str, tuple[int, Case]] = {}
    for case in cases:
        inputs = case.inputs(np.random.default_rng(case.seed))
        size = sum(leaf.size for _, leaf in leaves(inputs) if isinstance(leaf, np.ndarray))
        if size > largest.get(case.stage, (0, case))[0]:
            largest[case.stage] = size, case
    return [case for _, case in largest.values()]


def _measured(
    work: Sequence[tuple[Case, tuple[Callable[..., Any], Callable[..., Any]]]],
    dtype: str,
    device: str,
    threads: int,
    rounds: int,
    seconds: float,
    compile: bool,
    progress: Progress,
) -> Speed:
    rows: list[Row] = []
    least: list[Floor] = []
    jax = jax_backend.start()
    with alike(threads, device), jax.enable_x64(dtype == "float64"), compiled_anew():
        progress("the machine's own rates", 0, len(work))
        rates, entries = floors.measured(dtype, device), _entries(device)
        for done, (case, sides) in enumerate(work):
            progress(case.name, done, len(work))
            found, floor = _case(case, sides, dtype, device, compile, rates, entries, rounds, seconds)
            rows += found
            least.append(floor)
    return Speed(tuple(rows), tuple(least), rates, dtype, device, threads, environment())


def _case(
    case: Case,
    sides: tuple[Callable[..., Any], Callable[..., Any]],
    dtype: str,
    device: str,
    compile: bool,
    rates: Rates,
    entries: dict[str, float],
    rounds: int,
    seconds: float,
) -> tuple[list[Row], Floor]:
    inputs = case.inputs(np.random.default_rng(case.seed))
    loop = case.stage in ("curve", "update")
    with _told(case.name, "torch"):
        variants = torch_variants(sides[0], inputs, dtype=dtype, device=device, loop=loop, compile=compile)
    with _told(case.name, "jax"):
        ours, work = jax_variants(sides[1], inputs, dtype=dtype, device=device, jit=case.jit)
    if work.flops is None and variants[0].call is not None:
        work = replace(work, flops=torch_cost.flops(variants[0].call), flops_by=torch_cost.BY)
    rows = {v.name: Row(case.name, v.name, missing=v.missing) for v in (*variants, *ours)}
    ready = {v.name: (v.call, v.calls) for v in (*variants, *ours) if v.call is not None}
    firsts = {}
    for name, (call, _) in ready.items():
        try:
            with _told(case.name, "torch" if name in (EAGER, COMPILE) else "jax"):
                firsts[name] = timed(call)
        except SideRaised as error:
            if name != COMPILE:
                raise
            rows[name] = Row(case.name, name, missing=str(error))  # the function itself runs: dynamo cannot have it
    times = take_turns({n: ready[n][0] for n in firsts}, firsts=firsts, rounds=rounds, seconds=seconds)
    floor, bound = rates.floor(work)
    for name, spread in times.items():
        entered = ready[name][1]
        share = None if entered is None else min(1.0, entered * entries[name] / spread.median)
        rows[name] = Row(case.name, name, spread, share, spread.median / floor if floor else None)
    return list(rows.values()), Floor(case.name, floor, bound, work, min(entries.values()))


def _entries(device: str) -> dict[str, float]:
    """What it costs to enter each framework from Python: the time of its smallest operation."""
    import torch

    jax = jax_backend.start()
    one = torch.ones(1, device=device)
    other = jax.device_put(jax.numpy.ones(1), jax.devices("gpu" if device == "cuda" else "cpu")[0])
    added = jax.jit(lambda x: x + 1)
    times = take_turns(
        {
            "torch": lambda: one.add(1),
            "eager": lambda: jax.block_until_ready(other + other),
            "jit": lambda: jax.block_until_ready(added(other)),
        },
        seconds=0.05,
    )
    torch_one, eager, jit = (times[name].median for name in ("torch", "eager", "jit"))
    return {EAGER: torch_one, JAX_EAGER: eager, JIT: jit, SCAN: jit}


@contextmanager
def _told(case: str, framework: str) -> Any:
    try:
        yield
    except (SideRaised, MissingFramework):
        raise
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise SideRaised(f"{case}: the {framework} side raised: {type(error).__name__}: {first}") from error


def _torch_call(side: Any, device: str) -> Callable[..., Any]:
    import torch

    model, call = side.model, side.call
    if side.kind == "module":
        model.to(device)
    run = model if call is None else lambda *inputs: call(model, *inputs)

    def function(**named: Any) -> Any:
        with torch.no_grad():
            return run(*named.values())

    return function if side.kind == "module" else lambda **named: run(*named.values())


def _jax_call(side: Any) -> Callable[..., Any]:
    module, call, variables = side.module, side.call, side.variables
    if side.kind == "linen":
        module = lambda *inputs, _of=module, **options: _of.apply(variables, *inputs, **options)
    elif side.kind == "function" and variables is not None:
        module = lambda *inputs, _of=module: _of(variables, *inputs)
    return lambda **named: module(*named.values()) if call is None else call(module, *named.values())
