"""`parity bench`: time and memory beside other libraries."""

from enum import StrEnum
from typing import Annotated

import typer

from parity.cli.options import folders_exist
from parity.cli.progress import ProgressLine


class Benchmark(StrEnum):
    """What `bench` can measure."""

    COMPARATOR = "comparator"


def bench(
    what: Annotated[Benchmark, typer.Argument(metavar="WHAT", help="What to measure: comparator.")],
    elements: Annotated[int, typer.Option(min=1024, help="Elements of each array.")] = 100_000_000,
    json: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the numbers as JSON; - for standard output, in place of the table."),
    ] = None,
) -> None:
    """Measure time and memory beside other libraries; a table on stdout."""
    from rich.console import Console

    from parity.bench.comparator import measure, print_table
    from parity.files import write_atomically

    folders_exist(None, json)
    with ProgressLine("starting both frameworks") as progress:
        table = measure(elements, progress)
    if json == "-":
        typer.echo(table.to_json(), nl=False)
        return
    if json is not None:
        write_atomically(json, table.to_json())
    print_table(table, Console())
