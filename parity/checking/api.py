"""`parity.check`: two implementations of one thing, one call, one Report."""

from collections.abc import Callable
from typing import Any

import numpy as np

from parity.checking.work import Task, examine
from parity.environment import environment
from parity.numerics import float_format
from parity.report import Report
from parity.sides import side
from parity.sides.inputs import rebuild

DEVICES = ("cpu", "cuda")


class ParityError(AssertionError):
    """The two sides do not agree; `report` holds the whole Report."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"\n{report}")
        self.report = report


def check(
    torch_function: Callable[..., Any],
    jax_function: Callable[..., Any],
    *inputs: Any,
    dtypes: tuple[str, ...] = ("float64", "float32"),
    device: str = "cpu",
    gradient: bool = True,
    jit: bool = True,
    name: str = "check",
) -> Report:
    """Compare a function of torch tensors with one of JAX arrays: outputs, and the gradient of every floating input.

    Both get the same numbers, rounded to the working dtype, and run at float64 and at that dtype; the verdict rule
    needs no tolerance. Parameters are inputs like any other: hand them over as a dict of arrays.

    Args:
        torch_function: Called with tensors in place of the NumPy arrays.
        jax_function: Called with JAX arrays in their place; compiled unless `jit` is False.
        *inputs: Arrays, or nested dicts, tuples and lists of them; other values reach both sides as they are.
        dtypes: Precisions to run at; float64 is always run, as the reference.
        device: "cpu" or "cuda", for both sides.
        gradient: Whether to compare vector-Jacobian products under one random cotangent too.
        jit: Whether JAX compiles.
        name: What the report calls the pair.

    Returns:
        A Report, truthy where everything agrees.

    Raises:
        TypeError: If a side is not callable, or no input is given that is an array.
        ValueError: If a dtype or the device is unknown.

    Examples:
        >>> import numpy as np, torch, jax.numpy as jnp
        >>> x = np.array([[1.0, 2.0, 4.0]])
        >>> report = check(lambda x: torch.logsumexp(x, 1), lambda x: jnp.log(jnp.sum(jnp.exp(x), 1)), x)
        >>> bool(report), report.verdict
        (True, <Verdict.AGREE: 'AGREE'>)
    """
    for framework, function in (("torch", torch_function), ("jax", jax_function)):
        if not callable(function):
            raise TypeError(
                f"check: the {framework} side is a {type(function).__name__}, wanted a function of arrays; "
                "wrap a model as lambda x: model(x)"
            )
        if hasattr(function, "named_parameters") or type(function).__module__.startswith("flax."):
            raise TypeError(
                f"check: the {framework} side is a model, {type(function).__name__}, with weights of its own at one "
                "precision; wanted a function with the weights among its inputs, as torch.func.functional_call gives"
            )
    validate(dtypes, device)
    named = {str(i): _as_numpy(value) for i, value in enumerate(inputs)}
    torch, jax = side("torch", _positional(torch_function)), side("jax", _positional(jax_function), jit=jit)
    task = Task(name, named, wrt=None if gradient else ())
    return Report((examine(torch, jax, task, dtypes=dtypes, device=device),), environment(), tuple(dtypes))


def assert_parity(*arguments: Any, **options: Any) -> Report:
    """`check`, with an error where the two sides differ.

    Args:
        *arguments: As for `check`.
        **options: As for `check`.

    Returns:
        The Report.

    Raises:
        ParityError: With the Report as its text and as its `report`.
    """
    report = check(*arguments, **options)
    if not report:
        raise ParityError(report)
    return report


def validate(dtypes: tuple[str, ...], device: str) -> None:
    """Refuse an unknown dtype or device, saying which there are."""
    if not dtypes:
        raise ValueError("dtypes: got none, wanted at least one, such as ('float64', 'float32')")
    for dtype in dtypes:
        float_format(dtype)
    if device not in DEVICES:
        raise ValueError(f"device: got {device!r}, wanted one of {', '.join(DEVICES)}")


def _positional(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **inputs: function(*(inputs[str(i)] for i in range(len(inputs))))


def _as_numpy(value: Any) -> Any:
    def change(path: str, leaf: Any) -> Any:
        if type(leaf).__module__.partition(".")[0] in ("torch", "jax", "jaxlib"):
            raise TypeError(
                f"check: input {path or 0} is a {type(leaf).__name__}, wanted a NumPy array: both sides get the same "
                "numbers from the host; pass numpy.asarray(...)"
            )
        return leaf.astype(np.float64) if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f" else leaf

    return rebuild(value, change)
