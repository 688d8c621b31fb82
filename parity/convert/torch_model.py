"""A torch model as a function of its weights: random ones at float64, and the record of one run with them."""

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from parity.convert.mapping_error import MappingError
from parity.convert.torch_events import Recorder
from parity.convert.torch_paths import module_paths
from parity.convert.torch_record import Record
from parity.sides.inputs import is_float, leaves, rebuild, widened
from parity.sides.replay import SEED, Replay
from parity.sides.torch_lift import Lifting


@dataclass(frozen=True)
class Merge:
    """Elements of one bias that are only ever added to another's: `bias[:count] + plus[:count]`."""

    bias: str
    plus: str
    count: int


class TorchModel:
    """A copy of a torch module at float64 whose weights can be set.

    Args:
        model: A torch.nn.Module; the caller's own is not touched.
        call: How it is called with the inputs.
        training: Its mode; None leaves each submodule's as it is.

    Attributes:
        tensors: Its floating leaves by state_dict name, tied ones once.
        aliases: Other names of tied leaves.
        alone: Leaves that have no partner by rule, with the reason.
        parameters: Names of the leaves that are parameters.
        trained: Of those, the ones that are trained.
        merges: Pairs of biases that recurrent layers only use as a sum.
        kept: The outputs that count, in order; None for all.
    """

    def __init__(
        self, model: torch.nn.Module, call: Callable[..., Any] | None = None, *, training: bool | None = None
    ) -> None:
        self.module = copy.deepcopy(model).cpu().double()
        if training is not None:
            self.module.train(training)
        self.call = call or (lambda module, *inputs: module(*inputs))
        self.kept: list[str] | None = None
        self.tensors: dict[str, torch.Tensor] = {}
        self.aliases: dict[str, str] = {}
        self.alone: dict[str, str] = {}
        seen: dict[int, str] = {}
        for name, tensor in self.module.state_dict(keep_vars=True).items():
            if name.endswith("num_batches_tracked"):
                self.alone[name] = "counts batches; Flax keeps no such count"
            elif not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
                if getattr(tensor, "is_complex", lambda: False)():
                    raise MappingError(f"{name} (torch) is complex; only real weights can be mapped")
                self.alone[name] = f"a constant, {str(getattr(tensor, 'dtype', type(tensor))).removeprefix('torch.')}"
            elif id(tensor) in seen:
                self.aliases[name] = seen[id(tensor)]
            else:
                seen[id(tensor)] = name
                self.tensors[name] = tensor
        self.parameters = {n for n, t in self.tensors.items() if isinstance(t, torch.nn.Parameter)}
        self.trained = {n for n, t in self.tensors.items() if isinstance(t, torch.nn.Parameter) and t.requires_grad}
        self.merges = list(_merges(self.module))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}

    def random(self, seed: int) -> dict[str, np.ndarray]:
        """Random weights under which signals neither vanish nor explode; constants keep their values.

        A weight of ones is drawn around one, others around zero with the deviation that keeps a layer's scale; what a
        norm has measured is positive.
        """
        rng = np.random.default_rng(seed)
        measured = {id(t): name for m in self.module.modules() for name, t in _statistics(m)}
        found: dict[str, np.ndarray] = {}
        for name, tensor in self.tensors.items():
            now = tensor.detach().numpy().copy()
            if id(tensor) in measured:
                mean = measured[id(tensor)] == "running_mean"  # near zero, so that units stay on as often as off
                found[name] = 0.1 * rng.standard_normal(now.shape) if mean else rng.uniform(0.5, 1.5, now.shape)
            elif not isinstance(tensor, torch.nn.Parameter):
                found[name] = now
            else:
                fan_in = now.size // now.shape[0] if now.ndim > 1 else 9
                found[name] = rng.standard_normal(now.shape) / np.sqrt(max(fan_in, 1)) + (
                    now.size > 0 and (now == 1).all()
                )
        return {name: np.asarray(array) for name, array in found.items()}

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set its weights."""
        with torch.no_grad():
            for name, tensor in self.tensors.items():
                tensor.copy_(torch.from_numpy(np.asarray(arrays[name], np.float64).copy()))

    def record(self, ids: Mapping[str, np.ndarray], inputs: tuple[Any, ...]) -> Record:
        """Run it once, following its weights.

        Args:
            ids: The identity of each element of each leaf.
            inputs: NumPy arrays in any nest.

        Returns:
            The Record, with its outputs as NumPy arrays by path.
        """
        weights = [(tensor, ids[name]) for name, tensor in self.tensors.items()]
        arguments = rebuild(inputs, lambda _, leaf: _tensor(leaf))
        with contextlib.ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            stack.enter_context(_plain_attention())
            stack.enter_context(Replay(SEED).on("torch"))
            path = stack.enter_context(module_paths(self.module))
            recorder = stack.enter_context(Recorder(weights, path))
            stack.enter_context(Lifting().on())
            outputs = self.call(self.module, *arguments)
        recorder.record.outputs = {p: t.detach().numpy().copy() for p, t in self._tensors(outputs).items()}
        return recorder.record

    def function(self, weights: dict[str, Any], inputs: tuple[Any, ...]) -> list[Any]:
        """Its outputs as torch functions of weights and inputs, for gradients."""

        class Bound(torch.nn.Module):
            def __init__(self, module: torch.nn.Module, call: Callable[..., Any]) -> None:
                super().__init__()
                self.module, self.call = module, call

            def forward(self, *inputs: Any) -> Any:
                return self.call(self.module, *inputs)

        named = {f"module.{name}": leaf for name, leaf in weights.items()}
        with _plain_attention(), Replay(SEED).on("torch"):
            outputs = torch.func.functional_call(Bound(self.module, self.call), named, tuple(inputs), tie_weights=True)
        return list(self._tensors(outputs).values())

    def _tensors(self, outputs: Any) -> dict[str, torch.Tensor]:
        found = {p: leaf for p, leaf in leaves(outputs) if isinstance(leaf, torch.Tensor)}
        return found if self.kept is None else {name: found[name] for name in self.kept}


def _tensor(leaf: Any) -> Any:
    if not isinstance(leaf, np.ndarray):
        return leaf
    return torch.from_numpy(np.array(widened(leaf) if is_float(leaf) else leaf, order="C"))


@contextlib.contextmanager
def _plain_attention() -> Iterator[None]:
    """Attention through its projections, not through the kernel that fuses them."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _statistics(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    for name in ("running_mean", "running_var"):
        tensor = getattr(module, name, None)
        if isinstance(tensor, torch.Tensor):
            yield name, tensor


def _merges(module: torch.nn.Module) -> Iterator[Merge]:
    for prefix, child in module.named_modules():
        if isinstance(child, (torch.nn.RNNBase, torch.nn.RNNCellBase)) and child.bias:
            gates = 2 if "GRU" in type(child).__name__ else 1  # torch adds b_hn inside the reset gate: no sum
            whole = 3 if gates == 2 else 1
            for name, tensor in child.named_parameters(prefix, recurse=False):
                if "bias_ih" in name:
                    yield Merge(name, name.replace("bias_ih", "bias_hh"), len(tensor) * gates // whole)
