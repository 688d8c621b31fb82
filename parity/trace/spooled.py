"""Arrays that lie in a temporary file, for what is too much to hold: all that the layers of a model give."""

import tempfile
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Self

import numpy as np


class _File:
    """A temporary file that is gone with the last of those who share it."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed when nobody has it

    def __del__(self) -> None:
        self.file.close()


class Spooled(MutableMapping[str, np.ndarray]):
    """Arrays by name; each is written as it is set and read when it is asked for, and none is kept in memory.

    Args:
        other: One whose file this one shares; None for a file of its own.

    Examples:
        >>> held = Spooled()
        >>> held["a"], held["b"] = np.arange(3.0), np.array(True)
        >>> held["a"] += 1.0
        >>> held["a"], list(held), list(held.chosen({"c": "b"}))
        (array([1., 2., 3.]), ['a', 'b'], ['c'])
    """

    def __init__(self, other: "Spooled | None" = None) -> None:
        self._spool: _File = _File() if other is None else other._spool
        self._stored: dict[str, tuple[int, np.dtype, tuple[int, ...]]] = {}

    def chosen(self, names: Mapping[str, str]) -> Self:
        """Some of the arrays, which stay where they are.

        Args:
            names: This one's names by the new ones.

        Returns:
            Another Spooled of the same file.
        """
        other = type(self)(self)
        other._stored = {new: self._stored[name] for new, name in names.items()}
        return other

    def __setitem__(self, name: str, array: np.ndarray) -> None:
        before = self._stored.get(name)
        again = before is not None and before[1:] == (array.dtype, array.shape)  # in the place that it had
        start = self._spool.file.seek(before[0]) if before and again else self._spool.file.seek(0, 2)
        self._spool.file.write(np.ascontiguousarray(array).tobytes())
        self._stored[name] = (start, array.dtype, array.shape)

    def __getitem__(self, name: str) -> np.ndarray:
        start, dtype, shape = self._stored[name]
        array = np.empty(shape, dtype)
        self._spool.file.seek(start)
        self._spool.file.readinto(array.reshape(-1).view(np.uint8).data)
        return array

    def __delitem__(self, name: str) -> None:
        del self._stored[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)
