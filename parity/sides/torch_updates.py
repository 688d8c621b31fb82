"""What an optimizer may be in place of the one that was meant: torch's, with one setting changed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

Parameters = Mapping[str, torch.Tensor]
EPSILONS = (1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-3)
DECAYS = (0.0, 1e-4, 1e-2)
BETAS = ((0.9, 0.999), (0.9, 0.99), (0.9, 0.95), (0.5, 0.999))
EXCHANGED = {"Adam": "AdamW", "AdamW": "Adam"}


def steps(
    factory: Callable[[list[torch.Tensor]], torch.optim.Optimizer], clip: Callable[..., Any] | None = None
) -> Callable[..., dict[str, torch.Tensor]]:
    """Some steps of an optimizer as a function of arrays.

    Args:
        factory: Makes the optimizer of a list of parameters.
        clip: Changes the gradients of all parameters together first.

    Returns:
        run(parameters, gradients) -> parameters afterwards; gradients are one dict a step.
    """

    def run(parameters: Parameters, gradients: Sequence[Parameters]) -> dict[str, torch.Tensor]:
        own = {n: p.detach().clone().requires_grad_() for n, p in parameters.items()}
        optimizer = factory(list(own.values()))
        for step in gradients:
            given = {n: g.detach().clone() for n, g in step.items()}
            for name, gradient in (clip(given) if clip else given).items():
                own[name].grad = gradient
            optimizer.step()
        return {n: p.detach() for n, p in own.items()}

    return run


def variants(
    factory: Callable[[list[torch.Tensor]], torch.optim.Optimizer],
) -> Iterator[tuple[str, str, str, Callable[[list[torch.Tensor]], torch.optim.Optimizer]]]:
    """The same optimizer with one setting changed.

    Args:
        factory: As for `steps`.

    Yields:
        (setting, torch's value, the other value, a factory with it).
    """
    made = factory([torch.zeros(1, requires_grad=True)])
    kind, group = type(made), dict(made.param_groups[0])
    options: dict[str, tuple[Any, ...]] = {
        "eps": EPSILONS,
        "weight_decay": DECAYS,
        "betas": BETAS,
        "momentum": (0.0, 0.9),
        "nesterov": (False, True),
        "amsgrad": (False, True),
        "alpha": (0.9, 0.99),
        "dampening": (0.0,),
        "lr": tuple(group["lr"] * f for f in (10.0, 0.1, 2.0, 0.5)),
    }
    for name, values in options.items():
        for value in values if name in group else ():
            if value != group[name]:
                yield (
                    name,
                    str(group[name]),
                    f"{value:g}" if isinstance(value, float) else str(value),
                    _set(factory, **{name: value}),
                )
    other = getattr(torch.optim, EXCHANGED.get(kind.__name__, ""), None)
    if other is not None:
        kept = {n: group[n] for n in ("lr", "betas", "eps", "weight_decay", "amsgrad")}
        words = {"Adam": "coupled: added to the gradient", "AdamW": "decoupled: taken from the weights"}
        yield "weight decay", words[kind.__name__], words[other.__name__], lambda own: other(own, **kept)


def clipped(limit: float, added: float) -> Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:
    """Clipping by the norm of all gradients: g min(1, limit / (norm + added))."""

    def clip(gradients: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        norm = torch.sqrt(torch.stack([(g * g).sum() for g in gradients.values()]).sum())
        factor = torch.clamp(limit / (norm + added), max=1.0)
        return {n: g * factor for n, g in gradients.items()}

    return clip


def _set(factory: Callable[..., torch.optim.Optimizer], **options: Any) -> Callable[..., torch.optim.Optimizer]:
    def make(own: list[torch.Tensor]) -> torch.optim.Optimizer:
        optimizer = factory(own)
        for group in optimizer.param_groups:
            group.update(options)
        return optimizer

    return make
