"""Work in a process of its own, so that one that dies, or runs out of memory, is told of."""

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from parity.cli.progress import ProgressLine
from parity.sides import LESS

Work = TypeVar("Work")
Told = TypeVar("Told")
Tell = Callable[[str], None]

GRACE = 5.0
"""Seconds that a process has to go once it was asked to."""


class Refused(Exception):
    """The work cannot be done as it was asked for; the message says why, `status` is what to leave with."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, status)
        self.message, self.status = message, status

    def __str__(self) -> str:
        return self.message


class Died(Exception):
    """The process ended before its work was done; the message says how and at what."""

    status = 3


def supervised(do: Callable[[Work, Tell], Told], work: Work, *, runs: int) -> Told:
    """Do some work in a process of its own, with a progress line.

    It costs the start of one more interpreter, a fifth of a second beside the seconds that the frameworks take, and
    this one imports neither. What the work prints goes to stderr: stdout is for data.

    Args:
        do: do(work, tell), a function of a module; it says with tell(what) what it is at.
        work: Its argument; like its result it crosses the border between the processes.
        runs: About how many times it will tell, for the progress line.

    Returns:
        What it returns.

    Raises:
        Refused: As it raised it.
        Died: If the process ended by itself or was killed.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(theirs, do, work))
    at, done = "the start", 0
    with ProgressLine("starting the frameworks") as progress:
        process.start()
        theirs.close()
        try:
            while True:
                kind, content = ours.recv()
                if kind != "at":
                    break
                at, done = content, done + 1
                progress(at, done, max(runs, done))
        except EOFError:
            process.join(GRACE)
            raise Died(_how(process.exitcode, at)) from None
        except BaseException:  # Ctrl-C
            process.terminate()
            raise
        finally:
            ours.close()
            process.join(GRACE)
            if process.is_alive():
                process.kill()
    if kind == "refused":
        raise Refused(*content)
    if kind == "raised":
        raise Died(f"{content} while at work on: {at}; the traceback is on stderr")
    return content


def _how(status: int | None, at: str) -> str:
    if status is not None and status < 0:
        name = next((s.name for s in signal.Signals if s == -status), f"signal {-status}")
        memory = f"; it may have run out of memory: {LESS}" if name == "SIGKILL" else ""
        fault = "; an extension crashed, not Python" if name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL") else ""
        return f"the process was killed by {name} while at work on: {at}{memory}{fault}"
    return f"the process left with status {status} while at work on: {at}; something in it calls exit"


def _child(connection: Connection, do: Callable[[Any, Tell], Any], work: Any) -> None:
    # What a user's module prints, even from C, is no data of ours.
    sys.stdout.flush()
    os.dup2(2, 1)
    sys.stdout = sys.stderr

    def tell(what: str) -> None:
        connection.send(("at", what))

    try:
        connection.send(("done", do(work, tell)))
    except Refused as error:
        connection.send(("refused", error.args))
    except KeyboardInterrupt:
        os._exit(130)
    except Exception as error:
        traceback.print_exc()
        connection.send(("raised", f"{type(error).__name__}: {error}"))
    connection.close()
