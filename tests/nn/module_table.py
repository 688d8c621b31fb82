"""Torch's own table of modules and sample inputs (module_db), and each sample as a task for both sides.

Importing the table freezes torch's global flags, which other tests set; they are thawed again. The table of modules
decorates device tests with a class from torch's table of operators, half of the import's time, which is left out here.
"""

import copy
import functools
import inspect
import sys
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from unittest import mock

import jax
import numpy as np
import torch
from flax import nnx

import jax_impl.functional
import jax_impl.nn
from parity.checking.work import Task, examine
from parity.report import CaseResult
from parity.sides import side
from parity.sides.inputs import leaves, rebuild
from parity.sides.replay import Replay, ReplayedSide, replayable

OPERATORS = "torch.testing._internal.common_methods_invocations"

CONSTANT = {"SoftMarginLoss": (1,)}
"""Which arguments of a module torch refuses to differentiate in."""


@functools.cache
def module_db() -> dict[str, Any]:
    """Torch's ModuleInfo by the name of the module."""
    if OPERATORS in sys.modules:
        from torch.testing._internal.common_modules import module_db
    else:
        sys.modules[OPERATORS] = SimpleNamespace(DecorateInfo=mock.Mock())
        try:
            from torch.testing._internal.common_modules import module_db
        finally:
            del sys.modules[OPERATORS]
    torch.backends.__allow_nonbracketed_mutation_flag = True
    return {info.module_cls.__name__: info for info in module_db}


@dataclass(frozen=True)
class Sample:
    """One of torch's samples of a module.

    Attributes:
        module: The name of the class.
        index: Its place among the module's samples of this mode.
        training: Whether it is run in train mode.
        constructor, forward: Torch's FunctionInput of each.
        description: Torch's.
    """

    module: str
    index: int
    training: bool
    constructor: Any
    forward: Any
    description: str = ""

    @property
    def name(self) -> str:
        mode = "train" if self.training else "eval"
        return f"{self.module} {self.index} {mode} {self.description}".rstrip()

    @property
    def size(self) -> int:
        """How many numbers go in: which sample is a small one."""
        arrays = [value for _, value in leaves((list(self.forward.args), dict(self.forward.kwargs)))]
        return sum(value.numel() for value in arrays if isinstance(value, torch.Tensor))


def samples(name: str, *, training: bool) -> list[Sample]:
    """Every sample of a module in one mode; the numbers are the same in every call."""
    info = module_db()[name]
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        made = info.module_inputs_func(info, device="cpu", dtype=torch.float64, requires_grad=False, training=training)
    return [Sample(name, i, training, m.constructor_input, m.forward_input, m.desc) for i, m in enumerate(made)]


def error_samples(name: str) -> list[Any]:
    """Torch's ErrorModuleInput of a module."""
    info = module_db()[name]
    if info.module_error_inputs_func is None:
        return []
    return info.module_error_inputs_func(info, device="cpu", dtype=torch.float64, requires_grad=False, training=True)


def in_jax(value: Any) -> Any:
    """An argument of a constructor as JAX's has it: arrays, functions and modules in place of torch's."""
    if isinstance(value, torch.Tensor):
        return jax_impl.nn.Parameter(np.asarray(value))[...]
    if isinstance(value, torch.dtype):
        return str(value).removeprefix("torch.")
    if isinstance(value, torch.nn.TransformerEncoderLayer):
        return encoder_layer(value)
    if callable(value) and getattr(value, "__module__", "").startswith(("torch", "builtins")):
        return getattr(jax_impl.functional, value.__name__)
    if isinstance(value, (tuple, list)):
        return type(value)(map(in_jax, value))
    return value


def encoder_layer(layer: torch.nn.TransformerEncoderLayer) -> Any:
    """The layer that torch's table hands to TransformerEncoder, whose arguments are read from what it holds."""
    return jax_impl.nn.TransformerEncoderLayer(
        layer.self_attn.embed_dim,
        layer.self_attn.num_heads,
        layer.linear1.out_features,
        layer.dropout.p,
        in_jax(layer.activation),
        layer.norm1.eps,
        layer.self_attn.batch_first,
        layer.norm_first,
        layer.linear1.bias is not None,
        rngs=nnx.Rngs(0),
    )


def build(name: str, constructor: Any) -> Any:
    """The jax_impl.nn module that is called as torch's is; random streams where it takes any."""
    cls = getattr(jax_impl.nn, name)
    options = {key: in_jax(value) for key, value in constructor.kwargs.items() if key != "device"}
    if "rngs" in inspect.signature(cls.__init__).parameters:
        options["rngs"] = nnx.Rngs(0)
    return cls(*map(in_jax, constructor.args), **options)


def torch_module(sample: Sample) -> torch.nn.Module:
    """Torch's module at float64, its state moved away from zeros and ones, which would hide a fault."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(1)
        module = module_db()[sample.module].module_cls(*sample.constructor.args, **sample.constructor.kwargs)
        module.double().train(sample.training)
        if isinstance(module, torch.nn.modules.lazy.LazyModuleMixin):
            module(*copy.deepcopy(sample.forward.args), **copy.deepcopy(sample.forward.kwargs))
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
            for name, buffer in module.named_buffers():
                if name.rpartition(".")[2].startswith("running_"):
                    buffer.add_(torch.rand_like(buffer))
    return module


def numpy(tree: Any) -> Any:
    """A nest with NumPy arrays for torch's tensors."""
    return rebuild(tree, lambda _, v: v.detach().numpy() if isinstance(v, torch.Tensor) else v)


def judged(sample: Sample, *, dtypes: tuple[str, ...] = ("float64", "float32")) -> CaseResult:
    """Load torch's state into the JAX module, run both, judge outputs, state and gradients by the verdict rule."""
    theirs, call = torch_module(sample), sample.forward
    fixed = CONSTANT.get(sample.module, ())
    with jax.enable_x64(True):  # some of torch's constructors are given dtypes and arrays
        ours = nnx.eval_shape(lambda: build(sample.module, sample.constructor)).train(sample.training)

    def in_torch(parameters: Any, buffers: Any, args: Any, kwargs: Any) -> Any:
        held = parameters | {name: buffer.clone() for name, buffer in buffers.items()}
        args = [value.detach() if i in fixed else value for i, value in enumerate(args)]
        output = torch.func.functional_call(theirs, held, tuple(args), kwargs)
        return {"output": output, "state": {name: held[name].detach() for name in buffers}}

    def in_jax_(parameters: Any, buffers: Any, args: Any, kwargs: Any) -> Any:
        module = nnx.clone(ours)  # its variables belong to this trace
        held = dict(module.named_parameters()) | dict(module.named_buffers())
        for name, value in (parameters | buffers).items():
            held[name].set_value(value)
        for part in module.modules():  # built without values; what is drawn is replayed, whatever the key
            if isinstance(getattr(part, "rngs", None), nnx.RngStream):
                part.rngs = nnx.data(nnx.Rngs(0).dropout.fork())
        args = [jax.lax.stop_gradient(value) if i in fixed else value for i, value in enumerate(args)]
        output = module(*args, **kwargs)
        return {"output": output, "state": {name: buffer[...] for name, buffer in module.named_buffers()}}

    task = Task(
        sample.name,
        {
            "parameters": {name: numpy(p) for name, p in theirs.named_parameters()},
            "buffers": {name: numpy(b) for name, b in theirs.named_buffers()},
            "args": numpy(list(call.args)),
            "kwargs": numpy(dict(call.kwargs)),
        },
        wrt=("parameters", "args", "kwargs"),
        apart=("state",),
    )
    functions = {"torch": in_torch, "jax": in_jax_}
    replay = Replay(0)
    with replay.on("torch"):
        in_torch(dict(theirs.named_parameters()), dict(theirs.named_buffers()), call.args, call.kwargs)
    if replay.draws:
        replay = Replay(0)
        sides = [ReplayedSide(side(name, replayable(name, f)), replay) for name, f in functions.items()]
    else:
        sides = [side(name, f) for name, f in functions.items()]
    result = examine(*sides, task, dtypes=dtypes)
    parted = replay.parted() if replay.draws and result.error is None else None
    assert parted is None, parted
    return result
