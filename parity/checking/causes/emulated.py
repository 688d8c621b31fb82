"""Torch's layer as JAX would have it: with other attributes, or other numbers for parameters that JAX lacks."""

from collections.abc import Callable
from typing import Any

from parity.checking.teacher import Lesson, Step

NORMS = ("LayerNorm", "RMSNorm", "GroupNorm", "BatchNorm", "InstanceNorm")


def overridden(lesson: Lesson, step: Step, **attributes: Any) -> Callable[[Any], Any]:
    """Torch's layer with attributes of its module changed while it runs."""

    def wrap(own: Callable[..., Any]) -> Callable[..., Any]:
        def run(inputs: Any, parameters: Any, buffers: Any) -> Any:
            module = lesson.torch.module(step.part.torch[0])
            before = {name: getattr(module, name) for name in attributes}
            try:
                for name, value in attributes.items():
                    setattr(module, name, value)
                return own(inputs, parameters, buffers)
            finally:
                for name, value in before.items():
                    setattr(module, name, value)

        return run

    return wrap


def with_tensors(lesson: Lesson, step: Step, **values: float) -> Callable[[Any], Any]:
    """Torch's layer with parameters that JAX lacks set to one number."""

    def wrap(own: Callable[..., Any]) -> Callable[..., Any]:
        def run(inputs: Any, parameters: Any, buffers: Any) -> Any:
            module = lesson.torch.module(step.part.torch[0])
            like = next(iter(parameters.values()))
            held = dict(module.named_parameters(recurse=False))
            set_to = {f"0.{n}": like.new_full(held[n].shape, value) for n, value in values.items()}
            return own(inputs, {**parameters, **set_to}, buffers)

        return run

    return wrap


def is_a(module: Any, *kinds: str) -> bool:
    """Whether a torch module is of one of these classes, by name; of a norm any of its dimensions."""
    names = [cls.__name__ for cls in type(module).__mro__]
    return any(name.startswith(kind) if kind in NORMS else name == kind for name in names for kind in kinds)
