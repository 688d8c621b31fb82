"""A training run between two frameworks: parameters, optimizer, schedule and step, in one file that either side reads.

All of it is in torch's names and layout, and held by NumPy: a host with JAX alone goes on with what torch wrote.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from parity.convert.optim.plain import decode, encode
from parity.convert.optim.tensors import FileError, Tensor, from_bytes, read_bytes, to_bytes
from parity.files import write_atomically

PLATEAU = "ReduceLROnPlateau"  # the scheduler that follows a metric, not the count
ENTRY = "parity.training"  # of the file's metadata
FORMAT = 1  # of the file; a reader refuses what it does not know


@dataclass(frozen=True)
class OptimizerRecord:
    """A torch optimizer as its state_dict tells it, and what that leaves out.

    Attributes:
        kind: The class of torch.optim, such as "AdamW".
        names: Of the parameters, in the order of their numbers: torch's, or "0", "1", ... where it has none.
        shapes: Of the parameters, likewise.
        dtypes: Of the parameters, likewise.
        hyperparameters: The names of those that the class has; a group may hold more, which the class does not read.
        groups: torch's param_groups, "params" being numbers.
        state: torch's state: slots by the parameter's number.
    """

    kind: str
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]
    hyperparameters: tuple[str, ...]
    groups: tuple[Mapping[str, Any], ...]
    state: Mapping[int, Mapping[str, Any]]

    @property
    def is_named(self) -> bool:
        """Whether the parameters have names, rather than numbers."""
        return self.names != tuple(map(str, range(len(self.names))))


@dataclass(frozen=True)
class ScheduleRecord:
    """A torch scheduler where its table begins, the table, and how far the run has come.

    Attributes:
        kind: The class of torch.optim.lr_scheduler.
        start: Its state_dict where the table begins; that of ReduceLROnPlateau where the run stands.
        table: Of each param group: the values of every hyperparameter that moves, by row. A row is a step of the
            scheduler; of ReduceLROnPlateau, a fall of the rate.
        position: The row at which the run stands.
        every: Optimizer steps to one of the scheduler.
        since: Optimizer steps since the scheduler's last.
    """

    kind: str
    start: Mapping[str, Any]
    table: tuple[Mapping[str, Tensor], ...]
    position: int = 0
    every: int = 1
    since: int = 0

    def row(self, group: int, position: int) -> dict[str, Any]:
        """What the hyperparameters that move are for a group at a position, in torch's types.

        Raises:
            IndexError: Past the table's end.
        """
        if position >= self.rows:
            raise IndexError(f"optim: the schedule has {self.rows} rows, no row {position}; tabulate more steps")
        rows = {name: column.bits[position].tolist() for name, column in self.table[group].items()}
        return {name: tuple(value) if isinstance(value, list) else value for name, value in rows.items()}

    @property
    def rows(self) -> int:
        """How many positions the table knows; 0 where nothing moves by a table."""
        return max((column.shape[0] for group in self.table for column in group.values()), default=0)


@dataclass(frozen=True)
class TrainingRecord:
    """All that a run needs to go on, in either framework.

    Attributes:
        model: torch's state_dict of the model, each tensor once.
        ties: Further names of tensors in `model`: the other name to the one that is kept.
        optimizer: None in a file of parameters alone.
        schedule: None where the run has none.
        step: Optimizer steps so far, as the run counts them.
        origin: Framework and version that wrote it.
    """

    model: Mapping[str, Tensor]
    ties: Mapping[str, str] = field(default_factory=dict)
    optimizer: OptimizerRecord | None = None
    schedule: ScheduleRecord | None = None
    step: int = 0
    origin: Mapping[str, str] = field(default_factory=dict)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, whole or not at all.

        Args:
            path: The file; its folder must exist.

        Raises:
            TypeError: Where a scheduler or a param group holds what a file cannot carry; the message says where.
            OSError: If it cannot be written.
        """
        tensors: dict[str, Tensor] = {}
        content = {
            "model": dict(self.model),
            "ties": dict(self.ties),
            "optimizer": None if self.optimizer is None else _plain(self.optimizer),
            "schedule": None if self.schedule is None else _plain(self.schedule),
            "step": self.step,
            "origin": dict(self.origin),
        }
        header = {"format": FORMAT, **{name: encode(value, name, tensors) for name, value in content.items()}}
        write_atomically(Path(path), to_bytes(tensors, {ENTRY: json.dumps(header, allow_nan=False)}))

    @classmethod
    def load(cls, path: str | Path) -> "TrainingRecord":
        """Read a file that `save` wrote. Nothing is unpickled; all of it is checked before any of it is used.

        Args:
            path: The file.

        Returns:
            The record.

        Raises:
            FileError: If it is missing, truncated, of another kind or of a newer format.
        """
        tensors, metadata = from_bytes(read_bytes(path), path)
        if ENTRY not in metadata:
            raise FileError(
                f"optim: {path} is a safetensors file, but no training state: its header has no entry {ENTRY!r}; "
                f"parity.optim.save_torch and save_jax write one, and `parity convert` makes one of parameters alone"
            )
        try:
            header = json.loads(metadata[ENTRY])
            if not isinstance(header, dict) or header.get("format") != FORMAT:
                got = header.get("format") if isinstance(header, dict) else type(header).__name__
                raise FileError(f"optim: {path} has format {got!r}, this version reads {FORMAT}; update parity")
            content = {name: decode(value, tensors) for name, value in header.items() if name != "format"}
            record = cls(
                content["model"],
                content["ties"],
                content["optimizer"] and _optimizer(content["optimizer"]),
                content["schedule"] and ScheduleRecord(**content["schedule"]),
                content["step"],
                content["origin"],
            )
            record._examine(path)
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
            if isinstance(error, FileError):
                raise
            raise FileError(
                f"optim: the header of {path} is not what save writes ({type(error).__name__}: {error}); save it again"
            ) from error
        return record

    def with_names(self, names: Mapping[str, str]) -> "TrainingRecord":
        """The same with the optimizer's parameters renamed: old name to new; the others stay."""
        if self.optimizer is None:
            return self
        renamed = tuple(names.get(name, name) for name in self.optimizer.names)
        return replace(self, optimizer=replace(self.optimizer, names=renamed))

    def _examine(self, path: str | Path) -> None:
        """Refuse a header that contradicts itself."""
        for name, tensor in self.model.items():
            if not isinstance(tensor, Tensor):
                raise FileError(f"optim: {path} holds {name} as {tensor!r}, wanted a tensor; save it again")
        for other, name in self.ties.items():
            if name not in self.model:
                raise FileError(f"optim: {path} ties {other} to {name}, which it lacks; save it again")
        if isinstance(self.step, bool) or not isinstance(self.step, int) or self.step < 0:
            raise FileError(f"optim: {path} stands at step {self.step!r}, wanted a whole number; save it again")
        if self.optimizer is not None:
            _check_numbers(self.optimizer, path)
            if self.schedule is not None and self.schedule.table:
                _check_table(self.schedule, len(self.optimizer.groups), path)


def _plain(record: OptimizerRecord | ScheduleRecord) -> dict[str, Any]:
    return dict(vars(record))


def _optimizer(content: Mapping[str, Any]) -> OptimizerRecord:
    return OptimizerRecord(**content)


def _check_numbers(optimizer: OptimizerRecord, path: str | Path) -> None:
    count = len(optimizer.names)
    numbers = [number for group in optimizer.groups for number in group["params"]]
    if sorted(numbers) != list(range(count)) or len(optimizer.shapes) != count or len(set(optimizer.names)) != count:
        raise FileError(
            f"optim: {path} has {count} parameters called {list(optimizer.names)[:8]}, and its groups number them "
            f"{numbers[:8]}; wanted each once. Save it again"
        )
    strangers = [number for number in optimizer.state if number not in range(count)]
    if strangers:
        raise FileError(
            f"optim: {path} has optimizer state for the parameters {strangers}, but only {count} parameters"
        )


def _check_table(schedule: ScheduleRecord, groups: int, path: str | Path) -> None:
    rows = {column.shape[0] for group in schedule.table for column in group.values()}
    if len(schedule.table) != groups or len(rows) > 1:
        raise FileError(
            f"optim: {path} has {groups} param groups and a schedule of {len(schedule.table)} with {sorted(rows)} "
            "rows; wanted as many groups, and one number of rows. Save it again"
        )
