"""What arrives in JAX beside what arrives in torch: in another order, times a number, through one function more."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.checking.between import between_functions
from parity.checking.causes.case import CLOSE, Case, Trial, short
from parity.checking.teacher import roundings
from parity.sides.inputs import rebuild

FLATTEN, STOPPED, MEASURED = "Flax's guide", "jax#22101", "measured"


def rearranged(case: Case) -> Iterator[Trial]:
    """JAX's array is torch's in another order."""
    from parity.sides.torch_emulations import changed, tensor

    case.tried.append("another order of its axes")
    whole = tensor(case.torch)
    for text, change in changed(whole):
        moved = change(whole).numpy()
        if moved.shape == case.jax.shape and roundings(moved, case.jax) <= CLOSE:
            fix = "transpose to torch's order before the reshape, such as jnp.transpose(x, (0, 3, 1, 2))"
            yield Trial(text, fix, FLATTEN, case.after(lambda x, _, change=change: change(x)))


def scaled(case: Case) -> Iterator[Trial]:
    """JAX's array is torch's times one number."""
    case.tried.append("a factor of the whole")
    factor = _quotient(case.jax, case.torch)
    if factor and roundings(case.torch * factor, case.jax) <= CLOSE:
        told, value = named_number(factor, case.torch.shape, *(a.shape for a in case.sources.values()))
        fix = f"multiply by {1 / value:.6g}"
        yield Trial(f"JAX's is {told} times torch's", fix, MEASURED, case.after(lambda x, _: x * value))


def added(case: Case) -> Iterator[Trial]:
    """JAX's array is torch's and a multiple of what one layer gives: an embedding that is scaled before a sum."""
    case.tried.append("a sum with one part times a number")
    if not _finite(case.torch, case.jax):
        return
    for path, source in case.sources.items():
        laid = np.asarray(source)
        if laid.shape != case.unpacked(case.torch).shape or laid.dtype.kind != "f":
            continue
        own = next(iter(_values(case.packed(laid))))
        factor = _quotient(case.jax - case.torch, own)
        if not factor or roundings(case.torch + factor * own, case.jax) > CLOSE:
            continue
        told, value = named_number(factor, own.shape)
        cause = f"JAX's has {told} times what arrives from {short(path)} more than torch's, which may have a factor"
        fix = f"leave out the factor {1.0 + value:.6g} of {short(path)}, if torch has it as it is"
        if value == -1.0:
            cause, fix = f"without the residual connection of {short(path)}", "add it as torch does"

        def more(x: Any, given: Any, path: str = path, value: float = value) -> Any:
            return x + value * next(iter(_values(case.packed(given[path]))))

        yield Trial(cause, fix, MEASURED, case.after(more))


def activated(case: Case) -> Iterator[Trial]:
    """One side's array is the other's through one function more: an activation that is missing, or one too many."""
    from parity.sides.jax_activations import ACTIVATIONS as IN_JAX
    from parity.sides.torch_emulations import ACTIVATIONS, tensor

    case.tried.append("an activation more or less")
    torch, jax = tensor(case.torch), tensor(case.jax)
    for name, function in ACTIVATIONS.items():
        if name == "identity" or not torch.is_floating_point():
            continue
        if name in IN_JAX and roundings(case.torch, function(jax).numpy()) <= CLOSE:
            cause = f"no {name} at the end, torch has one"
            yield Trial(cause, f"apply {name} to the result", MEASURED, jax=case.jax_after(IN_JAX[name]))
        if roundings(function(torch).numpy(), case.jax) <= CLOSE:
            cause = f"{name} at the end, which torch has not"
            yield Trial(cause, f"leave out {name}", MEASURED, case.after(lambda x, _, function=function: function(x)))


def stopped(case: Case) -> Iterator[Trial]:
    """No gradient goes through in JAX, though the values are torch's."""
    if roundings(case.torch, case.jax) > CLOSE or not case.silent:
        return
    case.tried.append("a gradient that is stopped")
    of_torch = between_functions(case.lesson, case.step)[0]

    def run(inputs: Any, forced: Any) -> Any:
        def cut(path: str, leaf: Any) -> Any:
            return leaf.detach() if path in case.silent else leaf

        both = rebuild({"inputs": inputs, "forced": forced}, cut)
        return of_torch(**both)

    names = ", ".join(map(short, case.silent))
    yield Trial(f"no gradient passes from {names} in JAX", "remove jax.lax.stop_gradient", STOPPED, run)


def named_number(value: float, *shapes: tuple[int, ...]) -> tuple[str, float]:
    """A number as a reader knows it, and its value: "sqrt(8)", "1/255", "1 / 2.1"; else its digits."""
    named = {"2": 2.0, "1/2": 0.5, "-1": -1.0, "1/255": 1 / 255, "255": 255.0, "sqrt(2)": math.sqrt(2.0)}
    for width in dict.fromkeys(shape[-1] for shape in shapes if shape):
        named |= {f"sqrt({width})": math.sqrt(width), f"1 / sqrt({width})": width**-0.5, f"1/{width}": 1.0 / width}
    named |= {f"{value:.4g}": float(f"{value:.4g}"), f"1 / {1 / value:.4g}": 1.0 / float(f"{1 / value:.4g}")}
    close = (text for text, known in named.items() if abs(value / known - 1.0) < 1e-9)  # the plainest name first
    text = next(close, "")
    return (text, named[text]) if text else (f"{value:.9g}", value)


def _quotient(above: np.ndarray, below: np.ndarray) -> float:
    """The number that comes nearest to one array as a multiple of the other; 0 where there is none."""
    size = float(np.vdot(below, below).real)
    return float(np.vdot(below, above).real) / size if size and np.isfinite(size) else 0.0


def _finite(*arrays: np.ndarray) -> bool:
    return all(bool(np.isfinite(a).all()) for a in arrays)


def _values(packed: Any) -> Any:
    arrived = packed["arrived"]
    return arrived if isinstance(arrived, list) else arrived.values()
