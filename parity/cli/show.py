"""`parity show`: two implementations next to each other."""

from typing import Annotated

import typer

from parity.cli.options import refuse


def show(concept: Annotated[str, typer.Argument(help="The pair to show, such as spiral.")]) -> None:
    """Print the two implementations of a concept next to each other, aligned by name."""
    from rich.console import Console

    from parity.cases import UnknownConcept, resolve
    from parity.report.show import print_pair

    try:
        resolve([concept])
    except UnknownConcept as error:
        refuse(str(error), 2)
    print_pair(concept, Console())
