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
        scheduler: Any that torch has; it is not moved.
        optimizer: The one that it drives.
        steps: Optimizer steps for which to tabulate; not needed for ReduceLROnPlateau, which follows a metric.
        every: Optimizer steps to one of the scheduler.

    Returns:
        The record.

    Raises:
        TypeError: If it moves what is no number.
        ValueError: If it drives another optimizer, or `steps` is missing.
    """
    kind = type(scheduler).__name__
    if scheduler.optimizer is not optimizer:
        raise ValueError(f"optim: the {kind} drives another optimizer; give the one that drives this")
    if every < 1 or (steps is None and kind != PLATEAU):
        raise ValueError(
            f"optim: a {kind} wants steps, how many optimizer steps will follow, and every, how many of them go to "
            f"one of the scheduler; got steps={steps}, every={every}"
        )
    start = plain_of_torch(scheduler.state_dict(), "schedule")
    if kind == PLATEAU:
        return ScheduleRecord(kind, start, _falls(scheduler, optimizer), every=every)
    assert steps is not None
    moving = tabulate(scheduler, steps // every + 1)
    table = tuple({name: Tensor("float64", column) for name, column in group.items()} for group in moving.values())
    return ScheduleRecord(kind, start, table, every=every)


def _falls(scheduler: Any, optimizer: torch.optim.Optimizer) -> tuple[Mapping[str, Tensor], ...]:
    """Of each group the rates after no fall, one, two, ... down to where they stay, in double precision as in torch."""
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
    _step(record, scheduler, optimizer)
    for i, group in enumerate(optimizer.param_groups):
        for name, wanted in record.row(i, record.position).items():
            got = number_of(plain_of_torch(group[name], name))
            if got != wanted:
                raise FileError(
                    f"optim: the {record.kind} here, {record.position} steps from the file's start, gives the param "
                    f"group {i} {name} = {got}, where the run had {wanted}; build it with the run's arguments and "
                    "functions"
                )


def state_at(record: ScheduleRecord, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The state_dict of a scheduler where a run stands, without the live one: it is made again of its state_dict.

    Args:
        record: Where the run stands.
        optimizer: With the run's param groups.

    Returns:
        torch's state_dict.

    Raises:
        FileError: If a scheduler of this class cannot be made of its state_dict alone: it calls functions or others.
    """
    try:
        scheduler = object.__new__(getattr(torch.optim.lr_scheduler, record.kind))
        scheduler.optimizer = optimizer
        replay(record, scheduler, optimizer)
        return dict(scheduler.state_dict())
    except (AttributeError, KeyError, TypeError, FileError) as error:
        raise FileError(
            f"optim: a {record.kind} cannot be made of its state_dict alone ({error}); build it in the program that "
            "goes on, and give it to parity.optim.load_torch with the file"
        ) from error


def _step(record: ScheduleRecord, scheduler: Any, optimizer: torch.optim.Optimizer) -> None:
    _put(record, 0, optimizer)
    with warnings.catch_warnings():
        # An optimizer that was just loaded has taken its steps in another process, which torch cannot know.
        warnings.filterwarnings("ignore", r"Detected call of `lr_scheduler.step\(\)` before", UserWarning)
        warnings.filterwarnings("ignore", r"Seems like `optimizer.step\(\)` has been overridden", UserWarning)
        for _ in range(record.position):
            scheduler.step()


def _put(record: ScheduleRecord, position: int, optimizer: torch.optim.Optimizer) -> None:
    for i, group in enumerate(optimizer.param_groups):
        for name, value in record.row(i, position).items():
            if isinstance(group[name], torch.Tensor):
                group[name].fill_(value)
            else:
                group[name] = value
