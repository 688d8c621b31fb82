"""A torch model layer by layer: the calls of its modules recorded, replaced by given outputs, or run one alone."""

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from parity.sides.held import HELD
from parity.sides.inputs import is_float, leaves, rebuild
from parity.sides.spool import Spool

Nest = Any


@dataclass(frozen=True)
class Call:
    """One call of one module.

    Attributes:
        path: The module's.
        number: How often it was called before.
        place: In the order of execution among all calls that were recorded.
        arguments: (args, kwargs), output: nests with arrays in a Spool; None where only the fact was kept.
    """

    path: str
    number: int
    place: int
    arguments: Nest = None
    output: Nest = None


class _Reached(Exception):
    """A partial run has what it was made for."""


class TorchLayers:
    """A copy of a torch model at float64; the user's own is neither hooked nor changed.

    Args:
        model: The module.
        call: call(model, *inputs), where model(*inputs) is not meant.
        held: Whether the model is a layer itself: the copy then stands as `HELD` in a model of nothing else.

    Attributes:
        model: The copy.
        same_under_hooks: Whether the recorded run gave the outputs of one without hooks, bit for bit.
    """

    def __init__(self, model: nn.Module, call: Callable[..., Any] | None = None, *, held: bool = False) -> None:
        own = copy.deepcopy(model).double()
        own_call = call or (lambda module, *inputs: module(*inputs))
        self.model = nn.ModuleDict({HELD: own}) if held else own
        self.same_under_hooks = True
        self._call = (lambda holder, *inputs: own_call(holder[HELD], *inputs)) if held else own_call

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """Every parameter, float64, by name; tied ones under each of their names."""
        return {n: _host(p) for n, p in self.model.named_parameters(remove_duplicate=False)}

    @property
    def buffers(self) -> dict[str, np.ndarray]:
        """Every buffer by name."""
        return {n: _host(b) for n, b in self.model.named_buffers(remove_duplicate=False)}

    def module(self, path: str) -> nn.Module:
        """The module of that path."""
        return self.model.get_submodule(path)

    def children(self) -> list[str]:
        """Paths of modules that have parameters or buffers of their own, or no children: what can be a layer."""
        return [
            path
            for path, m in self.model.named_modules()
            if path and (not any(True for _ in m.children()) or any(True for _ in m.parameters(recurse=False)))
        ]

    def record(self, inputs: Sequence[Any], kept: set[str], spool: Spool) -> tuple[list[Call], Nest]:
        """Run once with hooks, and once without to see that they change nothing.

        Args:
            inputs: NumPy pytrees.
            kept: Paths whose arguments and outputs are kept, on disk.
            spool: Where.

        Returns:
            (calls in order of their ends, the model's output as NumPy). A module whose own children were recorded
            while it ran is left out: its layers are the children.
        """
        plain = self._host_run(inputs)
        calls: list[Call] = []
        numbers: dict[str, int] = {}
        open_calls: list[list[Any]] = []

        def enter(path: str) -> Callable[..., None]:
            def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
                for other in open_calls:
                    other[1] = True
                stored = spool.write(_hosts((args, kwargs))) if path in kept else None
                open_calls.append([stored, False])

            return hook

        def leave(path: str) -> Callable[..., None]:
            def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
                arguments, around = open_calls.pop()
                if around:
                    return
                number = numbers.get(path, 0)
                numbers[path] = number + 1
                stored = spool.write(_hosts(output)) if path in kept else None
                calls.append(Call(path, number, len(calls), arguments, stored))

            return hook

        with contextlib.ExitStack() as hooks:
            for path in self.children():
                module = self.module(path)
                hooks.callback(module.register_forward_pre_hook(enter(path), with_kwargs=True).remove)
                hooks.callback(module.register_forward_hook(leave(path), with_kwargs=True).remove)
            output = self._host_run(inputs)
        self.same_under_hooks = _equal(plain, output)
        return calls, output

    def layer(self, paths: Sequence[str], arguments: Nest, rows: Sequence[int] | None) -> Callable[..., dict[str, Any]]:
        """One layer, or several that share their input, as a function of arrays.

        Args:
            paths: Modules; the outputs of several are joined along their last axis.
            arguments: (args, kwargs) of the call, for what is no array in them.
            rows: Places along that axis which alone are wanted; all where None.

        Returns:
            layer(inputs, parameters, buffers) -> {"output": leaves by path, "state": buffers after the call by name}.
            `inputs` are arrays by their path in `arguments`; parameters and buffers go by place of the module and name.
        """
        modules = [self.module(path) for path in paths]

        def run(inputs: dict[str, Any], parameters: dict[str, Any], buffers: dict[str, Any]) -> dict[str, Any]:
            args, kwargs = rebuild(arguments, lambda path, leaf: inputs.get(path, leaf))
            outputs: list[Any] = []
            state: dict[str, torch.Tensor] = {}
            for place, module in enumerate(modules):
                floating = next((p for p in parameters.values()), None)
                # What JAX's layer has no part of, such as the other direction, runs at the same dtype.
                own = {n: _buffer(t, floating) for n, t in (*module.named_buffers(), *module.named_parameters())}
                given = {
                    **own,
                    **_local(parameters, place),
                    **{n: b.clone() for n, b in _local(buffers, place).items()},
                }
                outputs.append(torch.func.functional_call(module, given, tuple(args), dict(kwargs)))
                state |= {f"{place}.{n}": given[n] for n in _local(buffers, place)}
            if rows is not None:
                joined = torch.cat([next(iter(_tensors(o).values())) for o in outputs], -1)
                outputs = [joined[..., list(rows)]]
            return {"output": _tensors(outputs[0]), "state": {n: t.detach() for n, t in state.items()}}

        return run

    def between(
        self,
        calls: Mapping[tuple[str, int], tuple[str, Nest]],
        wanted: tuple[str, int] | None,
        passed: Mapping[tuple[str, int], str] | None = None,
    ) -> Callable[..., dict[str, Any]]:
        """What lies between layers, as a function of their outputs: what arrives at one layer, or at the model's end.

        Args:
            calls: Of every call whose output can be given: its name in `forced`, and the nest of its output.
            wanted: The call whose arguments are the result; None for the model's output.
            passed: Calls whose arguments are results too, and what they are called.

        Returns:
            between(inputs, forced) -> {"arrived": tensors by path}; `forced` are outputs by call and path.
        """

        def run(inputs: dict[str, Any], forced: dict[str, dict[str, Any]]) -> dict[str, Any]:
            arrived: dict[str, Any] = {}
            numbers: dict[str, int] = {}
            answers: list[Any] = []

            def enter(path: str) -> Callable[..., None]:
                def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
                    key = path, numbers.get(path, 0)
                    numbers[path] = key[1] + 1
                    if passed and key in passed:
                        arrived.update({f"{passed[key]} {p}": t for p, t in _tensors((args, kwargs)).items()})
                    if key == wanted:
                        arrived.update(_tensors((args, kwargs)))
                        raise _Reached
                    name, nest = calls.get(key, ("", None))
                    given = forced.get(name)
                    answers.append(None if given is None else rebuild(nest, lambda p, leaf: given.get(p, leaf)))

                return hook

            def leave(module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
                return answers.pop()

            with contextlib.ExitStack() as hooks:
                for path in {path for path, _ in calls} | ({wanted[0]} if wanted else set()):
                    module = self.module(path)
                    hooks.callback(module.register_forward_pre_hook(enter(path), with_kwargs=True).remove)
                    hooks.callback(module.register_forward_hook(leave, with_kwargs=True).remove)
                like = next((t for _, t in leaves((forced, inputs)) if _floating(t)), None)
                try:
                    output = self._run(tuple(inputs.values()), like)
                except _Reached:
                    return {"arrived": arrived}
            return {"arrived": arrived | _tensors(output)}

        return run

    def _host_run(self, inputs: Sequence[Any]) -> Nest:
        given = rebuild(tuple(inputs), lambda _, leaf: _tensor(leaf))
        with torch.random.fork_rng(devices=()), torch.no_grad():
            torch.manual_seed(0)
            return _hosts(self._run(given, None))

    def _run(self, inputs: Sequence[Any], like: torch.Tensor | None) -> Any:
        """The model on copies of its own buffers; its parameters at the dtype of what it is given."""
        named = {n: _buffer(b, like) for n, b in self.model.named_buffers()}
        if like is not None and like.dtype != torch.float64:
            named |= {n: p.to(like.dtype) for n, p in self.model.named_parameters()}
        return torch.func.functional_call(_Called(self.model, self._call), _prefixed(named), tuple(inputs))


class _Called(nn.Module):
    """A module whose forward is the user's call of the model."""

    def __init__(self, model: nn.Module, call: Callable[..., Any]) -> None:
        super().__init__()
        self.model = model
        self._call = call

    def forward(self, *inputs: Any) -> Any:
        return self._call(self.model, *inputs)


def _tensors(tree: Nest) -> dict[str, torch.Tensor]:
    return {p: leaf for p, leaf in leaves(tree) if isinstance(leaf, torch.Tensor)}


def _prefixed(named: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"model.{name}": tensor for name, tensor in named.items()}


def _local(named: Mapping[str, torch.Tensor], place: int) -> dict[str, torch.Tensor]:
    """The values of one module: names without its place."""
    return {n.partition(".")[2]: t for n, t in named.items() if n.partition(".")[0] == str(place)}


def _buffer(buffer: torch.Tensor, like: torch.Tensor | None) -> torch.Tensor:
    if like is None or not buffer.is_floating_point() or not _floating(like):
        return buffer.clone()
    return buffer.to(like.dtype, copy=True)


def _floating(leaf: Any) -> bool:
    return isinstance(leaf, torch.Tensor) and leaf.is_floating_point()


def _tensor(leaf: Any) -> Any:
    if not isinstance(leaf, np.ndarray):
        return leaf
    tensor = torch.from_numpy(np.array(leaf, order="C"))
    return tensor.double() if is_float(leaf) and not tensor.is_complex() else tensor


def _hosts(tree: Nest) -> Nest:
    return rebuild(tree, lambda _, leaf: _host(leaf) if isinstance(leaf, torch.Tensor) else leaf)


def _host(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu().resolve_conj()
    return (tensor.double() if tensor.is_floating_point() else tensor).numpy().copy()


def _equal(left: Nest, right: Nest) -> bool:
    def arrays(tree: Nest) -> Iterator[tuple[str, np.ndarray]]:
        return ((p, leaf) for p, leaf in leaves(tree) if isinstance(leaf, np.ndarray))

    one, other = dict(arrays(left)), dict(arrays(right))
    return one.keys() == other.keys() and all(np.array_equal(one[p], other[p], equal_nan=True) for p in one)
