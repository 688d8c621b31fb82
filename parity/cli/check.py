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
    verbose: Verbose = False,
) -> None:
    """Check your own two sides against each other; the current folder can be imported from."""
    from parity.cli.child import Died, Refused, supervised
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
    )
    try:
        report = supervised(checked, work, runs=12 * len(work.options["dtypes"]))
    except Refused as error:
        refuse(str(error), error.status)
    except Died as error:
        from parity.environment import environment
        from parity.report import CaseResult, Report

        result = CaseResult(work.name, error=str(error), device=device.value)
        report = Report((result,), environment(), work.options["dtypes"])
    deliver(report, html, json, verbose=verbose)
