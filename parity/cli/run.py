"""`parity run`: the built-in pairs against each other."""

import os
from enum import StrEnum
from typing import Annotated

import typer

from parity.cli.options import Dtypes, Html, Json, Verbose, deliver, dtypes_of, folders_exist, refuse
from parity.cli.progress import ProgressLine


class Devices(StrEnum):
    """Where both sides run."""

    CPU = "cpu"
    CUDA = "cuda"
    BOTH = "both"


def run(
    concepts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CONCEPT]...", help="Pairs to check, such as spiral; all where none is named."),
    ] = None,
    device: Annotated[Devices, typer.Option(help="Where both sides run.")] = Devices.CPU,
    dtype: Dtypes = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that share the pairs. Default: the CPUs, at most 4; 1 on a GPU."),
    ] = None,
    html: Html = None,
    json: Json = None,
    verbose: Verbose = False,
) -> None:
    """Check the built-in pairs against each other; a table on stdout, one line a pair."""
    from parity.cases import UnknownConcept, resolve
    from parity.cases import run as run_cases

    try:
        names = resolve(concepts or ())
    except UnknownConcept as error:
        refuse(str(error), 2)
    folders_exist(html, json)
    devices = ("cpu", "cuda") if device is Devices.BOTH else (device.value,)
    if "cuda" in devices:
        from parity.doctor import cuda_missing

        missing = cuda_missing()
        if missing:
            refuse(missing, 3)
    if jobs is None:
        # Each process holds both frameworks, about 1 GB; two on one GPU would fight for its memory.
        jobs = 1 if "cuda" in devices else min(os.cpu_count() or 1, 4)
    with ProgressLine("starting both frameworks") as progress:
        report = run_cases(names, dtypes=dtypes_of(dtype), devices=devices, jobs=jobs, progress=progress)
    deliver(report, html, json, detail=bool(concepts), verbose=verbose)
