"""The only rooms that import a framework: each runs one side and returns a Trace."""

import importlib.util
from collections.abc import Callable
from typing import Any

FRAMEWORKS = {"torch": ("torch",), "jax": ("jax", "flax", "optax")}


class MissingFramework(RuntimeError):
    """A framework that a side needs is not installed."""


def require(framework: str) -> None:
    """Make sure that a side can run.

    Args:
        framework: "torch" or "jax".

    Raises:
        MissingFramework: If one of its packages is not installed; the message says what to install.
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
    """
    require(framework)
    if framework == "torch":
        from parity.sides.torch_side import TorchSide

        return TorchSide(function)
    from parity.sides.jax_side import JaxSide

    return JaxSide(function, jit=jit)
