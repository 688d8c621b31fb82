"""A mode that sees every torch operation, without the two seconds that torch's compiler takes to import."""

import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any, Self

from torch._compile import _disable_dynamo
from torch.utils._python_dispatch import TorchDispatchMode


class DispatchMode(TorchDispatchMode):
    """A TorchDispatchMode whose handler is kept from torch's compiler only where that is there.

    Torch wraps the handler of every mode, so that the compiler does not look into it, and imports the compiler for
    that. A program that compiles nothing has not imported it, and there is nothing to be kept from.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Torch asks this when a subclass is made, and wraps nothing where it is False."""
        return False

    def __enter__(self) -> Self:
        kind: Any = type(self)
        if "torch._dynamo" in sys.modules and not kind.__dict__.get("_kept"):
            kind.__torch_dispatch__ = _disable_dynamo(kind.__dict__["__torch_dispatch__"], recursive=True)
            kind._kept = True
        super().__enter__()
        return self


KEPT = "__dynamo_disable"
"""Where `torch._disable_dynamo` notes, on the function that it was put on, what the compiler's `disable` made of it."""


@contextlib.contextmanager
def without_compiler() -> Iterator[None]:
    """While this is entered, torch's reference formulas run without importing the compiler that they are kept from.

    Their first call would import it only to ask it not to look into them. Where it is not there, each is noted to be
    kept from it as it is, and the note goes when this is left, so that a compiler that comes later is asked after all.
    """
    noted = [] if "torch._dynamo" in sys.modules else [f for f in _formulas() if not hasattr(f, KEPT)]
    for function in noted:
        setattr(function, KEPT, function)
    try:
        yield
    finally:
        for function in noted:
            delattr(function, KEPT)


@functools.cache
def _formulas() -> tuple[Callable[..., Any], ...]:
    """The functions in `torch._refs` that are kept from the compiler, below the decorators that came after that."""
    import torch._refs
    import torch._refs.nn.functional

    found: dict[Any, None] = {}
    for function in (*vars(torch._refs).values(), *vars(torch._refs.nn.functional).values()):
        while function is not None:
            if getattr(function, "__globals__", {}).get("__name__") == _disable_dynamo.__module__:
                # By `__wrapped__` it may say that it wraps something else.
                found[inspect.getclosurevars(function).nonlocals["fn"]] = None
            function = getattr(function, "__wrapped__", None)
    return tuple(found)
