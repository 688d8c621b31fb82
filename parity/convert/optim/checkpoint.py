"""`parity convert`: checkpoints of either framework made into what the other goes on with. Nothing is unpickled."""

from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from parity.convert.optim.record import ENTRY, OptimizerRecord, TrainingRecord
from parity.convert.optim.tensors import FileError, Tensor, from_bytes, read_bytes
from parity.files import write_atomically

MODEL = ("model", "model_state_dict", "state_dict")
OPTIMIZER = ("optimizer", "optimizer_state_dict")
SCHEDULER = ("scheduler", "scheduler_state_dict", "lr_scheduler")
"""What checkpoints call their parts."""


def convert(
    source: Path, target: Path, *, to: str, optimizer: str | None = None, without_scheduler: bool = False
) -> list[str]:
    """Write what a framework goes on with from a checkpoint of the other.

    Args:
        source: A training state of `save_torch` or `save_jax`; a torch.save file of a model's state_dict, alone or as
            {"model": ..., "optimizer": ...}; or a safetensors file of parameters.
        target: The file to write. For JAX a training state, which `load_jax` reads; for torch a torch.save file of
            {"model", "optimizer", "scheduler", "step"}, for load_state_dict.
        to: "jax" or "torch".
        optimizer: The optimizer's class, which a torch checkpoint does not tell; without it, its hyperparameters tell.
        without_scheduler: Leave out a torch checkpoint's scheduler, of which neither class nor table is known.

    Returns:
        What a person should know, a line each.

    Raises:
        FileError: If the source cannot be read or does not hold what is needed.
        OSError: If the target cannot be written.
    """
    data = read_bytes(source)
    said: list[str] = []
    if data[:2] == b"PK" or data[:1] == b"\x80":  # a zip file or a bare pickle, which torch.save writes
        record = _of_checkpoint(data, source, optimizer, without_scheduler, said)
    else:
        record = _of_safetensors(data, source)
    if optimizer is not None and record.optimizer is not None and record.optimizer.kind != optimizer:
        raise FileError(f"optim: {source} holds the state of {record.optimizer.kind}, not of {optimizer}")
    if to == "jax":
        record.save(target)
    else:
        write_atomically(target, _checkpoint(record))
    held = f"{len(record.model)} tensors of the model"
    if record.optimizer is not None:
        held += f", {record.optimizer.kind} of {len(record.optimizer.names)} parameters"
    if record.schedule is not None:
        held += f", {record.schedule.kind}"
    return [*said, f"{held}, step {record.step}"]


def _of_safetensors(data: bytes, source: Path) -> TrainingRecord:
    tensors, metadata = from_bytes(data, source)
    if ENTRY in metadata:
        return TrainingRecord.load(source)
    if "parity" in metadata:
        raise FileError(f"optim: {source} is a Trace, which records a run's arrays; wanted a checkpoint")
    return TrainingRecord(tensors)


def _of_checkpoint(
    data: bytes, source: Path, optimizer: str | None, without_scheduler: bool, said: list[str]
) -> TrainingRecord:
    import torch

    from parity.convert.optim.torch_record import tensors_of

    try:
        content = torch.load(BytesIO(data), map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        told = str(error).splitlines()[0]
        raise FileError(
            f"optim: {source} cannot be read as tensors and plain values alone ({told}); it is truncated, or holds "
            "objects that would run code: save state_dicts, not models"
        ) from error
    if not isinstance(content, Mapping):
        raise FileError(f"optim: {source} holds a {type(content).__name__}, wanted a dict of state_dicts")
    parts = {name: _part(content, keys) for name, keys in (("m", MODEL), ("o", OPTIMIZER), ("s", SCHEDULER))}
    model = content if parts["m"] is None else parts["m"]
    if not isinstance(model, Mapping) or not all(isinstance(value, torch.Tensor) for value in model.values()):
        raise FileError(
            f"optim: {source} has the entries {list(content)[:8]}; wanted a state_dict of tensors, or one under "
            f"{', '.join(MODEL)} with the optimizer's under {' or '.join(OPTIMIZER)}"
        )
    if parts["s"] is not None and not without_scheduler:
        raise FileError(
            f"optim: {source} holds a scheduler's state, which tells neither its class nor what comes; save the run "
            "with parity.optim.save_torch, or leave the scheduler out with --without-scheduler"
        )
    if parts["s"] is not None:
        said.append("the scheduler is left out: hyperparameters stay as they are in the param groups")
    tensors, ties = tensors_of(model)
    record = TrainingRecord(tensors, ties, origin={"torch": torch.__version__})
    if parts["o"] is None:
        return record
    described = _described(parts["o"], tensors, source, optimizer, said)
    step = content.get("step")
    return replace(record, optimizer=described, step=step if isinstance(step, int) else _counted(described))


def _part(content: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((content[key] for key in keys if isinstance(content.get(key), Mapping)), None)


def _described(
    state_dict: Mapping[str, Any], model: Mapping[str, Tensor], source: Path, kind: str | None, said: list[str]
) -> OptimizerRecord:
    """The optimizer of a checkpoint: its class by its hyperparameters, its parameters by their names."""
    from parity.convert.optim.torch_record import KINDS, hyperparameters_of, plain_of_torch

    groups = tuple(plain_of_torch(dict(group), "param_groups") for group in state_dict["param_groups"])
    held = set(groups[0]) - {"params", "param_names"}
    fitting = [name for name in KINDS if set(hyperparameters_of(name)) <= held]
    decoupled = bool(groups[0].get("decoupled_weight_decay"))
    fitting = [name for name in fitting if name not in ("Adam", "AdamW") or (name == "AdamW") == decoupled]
    if kind is None:
        # The largest set that fits: SparseAdam's hyperparameters are among Adam's.
        most = max((len(hyperparameters_of(name)) for name in fitting), default=0)
        fitting = [name for name in fitting if len(hyperparameters_of(name)) == most]
        if len(fitting) != 1:
            raise FileError(
                f"optim: the hyperparameters {sorted(held)} in {source} do not tell which of torch.optim's classes it "
                f"was ({', '.join(fitting) or 'none has them'}); give --optimizer CLASS"
            )
        kind = fitting[0]
        said.append(f"the optimizer is taken for {kind}, which alone has its hyperparameters; else give --optimizer")
    elif kind not in KINDS or not set(hyperparameters_of(kind)) <= held:
        raise FileError(f"optim: {source} has not the hyperparameters of {kind}; they are {sorted(held)}")
    numbers = [number for group in groups for number in group["params"]]
    names = [name for group in groups for name in group.get("param_names", ())]
    if len(names) != len(numbers) or not set(names) <= set(model):
        raise FileError(
            f"optim: the optimizer in {source} does not name its {len(numbers)} parameters as the model does, so its "
            "state could land on others of the same shape; build it with model.named_parameters(), or use save_torch"
        )
    by_number = dict(zip(numbers, names, strict=True))
    ordered = tuple(by_number[number] for number in range(len(numbers)))
    state = {n: plain_of_torch(slots, f"state/{by_number[n]}") for n, slots in state_dict["state"].items() if slots}
    shapes, dtypes = (tuple(getattr(model[name], what) for name in ordered) for what in ("shape", "dtype"))
    return OptimizerRecord(kind, ordered, shapes, dtypes, hyperparameters_of(kind), groups, state)


def _counted(optimizer: OptimizerRecord) -> int:
    from parity.convert.optim.tensors import number_of

    return int(max((number_of(slots["step"]) for slots in optimizer.state.values() if "step" in slots), default=0))


def _checkpoint(record: TrainingRecord) -> bytes:
    import torch

    from parity.convert.optim.torch_record import bare_optimizer, state_dict, to_torch
    from parity.convert.optim.torch_schedule import state_at

    model = {name: to_torch(tensor) for name, tensor in record.model.items()}
    content: dict[str, Any] = {"model": model | {other: model[name] for other, name in record.ties.items()}}
    if record.optimizer is not None:
        content["optimizer"] = state_dict(record.optimizer)
        content["step"] = record.step
    if record.schedule is not None and record.optimizer is not None:
        content["scheduler"] = state_at(record.schedule, bare_optimizer(record.optimizer))
    file = BytesIO()
    torch.save(content, file)
    return file.getvalue()
