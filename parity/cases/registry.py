"""The concepts in the order in which they are learnt, and their cases."""

import difflib
import importlib
from collections.abc import Sequence

from parity.cases.case import Case

CONCEPTS = (
    "tensors",
    "grad",
    "gates",
    "backprop",
    "descent",
    "perceptron",
    "losses",
    "lenet",
    "sgd",
    "optim",
    "schedules",
    "clipping",
    "averaging",
    "spiral",
    "network",
    "classifier",
    "checkpoint",
    "resnet",
    "gpt2",
    "tagger",
    "parallel",
    "loops",
)


class UnknownConcept(ValueError):
    """There is no pair of that name."""


def resolve(names: Sequence[str]) -> tuple[str, ...]:
    """Check the names of concepts.

    Args:
        names: Some of CONCEPTS; none means all.

    Returns:
        The names, each once, in the order given; all of them where none was given.

    Raises:
        UnknownConcept: For a name that is none of them; the message suggests the nearest.

    Examples:
        >>> resolve(["spiral", "spiral"])
        ('spiral',)
    """
    for name in names:
        if name not in CONCEPTS:
            near = difflib.get_close_matches(name, CONCEPTS, n=3, cutoff=0.6)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(CONCEPTS)}"
            raise UnknownConcept(f"no pair is called {name!r}; {hint}")
    return tuple(dict.fromkeys(names)) or CONCEPTS


def cases_of(concept: str) -> tuple[Case, ...]:
    """The cases of a concept; imports no framework.

    Args:
        concept: One of CONCEPTS.

    Returns:
        Its cases, in order.

    Examples:
        >>> [case.name for case in cases_of("losses")][:2]
        ['losses.quadratic_cost', 'losses.squared_error']
    """
    return importlib.import_module(f"parity.cases.{concept}").CASES
