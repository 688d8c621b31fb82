"""Training steps of a torch model from a state that is given, as a function that a check can run."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from parity.sides.torch_forward import torch_loss
from parity.sides.torch_model import TorchModel

STEP = "step"
"""The slot that counts an optimizer's steps; an integer of its own, since it is one for all parameters."""


def training(model: TorchModel, factory: Callable[..., Any], loss: Any, state: tuple[str, ...]) -> Callable[..., Any]:
    """Steps of training, each on the same inputs.

    Args:
        model: The model.
        factory: factory(list of parameters) -> an optimizer, or (optimizer, learning rate scheduler).
        loss: A loss's name or a function of (output, targets).
        state: Buffers that are carried from step to step.

    Returns:
        A function of the arguments in `parity.sides.mapped`, `optimizer` (slots by "slot/parameter"; {} for a fresh
        one), `start` (steps that were made before, an array), `steps`, `scale` (of the loss) and `curve`. It gives
        "loss", "gradient", "optimizer", "parameters" and "state" after one step, or "losses", "parameters" and "state"
        of a curve.
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
    ) -> dict[str, Any]:
        with torch.enable_grad():
            values = {n: p.detach().clone() for n, p in {**parameters, **fixed}.items()}
            trained = {n: p.requires_grad_() for n, p in values.items() if n not in model.frozen}
            rule, schedule = _made(factory, list(trained.values()), int(start))
            _load(rule, trained, optimizer)
            now, losses = dict(state_before), []
            for _ in range(steps):
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


def optimizer_of(model: TorchModel, factory: Callable[..., Any]) -> tuple[Any, Any]:
    """The optimizer of a factory over the parameters of the check's copy of a model, and its scheduler or None."""
    return _made(factory, [p for p in model.module.parameters() if p.requires_grad], 0)


def _made(factory: Callable[..., Any], parameters: Sequence[torch.Tensor], start: int) -> tuple[Any, Any]:
    made = factory(list(parameters))
    rule, schedule = made if isinstance(made, (tuple, list)) else (made, None)
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
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape and slot != STEP:
                yield f"{slot}/{name}", value.detach()
    steps = [slots[STEP] for slots in rule.state.values() if STEP in slots]
    if steps:
        yield STEP, torch.as_tensor(steps[0]).detach().long()


def slot_names(model: TorchModel, factory: Callable[..., Any]) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """The slots that an optimizer keeps for each parameter, those of another shape, and whether it counts its steps.

    Args:
        model: Whose parameters it is made for.
        factory: Of the optimizer.

    Returns:
        What it has after one step with gradients of one; the counter is in neither of the two.
    """
    values = [torch.nn.Parameter(torch.from_numpy(a.copy())) for a in model.parameters.values()]
    rule, _ = _made(factory, values, 0)
    for parameter in values:
        parameter.grad = torch.ones_like(parameter)
    rule.step()
    shaped: dict[str, None] = {}
    other: dict[str, None] = {}
    for parameter, slots in rule.state.items():
        for slot, value in slots.items():
            if slot != STEP and value is not None:
                (shaped if getattr(value, "shape", None) == parameter.shape else other)[slot] = None
    return tuple(shaped), tuple(other), any(STEP in slots for slots in rule.state.values())
