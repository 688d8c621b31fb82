"""Shapes, memory layouts and special values: none of them makes an honest pair differ, and none hides a planted one."""

import dataclasses
import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

import parity
from parity.checking import Task, examine
from parity.numerics import Verdict
from parity.sides import side
from parity.trace import Trace

# Few shapes, so that JAX compiles each function once for each of them; layouts and values are as many as one likes.
SHAPES = [(), (0,), (7,), (4, 1), (0, 3), (2, 3, 2)]
FULL = [shape for shape in SHAPES if 0 not in shape]

PAIRS = {
    "affine": (lambda x: 2 * x + 1, lambda x: jnp.add(jnp.multiply(x, 2), 1)),
    "bell": (lambda x: torch.exp(-x.square()), lambda x: jnp.exp(-x * x)),
    "tanh": (lambda x: torch.tanh(x), lambda x: jnp.tanh(x)),
    "clamped": (lambda x: x.clamp(-0.3003, 0.7003), lambda x: jnp.minimum(jnp.maximum(x, -0.3003), 0.7003)),
    "sum": (lambda x: x.sum(), lambda x: jnp.sum(x)),
    "mean of rows": (lambda x: torch.atleast_1d(x).mean(-1), lambda x: jnp.atleast_1d(x).mean(-1)),
    "norm": (lambda x: torch.linalg.vector_norm(x + 1), lambda x: jnp.sqrt(jnp.sum(jnp.square(x + 1)))),
    "sorted": (lambda x: torch.sort(x.flatten()).values, lambda x: jnp.sort(x.reshape(-1))),
    "transposed": (lambda x: x.permute(tuple(range(x.ndim))[::-1]), lambda x: x.T),
}

LAYOUTS = {
    "C": lambda a: a.copy(),
    "Fortran": lambda a: np.array(a, order="F"),
    "backwards": lambda a: np.flip(np.flip(a).copy()) if a.ndim else a.copy(),
    "every second": lambda a: np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a.copy(),
    "axes turned": lambda a: np.array(a.T, order="C").T,
    "one row for all": lambda a: np.broadcast_to(a[:1], a.shape) if a.ndim else a.copy(),
    "big endian": lambda a: a.astype(">f8"),
    "little endian": lambda a: a.astype("<f8"),
    "read only": lambda a: _frozen(a),
    "float32": lambda a: a.astype(np.float32),
}

QUIET = {"deadline": None, "database": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}
NUMBERS = st.floats(-50, 50, width=32)
# 1e-310 is subnormal at float64, 1e-40 at float32; 1e300 is infinite at float32, for both sides alike.
SPECIAL = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-310, -1e-40, 1e300, -1e30])


def _frozen(a: np.ndarray) -> np.ndarray:
    a = a.copy()
    a.flags.writeable = False
    return a


@functools.cache
def sides(name: str) -> tuple[Any, Any]:
    """Both sides of a pair, made once: what is compiled for a shape is kept."""
    torch_function, jax_function = PAIRS[name]
    return side("torch", torch_function), side("jax", jax_function)


def values(shape: tuple[int, ...], elements: st.SearchStrategy[float]) -> st.SearchStrategy[np.ndarray]:
    return arrays_of.arrays(np.float64, shape, elements=elements)


def judged(name: str, x: np.ndarray, *, gradient: bool, jax: Any = None, dtypes: tuple[str, ...] = ("float32",)) -> Any:
    """The result of one pair on one array."""
    left, right = sides(name)
    return examine(left, jax or right, Task(name, {"x": x}, wrt=None if gradient else ()), dtypes=dtypes)


@settings(max_examples=60, **QUIET)
@given(st.data(), st.sampled_from(list(PAIRS)), st.sampled_from(SHAPES), st.sampled_from(list(LAYOUTS)))
def test_honest_pairs_agree_in_every_shape_and_layout(data: Any, name: str, shape: Any, layout: str) -> None:
    x = LAYOUTS[layout](data.draw(values(shape, NUMBERS)))
    before = x.copy()
    result = judged(name, x, gradient=True)
    assert result.error is None
    assert not [f for f in result.findings if not f]
    np.testing.assert_array_equal(x, before)


# What a slope is at NaN or infinity each framework settles for itself, so values alone are compared there.
@settings(max_examples=60, **QUIET)
@given(st.data(), st.sampled_from(list(PAIRS)), st.sampled_from(SHAPES), st.sampled_from(list(LAYOUTS)))
def test_honest_pairs_agree_at_nan_infinity_and_subnormals(data: Any, name: str, shape: Any, layout: str) -> None:
    # float32 cannot hold 1e300 and NumPy says so; that it becomes infinite is what the harness does on both sides.
    with np.errstate(over="ignore"):
        x = LAYOUTS[layout](data.draw(values(shape, NUMBERS | SPECIAL)))
    result = judged(name, x, gradient=False)
    assert result.error is None
    assert not [f for f in result.findings if not f]


class Planted:
    """A JAX side with one element of its output replaced, in its runs at one dtype or at all."""

    def __init__(self, side: Any, index: tuple[int, ...], value: float, dtypes: tuple[str, ...]) -> None:
        self.side, self.index, self.value, self.dtypes = side, index, value, dtypes

    def __getattr__(self, name: str) -> Any:
        return getattr(self.side, name)

    def run(self, inputs: dict[str, Any], *, dtype: str, **options: Any) -> Trace:
        trace = self.side.run(inputs, dtype=dtype, **options)
        if dtype not in self.dtypes:
            return trace
        array = trace.tensors["forward/output"].copy()
        array[self.index] = self.value
        return dataclasses.replace(trace, tensors={**trace.tensors, "forward/output": array})


@settings(max_examples=60, **QUIET)
@given(
    st.data(),
    st.sampled_from(["affine", "bell", "tanh", "transposed"]),
    st.sampled_from(FULL),
    st.sampled_from(list(LAYOUTS)),
    st.sampled_from([np.nan, np.inf, -np.inf]),
    st.sampled_from([("float64", "float32"), ("float32",)]),
)
def test_a_planted_nan_or_infinity_is_found_where_it_is(
    data: Any, name: str, shape: Any, layout: str, planted: float, dtypes: tuple[str, ...]
) -> None:
    with np.errstate(over="ignore"):
        x = LAYOUTS[layout](data.draw(values(shape, NUMBERS)))
    out = shape[::-1] if name == "transposed" else shape
    index = tuple(data.draw(st.integers(0, n - 1)) for n in out)
    result = judged(name, x, gradient=False, jax=Planted(sides(name)[1], index, planted, dtypes))
    (finding,) = [f for f in result.findings if not f]
    assert finding.verdict is (Verdict.SEMANTIC if "float64" in dtypes else Verdict.PRECISION)
    told = finding.errors64 if "float64" in dtypes else finding.errors
    assert told.first_nonfinite == index
    assert told.nonfinite_mismatch == 1


@settings(max_examples=60, **QUIET)
@given(st.data(), st.sampled_from(FULL), st.sampled_from(list(LAYOUTS)))
def test_a_planted_part_in_a_billion_is_found_where_it_is(data: Any, shape: Any, layout: str) -> None:
    x = LAYOUTS[layout](data.draw(values(shape, st.floats(1, 50, width=32))))
    index = tuple(data.draw(st.integers(0, n - 1)) for n in shape)
    planted = (2 * float(x[index]) + 1) * (1 + 1e-9)
    result = judged("affine", x, gradient=False, jax=Planted(sides("affine")[1], index, planted, ("float64",)))
    (finding,) = [f for f in result.findings if not f]
    assert finding.verdict is Verdict.SEMANTIC
    assert finding.at64 == index


@pytest.mark.parametrize("dtype", [">i4", ">f4", ">f8"])
def test_numbers_of_another_byte_order_are_the_same_numbers_or_refused_in_words(dtype: str) -> None:
    x = np.array([[1, 2], [3, 5]], dtype)
    report = parity.check(lambda x: x * 2, lambda x: x + x, x, jit=False)
    refused = report.results[0].error
    assert "byte order" in refused if refused else report


def test_sums_of_both_infinities_are_nan_on_both_sides() -> None:
    x = np.array([np.inf, 1.0, -np.inf])
    result = judged("sum", x, gradient=False)
    assert result.error is None
    assert not [f for f in result.findings if not f]
    assert np.isnan(sides("sum")[0].run({"x": x}, dtype="float64").tensors["forward/output"])
