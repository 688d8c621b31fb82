"""Training steps of a torch model from a state that is given, as a function that a check can run."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from parity.sides.inputs import rebuild
from parity.sides.torch_forward import torch_loss
from parity.sides.torch_model import TorchModel

STEP = "step"
"""The slot that counts an optimizer's steps; an integer of its own, since it is one for all parameters."""


def training(model: TorchModel, factory: Callable[..., Any], loss: Any, state: tuple[str, ...]) -> Callable[..., Any]:
    """Steps of training.

    Args:
        model: The model.
        factory: factory(list of parameters) -> an optimizer, or (optimizer, learning rate scheduler).
        loss: A loss's name or a function of (output, targets).
        state: Buffers that are carried from step to step.

    Returns:
        A function of the arguments in `parity.sides.mapped`, `optimizer` (slots by "slot/parameter"; {} for a fresh
        one), `start` (steps that were made before, an array), `steps`, `scale` (of the loss), `curve` and `batches`:
        None where every step is on the same inputs, else "inputs" and "targets" with one entry a step in their first
        axis. It gives "loss", "gradient", "optimizer", "parameters" and "state" after one step, or "losses",
        "parameters" and "state" of a curve.
    """
    measured = torch_loss(loss)
    assert measured is not None

    def run(
        parameters: dict[str, Any],
        fixed: dict[str, Any],
        state_before: dict[str, Any],
        inputs: dict[str, Any],
        targets: Any,
        optimizer: Mapping[str, Any],
        *,
        start: torch.Tensor,
        steps: int,
        scale: float,
        curve: bool,
        batches: Any = None,
    ) -> dict[str, Any]:
        with torch.enable_grad():
            values = {n: p.detach().clone() for n, p in {**parameters, **fixed}.items()}
            trained = {n: p.requires_grad_() for n, p in values.items() if n not in model.frozen}
            rule, schedule = made(factory, list(trained.values()), int(start))
            _load(rule, trained, optimizer)
            now, losses = dict(state_before), []
            for step in range(steps):
                if batches is not None:
                    inputs, targets = _at(batches["inputs"], step), _at(batches["targets"], step)
                output, after = model(values, now, tuple(inputs.values()))
                now |= {name: after[name] for name in now}
                value = measured(output, targets)
                found = torch.autograd.grad(value * scale, list(trained.values()), allow_unused=True)
                for parameter, gradient in zip(trained.values(), found, strict=True):
                    parameter.grad = gradient
                gradients = {n: p.grad.clone() for n, p in trained.items() if p.grad is not None}
                rule.step()
                if schedule is not None:
                    schedule.step()
                losses.append(value.detach())
        left = {
            "parameters": {n: values[n].detach() for n in parameters},
            "state": {n: now[n].detach() for n in state},
        }
        if curve:
            return {"losses": torch.stack(losses), **left}
        compared = {n: g for n, g in gradients.items() if n in parameters}
        return {"loss": losses[0], "gradient": compared, "optimizer": dict(_slots(rule, trained)), **left}

    def function(
        parameters: Any,
        fixed: Any,
        state: Any,
        own: Any,
        inputs: Any,
        targets: Any = None,
        optimizer: Any = None,
        **options: Any,
    ) -> Any:
        return run(parameters, fixed, state, inputs, targets, optimizer or {}, **options)

    return function


def _at(nest: Any, step: int) -> Any:
    """One step's entry of every array."""
    return rebuild(nest, lambda _, leaf: leaf[step])


def optimizer_of(model: TorchModel, factory: Callable[..., Any]) -> tuple[Any, Any]:
    """The optimizer of a factory over the parameters of the check's copy of a model, and its scheduler or None."""
    return made(factory, [p for p in model.module.parameters() if p.requires_grad], 0)


def made(factory: Callable[..., Any], parameters: Sequence[torch.Tensor], start: int = 0) -> tuple[Any, Any]:
    """What a factory makes of parameters: the optimizer, and its scheduler or None.

    Args:
        factory: Gives an optimizer, or (optimizer, scheduler).
        parameters: Of the optimizer.
        start: Steps that the scheduler has made.

    Raises:
        TypeError: If it gives no optimizer.
    """
    given = factory(list(parameters))
    rule, schedule = given if isinstance(given, (tuple, list)) else (given, None)
    if not isinstance(rule, torch.optim.Optimizer):
        raise TypeError(
            f"the torch optimizer's factory gave a {type(rule).__name__}, wanted a torch.optim.Optimizer, or "
            "(optimizer, scheduler); give optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1)"
        )
    if schedule is not None:
        with warnings.catch_warnings():
            # The optimizer's steps before `start` were made by another one of the same state.
            warnings.filterwarnings("ignore", r"Detected call of .lr_scheduler\.step", UserWarning)
            for _ in range(start):
                schedule.step()
    return rule, schedule


def _load(rule: Any, trained: Mapping[str, torch.Tensor], optimizer: Mapping[str, Any]) -> None:
    """Put the slots that were given into the optimizer."""
    for name, parameter in trained.items():
        own = {key.partition("/")[0]: value for key, value in optimizer.items() if key.partition("/")[2] == name}
        if own:
            rule.state[parameter] |= {slot: value.detach().clone() for slot, value in own.items()}
            if STEP in optimizer:
                rule.state[parameter][STEP] = torch.tensor(float(optimizer[STEP]))


def _slots(rule: Any, trained: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, Any]]:
    """The optimizer's state as "slot/parameter", and the number of steps once."""
    for name, parameter in trained.items():
        for slot, value in rule.state.get(parameter, {}).items():
            if isinstance(value, torch.Tensor) and slot != STEP:
                yield f"{slot}/{name}", value.detach()
    steps = [slots[STEP] for slots in rule.state.values() if STEP in slots]
    if steps:
        yield STEP, torch.as_tensor(steps[0]).detach().long()


def slot_names(
    model: TorchModel, factory: Callable[..., Any]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], bool]:
    """The slots that an optimizer keeps for each parameter, and whether it counts its steps.

    Args:
        model: Whose parameters it is made for.
        factory: Of the optimizer.

    Returns:
        What it has after one step with gradients of one: slots of the parameter's shape, tensors of another shape,
        what is no tensor, and whether there is a counter, which is in none of the three.
    """
    values = [torch.nn.Parameter(torch.from_numpy(a.copy())) for a in model.parameters.values()]
    rule, _ = made(factory, values)
    for parameter in values:
        parameter.grad = torch.ones_like(parameter)
    rule.step()
    kinds: dict[str, dict[str, None]] = {"shaped": {}, "tensors": {}, "other": {}}
    for parameter, slots in rule.state.items():
        for slot, value in slots.items():
            if slot != STEP and value is not None:
                tensor = isinstance(value, torch.Tensor)
                kind = "other" if not tensor else "shaped" if value.shape == parameter.shape else "tensors"
                kinds[kind][slot] = None
    counts = any(STEP in slots for slots in rule.state.values())
    return tuple(kinds["shaped"]), tuple(kinds["tensors"]), tuple(kinds["other"]), counts
