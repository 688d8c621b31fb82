"""JAX's code between two layers recognised among a catalogue of torch functions, and torch's beside it."""

import functools
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from parity.checking.causes.arrived import named_number
from parity.checking.causes.case import CLOSE, Case, Trial, short
from parity.checking.teacher import roundings

APART = 2
"""Settings of attention in which JAX's may differ from torch's: of a thousand candidates a hundred are left."""

TRIED = 3
"""Candidates that give JAX's numbers at float64 and are put to the experiment."""

ENOUGH = 8
"""Numbers of which one more number may be found: of fewer, any formula with it gives them."""

UNTOLD = ("order", "split")
"""Of attention, what a map cannot know behind some faults, since nothing tells a query from a key there."""

FIXES = {
    "gelu (erf)": "nnx.gelu(x, approximate=False)",
    "gelu (tanh)": "nnx.gelu(x, approximate=True)",
    "its input times": "leave out the factor of the activation's input",
}
"""What to write, by torch's value of a setting or by the setting's name."""

NAMES = {
    "gelu": "litgpt PR#1004, tinygrad PR#16162",
    "pooling": "flax PR#1848, pytorch/xla#746",
    "resize": "cmmd-pytorch PR#5, jax#15768, jax#11206",
    "attention": "transformers#19897; several converters",
    "dropout": "AlgoPerf PR#884, #886",
    "flatten": "Flax's guide",
    "cast": "openpi#738, PR#978",
}


def recognised(case: Case, *, both: bool) -> Iterator[Trial]:
    """JAX's code is in the catalogue, and torch's too, or not.

    Args:
        case: The place.
        both: Whether torch's is to be in it.

    Yields:
        Trials.
    """
    from parity.sides.torch_attention import unusual
    from parity.sides.torch_emulations import candidates, result_of, tensor

    tensors = {p.rpartition(".")[0] if p.endswith(".") else p: tensor(a) for p, a in case.sources.items()}
    tensors = {short(p): t for p, t in tensors.items()}
    target, jax = case.unpacked(case.torch), case.unpacked(case.jax)
    modules = case.modules()

    def gives(candidate: Any, array: np.ndarray) -> bool:
        result = result_of(candidate, tensors)
        if result is None or result.numel() != array.size:
            return False
        return roundings(array, result.numpy().reshape(array.shape)) <= CLOSE

    every = list(candidates(tensors, modules, tensor(target)))
    theirs = next((c for c in every if gives(c, target)), None)
    if (theirs is not None) != both:
        return
    if theirs is not None:
        if theirs.family == "attention":
            every += unusual(theirs, theirs.names)
        # What is mistaken for torch's differs in a setting or two; anything else comes after.
        every.sort(key=lambda c: (c.family != theirs.family, len(c.but(theirs))))
    tried = [c for c in every if theirs is None or c.family != "attention" or _within(c, theirs)]
    kinds = Counter(c.family for c in tried)
    case.tried += [f"{kind} in {count:,} forms" for kind, count in kinds.items()]
    for own in itertools.islice((c for c in tried if gives(c, jax)), TRIED):
        cause, fix, source = _said(own, theirs, modules)
        if theirs is None and case.missing:
            # What torch does with it is not in the catalogue, so no more is said than how it looks.
            cause = f"{cause}, and what arrives from {', '.join(map(short, case.missing))} is missing"
            cause = f"{cause}, as without the residual connection"
            fix = "let what arrives from there reach the result: a residual connection adds it"
        yield Trial(cause, fix, source, case.emulated(own.run, target.shape))
    case.known = None if theirs is None else (theirs, every, tensors)


def _within(candidate: Any, theirs: Any) -> bool:
    """Whether attention differs in few settings; behind an unusual one, order and split are free."""
    from parity.sides.torch_attention import UNUSUAL

    names = [name for name, *_ in candidate.but(theirs)]
    free = UNTOLD if any(name in UNUSUAL for name in names) else ()
    return len([name for name in names if name not in free]) <= (1 if free else APART)


def numbered(case: Case) -> Iterator[Trial]:
    """Torch's code, if it was recognised, with another number in it: a scale of attention, an activation's factor."""
    from parity.sides.torch_emulations import tensor
    from parity.sides.torch_fitted import fitted

    jax = case.unpacked(case.jax)
    if case.known is None or jax.size < ENOUGH or not np.isfinite(jax).all():
        return
    theirs, every, tensors = case.known
    if theirs.at is None:
        return
    wanted = tensor(jax)
    case.tried.append(f"{theirs.family} with any number as {theirs.number}")
    alike = [c for c in every if c.at is not None and all(name in UNTOLD for name, *_ in c.but(theirs))]
    for own in alike:
        value = fitted(functools.partial(_with_number, own, tensors, wanted.shape), wanted)
        if value is None:
            continue
        told, value = named_number(value, *(t.shape for t in tensors.values()))
        settings = {**theirs.settings, theirs.number: told}
        cause, fix, source = _said(replace(theirs, settings=settings), theirs, [])
        run = case.emulated(functools.partial(_numbered_at, own, value), wanted.shape)
        yield Trial(cause, fix, source, run)


def _with_number(own: Any, tensors: Any, shape: Any, number: Any) -> Any:
    return own.at(tensors, number).reshape(shape)


def _numbered_at(own: Any, number: float, given: Any) -> Any:
    return own.at(given, number)


def _said(own: Any, theirs: Any, modules: list[Any]) -> tuple[str, str, str]:
    from parity.sides.torch_attention import UNUSUAL

    dropping = [m for m in modules if "Dropout" in type(m).__name__ and m.training and m.p > 0]
    if theirs is None and dropping:
        return (
            f"dropout is on in torch (p = {dropping[0].p:g}) and off in JAX",
            "call torch_model.eval(), or give both sides the same masks: randomness=0",
            NAMES["dropout"],
        )
    settings = ", ".join(f"{n} {v}" for n, v in own.settings.items())
    if theirs is None and own.settings == {"sum of": own.settings.get("sum of"), "activation": "identity"}:
        return (
            f"JAX passes on {own.settings['sum of']} as it is, and torch does more with it",
            "write what torch has",
            "measured",
        )
    if theirs is None or own.family != theirs.family:
        told = f"torch has {theirs.family} of {theirs.settings}" if theirs else "torch has something else"
        return f"JAX has {own.family} ({settings}); {told}", "write what torch has", "measured"
    apart = own.but(theirs)
    if any(setting in UNUSUAL for setting, *_ in apart):  # behind such a fault nothing tells a query from a key
        apart = [each for each in apart if each[0] not in UNTOLD]
    cause = "; ".join(_apart(own.family, *each) for each in apart)
    fix = "; ".join(FIXES.get(b) or FIXES.get(n, f"{n}: {b}") for n, _, b in apart)
    key = "gelu" if any("gelu" in v for _, *pair in apart for v in pair) else own.family
    return cause, fix, NAMES.get(key, "measured")


def _apart(family: str, setting: str, own: str, theirs: str) -> str:
    """One setting that differs, in words."""
    if setting == "sum of":
        mine, others = set(own.split(" + ")), set(theirs.split(" + "))
        without, more = " + ".join(sorted(others - mine)), " + ".join(sorted(mine - others))
        parts = [f"without the residual connection of {without}"] if without else []
        return " and ".join(parts + ([f"with {more} added, which torch does not"] if more else []))
    where = "" if family == setting else f"{family}: "
    return f"{where}{setting} {own}, torch has {theirs}"
