"""The hyperparameters that a scheduler moves, inside a compiled step: a table that a count walks through."""

from dataclasses import replace
from typing import Any, NamedTuple

import jax.numpy as jnp

from parity.convert.optim.record import OptimizerRecord, ScheduleRecord


class Position(NamedTuple):
    """Where a schedule stands.

    Attributes:
        count: Updates since the translation.
    """

    count: Any


class Mover:
    """Gives each step its hyperparameters.

    Args:
        record: The optimizer as it was translated.
        schedule: Its scheduler's table; None where nothing moves.
    """

    def __init__(self, record: OptimizerRecord, schedule: ScheduleRecord | None) -> None:
        self.schedule = schedule
        self.tables: list[dict[str, Any]] = [{} for _ in record.groups]
        if schedule is None:
            return
        for i, columns in enumerate(schedule.table):
            for name, column in columns.items():
                self.tables[i][name] = self._parts(column.bits)

    @staticmethod
    def _parts(values: Any) -> list[Any]:
        """Of each number of a hyperparameter, such as both betas, its column; a plain float where it stays."""
        columns = values.reshape(len(values), -1).T
        return [float(c[0]) if (c == c[0]).all() else c for c in columns]

    def init(self, position: int = 0) -> Position:
        """Where it stands after so many scheduler steps from the translation."""
        every = 1 if self.schedule is None else self.schedule.every
        return Position(jnp.asarray(position * every, jnp.int32))

    def update(self, at: Position, metrics: Any) -> Position:
        """Where it stands after a further update."""
        return Position(at.count + 1)

    def values(self, group: int, at: Position) -> dict[str, Any]:
        """What moves, for the next update; NaN past the table's end, so that it cannot be missed."""
        if self.schedule is None:
            return {}
        row, rows = self._row(at.count), self.schedule.rows

        def at_row(part: Any) -> Any:
            return part if isinstance(part, float) else jnp.where(row < rows, jnp.asarray(part)[row], jnp.nan)

        found = {}
        for name, parts in self.tables[group].items():
            moved = [at_row(part) for part in parts]
            found[name] = tuple(moved) if len(self.schedule.table[group][name].shape) > 1 else moved[0]
        return found

    def _row(self, count: Any) -> Any:
        assert self.schedule is not None
        return self.schedule.position + (self.schedule.since + count) // self.schedule.every

    def torch_values(self, group: int, at: Position) -> dict[str, Any]:
        """What moves, in torch's types; outside a compiled function."""
        if self.schedule is None or not self.schedule.table:
            return {}
        return self.schedule.row(group, int(self._row(at.count)))

    def record_of(self, at: Position) -> ScheduleRecord | None:
        """The schedule's record there; outside a compiled function."""
        if self.schedule is None:
            return None
        since = self.schedule.since + int(at.count)
        return replace(
            self.schedule,
            position=self.schedule.position + since // self.schedule.every,
            since=since % self.schedule.every,
        )
