"""`parity record`: one side in its own environment, for `parity compare`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from parity.cli.options import (
    Device,
    Dtypes,
    Framework,
    Inputs,
    NoGradient,
    Randomness,
    dtypes_of,
    folders_exist,
    refuse,
)


def record(
    side: Annotated[str, typer.Argument(metavar="PKG.MOD:OBJ", help="A function, a model, or what makes one.")],
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="The recording, or its URL.")],
    inputs: Inputs = None,
    framework: Annotated[
        Framework | None, typer.Option(help="Whose function it is. Default: told from what it mentions.")
    ] = None,
    beside: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The other side's recording: its inputs must be the same ones; a torch model's has the weights.",
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.json",
            help="Of a JAX model: the WeightMap by which it takes the weights of --beside. Default: by name.",
        ),
    ] = None,
    device: Annotated[Device, typer.Option(help="Where it runs.")] = Device.CPU,
    dtype: Dtypes = None,
    no_gradient: NoGradient = False,
    no_layers: Annotated[
        bool, typer.Option("--no-layers", help="Of a model: outputs alone, without what each layer gives.")
    ] = False,
    randomness: Randomness = None,
) -> None:
    """Run one side and keep what a comparison needs, where the other framework need not be."""
    from parity.cli.child import Died, Refused, supervised
    from parity.cli.work import Recording, recorded
    from parity.files import is_url

    folders_exist(None, None, *([] if is_url(output) else [Path(output)]))
    work = Recording(
        side,
        output,
        inputs,
        {
            "framework": framework and framework.value,
            "beside": beside,
            "weights": weights,
            "device": device.value,
            "dtypes": dtypes_of(dtype),
            "gradient": not no_gradient,
            "layers": not no_layers,
            "randomness": randomness,
        },
    )
    try:
        told = supervised(recorded, work, runs=26 * len(work.options["dtypes"]))
    except (Refused, Died) as error:
        refuse(str(error), error.status)
    print(f"{output}: {told}", file=sys.stderr)
