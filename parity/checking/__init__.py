"""The order of work of a check, and the one call for a user's own two functions."""

from parity.checking.api import ParityError, assert_parity, check
from parity.checking.compare import Incomparable, compare
from parity.checking.record import record
from parity.checking.seeds import check_seeds
from parity.checking.work import Task, examine

__all__ = [
    "Incomparable",
    "ParityError",
    "Task",
    "assert_parity",
    "check",
    "check_seeds",
    "compare",
    "examine",
    "record",
]
