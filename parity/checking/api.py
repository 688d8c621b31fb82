"""`parity.check`: two implementations of one thing, one call, one Report."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from parity.checking.work import Task, examine
from parity.doctor import fingerprints
from parity.environment import environment
from parity.numerics import Finding, Verdict, float_format
from parity.report import CaseResult, Report
from parity.sides import side
from parity.sides.inputs import rebuild
from parity.sides.replay import Replay, ReplayedSide, replayable

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
    conventions: Mapping[str, str] | None = None,
    randomness: int | None = None,
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
        conventions: Differences that are accepted, with the reason: output paths, or gradients as
            "gradient/<input path>". One that does not occur is a finding itself.
        randomness: A seed from which dropout masks, noise and shuffles are drawn on the host and replayed into both
            sides in order of execution; a draw that has no equal on the other side is a finding. None lets each side
            draw its own.
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
    functions = {"torch": _positional(torch_function), "jax": _positional(jax_function)}
    task = Task(name, named, wrt=None if gradient else (), conventions=conventions or {})
    if randomness is None:
        torch, jax = (side(framework, function, jit=jit) for framework, function in functions.items())
        result = examine(torch, jax, task, dtypes=dtypes, device=device)
    else:
        result = _replayed(functions, task, Replay(randomness), dtypes=dtypes, device=device, jit=jit)
    return Report((result,), environment() | fingerprints(device), tuple(dtypes))


def _replayed(
    functions: dict[str, Callable[..., Any]],
    task: Task,
    replay: Replay,
    *,
    dtypes: tuple[str, ...],
    device: str,
    jit: bool,
) -> CaseResult:
    """Both sides with the same random draws; draws that differ are told before any value, since all else follows."""
    torch, jax = (
        ReplayedSide(side(framework, replayable(framework, function), jit=jit), replay)
        for framework, function in functions.items()
    )
    result = examine(torch, jax, task, dtypes=dtypes, device=device)
    parted = replay.parted()
    if parted is None:
        return result
    finding = Finding("structure", "random draws", "random draws", Verdict.STRUCTURE, parted, dtypes[-1])
    return replace(result, findings=(finding, *result.findings))


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
    __tracebackhide__ = True  # a failed test shows this text and the test's own line
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
        wide = {"f": np.float64, "c": np.complex128}.get(leaf.dtype.kind) if isinstance(leaf, np.ndarray) else None
        if wide is not None:
            return leaf.astype(wide)
        # Another machine's byte order is no dtype of either framework.
        return leaf.astype(leaf.dtype.newbyteorder("=")) if isinstance(leaf, np.ndarray) else leaf

    return rebuild(value, change)
