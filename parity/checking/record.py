"""`parity.record`: one side's part of a check, run where its framework is, for `parity.compare` elsewhere."""

import hashlib
import os
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from parity.checking.api import _as_numpy, _positional, validate
from parity.checking.record_models import prepared
from parity.checking.runs import RESPONSE_STEP, Runs, SideError, response, run_side
from parity.checking.tensors import TIE_MEMBERS, TIE_STEP
from parity.doctor import fingerprint
from parity.environment import environment
from parity.numerics import float_format
from parity.sides import FRAMEWORKS, NoFloat64, require, side
from parity.sides.frameworks import framework_of
from parity.sides.given import is_model
from parity.sides.inputs import is_float, leaves, rounded
from parity.sides.mapped import INPUTS, LAYERS, PARAMETERS
from parity.sides.replay import Replay, ReplayedSide, replayable
from parity.trace import Measured, Recorded, Recording, Spooled, Trace, TraceError


def record(
    function: Any,
    *inputs: Any,
    framework: str | None = None,
    dtypes: tuple[str, ...] = ("float64", "float32"),
    device: str = "cpu",
    gradient: bool = True,
    jit: bool = True,
    randomness: int | None = None,
    beside: Recording | str | os.PathLike[str] | None = None,
    weights: Any = None,
    layers: bool = True,
    name: str = "record",
) -> Recording:
    """Run one side as a check does, and keep what a comparison with the other side needs; the other framework is not.

    Both sides are recorded with the same inputs; `compare` refuses where their fingerprints differ. A torch model's
    recording holds its weights; the JAX model is recorded beside it, and takes them by a WeightMap.

    Args:
        function: A function of torch tensors or of JAX arrays, or a model of either, as for `check`.
        *inputs: As for `check`.
        framework: "torch" or "jax"; where not given, told from the function.
        dtypes: As for `check`.
        device: "cpu" or "cuda".
        gradient: Whether to record vector-Jacobian products under the shared random cotangent too.
        jit: Whether JAX compiles.
        randomness: As for `check`; both sides need one seed. A JAX model takes that of the recording beside it.
        beside: The other side's Recording, or its file. Its inputs must be the same, and arrays that the functions
            captured after rounding them to float32 are then matched, as a check does. A JAX model needs the torch
            model's, which holds the weights.
        weights: Of a JAX model: a parity.WeightMap, or the file of one; None where both models have the same names and
            shapes.
        layers: Of a model: whether to record what each layer gives and the gradient that reaches it, by which `compare`
            says where two models part. It takes a second set of runs; their arrays go to a temporary file as each run
            ends, so that no more of them are in memory than one run gives.
        name: What reports call it.

    Returns:
        The Recording; `save` writes it.

    Raises:
        TypeError: If the side is not callable, or an input is an array of a framework.
        ValueError: If a dtype, the device or the framework is unknown, or cannot be told.
        TraceError: If `beside` cannot be read, or is of other inputs or of the same side.
        SideError: If the side raises, or has no tensor of one shape at both precisions.
        MissingFramework: If its framework is not installed.

    Examples:
        >>> import torch, jax.numpy as jnp
        >>> from parity.checking import compare
        >>> x = np.array([[1.0, 2.0, 4.0]])
        >>> left = record(lambda x: torch.logsumexp(x, 1), x)
        >>> right = record(lambda x: jnp.log(jnp.sum(jnp.exp(x), 1)), x)
        >>> print(left)
        torch on cpu: 2 tensors (outputs and gradients) at float64 and float32
        >>> bool(compare(left, right))
        True
    """
    framework = framework or framework_of(function)
    if framework not in FRAMEWORKS:
        raise ValueError(f"record: framework is {framework!r}, wanted one of {', '.join(FRAMEWORKS)}")
    model = is_model(function)
    _refuse(framework, function, weights, model=model)
    validate(dtypes, device)
    named = {str(i): _as_numpy(value) for i, value in enumerate(inputs)}
    other = beside if isinstance(beside, Recording) or beside is None else Recording.load(beside)
    if other is not None and other.framework == framework:
        raise TraceError(f"record: beside is a recording of the {framework} side too; wanted the other side's")
    ready = None
    if model:
        require(framework)
        options: dict[str, Any] = {"device": device, "jit": jit, "randomness": randomness, "layers": layers}
        ready = prepared(framework, function, named, beside=other, weights=weights, **options)
        running, arguments, told_apart = ready.side, ready.arguments, ready.fingerprinted
        replay, kept = ready.replay, ready.model
        wrt: tuple[str, ...] | None = (PARAMETERS, INPUTS) if gradient else ()
    else:
        replay = None if randomness is None else Replay(randomness)
        called = _positional(function)
        running = side(framework, called if replay is None else replayable(framework, called), jit=jit)
        running = running if replay is None else ReplayedSide(running, replay)
        arguments, told_apart, kept = named, named, None
        wrt = None if gradient else ()
    working = tuple(dict.fromkeys(d for d in dtypes if d != "float64")) or ("float64",)
    theirs = dict.fromkeys(working) if other is None else {dtype: other.part(dtype) for dtype in working}
    parts = tuple(_recorded(running, arguments, told_apart, dtype, device, wrt, theirs[dtype]) for dtype in working)
    within: tuple[Recorded, ...] = ()
    if ready is not None and ready.layers is not None:
        inside, given = ready.layers
        within = tuple(
            _recorded(inside, given, told_apart, dtype, device, (LAYERS,) if gradient else (), theirs[dtype], Spooled)
            for dtype in working
        )
    return Recording(
        framework,
        parts,
        device,
        gradient,
        None if replay is None else replay.seed,
        tuple(asdict(draw) for draw in replay.draws.get(framework, ())) if replay else (),
        other is not None,
        name,
        environment() | fingerprint(framework, device),
        kept,
        within,
    )


def _refuse(framework: str, function: Any, weights: Any, *, model: bool) -> None:
    if not model and not callable(function):
        raise TypeError(
            f"record: the {framework} side is a {type(function).__name__}, wanted a function of arrays or a model"
        )
    if not model and weights is not None:
        raise ValueError("record: weights= given for a function of arrays, which has none of its own")


def _recorded(
    running: Any,
    arguments: dict[str, Any],
    told_apart: dict[str, Any],
    dtype: str,
    device: str,
    wrt: tuple[str, ...] | None,
    theirs: Recorded | None,
    hold: Callable[[], MutableMapping[str, np.ndarray]] = dict,
) -> Recorded:
    """Both runs at one working dtype, and what was measured around them."""
    # The zeros that are added to what layers give are so at any precision, and one number each until a run needs them.
    given = {name: nest if name == LAYERS else rounded(nest, dtype) for name, nest in arguments.items()}
    inputs = {path: _digest(leaf) for path, leaf in leaves(rounded(told_apart, dtype))}
    if theirs is not None and dict(theirs.inputs) != inputs:
        raise TraceError(f"record: the recording beside has other inputs: {difference(inputs, theirs.inputs)}")
    options: dict[str, Any] = {"device": device, "wrt": wrt, "stage": "forward"}
    lacking, reference = "", None
    constants = {"constants": theirs.full.constants} if theirs is not None and running.framework == "jax" else {}
    try:
        reference = _held(run_side(running, given, dtype="float64", **options, **constants), hold)
    except NoFloat64 as error:
        if dtype == "float64":
            raise SideError(f"the {running.framework} side has no float64: {error}") from error
        lacking = f"{running.framework} has no float64 here: {error}"
    plan = {"lift": False} if dtype == "float64" else {}  # the user's program as it is, whose own casts count
    working = _held(run_side(running, given, dtype=dtype, **options, **plan), hold)
    full = reference or working
    runs = Runs(
        given, full, full, working, working, dtype, wrt, "forward", {running.framework: lacking} if lacking else {}
    )
    constant = {
        path: float(leaf.reshape(-1)[0])
        for path, leaf in leaves(given)
        if is_float(leaf) and leaf.dtype.kind == "f" and leaf.size > 1 and np.all(leaf == leaf.reshape(-1)[0])
    }
    part = Recorded(dtype, working, reference, lacking, inputs, constant, _measured(running, runs, full, device, hold))
    try:
        part.validate()
    except TraceError as error:
        raise SideError(f"the {running.framework} side cannot be compared apart: {error}") from error
    return part


def _held(trace: Trace, hold: Callable[[], MutableMapping[str, np.ndarray]]) -> Trace:
    """The Trace with its tensors where they are to stay."""
    held = hold()
    held.update(trace.tensors)
    return replace(trace, tensors=held)


def _measured(
    running: Any, runs: Runs, full: Trace, device: str, hold: Callable[[], MutableMapping[str, np.ndarray]]
) -> Measured:
    """What a check would ask of further runs; on the torch side everything, since it cannot be asked again."""
    names = list(full.tensors)
    answer, flips = response(running, runs, names, device=device, hold=hold)
    if running.framework == "jax" or runs.lacking:
        return Measured(answer, flips)
    coarse: Mapping[str, np.ndarray] = {}
    coarse_flips: Mapping[str, np.ndarray] = {}
    unit = float_format(runs.dtype).unit_roundoff
    if unit > RESPONSE_STEP:
        coarse, coarse_flips = response(running, runs, names, device=device, size=unit, hold=hold)
    floating = [n for n in names if full.tensors[n].dtype.kind == "f"]
    options: dict[str, Any] = {"device": device, "operations": False, "hold": hold}
    conditioning, _ = response(running, runs, floating, **options) if floating else ({}, {})
    exact = [n for n in names if n not in floating]
    return Measured(answer, flips, coarse, coarse_flips, conditioning, _alternatives(running, runs, exact, device))


def _alternatives(running: Any, runs: Runs, names: list[str], device: str) -> dict[str, np.ndarray]:
    """The values that each exact tensor took in runs with errors of the size of float64's rounding, but for its own."""
    found: dict[str, dict[bytes, np.ndarray]] = {name: {} for name in names}
    for member in range(TIE_MEMBERS if names else 0):
        try:
            trace = running.disturbed(
                runs.inputs, TIE_STEP, member, device=device, wrt=runs.wrt, stage=runs.stage
            ).tensors
        except Exception as error:
            raise SideError(f"the {running.framework} side raised while ties were looked for: {error}") from error
        for name in names:
            base, other = runs.torch64.tensors[name], trace.get(name)
            if other is not None and other.shape == base.shape and (other != base).any():
                found[name][other.tobytes()] = other
    return {name: np.stack(list(layers.values())) for name, layers in found.items() if layers}


def difference(ours: Any, theirs: Any) -> str:
    """Which inputs differ, the first three of them by name."""
    names = [n for n in dict.fromkeys([*ours, *theirs]) if ours.get(n) != theirs.get(n)]
    told = [f"{n} ({ours.get(n, 'not there')} against {theirs.get(n, 'not there')})" for n in names[:3]]
    return ", ".join(told) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _digest(leaf: Any) -> str:
    """What tells two inputs apart; equal numbers have equal ones, on every machine."""
    if not isinstance(leaf, np.ndarray):
        return repr(leaf)[:200]
    data = leaf.astype(leaf.dtype.newbyteorder("<"), order="C", copy=False)
    return f"{leaf.dtype.name} {leaf.shape} {hashlib.sha256(np.ascontiguousarray(data).tobytes()).hexdigest()[:16]}"
