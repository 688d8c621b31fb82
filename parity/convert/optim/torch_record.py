"""torch's side of a record: what a live optimizer is, and a record put back into live ones, in place."""

import copy
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from parity.convert.optim.record import OptimizerRecord
from parity.convert.optim.tensors import CODES, Tensor

KINDS = (
    "SGD Adam AdamW Adamax NAdam RAdam RMSprop Adagrad Adadelta ASGD Rprop Adafactor Muon SparseAdam LBFGS"
).split()


def of_torch(tensor: torch.Tensor, place: str) -> Tensor:
    """A copy of a tensor's bits.

    Args:
        tensor: On any device.
        place: What it is, for the message.

    Returns:
        The Tensor.

    Raises:
        ValueError: For a dtype or a layout that does not go over.
    """
    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype not in (*CODES, "complex64", "complex128") or tensor.layout != torch.strided:
        raise ValueError(
            f"optim: {place} is a {tensor.layout} tensor of {dtype}; dense ones of {', '.join(CODES)} go over"
        )
    host = tensor.detach().cpu().contiguous().resolve_conj()
    return Tensor(dtype, np.array((host.view(torch.uint16) if dtype == "bfloat16" else host).numpy()))


def to_torch(tensor: Tensor) -> torch.Tensor:
    """A new tensor of the same bits, on the CPU."""
    bits = torch.from_numpy(np.array(tensor.bits))
    return bits.view(torch.bfloat16) if tensor.dtype == "bfloat16" else bits


def plain_of_torch(value: Any, place: str) -> Any:
    """A copy of nested values with every torch tensor made a Tensor."""
    return _nested(value, place, torch.Tensor, of_torch)


def plain_to_torch(value: Any) -> Any:
    """A copy of nested values with every Tensor made a torch tensor."""
    return _nested(value, "", Tensor, lambda tensor, _: to_torch(tensor))


def _nested(value: Any, place: str, leaf: type, change: Callable[[Any, str], Any]) -> Any:
    if isinstance(value, leaf):
        return change(value, place)
    if isinstance(value, dict):
        changed = {key: _nested(item, f"{place}/{key}", leaf, change) for key, item in value.items()}
        return Counter(changed) if isinstance(value, Counter) else changed
    if isinstance(value, list | tuple):
        items = [_nested(item, f"{place}/{i}", leaf, change) for i, item in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    return copy.deepcopy(value)


def describe(optimizer: torch.optim.Optimizer, model: torch.nn.Module | None = None) -> OptimizerRecord:
    """What a live optimizer is: its class, hyperparameters, parameters and state, copied.

    Args:
        optimizer: One of torch.optim's own classes.
        model: Gives the parameters' names; without it the optimizer's own param_names count, else "0", "1", ...

    Returns:
        The record.

    Raises:
        TypeError: If it is of another class, a subclass for one: its step may be anything.
        ValueError: If a parameter appears twice, belongs to no part of the model, or is complex.

    Examples:
        >>> weight = torch.nn.Parameter(torch.ones(2))
        >>> record = describe(torch.optim.SGD([("weight", weight)], lr=0.1))
        >>> record.kind, record.names, record.groups[0]["lr"]
        ('SGD', ('weight',), 0.1)
    """
    kind = type(optimizer).__name__
    if kind not in KINDS or type(optimizer) is not getattr(torch.optim, kind):
        where = f"{type(optimizer).__module__}.{type(optimizer).__qualname__}"
        raise TypeError(
            f"optim: {where} cannot be translated: its step may be anything. Known are torch.optim's own "
            f"{', '.join(KINDS)}; write the rule as an optax transformation, and give parity.check the pair"
        )
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if len({id(parameter) for parameter in parameters}) != len(parameters):
        raise ValueError("optim: a parameter appears twice in the optimizer, which steps it twice; name each once")
    names = _names(optimizer, parameters, model)
    if len(set(names)) != len(names):
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        raise ValueError(f"optim: several parameters are called {', '.join(twice)}; each needs a name of its own")
    whole = optimizer.state_dict()
    return OptimizerRecord(
        kind,
        names,
        tuple(tuple(parameter.shape) for parameter in parameters),
        tuple(str(parameter.dtype).removeprefix("torch.") for parameter in parameters),
        tuple(optimizer.defaults),
        tuple(plain_of_torch(group, f"param_groups/{i}") for i, group in enumerate(whole["param_groups"])),
        {number: plain_of_torch(slots, f"state/{names[number]}") for number, slots in whole["state"].items() if slots},
    )


def state_dict(record: OptimizerRecord) -> dict[str, Any]:
    """torch's state_dict of a record: its own keys, its own types."""
    return {
        "state": {number: plain_to_torch(dict(slots)) for number, slots in record.state.items()},
        "param_groups": [plain_to_torch(dict(group)) for group in record.groups],
    }


def tensors_of(state_dict: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A model's state_dict, each tensor once, and the further names of those that have several.

    Args:
        state_dict: Tensors by name.

    Returns:
        Tensors by their first name; and the other names, each to that one.

    Raises:
        ValueError: For a dtype or layout that does not go over, or state that is no tensor.

    Examples:
        >>> model = torch.nn.ModuleDict({"a": torch.nn.Linear(1, 1, bias=False)})
        >>> model["b"] = model["a"]
        >>> tensors, ties = tensors_of(model.state_dict())
        >>> list(tensors), ties
        (['a.weight'], {'b.weight': 'a.weight'})
    """
    tensors: dict[str, Tensor] = {}
    ties: dict[str, str] = {}
    first: dict[Any, str] = {}
    for name, value in state_dict.items():
        if not isinstance(value, torch.Tensor):
            raise ValueError(f"optim: {name} of the model's state is a {type(value).__name__}; only tensors go over")
        memory = (value.data_ptr(), value.shape, value.stride()) if value.numel() else name
        if memory in first:
            ties[name] = first[memory]
        else:
            first[memory] = name
            tensors[name] = of_torch(value, name)
    return tensors, ties


def hyperparameters_of(kind: str) -> tuple[str, ...]:
    """The names of the hyperparameters of a class of torch.optim.

    Examples:
        >>> hyperparameters_of("SparseAdam")
        ('lr', 'betas', 'eps', 'maximize')
    """
    return tuple(getattr(torch.optim, kind)([torch.nn.Parameter(torch.zeros(1, 1))]).defaults)


def bare_optimizer(record: OptimizerRecord) -> torch.optim.Optimizer:
    """An optimizer with a record's hyperparameters, over parameters that stand in for its own."""
    parts = [{"params": [torch.nn.Parameter(torch.zeros(1, 1))]} for _ in record.groups]
    optimizer: torch.optim.Optimizer = getattr(torch.optim, record.kind)(parts)
    for group, wanted in zip(optimizer.param_groups, record.groups, strict=True):
        group.update({name: plain_to_torch(value) for name, value in wanted.items() if name != "params"})
    return optimizer


def _names(
    optimizer: torch.optim.Optimizer, parameters: list[torch.Tensor], model: torch.nn.Module | None
) -> tuple[str, ...]:
    if model is None:
        own = [name for group in optimizer.param_groups for name in group.get("param_names", ())]
        return tuple(own) if own else tuple(map(str, range(len(parameters))))
    by_identity = {id(parameter): name for name, parameter in model.named_parameters()}
    strangers = [tuple(p.shape) for p in parameters if id(p) not in by_identity]
    if strangers:
        raise ValueError(
            f"optim: the optimizer holds {len(strangers)} parameters, of the shapes {strangers[:5]}, that the model "
            f"{type(model).__name__} has not; give the model that holds all of them"
        )
    return tuple(by_identity[id(parameter)] for parameter in parameters)
