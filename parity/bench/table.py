"""What the benchmarks print with: durations, a grid of 80 columns, and a line for each that could not run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def duration(seconds: float) -> str:
    """Seconds in three digits with their unit.

    Examples:
        >>> duration(0.00123), duration(12.3), duration(4.56e-8), duration(0.0009999)
        ('1.23 ms', '12.3 s', '45.6 ns', '1 ms')
    """
    seconds = float(f"{seconds:.3g}")  # before its unit is chosen: 999.9 us are 1 ms
    size, unit = next(((s, u) for s, u in UNITS if seconds >= s), UNITS[-1])
    return f"{seconds / size:.3g} {unit}"


def print_grid(
    console: "Console", title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], absent: Sequence[str] = ()
) -> None:
    """Print rows of text under a title.

    Args:
        console: Where to.
        title: Its heading.
        columns: Names of the columns; the first is of words, the others of numbers.
        rows: A text for each column.
        absent: Lines about what could not run.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console.print(Text(title, style="bold"))  # a title of the table's own would be broken at the table's width
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    grid.add_column(columns[0])
    for name in columns[1:]:
        grid.add_column(name, justify="right")
    for row in rows:
        grid.add_row(*row)
    console.print(grid)
    for line in absent:
        console.print(Text(line))
