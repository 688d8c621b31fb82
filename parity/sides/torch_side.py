"""The torch side: runs a function of torch tensors on NumPy inputs and captures outputs and gradients as a Trace."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from parity.sides.inputs import cotangent, is_float, leaves, perturbed, rebuild
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

    def run(
        self,
        inputs: dict[str, Any],
        *,
        dtype: str,
        device: str = "cpu",
        wrt: tuple[str, ...] | None = (),
        stage: str = "forward",
        noise: RoundingNoise | None = None,
    ) -> Trace:
        """Run once and capture every output and, where asked for, the VJP under the shared random cotangent.

        Args:
            inputs: Nests of NumPy arrays and plain values by argument name. Nothing in them is modified.
            dtype: What floating inputs are turned into.
            device: "cpu" or "cuda".
            wrt: Arguments to differentiate with respect to; None for every floating array, () for no gradient.
            stage: Prefix of the outputs' paths in the Trace.
            noise: Disturbs every operation, forwards and backwards; none where not given.

        Returns:
            The Trace; gradients stand under "gradient/<argument path>". An input without influence has a gradient of
            zeros.
        """
        precision = getattr(torch, dtype)
        differentiable: dict[str, torch.Tensor] = {}

        def to_tensor(path: str, leaf: Any) -> Any:
            if not isinstance(leaf, np.ndarray):
                return leaf
            tensor = torch.from_numpy(np.array(leaf, order="C")).to(device)
            if not is_float(leaf):
                return tensor
            tensor = tensor.to(precision)
            if wrt is None or path.partition(".")[0] in wrt:
                differentiable[path] = tensor.requires_grad_()
            return tensor

        with _as_a_user_would(device), noise or contextlib.nullcontext():
            outputs = dict(leaves(self.function(**rebuild(inputs, to_tensor))))
            gradients = _vjp(outputs, differentiable, dtype)
        return _capture(outputs, gradients, stage, dtype, device)

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
        moved = perturbed(inputs, size, np.random.default_rng(seed))
        return self.run(moved, dtype="float64", device=device, wrt=wrt, stage=stage, noise=RoundingNoise(size, seed))


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


def _vjp(outputs: dict[str, Any], differentiable: dict[str, torch.Tensor], dtype: str) -> dict[str, torch.Tensor]:
    if not differentiable:
        return {}
    heads = {p: t for p, t in outputs.items() if isinstance(t, torch.Tensor) and t.requires_grad}
    if not heads:
        return {path: torch.zeros_like(tensor) for path, tensor in differentiable.items()}
    cotangents = [torch.from_numpy(cotangent(p, tuple(t.shape), dtype)).to(t.device, t.dtype) for p, t in heads.items()]
    found = torch.autograd.grad(list(heads.values()), list(differentiable.values()), cotangents, allow_unused=True)
    return {p: torch.zeros_like(t) if g is None else g for (p, t), g in zip(differentiable.items(), found, strict=True)}


def _capture(outputs: dict[str, Any], gradients: dict[str, torch.Tensor], stage: str, dtype: str, device: str) -> Trace:
    tensors: dict[str, np.ndarray] = {}
    dtypes: dict[str, str] = {}
    facts: dict[str, str] = {}
    named = [(f"{stage}/{p}" if p else f"{stage}/output", leaf) for p, leaf in outputs.items()] + [
        (f"gradient/{p}", g) for p, g in gradients.items()
    ]
    for path, leaf in named:
        if isinstance(leaf, torch.Tensor):
            dtypes[path] = str(leaf.dtype).removeprefix("torch.")
            host = torch.view_as_real(leaf.detach().resolve_conj()) if leaf.is_complex() else leaf.detach()
            if host.dtype in (torch.bfloat16, torch.float16):
                host = host.to(torch.float32)
            tensors[path] = host.cpu().numpy().copy()
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
