"""A Speed as a table of 80 columns and as a bar chart."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from parity.bench.speed import MOSTLY, Floor, Row, Speed
from parity.bench.table import print_grid

if TYPE_CHECKING:
    from rich.console import Console

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
COLOURS = {"tor": "#c2410c", "jax": "#1d4ed8"}  # as the report has the two, by how the variants' names begin


def duration(seconds: float) -> str:
    """Seconds in three digits with their unit.

    Examples:
        >>> duration(0.00123), duration(12.3), duration(4.56e-8)
        ('1.23 ms', '12.3 s', '45.6 ns')
    """
    size, unit = next(((s, u) for s, u in UNITS if seconds >= s), UNITS[-1])
    return f"{seconds / size:.3g} {unit}"


def count(number: float) -> str:
    """A large number in three digits.

    Examples:
        >>> count(1234567.0), count(12.0)
        ('1.23 M', '12')
    """
    for size, prefix in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{prefix}"
    return f"{number:.3g}"


def print_speed(speed: Speed, console: "Console") -> None:
    """The rows as text, 80 columns wide."""
    from rich.text import Text

    threads = "" if speed.device != "cpu" else f", {speed.threads} thread{'s' * (speed.threads != 1)} a side"
    for floor in speed.floors:
        rows = [row for row in speed.rows if row.case == floor.case]
        print_grid(
            console,
            f"{floor.case}: {speed.dtype}, {speed.device}{threads}",
            ("one call", "median", "quartiles", "compile", "x floor", "dispatch"),
            [_cells(row) for row in rows if row.spread is not None],
            [_floor_line(floor, speed), *(f"{row.variant} did not run: {row.missing}" for row in rows if row.missing)],
        )
        if floor.seconds < floor.entry:
            once = duration(floor.entry)
            said = (
                f"All of its arithmetic takes less than entering a framework once, {once}: what is timed is overhead."
            )
            console.print(Text(said))
        mostly = [row.variant for row in rows if row.dispatch is not None and row.dispatch >= MOSTLY]
        if mostly:
            console.print(Text(f"Mostly dispatch, not arithmetic: {', '.join(mostly)}."))
        console.print()
    console.print(
        "Medians of rounds in which all take turns, results awaited. compile: what the\n"
        "first call takes beyond that. dispatch: what entering the framework from Python\n"
        "takes at least, at the cost of its smallest operation. In jax eager, what a\n"
        "pair compiles itself stays compiled.",
        highlight=False,
        soft_wrap=True,
    )


def _cells(row: Row) -> tuple[str, ...]:
    assert row.spread is not None
    return (
        row.variant,
        duration(row.spread.median),
        _between(row.spread.low, row.spread.high),
        duration(row.spread.compile) if row.spread.compile > row.spread.median else "-",
        "-" if row.times_floor is None else f"{row.times_floor:,.3g}",
        "-" if row.dispatch is None else f"{100 * row.dispatch:.0f}%",
    )


def _between(low: float, high: float) -> str:
    """Two durations, the unit once where it is the same."""
    first, unit = duration(low).split()
    last = duration(high)
    return f"{first} - {last}" if last.endswith(f" {unit}") else f"{first} {unit} - {last}"


def _floor_line(floor: Floor, speed: Speed) -> str:
    work = floor.work
    if floor.bound == "flops":
        why = f"{count(work.flops or 0.0)}FLOP ({work.flops_by}) at {count(speed.rates.flops)}FLOP/s of a product"
    else:
        rate = count(work.moved / floor.seconds) if floor.seconds else "0"
        why = f"{count(work.moved)}B of inputs and outputs at {rate}B/s of a copy"
    return f"floor {duration(floor.seconds)}: {why}"


def picture(speed: Speed, path: str | Path) -> None:
    """Draw the medians as bars with their quartiles, a panel a case, on a logarithmic axis, the floor as a line.

    Args:
        speed: The rows.
        path: A file that matplotlib can write, such as "speed.svg".
    """
    from matplotlib.figure import Figure

    panels = [(f, [r for r in speed.rows if r.case == f.case and r.spread is not None]) for f in speed.floors]
    figure = Figure(figsize=(7.5, 0.9 + sum(0.75 + 0.32 * len(rows) for _, rows in panels)), layout="constrained")
    grid = figure.subplots(
        len(panels), 1, squeeze=False, gridspec_kw={"height_ratios": [1 + len(rows) for _, rows in panels]}
    )
    for axes, (floor, rows) in zip(grid[:, 0], panels, strict=True):
        spreads = [row.spread for row in rows if row.spread is not None]
        axes.barh(
            [row.variant for row in rows],
            [s.median for s in spreads],
            xerr=[[s.median - s.low for s in spreads], [s.high - s.median for s in spreads]],
            color=[COLOURS[row.variant[:3]] for row in rows],
            height=0.6,
        )
        axes.axvline(floor.seconds, color="#15803d", linestyle="--", linewidth=1, label="floor")
        for place, row in enumerate(rows):
            if row.spread is not None:
                axes.annotate(
                    f" {duration(row.spread.median)}",
                    (row.spread.high, place),
                    va="center",
                    fontsize=8,
                    color="#1f2328",
                )
        shown = [*(s.low for s in spreads), *(s.high for s in spreads), floor.seconds]
        low, high = (10.0 ** round_(math.log10(of(shown))) for round_, of in ((math.floor, min), (math.ceil, max)))
        axes.set_xscale("log")
        axes.set_xlim(low, 3 * high)  # whole decades, so that a bar's length means its orders of magnitude
        axes.invert_yaxis()
        axes.set_title(floor.case, loc="left", fontsize=10)
        axes.legend(loc="lower right", fontsize=8)
    grid[-1, 0].set_xlabel(f"seconds a call ({speed.dtype}, {speed.device}, {speed.threads} thread(s)); bars: medians")
    figure.savefig(path)
