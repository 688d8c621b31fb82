"""What several commands take, and how all of them refuse and write."""

import shlex
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from parity.report import Report


class Device(StrEnum):
    """Where a side runs."""

    CPU = "cpu"
    CUDA = "cuda"


class Precision(StrEnum):
    """Working dtypes; float64 is always run beside them, as the reference."""

    FLOAT64 = "float64"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


class Framework(StrEnum):
    """Whose function a side is."""

    TORCH = "torch"
    JAX = "jax"


Dtypes = Annotated[
    list[Precision] | None,
    typer.Option(help="Working dtype beside float64; may be given more than once. Default: float32."),
]
Html = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report as one HTML file.")]
Json = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Write the report as JSON; - for standard output, in place of the table."),
]
Inputs = Annotated[
    str | None,
    typer.Option(
        metavar="FILE.npz",
        help="Arrays in the order of the arguments; a name with dots is a place in a dict: params.W1. Default: what "
        "`inputs()` or `INPUTS` in the side's module gives.",
    ),
]
NoGradient = Annotated[bool, typer.Option("--no-gradient", help="Compare outputs alone.")]
Randomness = Annotated[
    int | None,
    typer.Option(min=0, metavar="SEED", help="Draw masks, noise and shuffles once from this seed, for both sides."),
]
Conventions = Annotated[
    list[str] | None,
    typer.Option(
        "--convention",
        metavar="PATH=REASON",
        help="Accept a difference by name, such as 'gradient/0=abs at 0'; may be given more than once.",
    ),
]


Verbose = Annotated[
    bool, typer.Option("--verbose", help="Tell every comparison that differs, consequences of an earlier one too.")
]


def refuse(message: str, status: int) -> NoReturn:
    """Say on stderr why a command does nothing, and leave."""
    print(f"parity: {message}", file=sys.stderr)
    raise typer.Exit(status)


def dtypes_of(wanted: list[Precision] | None) -> tuple[str, ...]:
    """float64, then the working dtypes, each once."""
    others = (d.value for d in dict.fromkeys(wanted or [Precision.FLOAT32]) if d is not Precision.FLOAT64)
    return ("float64", *others)


def conventions_of(given: list[str] | None) -> dict[str, str]:
    """Accepted differences by path; one without a reason is refused."""
    found = {}
    for text in given or ():
        path, sign, reason = text.partition("=")
        if not (sign and path.strip() and reason.strip()):
            refuse(f"--convention {text!r} has no reason; wanted PATH=REASON, such as 'gradient/0=abs at 0'", 2)
        found[path.strip()] = reason.strip()
    return found


def folders_exist(html: Path | None, json: str | None, *others: Path) -> None:
    """Refuse before the work what could not be written after it."""
    for target in (html, Path(json) if json not in (None, "-") else None, *others):
        if target is not None and not target.parent.is_dir():
            refuse(f"the folder of {target} does not exist; create it, or name another file", 2)


def deliver(
    report: "Report", html: Path | None, json: str | None, *, detail: bool | None = None, verbose: bool = False
) -> NoReturn:
    """Write a report where it was asked for, print it, and leave with its status."""
    command = {"command": shlex.join(["parity", *sys.argv[1:]])}
    report = replace(report, environment={**command, **report.environment})
    try:
        if html is not None:
            report.to_html(html)
        if json not in (None, "-"):
            report.to_json(json)
    except OSError as error:
        refuse(str(error), 2)
    if json == "-":
        typer.echo(report.to_json(), nl=False)
    else:
        from rich.console import Console

        from parity.report.text import print_report

        print_report(report, Console(), detail, everything=verbose)
        if html is not None:
            print(f"report: {html}", file=sys.stderr)
    raise typer.Exit(report.exit_status)
