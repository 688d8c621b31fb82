"""`parity compare`: two recordings, where neither framework need be."""

from typing import Annotated

import typer

from parity.cli.options import Conventions, Html, Json, Verbose, conventions_of, deliver, folders_exist, refuse

Recorded = Annotated[str, typer.Argument(help="A recording, or its URL.")]


def compare(
    a: Recorded,
    b: Recorded,
    html: Html = None,
    json: Json = None,
    convention: Conventions = None,
    verbose: Verbose = False,
) -> None:
    """Judge two recordings, one of each side in either order; neither framework is needed."""
    from parity.checking import Incomparable
    from parity.checking import compare as compare_recordings
    from parity.trace import TraceError

    folders_exist(html, json)
    try:
        report = compare_recordings(a, b, conventions=conventions_of(convention))
    except (Incomparable, TraceError) as error:
        refuse(str(error), 2)
    deliver(report, html, json, verbose=verbose)
