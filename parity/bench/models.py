"""`parity.check` on GPT-2's smallest size, beside the bare runs that it needs, at several depths, in one run.

Four bare runs are what a user makes to have both sides' outputs and gradients at two precisions: torch and JAX, float64
and float32, forwards and backwards, JAX's tracing and compiling included. The rule needs a fifth run, of torch at
float64 with every rounding disturbed, which measures the rounding bound; so a fifth bare run is measured too: torch's
float64 run once more, plain, with nothing in it of what disturbing costs. The check is told in units of the four and of
the five. What else it does is its own cost: the noise, carrying weights over and comparing. Each measurement has a
process of its own, so that the largest memory is its own too; it is told in processor seconds, which another program on
the machine does not lengthen, and in seconds on the clock.
"""

import json
import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from parity.bench.bars import Bar, Panel, draw
from parity.bench.check_parts import PARTS, parts
from parity.bench.gpt2_pair import Size, both, weight_map
from parity.bench.table import print_grid
from parity.environment import environment

if TYPE_CHECKING:
    from rich.console import Console

DEPTHS = (6, 12, 24)
BARE = ("torch float64", "torch float32", "jax float64", "jax float32")
AGAIN = "torch float64, once more"
CHECK, MAPPING = "parity.check, weights given", "parity.map_weights"
COUNTED = (
    "The four: both sides at float64 and float32, forwards and backwards, tracing and compiling included. The five: "
    "torch's plain float64 run once more beside them, for the rule needs a second one, whose roundings are disturbed; "
    "what disturbing adds to a run is the check's own cost."
)
"""What the ratios count."""


@dataclass(frozen=True)
class Cost:
    """What one measurement took.

    Attributes:
        processor: Seconds of all processors together.
        clock: Seconds on the clock.
        peak: Largest memory of its process by then, in bytes, the frameworks and the models included.
        verdict: Of a check.
        parts: Of a check: what of the processor seconds went into what.
    """

    processor: float
    clock: float
    peak: int
    verdict: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One depth.

    Attributes:
        layers: The depth.
        parameters: Numbers in either model.
        bare: Each of the four bare runs, by name.
        again: The fifth.
        check: The check.
        mapping: What finding the weights took, where it was measured.
    """

    layers: int
    parameters: int
    bare: Mapping[str, Cost]
    again: Cost
    check: Cost
    mapping: Cost | None = None

    @property
    def needed(self) -> float:
        """Processor seconds of the four bare runs."""
        return sum(cost.processor for cost in self.bare.values())

    @property
    def ratio(self) -> float:
        """The check's processor seconds by those."""
        return self.check.processor / self.needed

    @property
    def ratio_of_five(self) -> float:
        """The check's processor seconds by those of the five."""
        return self.check.processor / (self.needed + self.again.processor)


@dataclass(frozen=True)
class Table:
    """The rows of one run.

    Attributes:
        size: Of the models.
        rows: Depth by depth.
        environment: Versions and machine.
    """

    size: Size
    rows: tuple[Row, ...]
    environment: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """All of it as JSON."""
        rows = [{**asdict(row), "ratio": row.ratio, "ratio_of_five": row.ratio_of_five} for row in self.rows]
        told = {"benchmark": "models", "size": asdict(self.size), "rows": rows, "environment": self.environment}
        return json.dumps(told, indent=2, allow_nan=False) + "\n"


def measure(
    depths: Sequence[int] = DEPTHS,
    size: Size | None = None,
    progress: Callable[[str, int, int], None] = lambda *_: None,
    *,
    mapping: bool = False,
    apart: bool = True,
) -> Table:
    """Measure each depth.

    Args:
        depths: Numbers of layers.
        size: Of the models; as Size has it where not given, 10 GB of memory at 24 layers.
        progress: Called with what runs next, how many are done, and how many there are.
        mapping: Whether to measure `map_weights` too, which takes longer than all else.
        apart: Whether each measurement has a process of its own, as its memory needs.

    Returns:
        The Table.
    """
    size = size or Size()
    kinds: list[Callable[..., Any]] = [bare, checked, *([mapped] if mapping else [])]
    run = in_child if apart else lambda do, *arguments: do(*arguments)
    rows, done = [], 0
    for layers in depths:
        costs = []
        for kind in kinds:
            progress(f"{layers} layers: {kind.__name__}", done, len(depths) * len(kinds))
            costs.append(run(kind, layers, size))
            done += 1
        (runs, again, parameters), check = costs[:2]
        rows.append(Row(layers, parameters, runs, again, check, costs[2] if mapping else None))
    return Table(size, tuple(rows), environment())


def bare(layers: int, size: Size) -> tuple[dict[str, Cost], Cost, int]:
    """The bare runs, one after the other: (what each of the four took, the fifth, the number of parameters)."""
    import torch

    from parity.bench.gpt2_jax import GPT2
    from parity.sides import jax_backend

    jax = jax_backend.start()
    from flax import nnx

    torch_model, _, tokens = both(layers, size)
    head = np.random.default_rng(1).standard_normal((1, size.length, size.vocabulary))
    costs: dict[str, Cost] = {}
    for label, name in ((BARE[0], "float64"), (AGAIN, "float64"), (BARE[1], "float32")):
        model = torch_model.to(getattr(torch, name))
        with _Measured() as measured:
            output = model(torch.from_numpy(tokens))
            found = torch.autograd.grad(output, list(model.parameters()), torch.from_numpy(head).to(output.dtype))
            kept = [g.numpy().copy() for g in found]
        costs[label] = measured.cost()
        del output, found, kept
    for name in ("float64", "float32"):
        with jax.enable_x64(name == "float64"):
            sizes = asdict(size)
            graph, state = nnx.split(GPT2(layers, **sizes, dtype=name, rngs=nnx.Rngs(0)))

            def both_ways(state: Any, tokens: Any, head: Any, graph: Any = graph) -> Any:
                output, pull_back = jax.vjp(lambda state: nnx.merge(graph, state)(tokens), state)
                return output, pull_back(head)

            given = jax.numpy.asarray(tokens), jax.numpy.asarray(head, name)
            with _Measured() as measured:
                kept = jax.tree.map(np.asarray, jax.jit(both_ways)(state, *given))
            costs[f"jax {name}"] = measured.cost()
            del kept, state
    again = costs.pop(AGAIN)
    return costs, again, sum(p.numel() for p in torch_model.parameters())


def checked(layers: int, size: Size) -> Cost:
    """The check, with the weights' map given."""
    import parity

    torch_model, jax_model, tokens = both(layers, size)
    weights = weight_map(torch_model, jax_model)
    with parts() as clock, _Measured() as measured:
        report = parity.check(torch_model, jax_model, tokens, weights=weights)
    return replace(measured.cost(str(report.verdict)), parts=clock.spent)


def mapped(layers: int, size: Size) -> Cost:
    """The search for the map."""
    from parity.convert import map_weights

    torch_model, jax_model, tokens = both(layers, size)
    with _Measured() as measured:
        map_weights(torch_model, jax_model, tokens)
    return measured.cost()


class _Measured:
    """Processor and clock seconds of what is done while it is entered."""

    def __enter__(self) -> "_Measured":
        self._began = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.processor, self.clock = (
            now - then for now, then in zip((time.process_time(), time.perf_counter()), self._began, strict=True)
        )

    def cost(self, verdict: str = "") -> Cost:
        """What it took, and the largest memory of this process so far."""
        return Cost(self.processor, self.clock, _peak(), verdict)


def _peak() -> int:
    import resource
    import sys

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def in_child(do: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of a module in a process of its own.

    Raises:
        RuntimeError: If the process ended before it was done.
    """
    with multiprocessing.get_context("spawn").Pool(1, _uncached) as pool:
        return pool.apply(do, arguments)


def _uncached() -> None:
    """Nothing that was compiled before is taken from the disk."""
    import os

    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"


def picture(table: Table, path: str | Path) -> None:
    """Draw what the bare runs, the check and finding the weights took as bars, a panel a depth.

    Args:
        table: The rows.
        path: A file that matplotlib can write, such as "models.svg".
    """
    panels = []
    for row in table.rows:
        costs = {**row.bare, AGAIN: row.again, CHECK: row.check} | ({MAPPING: row.mapping} if row.mapping else {})
        bars = [Bar(name, cost.processor, cost.processor, cost.processor) for name, cost in costs.items()]
        title = f"GPT-2, {row.layers} layers, {row.parameters / 1e6:.1f}M parameters"
        panels.append(Panel(title, tuple(bars), ("the four bare runs", row.needed)))
    draw(panels, "seconds of processor time", path)


def print_table(table: Table, console: "Console") -> None:
    """Print one column a depth: processor seconds of each bare run and of the check, the ratios, and memory."""
    size = table.size
    columns = ["processor seconds", *(f"{row.layers} layers" for row in table.rows)]

    def line(name: str, of: Callable[[Row], str]) -> list[str]:
        return [name, *(of(row) for row in table.rows)]

    lines = [line("parameters", lambda row: f"{row.parameters / 1e6:.1f}M")]
    lines += [[name, *(f"{row.bare[name].processor:.1f}" for row in table.rows)] for name in BARE]
    lines.append(line("these four", lambda row: f"{row.needed:.1f}"))
    lines.append(line(AGAIN, lambda row: f"{row.again.processor:.1f}"))
    lines.append(line(CHECK, lambda row: f"{row.check.processor:.1f}"))
    lines += [[f"  {part}", *(f"{row.check.parts.get(part, 0.0):.1f}" for row in table.rows)] for part in PARTS]
    lines.append(line("times the four", lambda row: f"{row.ratio:.2f}"))
    lines.append(line("times the five", lambda row: f"{row.ratio_of_five:.2f}"))
    lines.append(line("verdict", lambda row: row.check.verdict))
    lines.append(line("clock: the four", lambda row: f"{sum(c.clock for c in row.bare.values()):.1f}"))
    lines.append(line("clock: check", lambda row: f"{row.check.clock:.1f}"))
    lines.append(line("peak GB: bare runs", lambda row: f"{max(c.peak for c in row.bare.values()) / 2**30:.1f}"))
    lines.append(line("peak GB: check", lambda row: f"{row.check.peak / 2**30:.1f}"))
    if any(row.mapping for row in table.rows):
        lines.append(line(MAPPING, lambda row: f"{row.mapping.processor:.1f}" if row.mapping else ""))
    title = (
        f"GPT-2: width {size.width}, {size.heads} heads, {size.length} tokens, batch 1, vocabulary {size.vocabulary}; "
        "forward and gradient"
    )
    print_grid(console, title, columns, lines, [COUNTED])
