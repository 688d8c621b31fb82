"""What an optimizer may be in place of the one that was meant: torch's, with one setting changed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from parity.sides.torch_training import made

Parameters = Mapping[str, torch.Tensor]
Factory = Callable[[list[torch.Tensor]], Any]
LIMITS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
EPSILONS = (1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
DECAYS = (0.0, 1e-4, 1e-2)
BETAS = ((0.9, 0.999), (0.9, 0.99), (0.9, 0.95), (0.5, 0.999))
OPTIONS: dict[str, tuple[Any, ...]] = {
    "eps": EPSILONS,
    "weight_decay": DECAYS,
    "betas": BETAS,
    "momentum": (0.0, 0.9),
    "nesterov": (False, True),
    "amsgrad": (False, True),
    "alpha": (0.9, 0.99),
    "dampening": (0.0,),
    "lr": (10.0, 0.1, 2.0, 0.5),
}
"""Settings of an optimizer in which a port goes wrong, with what it has there; of the rate, torch's times these."""

DECAYING = {"Adam": "coupled: added to the gradient", "AdamW": "decoupled: taken from the weights"}


def steps(factory: Factory, clip: Callable[..., Any] | None = None) -> Callable[..., dict[str, torch.Tensor]]:
    """Some steps of an optimizer as a function of arrays.

    Args:
        factory: Makes the optimizer of a list of parameters, or (optimizer, scheduler).
        clip: Changes the gradients of all parameters together first.

    Returns:
        run(parameters, gradients) -> parameters afterwards; gradients are one dict a step.
    """

    def run(parameters: Parameters, gradients: Sequence[Parameters]) -> dict[str, torch.Tensor]:
        own = {n: p.detach().clone().requires_grad_() for n, p in parameters.items()}
        optimizer, schedule = made(factory, list(own.values()))
        for step in gradients:
            given = {n: g.detach().clone() for n, g in step.items()}
            for name, gradient in (clip(given) if clip else given).items():
                own[name].grad = gradient
            optimizer.step()
            if schedule is not None:
                schedule.step()
        return {n: p.detach() for n, p in own.items()}

    return run


def variants(
    factory: Factory,
) -> Iterator[tuple[str, str, str, Factory]]:
    """The same optimizer with one setting changed.

    Args:
        factory: As for `steps`.

    Yields:
        (setting, torch's value, the other value, a factory with it).
    """
    own, schedule = made(factory, [torch.zeros(1, requires_grad=True)])
    kind, group = type(own), dict(own.param_groups[0])
    # A scheduler sets the rate anew from its own base.
    rates = () if schedule is not None else tuple(group["lr"] * factor for factor in OPTIONS["lr"])
    options = OPTIONS | {"lr": rates}
    for name, values in options.items():
        for value in values if name in group else ():
            if value != group[name]:
                yield (
                    name,
                    str(group[name]),
                    f"{value:g}" if isinstance(value, float) else str(value),
                    _set(factory, **{name: value}),
                )
    if kind.__name__ in DECAYING:
        other = next(name for name in DECAYING if name != kind.__name__)
        changed = _set(factory, decoupled_weight_decay=other == "AdamW")
        yield "weight decay", DECAYING[kind.__name__], DECAYING[other], changed
    if schedule is not None:
        yield "schedule", "its own step", "one step ahead", _shifted(factory, 1)
        yield "schedule", "its own step", "one step behind", _shifted(factory, -1)
    yield from _clippings(factory)


def _clippings(factory: Factory) -> Iterator[tuple[str, str, str, Factory]]:
    """Without what torch's optimizer does to gradients before a step, and with each way of clipping in its place."""
    rules = {f"by norm, limit {c:g}": clipped(c, 1e-6) for c in LIMITS}
    rules |= {f"by norm without torch's 1e-6, limit {c:g}": clipped(c, 0.0) for c in LIMITS}
    rules |= {f"by value, limit {c:g}": _by_value(c) for c in LIMITS}
    theirs = _before(factory, rules)
    if theirs:
        yield "clipping", theirs, "none", _clipping(factory, None)
    for name, rule in rules.items():
        if name != theirs:
            yield "clipping", theirs or "none", name, _clipping(factory, rule)


def _before(factory: Factory, rules: Mapping[str, Callable[..., Any]]) -> str:
    """What torch's optimizer does to gradients before a step, in words; nothing where it has no such hook."""
    own = [torch.zeros(3, requires_grad=True), torch.zeros(2, requires_grad=True)]
    optimizer, _ = made(factory, own)
    if not optimizer._optimizer_step_pre_hooks:
        return ""
    given = {"a": torch.tensor([30.0, -0.05, 0.3]), "b": torch.tensor([-7.0, 0.01])}
    for parameter, gradient in zip(own, given.values(), strict=True):
        parameter.grad = gradient.clone()
    optimizer.step()
    for name, rule in rules.items():
        if all(torch.equal(p.grad, g) for p, g in zip(own, rule(given).values(), strict=True) if p.grad is not None):
            return name
    return "by a hook before its step"


def _by_value(limit: float) -> Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:
    return lambda gradients: {n: g.clamp(-limit, limit) for n, g in gradients.items()}


def _clipping(factory: Factory, rule: Callable[..., Any] | None) -> Factory:
    """The optimizer with this done to its gradients before a step, in place of what it does itself."""

    def make(own: list[torch.Tensor]) -> Any:
        given = factory(own)
        optimizer, _ = made(lambda _: given, own)
        optimizer._optimizer_step_pre_hooks.clear()

        def before(*_: Any) -> None:
            known = {str(i): p.grad for i, p in enumerate(own) if p.grad is not None}
            for name, gradient in (rule(known) if rule else known).items():
                own[int(name)].grad = gradient

        optimizer.register_step_pre_hook(before)
        return given

    return make


def _shifted(factory: Factory, steps_ahead: int) -> Factory:
    """The optimizer with its scheduler a step ahead or behind."""

    def make(own: list[torch.Tensor]) -> Any:
        optimizer, schedule = made(factory, own, max(steps_ahead, 0))
        return optimizer, _Late(schedule, max(-steps_ahead, 0))

    return make


class _Late:
    """A scheduler that lets some steps pass first."""

    def __init__(self, schedule: Any, wait: int) -> None:
        self.schedule, self.wait = schedule, wait

    def step(self) -> None:
        if self.wait:
            self.wait -= 1
        else:
            self.schedule.step()


def clipped(limit: float, added: float) -> Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:
    """Clipping by the norm of all gradients: g min(1, limit / (norm + added))."""

    def clip(gradients: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        norm = torch.sqrt(torch.stack([(g * g).sum() for g in gradients.values()]).sum())
        factor = torch.clamp(limit / (norm + added), max=1.0)
        return {n: g * factor for n, g in gradients.items()}

    return clip


def _set(factory: Factory, **options: Any) -> Factory:
    def make(own: list[torch.Tensor]) -> Any:
        given = factory(own)
        for group in made(lambda _: given, own)[0].param_groups:
            group.update(options)
        return given

    return make
