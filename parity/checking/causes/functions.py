"""Why two losses or two optimizers differ: torch's with one setting changed is what JAX has."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from parity.checking.causes.arrived import named_number
from parity.checking.causes.case import CLOSE
from parity.checking.teacher import roundings
from parity.checking.work import Task, examine
from parity.numerics import Finding, Verdict

SIZES = (1.0, 16.0, 0.02, 1.0)
"""Of the gradients in the steps of an optimizer: momentum shows from the second step on, bias correction in each."""

NEAR = 1e-6
"""Part of the largest parameter that a variant may be off and still be put to the experiment, which decides."""

LOSSES = "torch.nn against optax; AlgoPerf#318"
OPTIMIZERS = "torch.optim against optax"
CLIPPING = "goodfire-ai/spd#643"


def explain_loss(
    torch_loss: Callable[..., Any], jax_loss: Callable[..., Any], output: np.ndarray, targets: np.ndarray
) -> tuple[str, str] | None:
    """Name what JAX's loss is in place of torch's.

    Args:
        torch_loss, jax_loss: Functions of (output, targets).
        output, targets: Arrays; of a real batch, so that ignored targets occur.

    Returns:
        (cause, fix), or None where they agree, or no setting of the catalogue explains all, value and gradient.

    Examples:
        >>> import torch.nn.functional as F, optax
        >>> def jax_loss(output, targets):
        ...     return optax.softmax_cross_entropy_with_integer_labels(output, targets).sum()
        >>> explain_loss(F.cross_entropy, jax_loss, np.eye(3), np.array([0, 1, 1]))[1]
        'reduction: mean'
    """
    from parity.sides.torch_emulations import tensor
    from parity.sides.torch_losses import losses

    arrays = {"output": output, "targets": targets}
    if all(judge_loss(torch_loss, jax_loss, output, targets)):
        return None
    given = tensor(np.asarray(output, np.float64)), tensor(targets)
    every = list(losses(*given))
    value = np.asarray(float(torch_loss(*given)))
    theirs = next((s for _, s, f in every if _gives(f, given, value)), {})
    every.sort(key=lambda item: sum(item[1].get(n) != v for n, v in theirs.items()))
    wanted = _jax_value(jax_loss, arrays)
    for _, settings, function in every:
        if not _gives(function, given, wanted):
            continue
        proof = _judged(function, jax_loss, arrays, ("output",))
        if all(proof):
            apart = [(n, v, theirs.get(n, "something else")) for n, v in settings.items() if v != theirs.get(n)]
            said = "; ".join(f"{n} {v}, torch has {other}" for n, v, other in apart)
            return f"{said}. With JAX's in torch's place they agree ({LOSSES})", "; ".join(
                f"{n}: {o}" for n, _, o in apart
            )
    return _numbered_loss(torch_loss, jax_loss, given, arrays, wanted)


def _numbered_loss(
    torch_loss: Callable[..., Any],
    jax_loss: Callable[..., Any],
    given: tuple[Any, Any],
    arrays: dict[str, Any],
    value: np.ndarray,
) -> tuple[str, str] | None:
    """Torch's own loss times a number, or of the output times a number: a temperature."""
    from parity.sides.torch_fitted import fitted

    output, targets = given
    wanted = output.new_tensor(float(value)).reshape(1)
    kinds: dict[str, Callable[..., Any]] = {
        "the loss": lambda o, t, number: torch_loss(o, t) * number,
        "the output": lambda o, t, number: torch_loss(o * number, t),
    }
    for what, function in kinds.items():
        number = fitted(functools.partial(_one, function, output, targets), wanted)
        if not number:
            continue
        told, exact = named_number(number, output.shape)

        def changed(o: Any, t: Any, function: Any = function, exact: float = exact) -> Any:
            return function(o, t, exact)

        if all(_judged(changed, jax_loss, arrays, ("output",))):
            cause = f"{what} times {told}, which torch has not. With JAX's in torch's place they agree ({LOSSES})"
            return cause, f"leave out the factor {told} of {what}"
    return None


def _gives(function: Callable[..., Any], given: tuple[Any, Any], wanted: np.ndarray) -> bool:
    try:
        return roundings(wanted, np.asarray(float(function(*given)))) <= CLOSE
    except (RuntimeError, IndexError, ValueError):  # classes that are none of it, probabilities beyond 1
        return False


def _one(function: Callable[..., Any], output: Any, targets: Any, number: Any) -> Any:
    return function(output, targets, number).reshape(1)


def _jax_value(jax_loss: Callable[..., Any], arrays: dict[str, Any]) -> np.ndarray:
    run = _jax_side(jax_loss, lambda **both: jax_loss(*both.values())).run(arrays, dtype="float64", wrt=())
    return next(iter(run.tensors.values()))


def judge_loss(
    torch_loss: Callable[..., Any], jax_loss: Callable[..., Any], output: np.ndarray, targets: Any
) -> list[Finding]:
    """Two losses fed the same output: the value and the gradient of each.

    Args:
        torch_loss, jax_loss: Functions of (output, targets).
        output: An array.
        targets: An array, or a nest of them.
    """
    return _judged(torch_loss, jax_loss, {"output": output, "targets": targets}, ("output",))


def explain_optimizer(
    factory: Callable[..., Any], transform: Any, *, clip: float | None = None, seed: int = 0
) -> tuple[str, str] | None:
    """Name the setting in which an optax transform is not what a torch optimizer does.

    Args:
        factory: Makes torch's optimizer of a list of parameters.
        transform: Optax's, clipping included.
        clip: The limit of `torch.nn.utils.clip_grad_norm_` before each step; None for none.
        seed: Of the parameters and gradients on which both are tried.

    Returns:
        (cause, fix), or None where they agree, or no single setting explains all.
    """
    from parity.sides import jax_updates
    from parity.sides.torch_updates import clipped, steps, variants

    rng = np.random.default_rng(seed)
    shapes = {"weight": (3, 4), "bias": (4,)}
    arrays = {
        "parameters": {n: rng.normal(size=s) for n, s in shapes.items()},
        # Of sizes between which a limit of clipping lies: it acts in some steps and not in others.
        "gradients": [{n: size * rng.normal(size=s) for n, s in shapes.items()} for size in SIZES],
    }
    jax = jax_updates.steps(transform)
    # At float64 alone: optax corrects Adam's bias by float32 powers, so that no Adam agrees with torch's at float32.
    at = ("float64",)
    exact = None if clip is None else clipped(clip, 1e-6)
    if all(_judged(steps(factory, exact), jax, arrays, (), at)):
        return None
    wanted = _jax_side(jax, lambda **given: jax(*given.values())).run(arrays, dtype="float64", wrt=()).tensors
    for name, theirs, own, changed in variants(factory):
        if _near(steps(changed, exact), arrays, wanted) and all(_judged(steps(changed, exact), jax, arrays, (), at)):
            return (
                f"{name} {own}, torch has {theirs}. With JAX's in torch's place they agree ({OPTIMIZERS})",
                f"{name}: {theirs}",
            )
    for text, other in (("no clipping", None), ("limit / norm", None if clip is None else clipped(clip, 0.0))):
        if clip is not None and all(_judged(steps(factory, other), jax, arrays, (), at)):
            told = f"clipping by {text}, torch by limit / (norm + 1e-6)" if other else "no clipping, torch clips"
            return (
                f"{told}. With JAX's in torch's place they agree ({CLIPPING})",
                f"divide by norm + 1e-6, limit {clip:g}",
            )
    return None


def _near(torch: Callable[..., Any], arrays: dict[str, Any], wanted: Mapping[str, np.ndarray]) -> bool:
    """Whether one run of torch's comes close to JAX's: most variants are ruled out by it."""
    from parity.sides import side

    found = side("torch", lambda **given: torch(*given.values())).run(arrays, dtype="float64", wrt=()).tensors
    pairs = [(found[name], other) for name, other in wanted.items()]
    return all(np.abs(a - b).max(initial=0.0) <= NEAR * np.abs(b).max(initial=0.0) for a, b in pairs)


def _judged(
    torch: Callable[..., Any],
    jax: Callable[..., Any],
    arrays: dict[str, Any],
    wrt: tuple[str, ...],
    dtypes: tuple[str, ...] = ("float32",),
) -> list[Finding]:
    from parity.sides import side

    first, second = arrays
    functions = [lambda f=f, **given: f(given[first], given[second]) for f in (torch, jax)]
    task = Task("function", arrays, wrt=wrt)
    result = examine(side("torch", functions[0]), _jax_side(jax, functions[1]), task, dtypes=dtypes)
    if result.error is None:
        return list(result.findings)
    return [Finding("structure", "", "", Verdict.STRUCTURE, result.error)]


_SIDES: dict[int, tuple[Any, Any]] = {}


def _jax_side(jax: Callable[..., Any], function: Callable[..., Any]) -> Any:
    """JAX's side, compiled once for all experiments on it; the last few are kept."""
    from parity.sides import side

    if id(jax) not in _SIDES:
        if len(_SIDES) >= 8:
            del _SIDES[next(iter(_SIDES))]
        _SIDES[id(jax)] = jax, side("jax", function)
    return _SIDES[id(jax)][1]
