"""Training steps of jax_impl.nn's layers beside the plain Flax NNX layer on the same shapes, in turns.

A step is the output of a batch and the gradients of all parameters and of the input, compiled. Each layer gets its
input as it is written for: jax_impl.nn channels first as torch, NNX channels last.

XLA's convolution on the CPU knows channels last alone: whatever takes and gives torch's layout turns the images
round, coming and going, and their gradients. Within a network XLA leaves that out between the layers; one layer bears
it. So convolutions are also measured beside the NNX layer on the very same arrays, which turns them round for it.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parity.bench.bars import Bar, Panel, draw
from parity.bench.rounds import Spread, take_turns
from parity.bench.table import print_grid
from parity.environment import environment

if TYPE_CHECKING:
    from rich.console import Console

OURS, FLAX, TURNED = "jax_impl.nn", "flax.nnx", "flax.nnx on the same arrays"
WANTED = 1.05
ROUNDS = 100  # the ratios are asked for to a part in twenty, and 15 rounds on two shared cores scatter by a tenth


@dataclass(frozen=True)
class Layer:
    """One layer in both, with its shapes.

    Attributes:
        name: With what is special about it.
        shape: Of the input, as torch has it.
        ours: Makes jax_impl.nn's from that module and the random streams.
        flax: Makes NNX's from that module and the random streams.
        channels: Whether the second axis is that of channels, the last one in NNX.
        call: Calls ours with the input.
    """

    name: str
    shape: tuple[int, ...]
    ours: Callable[[Any, Any], Any]
    flax: Callable[[Any, Any], Any]
    channels: bool = False
    call: Callable[[Any, Any], Any] = lambda model, x: model(x)


def _convolution(name: str, groups: int = 1, *, batch: int = 8, channels: int = 64, deep: int = 1) -> Layer:
    def stack(module: Any, activation: Any, layer: Callable[[], Any]) -> Any:
        if deep == 1:
            return layer()
        return module.Sequential(*(part for _ in range(deep) for part in (layer(), activation)))

    def ours(nn: Any, rngs: Any) -> Any:
        return stack(nn, nn.ReLU(), lambda: nn.Conv2d(channels, channels, 3, padding=1, groups=groups, rngs=rngs))

    def flax(nnx: Any, rngs: Any) -> Any:
        sizes = {"padding": 1, "feature_group_count": groups}
        return stack(nnx, nnx.relu, lambda: nnx.Conv(channels, channels, (3, 3), **sizes, rngs=rngs))

    return Layer(name, (batch, channels, 14, 14), ours, flax, channels=True)


LAYERS = (
    Layer(
        "Linear",
        (256, 512),
        lambda nn, rngs: nn.Linear(512, 512, rngs=rngs),
        lambda nnx, rngs: nnx.Linear(512, 512, rngs=rngs),
    ),
    _convolution("Conv2d"),
    _convolution("Conv2d", batch=2, channels=256),
    _convolution("4 x Conv2d, ReLU", deep=4),
    _convolution("Conv2d, 4 groups", 4),
    _convolution("Conv2d, depthwise", 64),
    Layer(
        "LayerNorm",
        (32, 128, 256),
        lambda nn, rngs: nn.LayerNorm(256),
        lambda nnx, rngs: nnx.LayerNorm(256, epsilon=1e-5, rngs=rngs),
    ),
    Layer(
        "MultiheadAttention",
        (8, 128, 256),
        lambda nn, rngs: nn.MultiheadAttention(256, 4, batch_first=True, rngs=rngs),
        lambda nnx, rngs: nnx.MultiHeadAttention(4, 256, decode=False, rngs=rngs),
        call=lambda model, x: model(x, x, x, need_weights=False)[0],  # NNX's gives no weights either
    ),
    Layer(
        "LSTM",
        (16, 64, 128),
        lambda nn, rngs: nn.LSTM(128, 128, batch_first=True, rngs=rngs),
        lambda nnx, rngs: nnx.RNN(nnx.LSTMCell(128, 128, rngs=rngs)),
        call=lambda model, x: model(x)[0],
    ),
)


@dataclass(frozen=True)
class Row:
    """What the steps of one layer took.

    Attributes:
        layer: Its name.
        shape: Of its input.
        ours, flax: Seconds of each.
        turned: Of NNX's on the same arrays, channels first, where that was measured.
    """

    layer: str
    shape: tuple[int, ...]
    ours: Spread
    flax: Spread
    turned: Spread | None = None

    @property
    def ratio(self) -> float:
        """Median by median; below 1 where jax_impl.nn is quicker."""
        return self.ours.median / self.flax.median

    @property
    def same_arrays(self) -> float | None:
        """The ratio to NNX on the same arrays, where that was measured."""
        return None if self.turned is None else self.ours.median / self.turned.median


@dataclass(frozen=True)
class Table:
    """The rows of one run.

    Attributes:
        rows: Layer by layer.
        environment: Versions and machine.
    """

    rows: tuple[Row, ...]
    environment: dict[str, str]

    def to_json(self) -> str:
        """All of it as JSON."""
        rows = [{**asdict(row), "ratio": row.ratio, "same_arrays": row.same_arrays} for row in self.rows]
        told = {"benchmark": "layers", "wanted": WANTED, "rows": rows, "environment": self.environment}
        return json.dumps(told, indent=2, allow_nan=False) + "\n"


def measure(
    progress: Callable[[str, int, int], None] = lambda *_: None, *, rounds: int = ROUNDS, seconds: float = 3.0
) -> Table:
    """Time a training step of each layer in float32.

    Args:
        progress: Called with what runs next, how many are done, and how many there are.
        rounds: How many at most.
        seconds: That one side of a layer may take in the mean.

    Returns:
        The Table.
    """
    rows = []
    for done, layer in enumerate(LAYERS):
        progress(layer.name, done, len(LAYERS))
        times = take_turns(steps_of(layer), rounds=rounds, seconds=seconds)
        rows.append(Row(layer.name, layer.shape, times[OURS], times[FLAX], times.get(TURNED)))
    return Table(tuple(rows), environment())


def steps_of(layer: Layer) -> dict[str, Callable[[], Any]]:
    """A function for each side that makes one step and waits for it: (output, (gradients, gradient of the input))."""
    import jax
    from flax import nnx

    from jax_impl import nn

    def step(model: Any, x: Any, call: Callable[[Any, Any], Any]) -> Callable[[], Any]:
        graph, *states = nnx.split(model, nnx.Param, ...)
        params, rest = states

        def output(params: Any, x: Any) -> Any:
            return call(nnx.merge(graph, params, rest, copy=True), x)

        def both(params: Any, x: Any, cotangent: Any) -> Any:
            y, pull_back = jax.vjp(output, params, x)
            return y, pull_back(cotangent)

        shape = jax.eval_shape(output, params, x)
        cotangent = jax.random.normal(jax.random.key(1), shape.shape, shape.dtype)
        compiled = jax.jit(both)
        return lambda: jax.block_until_ready(compiled(params, x, cotangent))

    x = jax.random.normal(jax.random.key(0), layer.shape)
    last = x.transpose(0, 2, 3, 1) if layer.channels else x
    own = layer.ours(nn, nnx.Rngs(0))
    flax = layer.flax(nnx, nnx.Rngs(0))
    steps = {OURS: step(own, x, layer.call), FLAX: step(flax, last, lambda model, x: model(x))}
    if layer.channels:
        steps[TURNED] = step(flax, x, lambda model, x: model(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2))
    return steps


def picture(table: Table, path: str | Path) -> None:
    """Draw each layer's step of both as bars.

    Args:
        table: The rows.
        path: A file that matplotlib can write, such as "layers.svg".
    """
    panels = []
    for row in table.rows:
        bars = [Bar(name, s.median, s.low, s.high) for name, s in ((OURS, row.ours), (FLAX, row.flax))]
        panels.append(Panel(f"{row.layer} ({', '.join(map(str, row.shape))})", tuple(bars)))
    draw(panels, "seconds a training step, float32", path)


def print_table(table: Table, console: "Console") -> None:
    """The rows as text, 80 columns wide."""

    def told(spread: Spread) -> str:
        return f"{1e3 * spread.median:,.3g} ({1e3 * spread.low:,.3g}-{1e3 * spread.high:,.3g})"

    print_grid(
        console,
        "A training step in float32: the output and all gradients, in ms",
        ("layer", "input", OURS, FLAX, "ratio"),
        [
            (row.layer, " ".join(map(str, row.shape)), told(row.ours), told(row.flax), f"{row.ratio:.2f}")
            for row in table.rows
        ],
    )
    within = sum(row.ratio <= WANTED for row in table.rows)
    console.print(
        f"Medians of {min(row.ours.rounds for row in table.rows)} rounds and more in which both take turns, with "
        f"quartiles.\nAt most {WANTED:g} times NNX's: {within} of {len(table.rows)}.",
        highlight=False,
    )
    turned = [
        f"{row.layer}, {' '.join(map(str, row.shape))}: {row.same_arrays:.2f}"
        for row in table.rows
        if row.same_arrays is not None
    ]
    if turned:
        console.print(f"To {TURNED}, channels first, which it turns round:", *turned, sep="\n  ", highlight=False)
