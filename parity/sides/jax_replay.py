"""JAX's random draws served from the host while a function runs or is traced."""

import contextlib
import functools
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from parity.sides import jax_backend
from parity.sides.tape import INITIALISERS, Tape, Unreplayable, drawn_within

jax = jax_backend.start()
jnp = jax.numpy

KEYS = frozenset("PRNGKey clone fold_in key key_data key_dtype key_impl split wrap_key_data".split())
"""What makes keys and draws nothing."""

DRAWN = {
    name: function
    for name, function in vars(jax.random).items()
    if isinstance(function, types.FunctionType) and name not in KEYS and not name.startswith("_")
}
WAY_OUT = "draw the numbers on the host and make them an input of both sides"

_serving: list["_Server"] = []


class _Server:
    """Serves the draws of one run.

    A mask is a constant of the program that is being traced. That is right in a function that is evaluated once, and
    wrong in the body of a loop or of an inner jit, which is traced once and run often; so those are refused.
    """

    def __init__(self, tape: Tape, originals: dict[str, Callable[..., Any]]) -> None:
        self.tape = tape
        self.originals = originals
        self.signatures = {name: inspect.signature(original) for name, original in originals.items()}
        self.around = _programs_and_batches()

    def begin(self) -> None:
        """The function is evaluated from its start, perhaps for the second time in this run."""
        self.tape.restart()
        self.around = _programs_and_batches()

    def draw(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        original = self.originals[name]
        if drawn_within(*INITIALISERS):
            return original(*args, **kwargs)
        serve = SERVED.get(name)
        if serve is None:
            raise Unreplayable(f"jax.random.{name} draws numbers that cannot be replayed from torch; {WAY_OUT}")
        if _programs_and_batches() != self.around:
            raise Unreplayable(
                f"jax.random.{name} is called in a vmap, a branch, a checkpoint or a loop that Python cannot run; its "
                f"body is traced once for many draws; {WAY_OUT}"
            )
        bound = self.signatures[name].bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        dtype = jnp.dtype(given["dtype"]) if given.get("dtype") is not None else jnp.asarray(0.0).dtype
        return serve(self.tape, given, dtype)


def _programs_and_batches() -> list[Any]:
    """The programs that are being traced and the batches that are being mapped over, from the innermost.

    Differentiation is none of them: it follows every evaluation as it is.
    """
    from jax._src import core  # the state that decides which trace an operation joins has no public name

    found, trace = [], core.trace_ctx.trace
    while trace is not None:
        if type(trace).__name__ in ("DynamicJaxprTrace", "BatchTrace"):
            found.append(trace)
        trace = getattr(trace, "parent_trace", None)
    return found


@contextlib.contextmanager
def served(tape: Tape) -> Iterator[None]:
    """Serve every function of jax.random from a Tape.

    The functions keep their identity and get another body, so that a name that was imported long ago, a default
    argument and a partial are served too.

    Args:
        tape: Where the numbers come from.

    Yields:
        Nothing; all is put back at the end.
    """
    bodies = {name: function.__code__ for name, function in DRAWN.items()}
    originals: dict[str, Callable[..., Any]] = {}
    for name, function in DRAWN.items():
        copy = types.FunctionType(function.__code__, function.__globals__, name, function.__defaults__)
        copy.__kwdefaults__ = function.__kwdefaults__
        originals[name] = copy
    _serving.append(_Server(tape, originals))
    try:
        for name, function in DRAWN.items():
            function.__code__ = _body(name)
        yield
    finally:
        for name, function in DRAWN.items():
            function.__code__ = bodies[name]
        _serving.pop()


def evaluated(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its scans, loops and inner jits run by Python while draws are served: each turn draws anew.

    What encloses it compiles as ever, to a program with the turns one after the other.

    Args:
        function: Of JAX arrays.

    Returns:
        A function of the same arguments; where nothing is served it does what the given one does.
    """

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if not _serving:
            return function(*args, **kwargs)
        _serving[-1].begin()
        with jax.disable_jit():
            return function(*args, **kwargs)

    return run


def _body(name: str) -> types.CodeType:
    """Code that sends a call here; it runs among the globals of jax.random, so it imports what it needs."""

    def draw(*args: Any, **kwargs: Any) -> Any:
        from parity.sides.jax_replay import dispatch

        return dispatch("name", args, kwargs)

    code = draw.__code__
    return code.replace(co_consts=tuple(name if constant == "name" else constant for constant in code.co_consts))


def dispatch(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Serve one call of a function of jax.random."""
    return _serving[-1].draw(name, args, kwargs)


def _shape(given: dict[str, Any]) -> tuple[int, ...]:
    shape = given["shape"]
    return (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)


def _floats(numbers: np.ndarray, dtype: Any) -> Any:
    if not jnp.issubdtype(dtype, jnp.floating):
        raise Unreplayable(f"random numbers of dtype {dtype} are drawn, wanted real floating ones; {WAY_OUT}")
    return jnp.asarray(numbers, dtype)


def _bernoulli(tape: Tape, given: dict[str, Any], dtype: Any) -> Any:
    probability = given["p"]
    shape = jnp.shape(probability) if given["shape"] is None else _shape(given)
    if jnp.ndim(probability) == 0 and not isinstance(probability, jax.core.Tracer):
        return jnp.asarray(tape.bernoulli(shape, float(probability)))
    return jnp.asarray(tape.thresholds(shape)) < probability


def _uniform(tape: Tape, given: dict[str, Any], dtype: Any) -> Any:
    numbers = _floats(tape.uniform(_shape(given), dtype.name), dtype)
    low, high = given["minval"], given["maxval"]
    plain = not isinstance(low, jax.Array) and not isinstance(high, jax.Array) and (low, high) == (0.0, 1.0)
    return numbers if plain else jnp.asarray(low + (high - low) * numbers, dtype)


def _normal(tape: Tape, given: dict[str, Any], dtype: Any) -> Any:
    return _floats(tape.normal(_shape(given)), dtype)


def _exponential(tape: Tape, given: dict[str, Any], dtype: Any) -> Any:
    return _floats(tape.exponential(_shape(given)), dtype)


def _gumbel(tape: Tape, given: dict[str, Any], dtype: Any) -> Any:
    return _floats(-np.log(tape.exponential(_shape(given))), dtype)


def _integers(tape: Tape, given: dict[str, Any], dtype: Any) -> Any:
    low, high = (given[end] for end in ("minval", "maxval"))
    if any(jnp.ndim(end) or isinstance(end, jax.core.Tracer) for end in (low, high)):
        raise Unreplayable(f"jax.random.randint is called with ends that are arrays; {WAY_OUT}")
    wanted = given["dtype"] if given["dtype"] is not None else int
    return jnp.asarray(tape.integers(_shape(given), int(low), int(high)), wanted)


def _permutation(tape: Tape, given: dict[str, Any], dtype: Any) -> Any:
    x, axis = given["x"], given["axis"]
    if given["independent"]:
        raise Unreplayable(f"jax.random.permutation shuffles each row on its own (independent=True); {WAY_OUT}")
    if jnp.ndim(x) == 0:
        return jnp.asarray(tape.permutation(int(x)))
    return jnp.take(jnp.asarray(x), tape.permutation(jnp.shape(x)[axis]), axis=axis)


def _categorical(tape: Tape, given: dict[str, Any], dtype: Any) -> Any:
    logits, axis = jnp.asarray(given["logits"]), given["axis"]
    batch = tuple(np.delete(logits.shape, axis))
    if given["shape"] is not None and tuple(given["shape"]) != batch:
        raise Unreplayable(f"jax.random.categorical draws several classes a row; {WAY_OUT}")
    return jnp.argmax(logits + jnp.asarray(tape.categorical(logits.shape)), axis=axis)


SERVED: dict[str, Callable[[Tape, dict[str, Any], Any], Any]] = {
    "bernoulli": _bernoulli,
    "uniform": _uniform,
    "normal": _normal,
    "exponential": _exponential,
    "gumbel": _gumbel,
    "randint": _integers,
    "permutation": _permutation,
    "categorical": _categorical,
}
