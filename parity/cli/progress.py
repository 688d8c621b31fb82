"""A progress line on stderr, only where a person looks at it and waits for more than a second."""

import threading
import time
from collections.abc import Callable

PATIENCE = 1.0
"""Seconds before the line appears; what is done by then needs none."""


class ProgressLine:
    """A context that gives progress(what, done, total) to call; a total of 0 is not known.

    Args:
        first: What is at work before the first call.
    """

    def __init__(self, first: str) -> None:
        self.first = first
        self._began = time.perf_counter()
        self._lock = threading.Lock()
        self._shown = False

    def __enter__(self) -> Callable[[str, int, int], None]:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(self.first, total=None)
        self._timer = threading.Timer(PATIENCE, self._show)
        self._timer.daemon = True
        if console.is_terminal:
            self._timer.start()

        def progress(what: str, done: int, total: int) -> None:
            self._bar.update(self._task, description=what, completed=done, total=total or None)

        return progress

    def _show(self) -> None:
        with self._lock:
            if not self._shown:
                self._shown = True
                self._bar.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._shown:
                self._bar.stop()
            self._shown = True  # a timer that fires now shows nothing any more
