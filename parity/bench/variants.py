"""The ways in which one function of each framework can be run, each as a call that waits for its result."""

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.bench import jax_cost, torch_cost
from parity.bench.floors import Work
from parity.sides import jax_backend
from parity.sides.inputs import element_dtype, is_float, leaves, rebuild

EAGER, COMPILE, JAX_EAGER, JIT, SCAN = "torch eager", "torch.compile", "jax eager", "jax jit", "jax jit, scan"


@dataclass(frozen=True)
class Variant:
    """One way to run a function.

    Attributes:
        name: Such as "torch eager".
        call: Runs it once and waits; None where it does not apply.
        calls: How many times the framework is entered from Python; None where that was not counted, as in what dynamo
            compiled, whose guards run before it.
        missing: Why it does not apply.
    """

    name: str
    call: Callable[[], Any] | None
    calls: int | None = None
    missing: str = ""


def torch_variants(
    function: Callable[..., Any], inputs: dict[str, Any], *, dtype: str, device: str, loop: bool, compile: bool = True
) -> list[Variant]:
    """Torch as it is, and compiled where that applies.

    Args:
        function: Called with the inputs by name.
        inputs: Nests of NumPy arrays and plain values.
        dtype: What floating arrays are turned into.
        device: "cpu" or "cuda".
        loop: Whether it is a training loop, of which torch.compile would compile every step by itself.
        compile: Whether it is to be compiled.

    Returns:
        The Variants.
    """
    import torch

    def tensor(_: str, leaf: Any) -> Any:
        if not isinstance(leaf, np.ndarray):
            return leaf
        given = torch.from_numpy(np.array(leaf, order="C")).to(device)
        return given.to(getattr(torch, element_dtype(leaf, dtype))) if is_float(leaf) else given

    given = rebuild(inputs, tensor)

    def awaited(function: Callable[..., Any]) -> Callable[[], Any]:
        if device == "cpu":
            return lambda: function(**given)

        def call() -> Any:
            output = function(**given)
            torch.cuda.synchronize()
            return output

        return call

    found = [Variant(EAGER, awaited(function), torch_cost.operations(function, given))]
    if not compile:
        return found
    missing = _no_compiler(device)
    if loop:
        missing = "a loop of steps in Python, of which it would compile each by itself"
    if missing:
        return [*found, Variant(COMPILE, None, missing=missing)]
    torch.compiler.reset()
    return [*found, Variant(COMPILE, awaited(torch.compile(function)))]


def _no_compiler(device: str) -> str:
    """Why torch.compile cannot work here; empty where it can."""
    if device == "cuda":
        from importlib.util import find_spec

        return "" if find_spec("triton") else "triton is not installed"
    names = [os.environ.get("CXX", "g++"), "clang++"]
    return "" if any(map(shutil.which, names)) else f"there is no C++ compiler ({' nor '.join(names)}) to compile with"


def jax_variants(
    function: Callable[..., Any], inputs: dict[str, Any], *, dtype: str, device: str, jit: bool
) -> tuple[list[Variant], Work]:
    """JAX as it is written, and as one compiled program; and what that program has to do.

    Args:
        function: Called with the inputs by name.
        inputs: Nests of NumPy arrays and plain values; these are constants of the program.
        dtype: What floating arrays are turned into; float64 needs x64 to be on.
        device: "cpu" or "cuda".
        jit: Whether it can be traced.

    Returns:
        The Variants, and the Work.
    """
    jax = jax_backend.start()
    place = jax.devices("gpu" if device == "cuda" else "cpu")[0]
    arrays = {
        path: jax.device_put(jax.numpy.asarray(leaf, element_dtype(leaf, dtype) if is_float(leaf) else None), place)
        for path, leaf in leaves(inputs)
        if isinstance(leaf, np.ndarray)
    }

    def run(arrays: dict[str, Any]) -> Any:
        return function(**rebuild(inputs, lambda path, leaf: arrays.get(path, leaf)))

    moved = sum(array.nbytes for array in arrays.values())
    if not jit:
        eager = Variant(JAX_EAGER, lambda: jax.block_until_ready(run(arrays)))
        return [eager, Variant(JIT, None, missing="what it does cannot be traced")], Work(None, "", moved)
    program = jax.make_jaxpr(lambda arrays: _arrays_of(jax, run(arrays)))(arrays)
    moved += sum(aval.size * aval.dtype.itemsize for aval in program.out_avals)
    compiled = jax.jit(lambda arrays: _arrays_of(jax, run(arrays)))
    variants = [
        Variant(JAX_EAGER, lambda: jax.block_until_ready(run(arrays)), len(program.jaxpr.eqns)),
        Variant(SCAN if jax_cost.loops(program) else JIT, lambda: jax.block_until_ready(compiled(arrays)), 1),
    ]
    return variants, jax_cost.work(program, moved)


def _arrays_of(jax: Any, output: Any) -> list[Any]:
    """The outputs that a program can give: arrays and numbers, not what tells of them in words."""
    return [leaf for _, leaf in leaves(output) if isinstance(leaf, (jax.Array, np.ndarray, float, int))]


@contextmanager
def compiled_anew() -> Iterator[None]:
    """No compiler's cache on disk is asked, so that compile time is that of a first run; restored afterwards."""
    import torch._inductor.config

    jax = jax_backend.start()
    kept = jax.config.jax_enable_compilation_cache
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        with torch._inductor.config.patch(force_disable_caches=True), warnings.catch_warnings():
            # dynamo's profile is a cache too
            warnings.filterwarnings("ignore", message="dynamo_pgo force disabled", category=UserWarning)
            yield
    finally:
        jax.config.update("jax_enable_compilation_cache", kept)


@contextmanager
def alike(threads: int, device: str) -> Iterator[None]:
    """Both sides at the same arithmetic, restored afterwards.

    Args:
        threads: Of torch, on the CPU; JAX has those that its backend was started with.
        device: On a GPU both multiply float32 as IEEE has it: JAX would take TF32 by default and torch would not, so
            that one would be timed at another precision than the other.
    """
    import torch

    jax = jax_backend.start()
    kept = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        if device == "cpu":
            yield
            return
        allowed = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = False
        try:
            with torch.backends.cudnn.flags(enabled=True, allow_tf32=False), jax.default_matmul_precision("highest"):
                yield
        finally:
            torch.backends.cuda.matmul.allow_tf32 = allowed
    finally:
        torch.set_num_threads(kept)
