"""torch's schedulers as records: where they stand, what they will do; and a live one stepped to where a run stands."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from parity.convert.optim.record import PLATEAU, ScheduleRecord
from parity.convert.optim.tensors import FileError, Tensor, number_of
from parity.convert.optim.torch_record import plain_of_torch, plain_to_torch
from parity.convert.schedules import tabulate

FALLS = 10_000  # a plateau's rate has stopped falling long before


def describe_schedule(
    scheduler: Any, optimizer: torch.optim.Optimizer, steps: int | None, every: int = 1
) -> ScheduleRecord:
    """Where a live scheduler stands and what it will do.

    Args:
        scheduler: Of torch.optim.lr_scheduler; it is not moved.
        optimizer: The one that it drives.
        steps: Optimizer steps for which to tabulate; not needed for ReduceLROnPlateau, which follows a metric.
        every: Optimizer steps to one of the scheduler.

    Returns:
        The record.

    Raises:
        TypeError: If it is of another class.
        ValueError: If it drives another optimizer, or `steps` is missing.
    """
    kind = type(scheduler).__name__
    if type(scheduler) is not getattr(torch.optim.lr_scheduler, kind, None):
        raise TypeError(
            f"optim: {type(scheduler).__module__}.{kind} is no scheduler of torch.optim.lr_scheduler, so a file cannot "
            "tell where it stands; a LambdaLR can hold any function"
        )
    if _optimizer_of(scheduler) is not optimizer:
        raise ValueError(f"optim: the {kind} drives another optimizer; give the one that drives this")
    if every < 1 or (steps is None and kind != PLATEAU):
        raise ValueError(
            f"optim: with a {kind}, steps says how many optimizer steps will follow, and every how many go to one of the "
            f"scheduler; got steps={steps}, every={every}"
        )
    start = plain_of_torch(scheduler.state_dict(), "schedule")
    if kind == PLATEAU:
        return ScheduleRecord(kind, start, _falls(scheduler, optimizer), every=every)
    assert steps is not None
    table = tabulate(scheduler, steps // every + 1)
    return ScheduleRecord(
        kind, start, tuple({n: Tensor("float64", c) for n, c in group.items()} for group in table), every=every
    )


def _optimizer_of(scheduler: Any) -> Any:
    first = scheduler
    while not hasattr(first, "optimizer"):
        first = first._schedulers[0]
    return first.optimizer


def _falls(scheduler: Any, optimizer: torch.optim.Optimizer) -> tuple[Mapping[str, Tensor], ...]:
    """Of each group the rates after no fall, one, two, ... down to where they stay: in Python's floats, as torch has them."""
    rows = [[float(group["lr"]) for group in optimizer.param_groups]]
    while len(rows) < FALLS:
        lower = [max(lr * scheduler.factor, least) for lr, least in zip(rows[-1], scheduler.min_lrs, strict=True)]
        rows.append([new if old - new > scheduler.eps else old for old, new in zip(rows[-1], lower, strict=True)])
        if rows[-1] == rows[-2]:
            break
    return tuple({"lr": Tensor("float64", np.array(column))} for column in zip(*rows, strict=True))


def replay(record: ScheduleRecord, scheduler: Any, optimizer: torch.optim.Optimizer) -> None:
    """Put a live scheduler, and its optimizer's hyperparameters, where a run stands.

    The scheduler starts where the table does and is stepped by its own code: so it goes on as if it had never stopped.

    Args:
        record: Where the run stands.
        scheduler: Of the record's class, over this optimizer; changed in place.
        optimizer: Changed in place: the hyperparameters that the scheduler moves.

    Raises:
        FileError: If this scheduler, stepped so, gives other hyperparameters than the run had: it was built with other
            arguments that its state_dict does not carry, such as a lambda.
    """
    scheduler.load_state_dict(plain_to_torch(dict(record.start)))
    if record.kind == PLATEAU:
        # Its state_dict is of where the run stands, and its optimizer's rates are too.
        return
    _put(record, 0, optimizer)
    with warnings.catch_warnings():
        # An optimizer that was just loaded has taken its steps in another process, which torch cannot know.
        warnings.filterwarnings(
            "ignore", message=r"Detected call of `lr_scheduler.step\(\)` before", category=UserWarning
        )
        for _ in range(record.position):
            scheduler.step()
    for i, group in enumerate(optimizer.param_groups):
        for name, wanted in record.row(i, record.position).items():
            got = number_of(plain_of_torch(group[name], name))
            if got != wanted:
                raise FileError(
                    f"optim: the {record.kind} here, {record.position} steps from the file's start, gives the param "
                    f"group {i} {name} = {got}, where the run had {wanted}; build it with the run's arguments and functions"
                )


def _put(record: ScheduleRecord, position: int, optimizer: torch.optim.Optimizer) -> None:
    for i, group in enumerate(optimizer.param_groups):
        for name, value in record.row(i, position).items():
            if isinstance(group[name], torch.Tensor):
                group[name].fill_(value)
            else:
                group[name] = value
