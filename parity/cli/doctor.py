"""`parity doctor`: what is installed, and what it really does."""

from typing import Annotated

import typer


def doctor(json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Print versions, devices, and what each backend really does with float32."""
    from parity.doctor import as_json, as_text, examine

    found = examine()
    typer.echo(as_json(found) if json else as_text(found))
    raise typer.Exit(0 if found.complete else 3)
