"""Who is told what a check is doing: nobody, or a progress bar."""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

_WATCHER: ContextVar[Callable[[str], None] | None] = ContextVar("watcher", default=None)


@contextlib.contextmanager
def watched(tell: Callable[[str], None]) -> Iterator[None]:
    """Let someone know of every run that a check begins, in this context.

    Args:
        tell: Called with what begins, such as "torch at float64".
    """
    token = _WATCHER.set(tell)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def announce(what: str) -> None:
    """Say what begins now."""
    tell = _WATCHER.get()
    if tell is not None:
        tell(what)
