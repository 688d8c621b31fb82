"""A torch model as a function of its parameters, its state and its inputs."""

import contextlib
import copy
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from parity.sides.given import TorchSide


class TorchModel:
    """A torch model that runs on any parameters, at any precision; the user's own is copied and never touched.

    Args:
        given: The model and its call.
        train: The mode to run in; None leaves every module in the mode that it is in.
        narrow: Whether parameters that are all float32 stay so: what only runs them needs no wider copy.

    Attributes:
        parameters: Its parameters by name, float64 unless `narrow`; one that has several names stands under the first.
        buffers: Its buffers by name; a floating one float64.
        aliases: Further names of tied parameters and buffers, each with the first.
        frozen: Parameters that do not require a gradient.
        training: Whether the model as given is in train mode; None where its modules are in different ones.
        weights: Everything that `state_dict` holds, by every name.
    """

    def __init__(self, given: TorchSide, *, train: bool | None = None, narrow: bool = False) -> None:
        self.parameters: dict[str, np.ndarray] = {}
        self.buffers: dict[str, np.ndarray] = {}
        self.aliases: dict[str, str] = {}
        self.frozen: frozenset[str] = frozenset()
        self.training: bool | None = None
        self._call = given.call or (lambda model, *inputs: model(*inputs))
        self._module: _Called | None = None
        if given.kind == "function":
            self._function = given.model
            return
        self._module = _Called(_copied(given.model), self._call)
        model = self._module.model
        self.training = _mode(model)
        if train is not None:
            model.train(train)
        self._buffers = dict(model.named_buffers())
        own = dict(model.named_parameters())
        # Over the memory of the copy, whose own parameters no run uses.
        kept = narrow and all(p.dtype == torch.float32 for p in own.values())
        self.parameters = {name: p.detach().cpu().numpy() if kept else host(p) for name, p in own.items()}
        self.buffers = {name: host(b) for name, b in self._buffers.items()}
        self.frozen = frozenset(name for name, p in model.named_parameters() if not p.requires_grad)
        for every in (model.named_parameters(remove_duplicate=False), model.named_buffers(remove_duplicate=False)):
            first: dict[int, str] = {}
            for name, tensor in every:
                if first.setdefault(id(tensor), name) != name:
                    self.aliases[name] = first[id(tensor)]

    @property
    def weights(self) -> dict[str, np.ndarray]:
        if self._module is None:
            return {}
        everything = self.named(self.parameters | self.buffers)
        return {name: everything[name] for name in self._module.model.state_dict() if name in everything}

    @property
    def module(self) -> nn.Module:
        """The copy of the user's module.

        Raises:
            TypeError: Where the torch side is a function.
        """
        if self._module is None:
            raise TypeError("the torch side is a function, which holds no parameters; hand the nn.Module over")
        return self._module.model

    def named(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values by name, under their further names too."""
        return dict(values) | {alias: values[name] for alias, name in self.aliases.items() if name in values}

    def __call__(
        self, parameters: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor], inputs: tuple[Any, ...]
    ) -> tuple[Any, dict[str, torch.Tensor]]:
        """Run once.

        Args:
            parameters: A tensor for every one of `parameters`.
            state: Tensors for some of the buffers; the others have the model's own values.
            inputs: What the call gets.

        Returns:
            (output, every buffer after the call). Nothing given is written to.
        """
        if self._module is None:
            return self._call(self._function, *inputs), {}
        floating = next((p for p in parameters.values() if p.is_floating_point()), None)
        tensors: dict[str, torch.Tensor] = {f"model.{name}": p for name, p in parameters.items()}
        for name, buffer in self._buffers.items():
            tensors[f"model.{name}"] = state[name].clone() if name in state else _own(buffer, floating)
        output = torch.func.functional_call(self._module, tensors, inputs)
        # functional_call puts what a module has assigned to its buffers into the dict that it was given.
        return output, {name: tensors[f"model.{name}"].detach() for name in self._buffers}


class _Called(nn.Module):
    """A module whose forward is the user's call of the model."""

    def __init__(self, model: nn.Module, call: Callable[..., Any]) -> None:
        super().__init__()
        self.model = model
        self.call = call

    def forward(self, *inputs: Any) -> Any:
        return self.call(self.model, *inputs)


@contextlib.contextmanager
def random_state_kept() -> Iterator[None]:
    """Torch's random generators stand afterwards where they stood."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        yield


def generators() -> tuple[Any, ...]:
    """Where every generator stands that a torch model on the CPU may draw from: torch's, NumPy's and Python's own."""
    legacy: Any = np.random.get_state()  # noqa: NPY002
    return torch.get_rng_state().numpy().tobytes(), legacy[1].tobytes(), legacy[2:], random.getstate()


def host(tensor: torch.Tensor) -> np.ndarray:
    """A tensor's numbers on the host: floats as float64, exactly."""
    tensor = tensor.detach().cpu()
    if tensor.is_complex():
        return tensor.to(torch.complex128).resolve_conj().numpy().copy()
    if tensor.is_floating_point() and tensor.dtype != torch.float64:
        return tensor.double().numpy()
    return tensor.numpy().copy()


def _own(buffer: torch.Tensor, like: torch.Tensor | None) -> torch.Tensor:
    """A buffer that is no input of the check: at the dtype that the model is run at, as `model.to(dtype)` has it.

    Where a run is lifted to float64 it stays as it is and is lifted with all else: so a table that both sides computed
    at float32 is known as one constant.
    """
    lifted = torch.get_default_dtype() == torch.float64
    if like is None:
        return buffer.clone()
    if lifted or not buffer.is_floating_point():
        return buffer.to(like.device).clone()
    return buffer.to(like.device, like.dtype, copy=True)


def _copied(model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except Exception as error:
        raise TypeError(
            f"check: the torch model {type(model).__name__} cannot be copied ({type(error).__name__}: {error}), and a "
            "check runs on a copy so that yours stays as it is; wanted a model that copy.deepcopy takes, or a function "
            "with the weights among its inputs"
        ) from error


def _mode(model: nn.Module) -> bool | None:
    modes = {module.training for module in model.modules()}
    return modes.pop() if len(modes) == 1 else None
