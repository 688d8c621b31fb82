"""`parity convert`: a checkpoint as what the other framework goes on with."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from parity.cli.options import Framework, folders_exist, refuse


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
        refuse(f"there is no file {checkpoint}; name a checkpoint", 2)
    folders_exist(None, None, output)
    try:
        said = converted(checkpoint, output, to=to.value, optimizer=optimizer, without_scheduler=without_scheduler)
    except ModuleNotFoundError as error:
        refuse(f"{error.name} is not installed, which this needs; pip install 'parity[torch]'", 3)
    except (OSError, TypeError, ValueError) as error:
        refuse(str(error), 3)
    for line in (*said, f"written: {output}"):
        print(line, file=sys.stderr)
