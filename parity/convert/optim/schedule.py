"""The hyperparameters that a scheduler moves, inside a compiled step: rows of a table that the run walks through."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jax_impl.schedules import ReduceLROnPlateau
from parity.convert.optim.record import PLATEAU, OptimizerRecord, ScheduleRecord
from parity.convert.optim.tensors import number_of


class Position(NamedTuple):
    """Where a schedule stands.

    Attributes:
        count: Updates since the translation.
        falls: How often the rate has fallen since, where it follows a metric.
        plateau: Its state then, in torch's names.
    """

    count: Any
    falls: Any = ()
    plateau: Any = ()


class Mover:
    """Gives each step its hyperparameters.

    Args:
        record: The optimizer as it was translated.
        schedule: Its scheduler's table; None where nothing moves.
    """

    def __init__(self, record: OptimizerRecord, schedule: ScheduleRecord | None) -> None:
        self.schedule = schedule
        table: tuple[Mapping[str, Any], ...] = ({},) * len(record.groups) if schedule is None else schedule.table
        self.columns = [{name: _columns(column.bits) for name, column in group.items()} for group in table]
        self.pairs = {name for group in table for name, column in group.items() if len(column.shape) > 1}
        self.plateau = None
        if schedule is not None and schedule.kind == PLATEAU:
            start = {name: number_of(value) for name, value in schedule.start.items()}
            wanted = ("mode", "patience", "threshold", "threshold_mode", "cooldown")
            # Its rate halves from 1 at every fall and is put back to 1, which counts the falls: the rates themselves
            # are in the table, in double precision.
            self.plateau = ReduceLROnPlateau(**{name: start[name] for name in wanted}, factor=0.5, eps=0.0)

    def init(self, position: int = 0) -> Position:
        """Where it stands after so many scheduler steps from the translation."""
        if self.schedule is None:
            return Position(jnp.asarray(0, jnp.int32))
        count = jnp.asarray(position * self.schedule.every, jnp.int32)
        if self.plateau is None:
            return Position(count)
        state = self.plateau.init(1.0)
        held = {name: jnp.asarray(self.schedule.start[name], state[name].dtype) for name in state if name != "lr"}
        return Position(count, jnp.asarray(0, jnp.int32), held)

    def update(self, at: Position, metrics: Any) -> Position:
        """Where it stands after a further update, given the metric that a plateau's scheduler is told."""
        count = at.count + 1
        if self.plateau is None or self.schedule is None:
            return Position(count)
        if metrics is None:
            raise ValueError(f"optim: {PLATEAU} follows a metric; give update(..., metrics=loss)")
        one = jnp.ones_like(at.plateau["best"])
        after = self.plateau.update({"lr": one, **at.plateau}, jnp.asarray(metrics, one.dtype))
        fallen = at.falls + (after.pop("lr") < one)
        due = (self.schedule.since + count) % self.schedule.every == 0
        return Position(
            count, *jax.tree.map(lambda new, old: jnp.where(due, new, old), (fallen, after), (at.falls, at.plateau))
        )

    def values(self, group: int, at: Position) -> dict[str, Any]:
        """What moves, for the next update; NaN past the table's end, so that it cannot be missed."""
        found = {}
        for name, columns in self.columns[group].items():
            moved = [self._at_row(column, at) for column in columns]
            found[name] = tuple(moved) if name in self.pairs else moved[0]
        return found

    def _at_row(self, column: Any, at: Position) -> Any:
        if isinstance(column, float):
            return column
        row, values = self._row(at), jnp.asarray(column)
        return jnp.where(row < len(column), values[jnp.minimum(row, len(column) - 1)], jnp.nan)

    def _row(self, at: Position) -> Any:
        assert self.schedule is not None
        if self.plateau is not None:  # past its last fall the rate stays
            return jnp.minimum(self.schedule.position + at.falls, self.schedule.rows - 1)
        return self.schedule.position + (self.schedule.since + at.count) // self.schedule.every

    def torch_values(self, group: int, at: Position) -> dict[str, Any]:
        """What moves, in torch's types; outside a compiled function."""
        return {} if self.schedule is None else self.schedule.row(group, int(self._row(at)))

    def record_of(self, at: Position) -> ScheduleRecord | None:
        """The schedule's record there; outside a compiled function."""
        if self.schedule is None:
            return None
        since = (self.schedule.since + int(at.count)) % self.schedule.every
        record = replace(self.schedule, position=int(self._row(at)), since=since)
        if self.plateau is None:
            return record
        held = {name: value.item() for name, value in at.plateau.items()}
        rates = [record.row(i, record.position)["lr"] for i in range(len(self.columns))]
        return replace(record, start={**record.start, **held, "_last_lr": rates})


def _columns(values: np.ndarray) -> list[Any]:
    """Of each number of a hyperparameter, such as both betas, its column; a plain float where it stays."""
    columns = values.reshape(len(values), -1).T
    return [float(c[0]) if (c == c[0]).all() else c for c in columns]
