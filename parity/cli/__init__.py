"""The command line: arguments and exit codes, nothing else. Frameworks are imported by the commands that need them."""

import sys
from typing import Annotated

import typer

import parity
from parity.cli import bench, check, compare, convert, doctor, record, run, show

app = typer.Typer(
    name="parity",
    help="Matched PyTorch and JAX implementations, checked against each other: outputs, gradients, training curves.",
    epilog="Exit status: 0 agree, 1 differ, 2 usage, 3 a side is missing or could not run.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (
    run.run,
    check.check,
    record.record,
    compare.compare,
    convert.convert,
    show.show,
    bench.bench,
    doctor.doctor,
):
    app.command()(command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"parity {parity.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; Ctrl-C leaves with the status 130 and no half-written file."""
    try:
        app()
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        raise SystemExit(130) from None
