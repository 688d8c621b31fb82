"""`parity bench`: how fast both sides are, and the harness beside other libraries."""

import difflib
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from parity.cli.options import Device, Inputs, Precision, folders_exist, refuse
from parity.cli.progress import ProgressLine


class Benchmark(StrEnum):
    """What `bench` can measure beside the concepts."""

    COMPARATOR = "comparator"
    OPTIMIZERS = "optimizers"
    MODELS = "models"
    TRAINING = "training"
    LAYERS = "layers"


DRAWN = (Benchmark.TRAINING, Benchmark.LAYERS, Benchmark.MODELS)


def bench(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CONCEPT ...]",
            help="Concepts, such as spiral (default: all); or your own PKG.MOD:TORCH PKG.MOD:JAX; or one of: "
            f"{', '.join(Benchmark)}.",
        ),
    ] = None,
    elements: Annotated[
        int | None,
        typer.Option(
            min=1024,
            help="Of comparator and optimizers: elements of each array, or parameters in all. Default: 10^8; 10^7.",
        ),
    ] = None,
    layers: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Of models: their depth; may be given more than once. Default: 6, 12, 24."),
    ] = None,
    mapping: Annotated[bool, typer.Option("--mapping", help="Of models: measure parity.map_weights too.")] = False,
    inputs: Inputs = None,
    dtype: Annotated[Precision, typer.Option(help="What floating inputs are turned into.")] = Precision.FLOAT32,
    device: Annotated[Device, typer.Option(help="Where both sides run.")] = Device.CPU,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each side, on the CPU.")] = 1,
    rounds: Annotated[
        int | None,
        typer.Option(min=1, help="Rounds at most, in which all take turns. Default: 15; layers: 100; training: 5."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.0, help="What a variant may take in the mean. Default: 3; training: 20.")
    ] = None,
    no_compile: Annotated[bool, typer.Option("--no-compile", help="Leave torch.compile out.")] = False,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help=f"Draw the times as bars: of concepts, {', '.join(DRAWN)}.")
    ] = None,
    json: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write the numbers as JSON; - for standard output, in place of the table."),
    ] = None,
) -> None:
    """Measure time and memory; a table on stdout."""
    folders_exist(None, json, *([picture] if picture else []))
    alone = what is not None and len(what) == 1 and what[0] in tuple(Benchmark)
    if what and alone and picture is not None and what[0] not in DRAWN:
        refuse(f"--picture draws concepts, {', '.join(DRAWN)}; {what[0]} has a table alone (and --json)", 2)
    turns: dict[str, Any] = {n: v for n, v in (("rounds", rounds), ("seconds", seconds)) if v is not None}
    if what and alone and what[0] != Benchmark.TRAINING:
        if turns and what[0] != Benchmark.LAYERS:
            refuse(f"--{next(iter(turns))} is of concepts, training and layers; {what[0]} has rounds of its own", 2)
        _beside_others(Benchmark(what[0]), elements, layers, mapping, turns, json, picture)
        return
    own = tuple(name for name in what or () if ":" in name)
    if (own and len(own) != len(what or ())) or len(own) not in (0, 2):
        refuse(f"got {' '.join(what or ())}; wanted names of concepts, or PKG.MOD:TORCH PKG.MOD:JAX", 2)
    if not own and not alone:
        _concepts_exist(what or [])
    from parity.cli.child import Died, Refused, supervised
    from parity.cli.work import Timing, timed

    options: dict[str, Any] = {"dtype": dtype.value, "device": device.value, "threads": threads}
    options |= {"compile": not no_compile} | turns
    # Read once, when NumPy's and JAX's pools of threads start: in the process that does the work.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC"), str(threads))
    try:
        speed = supervised(timed, Timing(tuple(what or ()), inputs, options), runs=20)
    except (Refused, Died) as error:
        refuse(str(error), error.status)
    _deliver(speed, json, picture)


def _concepts_exist(names: list[str]) -> None:
    from parity.cases import CONCEPTS

    known = (*CONCEPTS, *Benchmark)
    for name in names:
        if name not in CONCEPTS:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
            alone = f"{name} stands alone" if name in known else f"nothing to measure is called {name!r}; {hint}"
            refuse(alone, 2)


def _deliver(speed: Any, json: str | None, picture: Path | None) -> None:
    from rich.console import Console

    from parity.bench import speed_text, training
    from parity.files import write_atomically

    whole = isinstance(speed, training.Table)
    if picture is not None:
        (training if whole else speed_text).picture(speed, picture)
    if json == "-":
        typer.echo(speed.to_json(), nl=False)
        return
    if json is not None:
        write_atomically(json, speed.to_json())
    (training.print_table if whole else speed_text.print_speed)(speed, Console())


def _beside_others(
    what: Benchmark,
    elements: int | None,
    depths: list[int] | None,
    mapping: bool,
    turns: dict[str, Any],
    json: str | None,
    picture: Path | None,
) -> None:
    from rich.console import Console

    from parity.bench import comparator, layers, models, optimizers
    from parity.files import write_atomically

    room: Any = {
        Benchmark.COMPARATOR: comparator,
        Benchmark.OPTIMIZERS: optimizers,
        Benchmark.MODELS: models,
        Benchmark.LAYERS: layers,
    }[what]
    with ProgressLine("starting both frameworks") as progress:
        if what is Benchmark.MODELS:
            table: Any = models.measure(depths or models.DEPTHS, progress=progress, mapping=mapping)
        elif what is Benchmark.LAYERS:
            table = layers.measure(progress, **turns)
        else:
            table = room.measure(elements or (10**8 if what is Benchmark.COMPARATOR else 10**7), progress)
    if picture is not None:
        room.picture(table, picture)
    if json == "-":
        typer.echo(table.to_json(), nl=False)
        return
    if json is not None:
        write_atomically(json, table.to_json())
    room.print_table(table, Console())
