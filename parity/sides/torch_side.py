"""The torch side: runs a function of torch tensors on NumPy inputs and captures outputs and gradients as a Trace."""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from parity.sides import NoFloat64, lacks_float64
from parity.sides.inputs import (
    cotangent,
    element_dtype,
    is_float,
    laid_out,
    leaves,
    perturbed,
    rebuild,
    signature,
    widened,
)
from parity.sides.torch_lift import PATIENCE, Lifting, NothingToRaise, RaisedKernels
from parity.sides.torch_noise import RoundingNoise
from parity.trace import Trace


class TorchSide:
    """A function of torch tensors, run at any precision on any device.

    Args:
        function: Called with the inputs by name; NumPy arrays arrive as tensors, all else as it is.
    """

    framework = "torch"

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self._unraised = ""
        self._lifting: dict[Any, Lifting] = {}
        self._as_it_is: set[Any] = set()  # what tells of dtypes and computes nothing; to lift it would change the tale

    def run(
        self,
        inputs: dict[str, Any],
        *,
        dtype: str,
        device: str = "cpu",
        wrt: tuple[str, ...] | None = (),
        stage: str = "forward",
        noise: TorchDispatchMode | None = None,
        lift: bool = True,
        moved: tuple[float, int] | None = None,
    ) -> Trace:
        """Run once and capture every output and, where asked for, the VJP under the shared random cotangent.

        A float64 run is float64 all through: casts to less inside the function are lifted. A function that cannot bear
        that runs as it is, and the Trace says so of every tensor.

        Args:
            inputs: Nests of NumPy arrays and plain values by argument name. Nothing in them is modified.
            dtype: What floating inputs are turned into.
            device: "cpu" or "cuda".
            wrt: Arguments to differentiate with respect to; None for every floating array, () for no gradient.
            stage: Prefix of the outputs' paths in the Trace.
            noise: Disturbs every operation, forwards and backwards; none where not given.
            lift: Whether a float64 run is float64 all through; without, it is the function as its user has it.
            moved: Size and seed of the errors with which the inputs are disturbed; as they are where not given.

        Returns:
            The Trace; gradients stand under "gradient/<argument path>". An input without influence has a gradient of
            zeros.

        Raises:
            NoFloat64: If the run was to be float64 and an operation has no kernel of it.
        """
        run = functools.partial(self._run, inputs, dtype, device, wrt, stage, noise, moved=moved)
        if dtype != "float64" or not lift:
            return run(None)
        try:
            return self._run_float64(run, (stage, wrt, signature(inputs)))
        except Exception as error:
            operation = lacks_float64(error)
            if operation is None:
                raise
            raise NoFloat64(f"{operation} is not implemented for float64") from error

    def _run_float64(self, run: Callable[..., Trace], key: Any) -> Trace:
        """The run with its casts lifted; later runs with inputs like these lift only what had to be."""
        if key in self._as_it_is:
            return run(None)
        lifting = self._lifting.get(key, Lifting(patience=PATIENCE if key[0] == "curve" else None))
        if not self._unraised:
            try:
                trace = run(lifting, key)
                if not trace.names_only:
                    return trace
                self._as_it_is.add(key)
                return run(None)
            except NothingToRaise:
                self._lifting[key] = Lifting(kernels=False)
                return run(self._lifting[key], key)
            except Exception as error:
                try:
                    trace = run(None)
                except Exception:
                    raise error from None  # what is wrong with the function is wrong at any precision
                self._unraised = f"its casts could not be lifted: {type(error).__name__}: {error}".splitlines()[0]
        else:
            trace = run(None)
        return replace(trace, narrow=dict.fromkeys(trace.dtypes, self._unraised))

    def _run(
        self,
        inputs: dict[str, Any],
        dtype: str,
        device: str,
        wrt: tuple[str, ...] | None,
        stage: str,
        noise: TorchDispatchMode | None,
        lifting: Lifting | None,
        key: Any = None,
        *,
        moved: tuple[float, int] | None = None,
    ) -> Trace:
        differentiable: dict[str, torch.Tensor] = {}

        def to_tensor(path: str, leaf: Any) -> Any:
            if not isinstance(leaf, np.ndarray):
                return leaf
            if not is_float(leaf):
                return torch.from_numpy(np.array(leaf, order="C")).to(device)
            # What is disturbed is this run's own; else a model that writes to its arguments gets a copy to write to.
            tensor = _tensor(leaf, getattr(torch, element_dtype(leaf, dtype)), device, own=moved is not None)
            if wrt is None or path.partition(".")[0] in wrt:
                differentiable[path] = tensor.requires_grad_()
            return tensor

        # What lifts is entered last and so sees each operation first: what disturbs gets float64.
        lifted = lifting.on() if lifting else contextlib.nullcontext((None, None))
        arguments = rebuild(inputs if moved is None else perturbed(inputs, *moved), to_tensor)
        with _as_a_user_would(device), noise or contextlib.nullcontext(), lifted as (requests, kernels):
            outputs = dict(leaves(self.function(**arguments)))
            if kernels is not None:
                outputs = {p: _full(kernels, leaf) for p, leaf in outputs.items()}
            gradients, unreached = _vjp(outputs, differentiable, dtype)
        trace = replace(_capture(outputs, gradients, stage, dtype, device), unreached=unreached)
        if requests is None or kernels is None or lifting is None:
            return trace
        self._lifting[key] = replace(lifting, requests=requests.raised, kernels=kernels.raised, patience=None)
        narrow = dict.fromkeys(trace.dtypes, kernels.narrow) if kernels.narrow else {}
        constants = {name: widened(array) for name, array in kernels.constants.items()}
        return replace(trace, narrow=narrow, constants=constants)

    def disturbed(
        self,
        inputs: dict[str, Any],
        size: float,
        seed: int,
        *,
        device: str = "cpu",
        wrt: tuple[str, ...] | None = (),
        stage: str = "forward",
    ) -> Trace:
        """Run once at float64 with a relative error of the given size in every input and every operation.

        Args:
            inputs: As for `run`.
            size: The relative size of one rounding.
            seed: Of its signs.
            device, wrt, stage: As for `run`.

        Returns:
            The Trace of the disturbed run.
        """
        noise = RoundingNoise(size, seed)
        options: dict[str, Any] = {"device": device, "wrt": wrt, "stage": stage}
        return self.run(inputs, dtype="float64", noise=noise, moved=(size, seed), **options)


def _tensor(array: np.ndarray, dtype: torch.dtype, device: str, *, own: bool) -> torch.Tensor:
    """A floating array as a tensor, over its memory only where that is this run's own."""
    if own and array.flags.c_contiguous and array.flags.writeable and array.dtype.isnative:
        return torch.from_numpy(array).to(device, dtype)
    if dtype in (torch.float32, torch.float64):
        return torch.from_numpy(laid_out(array, str(dtype).removeprefix("torch."))).to(device)
    return torch.from_numpy(np.array(array, order="C")).to(device, dtype)


@contextlib.contextmanager
def _as_a_user_would(device: str) -> Iterator[None]:
    """One thread for small problems (too many cost up to 20 times), IEEE arithmetic on the GPU; both restored."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if device == "cpu":
            yield
        else:
            allowed = torch.backends.cuda.matmul.allow_tf32
            torch.backends.cuda.matmul.allow_tf32 = False
            try:
                with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                    yield
            finally:
                torch.backends.cuda.matmul.allow_tf32 = allowed
    finally:
        torch.set_num_threads(threads)


def _full(kernels: RaisedKernels, leaf: Any) -> Any:
    return kernels.full(leaf) if isinstance(leaf, torch.Tensor) else leaf


def _vjp(
    outputs: dict[str, Any], differentiable: dict[str, torch.Tensor], dtype: str
) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """The gradients by path, zeros where no output depends on an input, and the paths of those inputs."""
    heads = {p: t for p, t in outputs.items() if isinstance(t, torch.Tensor) and t.requires_grad}
    if not heads or not differentiable:
        return {path: torch.zeros_like(tensor) for path, tensor in differentiable.items()}, tuple(differentiable)
    cotangents = [
        torch.from_numpy(cotangent(p, tuple(t.shape), dtype, pairs=t.is_complex())).to(t.device, t.dtype)
        for p, t in heads.items()
    ]
    found = torch.autograd.grad(list(heads.values()), list(differentiable.values()), cotangents, allow_unused=True)
    both = list(zip(differentiable.items(), found, strict=True))
    gradients = {p: torch.zeros_like(t) if g is None else g for (p, t), g in both}
    return gradients, tuple(p for (p, _), g in both if g is None)


def _array(tensor: torch.Tensor, last: bool) -> np.ndarray:
    """A tensor's numbers, over its own memory where it is the last to use it and has no more of it than it shows.

    An output may be an input or a buffer, which later runs write to. A gradient is made by its run and nobody's else.
    """
    whole = tensor.is_contiguous() and tensor.untyped_storage().nbytes() == tensor.nbytes
    return tensor.numpy() if last and whole else tensor.numpy().copy()


def _capture(outputs: dict[str, Any], gradients: dict[str, torch.Tensor], stage: str, dtype: str, device: str) -> Trace:
    tensors: dict[str, np.ndarray] = {}
    dtypes: dict[str, str] = {}
    facts: dict[str, str] = {}
    named = ((f"{stage}/{p}" if p else f"{stage}/output", leaf, False) for p, leaf in outputs.items())
    found = ((f"gradient/{p}", leaf, True) for p, leaf in gradients.items())
    for path, leaf, last in itertools.chain(named, found):
        if isinstance(leaf, torch.Tensor):
            dtypes[path] = str(leaf.dtype).removeprefix("torch.")
            host = torch.view_as_real(leaf.detach().resolve_conj()) if leaf.is_complex() else leaf.detach()
            if host.dtype in (torch.bfloat16, torch.float16):
                host = host.to(torch.float32)
            tensors[path] = _array(host.cpu(), last)
        elif isinstance(leaf, (bool, int, float, np.ndarray, np.generic)):
            tensors[path] = np.asarray(leaf)
        else:
            facts[path] = str(leaf)
    return Trace(
        tensors,
        dtypes,
        facts,
        origin={"framework": "torch", "version": torch.__version__, "dtype": dtype, "device": device},
    )
