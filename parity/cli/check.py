"""`parity check`: a user's own two sides."""

from typing import Annotated

import typer

from parity.cli.options import (
    Conventions,
    Device,
    Dtypes,
    Html,
    Inputs,
    Json,
    NoGradient,
    Randomness,
    Verbose,
    conventions_of,
    deliver,
    dtypes_of,
    folders_exist,
    refuse,
)

Named = "A function, a model, or a function without arguments that makes one."


def check(
    torch: Annotated[str, typer.Argument(metavar="PKG.MOD:TORCH", help=Named)],
    jax: Annotated[str, typer.Argument(metavar="PKG.MOD:JAX", help="The same on the other side.")],
    inputs: Inputs = None,
    html: Html = None,
    json: Json = None,
    device: Annotated[Device, typer.Option(help="Where both sides run.")] = Device.CPU,
    dtype: Dtypes = None,
    no_gradient: NoGradient = False,
    randomness: Randomness = None,
    convention: Conventions = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.json",
            help="Of models: the WeightMap by which JAX takes torch's; own: each keeps its own. Default: it is found.",
        ),
    ] = None,
    loss: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|PKG.MOD:OBJ",
            help="Of models: cross_entropy, mse, or two functions of (output, targets): a pair, or given twice.",
        ),
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|PKG.MOD:OBJ",
            help="What the loss compares with. Default: what `targets()` or `TARGETS` in the side's module gives.",
        ),
    ] = None,
    optimizer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:lr=0.1|PKG.MOD:OBJ",
            help="One of torch.optim with its settings, or a factory from a list of parameters; given twice, torch's "
            "factory and an optax transformation.",
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=0, help="Length of the training curve that is compared.")] = 0,
    batches: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PKG.MOD:OBJ",
            help="What the steps are made on: an iterable of (input, ..., targets); given twice, torch's and jax's.",
        ),
    ] = None,
    train: Annotated[
        bool | None, typer.Option("--train/--eval", help="The mode of both. Default: the one that each is in.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Check your own two sides against each other; the current folder can be imported from."""
    from parity.cli.child import Died, Refused, supervised
    from parity.cli.training import Asked
    from parity.cli.work import Checking, checked

    folders_exist(html, json)
    work = Checking(
        torch,
        jax,
        inputs,
        {
            "device": device.value,
            "dtypes": dtypes_of(dtype),
            "gradient": not no_gradient,
            "randomness": randomness,
            "conventions": conventions_of(convention),
        },
        Asked(tuple(loss or ()), targets, tuple(optimizer or ()), tuple(batches or ()), weights, steps, train),
    )
    try:
        report = supervised(checked, work, runs=(24 if work.asked.trains else 12) * len(work.options["dtypes"]))
    except Refused as error:
        refuse(str(error), error.status)
    except Died as error:
        from parity.environment import environment
        from parity.report import CaseResult, Report

        result = CaseResult(work.name, error=str(error), device=device.value)
        report = Report((result,), environment(), work.options["dtypes"])
    deliver(report, html, json, verbose=verbose)
