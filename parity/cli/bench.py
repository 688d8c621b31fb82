"""`parity bench`: time and memory beside other libraries."""

from enum import StrEnum
from typing import Annotated

import typer

from parity.cli.options import folders_exist
from parity.cli.progress import ProgressLine


class Benchmark(StrEnum):
    """What `bench` can measure."""

    COMPARATOR = "comparator"
    OPTIMIZERS = "optimizers"
    MODELS = "models"


def bench(
    what: Annotated[Benchmark, typer.Argument(metavar="WHAT", help="What to measure: comparator, optimizers, models.")],
    elements: Annotated[
        int | None,
        typer.Option(
            min=1024,
            help="Elements of each array, or parameters in all. Default: 10^8; optimizers: 10^7.",
        ),
    ] = None,
    layers: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Depth of the models; may be given more than once. Default: 6, 12, 24."),
    ] = None,
    mapping: Annotated[bool, typer.Option("--mapping", help="Of models: measure parity.map_weights too.")] = False,
    json: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the numbers as JSON; - for standard output, in place of the table."),
    ] = None,
) -> None:
    """Measure time and memory beside other libraries; a table on stdout."""
    from rich.console import Console

    from parity.bench import comparator, models, optimizers
    from parity.files import write_atomically

    folders_exist(None, json)
    with ProgressLine("starting both frameworks") as progress:
        if what is Benchmark.COMPARATOR:
            table: comparator.Table | optimizers.Table | models.Table = comparator.measure(elements or 10**8, progress)
        elif what is Benchmark.MODELS:
            table = models.measure(layers or models.DEPTHS, progress=progress, mapping=mapping)
        else:
            table = optimizers.measure(elements or 10**7, progress)
    if json == "-":
        typer.echo(table.to_json(), nl=False)
        return
    if json is not None:
        write_atomically(json, table.to_json())
    if isinstance(table, comparator.Table):
        comparator.print_table(table, Console())
    elif isinstance(table, models.Table):
        models.print_table(table, Console())
    else:
        optimizers.print_table(table, Console())
