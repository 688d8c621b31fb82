"""The only rooms that import a framework: each runs one side and returns a Trace."""

import importlib.util
import re
from collections.abc import Callable
from typing import Any

__all__ = ["FRAMEWORKS", "MissingFramework", "NoFloat64", "lacks_float64", "out_of_memory", "raised", "require", "side"]

FRAMEWORKS = {"torch": ("torch",), "jax": ("jax", "flax", "optax")}


class MissingFramework(RuntimeError):
    """A framework that a side needs is not installed."""


class NoFloat64(RuntimeError):
    """An operation of a side exists at low precision only, so the side has no float64 run; the message names it."""


REFUSALS = (
    r'"(?P<operation>[\w:.]+)" not implemented for \'(?:Complex)?Double\'',
    r"(?P<operation>[\w:.]+)[^.]*?(?:not implemented|unsupported|not supported|UNIMPLEMENTED)[^.]*?"
    r"(?:[Dd]ouble|float64|\bf64\b|complex128|\bc128\b)",
    r"(?:not implemented|[Uu]nsupported|not supported|UNIMPLEMENTED|expected scalar type (?:Float|Half|BFloat16))[^.]*?"
    r"(?:[Dd]ouble|float64|\bf64\b|complex128|\bc128\b)",
)
"""How torch, JAX and XLA say that a kernel lacks float64."""


def lacks_float64(error: BaseException) -> str | None:
    """The operation that has no float64, where that is what an error says; None for any other error.

    Examples:
        >>> lacks_float64(NotImplementedError('"fused_norm_cpu" not implemented for ' + repr("Double")))
        'fused_norm_cpu'
        >>> lacks_float64(RuntimeError("shapes do not match")) is None
        True
    """
    for refusal in REFUSALS:
        found = re.search(refusal, str(error))
        if found:
            return found.groupdict().get("operation") or "an operation"
    return None


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there was not enough memory, in Python's words, torch's or XLA's.

    Examples:
        >>> out_of_memory(RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8 bytes"))
        True
    """
    words = r"out of memory|can't allocate memory|cannot allocate memory|not enough memory|RESOURCE_EXHAUSTED"
    return isinstance(error, MemoryError) or re.search(words, str(error), re.IGNORECASE) is not None


def raised(error: BaseException) -> str:
    """What a side did that gave an error, in half a sentence.

    Examples:
        >>> raised(ValueError("no such axis, and more")), raised(MemoryError("8 GB"))[:34]
        ('raised: ValueError: no such axis, and more', 'ran out of memory: MemoryError: 8 ')
    """
    told = f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
    return f"ran out of memory: {told}; {LESS}" if out_of_memory(error) else f"raised: {told}"


LESS = "fewer or smaller inputs need less, as do gradient=False (--no-gradient) and one dtype at a time"


def require(framework: str) -> None:
    """Make sure that a side can run.

    Args:
        framework: "torch" or "jax".

    Raises:
        MissingFramework: If one of its packages is not installed; the message says what to install.

    Examples:
        >>> require("torch")
    """
    absent = [name for name in FRAMEWORKS[framework] if importlib.util.find_spec(name) is None]
    if absent:
        raise MissingFramework(
            f"the {framework} side cannot run: {', '.join(absent)} not installed; pip install 'parity[{framework}]'"
        )


def side(framework: str, function: Callable[..., Any], *, jit: bool = True) -> Any:
    """One side of a comparison.

    Args:
        framework: "torch" or "jax".
        function: A function of that framework's arrays, called with the inputs by name.
        jit: Whether JAX compiles it.

    Returns:
        A TorchSide or a JaxSide.

    Raises:
        MissingFramework: If the framework is not installed.

    Examples:
        >>> import numpy as np
        >>> double = side("torch", lambda x: 2 * x)
        >>> double.run({"x": np.array([1.5])}, dtype="float32").tensors["forward/output"]
        array([3.], dtype=float32)
    """
    require(framework)
    if framework == "torch":
        from parity.sides.torch_side import TorchSide

        return TorchSide(function)
    from parity.sides.jax_side import JaxSide

    return JaxSide(function, jit=jit)
