"""`parity.check`: two models or two functions, one call, one Report."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from parity.checking.batches import batches_of
from parity.checking.consequences import with_consequences
from parity.checking.models import check_models, require_both
from parity.checking.question import Question
from parity.checking.work import Task, examine
from parity.doctor import fingerprints
from parity.environment import environment
from parity.numerics import Finding, Verdict, float_format
from parity.report import CaseResult, Report
from parity.sides import side
from parity.sides.given import as_jax_side, as_torch_side, is_model
from parity.sides.inputs import rebuild
from parity.sides.replay import Replay, ReplayedSide, replayable

DEVICES = ("cpu", "cuda")


class ParityError(AssertionError):
    """The two sides do not agree; `report` holds the whole Report."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"\n{report}")
        self.report = report


def check(
    torch_side: Any,
    jax_side: Any,
    *inputs: Any,
    weights: Any = "auto",
    loss: Any = None,
    targets: Any = None,
    optimizer: Any = None,
    steps: int = 0,
    batches: Any = None,
    train: bool | None = None,
    dtypes: tuple[str, ...] = ("float64", "float32"),
    device: str = "cpu",
    gradient: bool = True,
    jit: bool = True,
    conventions: Mapping[str, str] | None = None,
    randomness: int | None = None,
    name: str = "check",
) -> Report:
    """Compare two models, or a function of torch tensors with one of JAX arrays: outputs, gradients, training.

    Both get the same numbers, rounded to the working dtype, and run at float64 and at that dtype; the verdict rule
    needs no tolerance. Of functions, parameters are inputs like any other: hand them over as a dict of arrays. Models
    hold theirs, and neither model is changed.

    Args:
        torch_side: An nn.Module, a parity.TorchSide, or a function that is called with tensors in place of the arrays.
        jax_side: A Flax NNX or Equinox module, a parity.JaxSide, or a function, compiled unless `jit` is False.
        *inputs: Arrays, or nested dicts, tuples and lists of them; other values reach both sides as they are.
        weights: Of models: "auto" maps torch's weights into the JAX model, a parity.WeightMap says how, and with None
            each keeps its own; then the gradients of parameters are compared that have one name and shape on both.
        loss: "cross_entropy", "mse" or (torch_fn, jax_fn) of fn(output, targets) -> scalar: gradients are then the
            loss's, and not those under a random cotangent.
        targets: What the loss compares with: a NumPy array, or a nest of them.
        optimizer: A factory of a torch optimizer from a list of parameters, which is translated, or
            (torch_factory, optax_transform): one step from a state that both are given is compared.
        steps: Length of the training curve that is compared, every step on these inputs unless there are batches.
        batches: What the steps are made on: an iterable of (input, ..., targets), such as a DataLoader, at most `steps`
            of it; or a pair of two, torch's and jax's own data, which are compared first, and torch's then used for
            both. Where no inputs are given, the first batch is what the models are compared on.
        train: The mode of both models; None for the mode that each is in, and a difference is told.
        dtypes: Precisions to run at; float64 is always run, as the reference.
        device: "cpu" or "cuda", for both sides.
        gradient: Whether to compare gradients: of the loss, else vector-Jacobian products under one random cotangent.
        jit: Whether JAX compiles.
        conventions: Differences that are accepted, with the reason: output paths, or gradients as
            "gradient/<input path>", of models "gradient/<torch parameter>". One that does not occur is a finding.
        randomness: A seed from which dropout masks, noise and shuffles are drawn on the host and replayed into both
            sides in order of execution; a draw that has no equal on the other side is a finding. None lets functions
            draw their own; models that draw are given the seed 0.
        name: What the report calls the pair.

    Returns:
        A Report, truthy where everything agrees.

    Raises:
        TypeError: If a side is nothing that can be called, or an input is not an array of NumPy's.
        ValueError: If a dtype or the device is unknown, or the options do not go together.

    Examples:
        >>> import numpy as np, torch, jax.numpy as jnp
        >>> x = np.array([[1.0, 2.0, 4.0]])
        >>> report = check(lambda x: torch.logsumexp(x, 1), lambda x: jnp.log(jnp.sum(jnp.exp(x), 1)), x)
        >>> bool(report), report.verdict
        (True, <Verdict.AGREE: 'AGREE'>)
    """
    torch_side, jax_side = _sides(torch_side, jax_side)
    validate(dtypes, device)
    told: tuple[Finding, ...] = ()
    if batches is not None:
        batches, told = batches_of(batches, steps)
        first_inputs, first_targets = batches.steps[0]
        inputs, targets, steps = inputs or first_inputs, first_targets if targets is None else targets, len(batches)
    values = tuple(_as_numpy(value) for value in inputs)
    common: dict[str, Any] = {"dtypes": tuple(dtypes), "device": device, "jit": jit}
    common |= {"gradient": gradient, "conventions": conventions or {}, "randomness": randomness, "name": name}
    asked = {"weights": weights, "loss": loss, "targets": targets, "optimizer": optimizer, "steps": steps}
    if is_model(torch_side) or is_model(jax_side) or loss is not None or optimizer is not None:
        require_both()
        asked["targets"] = None if targets is None else _as_numpy(targets, "targets")
        asked |= {"batches": batches, "train": train}
        result = check_models(torch_side, jax_side, values, Question(**asked, **common))
        result = replace(result, findings=(*result.findings, *told))
    else:
        _only_of_models(asked | {"batches": batches, "train": train})
        result = _check_functions({"torch": torch_side, "jax": jax_side}, values, **common)
        result = replace(result, findings=with_consequences(result.findings))
    return Report((result,), environment() | fingerprints(device), tuple(dtypes))


def _sides(torch_side: Any, jax_side: Any) -> tuple[Any, Any]:
    """Both sides, or a TypeError that says what is wrong with one of them."""
    as_torch_side(torch_side)
    as_jax_side(jax_side)
    return torch_side, jax_side


def _only_of_models(asked: dict[str, Any]) -> None:
    defaults = {"weights": ("auto", None), "steps": (0,)}
    given = [name for name, value in asked.items() if not any(value is d for d in defaults.get(name, (None,)))]
    if given:
        raise ValueError(
            f"check: {', '.join(given)} given for two functions of arrays, which have no parameters of their own; "
            "wrap the sides as parity.TorchSide(model) and parity.JaxSide(module)"
        )


def _check_functions(
    functions: dict[str, Callable[..., Any]],
    values: tuple[Any, ...],
    *,
    dtypes: tuple[str, ...],
    device: str,
    jit: bool,
    gradient: bool,
    conventions: Mapping[str, str],
    randomness: int | None,
    name: str,
) -> CaseResult:
    named = {str(i): value for i, value in enumerate(values)}
    functions = {framework: _positional(function) for framework, function in functions.items()}
    task = Task(name, named, wrt=None if gradient else (), conventions=conventions)
    if randomness is not None:
        return _replayed(functions, task, Replay(randomness), dtypes=dtypes, device=device, jit=jit)
    torch, jax = (side(framework, function, jit=jit) for framework, function in functions.items())
    return examine(torch, jax, task, dtypes=dtypes, device=device)


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

    Examples:
        >>> import numpy as np, torch, jax.numpy as jnp
        >>> x = np.array([1.0, 2.0])
        >>> assert_parity(torch.exp, jnp.exp, x).verdict
        <Verdict.AGREE: 'AGREE'>
        >>> try:
        ...     assert_parity(torch.exp, lambda x: jnp.exp(x) + 1e-6, x)
        ... except ParityError as error:
        ...     error.report.first.verdict
        <Verdict.SEMANTIC: 'SEMANTIC'>
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


def _as_numpy(value: Any, what: str = "input") -> Any:
    def change(path: str, leaf: Any) -> Any:
        if type(leaf).__module__.partition(".")[0] in ("torch", "jax", "jaxlib"):
            raise TypeError(
                f"check: {what} {path or 0} is a {type(leaf).__name__}, wanted a NumPy array: both sides get the same "
                "numbers from the host; pass numpy.asarray(...)"
            )
        wide = {"f": np.float64, "c": np.complex128}.get(leaf.dtype.kind) if isinstance(leaf, np.ndarray) else None
        if wide is not None:
            return leaf.astype(wide)
        # Another machine's byte order is no dtype of either framework.
        return leaf.astype(leaf.dtype.newbyteorder("=")) if isinstance(leaf, np.ndarray) else leaf

    return rebuild(value, change)
