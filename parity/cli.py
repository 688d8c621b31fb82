"""The command line: arguments and exit codes, nothing else. Frameworks are imported by the commands that need them."""

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

import parity

app = typer.Typer(
    name="parity",
    help="Matched PyTorch and JAX implementations, checked against each other: outputs, gradients, training curves.",
    epilog="Exit status: 0 agree, 1 differ, 2 usage, 3 a side is missing or could not run.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class Device(StrEnum):
    """Where both sides run."""

    CPU = "cpu"
    CUDA = "cuda"
    BOTH = "both"


class Precision(StrEnum):
    """Working dtypes; float64 is always run beside them, as the reference."""

    FLOAT64 = "float64"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


class Benchmark(StrEnum):
    """What `bench` can measure."""

    COMPARATOR = "comparator"
    OPTIMIZERS = "optimizers"


class Framework(StrEnum):
    """Which goes on with what `convert` writes."""

    JAX = "jax"
    TORCH = "torch"


Concepts = Annotated[
    list[str] | None,
    typer.Argument(metavar="[CONCEPT]...", help="Pairs to check, such as spiral; all where none is named."),
]


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


@app.command()
def run(
    concepts: Concepts = None,
    device: Annotated[Device, typer.Option(help="Where both sides run.")] = Device.CPU,
    dtype: Annotated[
        list[Precision] | None,
        typer.Option(help="Working dtype beside float64; may be given more than once. Default: float32."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that share the pairs. Default: the CPUs, at most 4; 1 on a GPU."),
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report as one HTML file.")] = None,
    json: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the report as JSON; - for standard output, in place of the table."),
    ] = None,
) -> None:
    """Check the built-in pairs against each other; a table on stdout, one line a pair."""
    from parity.cases import UnknownConcept, resolve
    from parity.cases import run as run_cases

    try:
        names = resolve(concepts or ())
    except UnknownConcept as error:
        _refuse(str(error), 2)
    for target in (html, Path(json) if json not in (None, "-") else None):
        if target is not None and not target.parent.is_dir():
            _refuse(f"the folder of {target} does not exist; create it, or name another file", 2)
    devices = _devices(device)
    dtypes = ("float64", *(d.value for d in dict.fromkeys(dtype or [Precision.FLOAT32]) if d is not Precision.FLOAT64))
    if jobs is None:
        # Each process holds both frameworks, about 1 GB; two on one GPU would fight for its memory.
        jobs = 1 if "cuda" in devices else min(os.cpu_count() or 1, 4)
    with _progress() as progress:
        report = run_cases(names, dtypes=dtypes, devices=devices, jobs=jobs, progress=progress)
    report = replace(report, environment={"command": shlex.join(["parity", *sys.argv[1:]]), **report.environment})
    if html is not None:
        report.to_html(html)
    if json == "-":
        typer.echo(report.to_json(), nl=False)
    else:
        if json is not None:
            report.to_json(json)
        _print(report, detail=bool(concepts))
        if html is not None:
            print(f"report: {html}", file=sys.stderr)
    raise typer.Exit(report.exit_status)


@app.command()
def show(concept: Annotated[str, typer.Argument(help="The pair to show, such as spiral.")]) -> None:
    """Print the two implementations of a concept next to each other, aligned by name."""
    from rich.console import Console

    from parity.cases import UnknownConcept, resolve
    from parity.report.show import print_pair

    try:
        resolve([concept])
    except UnknownConcept as error:
        _refuse(str(error), 2)
    print_pair(concept, Console())


@app.command()
def bench(
    what: Annotated[Benchmark, typer.Argument(metavar="WHAT", help="What to measure: comparator, optimizers.")],
    elements: Annotated[
        int | None,
        typer.Option(min=1024, help="Elements of each array, or parameters in all. Default: 10^8; optimizers: 10^7."),
    ] = None,
    json: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the numbers as JSON; - for standard output, in place of the table."),
    ] = None,
) -> None:
    """Measure time and memory beside other libraries; a table on stdout."""
    from rich.console import Console

    from parity.bench import comparator, optimizers
    from parity.files import write_atomically

    if json not in (None, "-") and not Path(json).parent.is_dir():
        _refuse(f"the folder of {json} does not exist; create it, or name another file", 2)
    with _progress() as progress:
        if what is Benchmark.COMPARATOR:
            table: comparator.Table | optimizers.Table = comparator.measure(elements or 10**8, progress)
        else:
            table = optimizers.measure(elements or 10**7, progress)
    if json == "-":
        typer.echo(table.to_json(), nl=False)
        return
    if json is not None:
        write_atomically(Path(json), table.to_json())
    if isinstance(table, comparator.Table):
        comparator.print_table(table, Console())
    else:
        optimizers.print_table(table, Console())


@app.command()
def convert(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT",
            help='A training state of parity.optim.save_torch or save_jax; a torch.save file of {"model": ..., '
            '"optimizer": ...} or of a state_dict; a safetensors file of parameters.',
        ),
    ],
    to: Annotated[Framework, typer.Option(help="Which framework goes on.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")],
    optimizer: Annotated[
        str | None,
        typer.Option(metavar="CLASS", help="The class of torch.optim, which a torch.save file does not tell."),
    ] = None,
    without_scheduler: Annotated[
        bool, typer.Option("--without-scheduler", help="Leave out a torch checkpoint's scheduler.")
    ] = False,
) -> None:
    """Make a checkpoint into what the other framework goes on with: parameters, optimizer state, schedule and step.

    For jax a training state is written, which parity.optim.load_jax reads; for torch a torch.save file of state_dicts.
    Nothing that a checkpoint holds is run.
    """
    from parity.convert.optim.checkpoint import convert as converted

    if not checkpoint.is_file():
        _refuse(f"there is no file {checkpoint}; name a checkpoint", 2)
    if not output.parent.is_dir():
        _refuse(f"the folder of {output} does not exist; create it, or name another file", 2)
    try:
        said = converted(checkpoint, output, to=to.value, optimizer=optimizer, without_scheduler=without_scheduler)
    except ModuleNotFoundError as error:
        _refuse(f"{error.name} is not installed, which this needs; pip install 'parity[torch]'", 3)
    except (OSError, TypeError, ValueError) as error:
        _refuse(str(error), 3)
    for line in (*said, f"written: {output}"):
        print(line, file=sys.stderr)


@app.command()
def doctor(json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Print versions, devices, and what each backend really does with float32."""
    from parity.doctor import as_json, as_text, examine

    found = examine()
    typer.echo(as_json(found) if json else as_text(found))
    raise typer.Exit(0 if found.complete else 3)


def main() -> None:
    """Run the command line; Ctrl-C leaves with the status 130 and no half-written file."""
    try:
        app()
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        raise SystemExit(130) from None


def _refuse(message: str, status: int) -> NoReturn:
    print(f"parity: {message}", file=sys.stderr)
    raise typer.Exit(status)


def _devices(device: Device) -> tuple[str, ...]:
    wanted = ("cpu", "cuda") if device is Device.BOTH else (device.value,)
    if "cuda" in wanted:
        from parity.doctor import cuda_missing

        missing = cuda_missing()
        if missing:
            _refuse(missing, 3)
    return wanted


def _print(report: Any, *, detail: bool) -> None:
    from rich.console import Console

    from parity.report.text import print_report

    print_report(report, Console(), detail)


class _progress:
    """A progress line on stderr, only where a person looks at it."""

    def __enter__(self) -> Callable[[str, int, int], None]:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.bar.start()
        task = self.bar.add_task("starting both frameworks", total=None)

        def progress(name: str, done: int, total: int) -> None:
            self.bar.update(task, description=name, completed=done, total=total)

        return progress

    def __exit__(self, *_: object) -> None:
        self.bar.stop()
