"""The two sides as their users give them: a model, and how it is called where that is not model(*inputs)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TorchSide:
    """A torch model and its call.

    Attributes:
        model: An nn.Module, or a function of tensors.
        call: call(model, *inputs), where model(*inputs) is not meant.

    Examples:
        >>> import torch
        >>> TorchSide(torch.nn.Identity(), call=lambda m, x: m(x)[0]).kind
        'module'
    """

    model: Any
    call: Callable[..., Any] | None = None

    @property
    def kind(self) -> str:
        """ "module" or "function".

        Raises:
            TypeError: Where it is neither.
        """
        return _kind("torch", self.model, TORCH_KINDS)


@dataclass(frozen=True)
class JaxSide:
    """A JAX model, its variables where they stand apart from it, and its call.

    Attributes:
        module: A Flax NNX module, a Linen module, an Equinox module, or a function.
        variables: Of a Linen module: its collections. Of a function: its first argument, the parameters.
        call: call(module, *inputs) for NNX and Equinox, call(apply, *inputs) for a Linen module and a function, where
            apply has the variables already and takes what the module takes.

    Examples:
        >>> JaxSide(lambda params, x: params["w"] * x, {"w": 2.0}).kind
        'function'
    """

    module: Any
    variables: Any = None
    call: Callable[..., Any] | None = None

    @property
    def kind(self) -> str:
        """ "nnx", "linen", "equinox" or "function".

        Raises:
            TypeError: Where it is none of them.
        """
        return _kind("jax", self.module, JAX_KINDS)


TORCH_KINDS = {"torch.nn.modules.module.Module": "module"}
JAX_KINDS = {
    "flax.nnx.module.Module": "nnx",
    "flax.linen.module.Module": "linen",
    "equinox._module._module.Module": "equinox",
    "equinox._module.Module": "equinox",
}
WANTED = {
    "torch": "an nn.Module, a parity.TorchSide or a function of tensors",
    "jax": "a Flax NNX module, a parity.JaxSide (a Linen module and its variables) or a function of JAX arrays",
}


def as_torch_side(value: Any) -> TorchSide:
    """What stands for torch in a check, as a TorchSide.

    Raises:
        TypeError: Where it is a JAX model, or nothing that can be called.
    """
    if isinstance(value, JaxSide) or _ancestry(value, JAX_KINDS):
        raise TypeError(f"check: the torch side is a {_called(value)}, which is JAX's; hand the torch model over first")
    given = value if isinstance(value, TorchSide) else TorchSide(value)
    _ = given.kind
    return given


def as_jax_side(value: Any) -> JaxSide:
    """What stands for JAX in a check, as a JaxSide.

    Raises:
        TypeError: Where it is a torch model, nothing that can be called, or a Linen module without its variables.
    """
    if isinstance(value, TorchSide) or _ancestry(value, TORCH_KINDS):
        raise TypeError(f"check: the jax side is a {_called(value)}, which is torch's; hand the torch model over first")
    given = value if isinstance(value, JaxSide) else JaxSide(value)
    if given.kind == "linen" and given.variables is None:
        raise TypeError(
            f"check: the jax side is a Linen module, {type(given.module).__name__}, without variables; "
            "wanted parity.JaxSide(module, variables), the variables from module.init"
        )
    if given.kind in ("nnx", "equinox") and given.variables is not None:
        raise TypeError(
            f"check: the jax side is {type(given.module).__name__}, which holds its own variables; "
            "wanted parity.JaxSide(module) without variables"
        )
    return given


def is_model(value: Any) -> bool:
    """Whether a side has weights of its own: a module of any kind, or a TorchSide or JaxSide."""
    return isinstance(value, (TorchSide, JaxSide)) or bool(_ancestry(value, TORCH_KINDS | JAX_KINDS))


def _kind(framework: str, value: Any, kinds: dict[str, str]) -> str:
    found = _ancestry(value, kinds)
    if found:
        return found
    if not callable(value) or isinstance(value, type):
        got = f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
        raise TypeError(f"check: the {framework} side is {got}, wanted {WANTED[framework]}")
    return "function"


def _ancestry(value: Any, kinds: dict[str, str]) -> str:
    """The kind of the first known class that a value's class descends from; no framework is imported to know it."""
    names = (f"{c.__module__}.{c.__qualname__}" for c in type(value).__mro__)
    return next((kinds[name] for name in names if name in kinds), "")


def _called(value: Any) -> str:
    inner = value.model if isinstance(value, TorchSide) else value.module if isinstance(value, JaxSide) else value
    return type(inner).__name__
