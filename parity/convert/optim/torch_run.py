"""A run of torch saved to a file, and a file loaded into one: model, optimizer and scheduler in place."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from parity.convert.optim.record import OptimizerRecord, TrainingRecord
from parity.convert.optim.tensors import FileError, Tensor
from parity.convert.optim.torch_record import describe, state_dict, tensors_of, to_torch
from parity.convert.optim.torch_schedule import describe_schedule, replay


def save_torch(
    path: str | Path,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: Any = None,
    *,
    step: int,
    steps: int | None = None,
    every: int = 1,
) -> None:
    """Write a run of torch as one file, from which `load_jax` and `load_torch` go on.

    Args:
        path: The file; it is replaced whole or not at all.
        model: Its whole state_dict is written.
        optimizer: One of torch.optim's classes, over parameters of the model.
        scheduler: Of torch.optim.lr_scheduler, over this optimizer.
        step: Optimizer steps so far.
        steps: How many further optimizer steps JAX may take; its schedule is tabulated so far. Needed with a scheduler.
        every: Optimizer steps to one of the scheduler: 1, or the steps of an epoch.

    Raises:
        TypeError: If the optimizer or the scheduler is of a class that cannot be translated.
        ValueError: If something in the run cannot go over; the message says what.
        OSError: If the file cannot be written.

    Examples:
        >>> import tempfile
        >>> model = torch.nn.Linear(2, 1)
        >>> path = Path(tempfile.mkdtemp(), "run.safetensors")
        >>> save_torch(path, model, torch.optim.Adam(model.parameters()), step=0)
        >>> path.stat().st_size > 0
        True
    """
    described = describe(optimizer, model)
    schedule = None if scheduler is None else describe_schedule(scheduler, optimizer, steps, every)
    tensors, ties = tensors_of(model.state_dict())
    TrainingRecord(tensors, ties, described, schedule, step, {"torch": torch.__version__}).save(path)


def load_torch(
    path: str | Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, scheduler: Any = None
) -> int:
    """Put a file of `save_torch` or `save_jax` into a run of torch, in place. All is checked before any is written.

    Args:
        path: The file.
        model: Of the names and shapes that the file holds.
        optimizer: Of the file's class, over the same parameters in the same groups. Gets hyperparameters and state.
        scheduler: Of the file's class, over this optimizer; a file with a schedule wants one. It is stepped to where
            the run stands.

    Returns:
        The optimizer steps so far.

    Raises:
        FileError: If the file cannot be read, or holds another run: the message says what differs.

    Examples:
        >>> import tempfile
        >>> model, fresh = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
        >>> path = Path(tempfile.mkdtemp(), "run.safetensors")
        >>> save_torch(path, model, torch.optim.SGD(model.parameters(), lr=0.5), step=7)
        >>> load_torch(path, fresh, torch.optim.SGD(fresh.parameters(), lr=0.1))
        7
        >>> torch.equal(fresh.weight, model.weight)
        True
    """
    record = TrainingRecord.load(path)
    here = describe(optimizer, model)
    same_optimizer(record.optimizer, here, path)
    _same_model(record, model, path)
    assert record.optimizer is not None
    if (record.schedule is None) != (scheduler is None) or (
        record.schedule is not None and record.schedule.kind != type(scheduler).__name__
    ):
        got = "no schedule" if record.schedule is None else f"the schedule of a {record.schedule.kind}"
        wanted = "none was given" if scheduler is None else f"a {type(scheduler).__name__} was given"
        raise FileError(f"optim: {path} holds {got}, and {wanted}; give the scheduler that the run was begun with")
    values = {name: to_torch(tensor) for name, tensor in record.model.items()}
    model.load_state_dict(values | {other: values[name] for other, name in record.ties.items()})
    _load_optimizer(record.optimizer, optimizer)
    if record.schedule is not None:
        replay(record.schedule, scheduler, optimizer)
    return record.step


def _load_optimizer(record: OptimizerRecord, optimizer: torch.optim.Optimizer) -> None:
    # The names that a live optimizer has stay as they are; those of another run's model are the same by now.
    own = [group.get("param_names") for group in optimizer.param_groups]
    optimizer.load_state_dict(state_dict(record))
    for group, names in zip(optimizer.param_groups, own, strict=True):
        group.pop("param_names", None)
        if names is not None:
            group["param_names"] = names
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for number, slots in record.state.items():
        live = optimizer.state[parameters[number]]
        for slot, saved in slots.items():
            # torch's own loading casts every slot but "step" to the parameter's dtype: NAdam's mu_product, kept in
            # float32, would come back rounded to bfloat16, or go on in float64 where an unbroken run would not.
            if isinstance(saved, Tensor) and str(live[slot].dtype) != f"torch.{saved.dtype}":
                live[slot] = to_torch(saved).to(live[slot].device)


def same_optimizer(record: OptimizerRecord | None, here: OptimizerRecord, path: str | Path) -> None:
    """Refuse a file of another optimizer.

    Args:
        record: The file's.
        here: The one that the file shall go into.
        path: The file, for the message.

    Raises:
        FileError: If class, groups, names or shapes differ; both are named.
    """
    if record is None:
        raise FileError(f"optim: {path} holds parameters alone, no optimizer; load them into the model by themselves")
    if record.kind != here.kind:
        raise FileError(
            f"optim: {path} holds the state of {record.kind}, the optimizer here is {here.kind}; "
            f"build torch.optim.{record.kind}, or start the optimizer anew"
        )
    got, wanted = ([len(group["params"]) for group in o.groups] for o in (record, here))
    if record.is_named and here.is_named:
        differing(record.names, here.names, f"{path}, its optimizer", "the optimizer here")
    if got != wanted:
        raise FileError(f"optim: {path} has param groups of {got} parameters, the optimizer here of {wanted}")
    if record.is_named and here.is_named and record.names != here.names:
        raise FileError(
            f"optim: {path} has the optimizer's parameters in the order {list(record.names)[:8]}, the optimizer here "
            f"{list(here.names)[:8]}; put them in the same order and groups"
        )
    for name, shape, other in zip(record.names, record.shapes, here.shapes, strict=True):
        if tuple(shape) != tuple(other):
            raise FileError(f"optim: {path} has {name} of shape {tuple(shape)}, the optimizer here of {tuple(other)}")


def differing(got: Iterable[str], wanted: Iterable[str], there: str, here: str) -> None:
    """Refuse two sets of names that are not one.

    Raises:
        FileError: Naming those that are missing and those that are unexpected.
    """
    got, wanted = list(got), list(wanted)
    missing, unexpected = sorted(set(wanted) - set(got)), sorted(set(got) - set(wanted))
    if missing or unexpected:
        raise FileError(
            f"optim: {there} lacks {missing[:8] or 'nothing'}, and has {unexpected[:8] or 'nothing'} that {here} has "
            f"not ({len(missing)} missing, {len(unexpected)} unexpected); build the model that the file was saved from"
        )


def _same_model(record: TrainingRecord, model: torch.nn.Module, path: str | Path) -> None:
    wanted = model.state_dict()
    have = dict(record.model) | {other: record.model[name] for other, name in record.ties.items()}
    differing(have, wanted, str(path), f"the model {type(model).__name__}")
    for name, value in wanted.items():
        got, here = have[name], (str(value.dtype).removeprefix("torch."), tuple(value.shape))
        if (got.dtype, got.shape) != here:
            raise FileError(
                f"optim: {path} has {name} as {got.dtype} {got.shape}, the model here as {here[0]} {here[1]}; "
                "build the model in the file's sizes and dtype"
            )
