"""A Speed as a table of 80 columns and as a bar chart."""

from pathlib import Path
from typing import TYPE_CHECKING

from parity.bench.bars import Bar, Panel, draw
from parity.bench.speed import MOSTLY, Floor, Row, Speed
from parity.bench.table import duration, print_grid

if TYPE_CHECKING:
    from rich.console import Console


def count(number: float) -> str:
    """A large number in three digits.

    Examples:
        >>> count(1234567.0), count(12.0), count(999_999.0)
        ('1.23 M', '12', '1 M')
    """
    number = float(f"{number:.3g}")  # before its prefix is chosen
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
    """Draw the medians as bars with their quartiles, a panel a case, the floor as a line.

    Args:
        speed: The rows.
        path: A file that matplotlib can write, such as "speed.svg".
    """
    panels = []
    for floor in speed.floors:
        spreads = [(r.variant, r.spread) for r in speed.rows if r.case == floor.case and r.spread is not None]
        bars = tuple(Bar(name, spread.median, spread.low, spread.high) for name, spread in spreads)
        panels.append(Panel(floor.case, bars, ("floor", floor.seconds)))
    threads = "" if speed.device != "cpu" else f", {speed.threads} thread(s)"
    draw(panels, f"seconds a call ({speed.dtype}, {speed.device}{threads}); bars: medians", path)
