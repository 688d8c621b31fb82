"""torch's schedulers as records: where they stand, what they will do; and a live one stepped to where a run stands."""

import warnings
from typing import Any

import torch

from parity.convert.optim.record import ScheduleRecord
from parity.convert.optim.tensors import FileError
from parity.convert.optim.torch_record import plain_of_torch, plain_to_torch

PLATEAU = "ReduceLROnPlateau"


def describe_schedule(
    scheduler: Any, optimizer: torch.optim.Optimizer, steps: int | None, every: int = 1
) -> ScheduleRecord:
    raise NotImplementedError


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
            got = plain_of_torch(group[name], name)
            if got != wanted:
                raise FileError(
                    f"optim: the {record.kind} here, {record.position} steps from the file's start, gives the param "
                    f"group {i} {name} = {got}, where the run had {wanted}; build it with the run's arguments and functions"
                )
