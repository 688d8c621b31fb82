"""What the benchmarks draw with: bars on a logarithmic axis, a panel a case."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from parity.bench.table import duration
from parity.markup import printable
from parity.report.picture import PAPER

SIDES = ("torch", "jax")


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        name: What stands beside it; by "torch" or "jax" in front it has that side's colour.
        median, low, high: Seconds; the last two are drawn as a whisker.
    """

    name: str
    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Panel:
    """The bars of one case.

    Attributes:
        title: Above them.
        bars: From the top down.
        floor: Seconds where a line is drawn, with the name of what it is.
    """

    title: str
    bars: tuple[Bar, ...]
    floor: tuple[str, float] | None = None


def draw(panels: Sequence[Panel], below: str, path: str | Path) -> None:
    """Draw panels one below the other, each over whole decades.

    Args:
        panels: One at least, each with a bar.
        below: What the axis of seconds is of, written once below all of them.
        path: A file that matplotlib can write, such as "speed.svg".
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    lines = {}
    sizes = [1 + len(panel.bars) for panel in panels]
    figure = Figure(figsize=(7.5, 0.6 + 0.4 * len(panels) + 0.32 * sum(sizes)), layout="constrained")
    grid = figure.subplots(len(panels), 1, squeeze=False, gridspec_kw={"height_ratios": sizes})
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        bars = panel.bars
        axes.barh(
            range(len(bars)),
            [bar.median for bar in bars],
            xerr=[[bar.median - bar.low for bar in bars], [bar.high - bar.median for bar in bars]],
            color=[PAPER[next((side for side in SIDES if bar.name.startswith(side)), "faint")] for bar in bars],
            height=0.6,
        )
        axes.set_yticks(range(len(bars)), [printable(bar.name) for bar in bars], parse_math=False)
        for place, bar in enumerate(bars):
            axes.annotate(f" {duration(bar.median)}", (bar.high, place), va="center", fontsize=8, color=PAPER["ink"])
        shown = [edge for bar in bars for edge in (bar.low, bar.high)]
        if panel.floor is not None:
            name, seconds = panel.floor
            lines[name] = axes.axvline(seconds, color=PAPER["bound"], linestyle="--", linewidth=1)
            shown.append(seconds)
        low, high = (10.0 ** round_(math.log10(of(shown))) for round_, of in ((math.floor, min), (math.ceil, max)))
        axes.set_xscale("log")
        axes.set_xlim(low, 3 * high)  # whole decades, so that a bar's length means its orders of magnitude
        axes.xaxis.set_major_formatter(lambda value, _: duration(value))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.invert_yaxis()
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.set_title(printable(panel.title), loc="left", fontsize=10, parse_math=False)
    grid[-1, 0].set_xlabel(below)
    if lines:
        figure.legend(lines.values(), lines, loc="outside lower left", fontsize=8, frameon=False)
    figure.savefig(path)
