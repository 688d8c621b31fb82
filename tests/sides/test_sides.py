"""Both sides run the same small functions and give the same Trace; nothing of a run stays behind."""

import gc
import weakref
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from parity.sides import NoFloat64, jax_program, jax_side, side
from parity.sides.inputs import cotangent, laid_out
from parity.sides.rounding import longest_paths

pytestmark = pytest.mark.part(3)

X = {"x": np.array([[0.5, -1.0], [2.0, 0.25]]), "n": 3}


def traces(torch_function, jax_function, inputs=X, **options):
    options = {"dtype": "float64", "wrt": None} | options
    return side("torch", torch_function).run(inputs, **options), side("jax", jax_function).run(inputs, **options)


def test_outputs_and_gradients_have_the_same_names_values_and_dtypes():
    both = traces(
        lambda x, n: {"y": x**n, "s": x.sum(), "i": x.argmax(), "shape": tuple(x.shape), "name": "é", "b": x > 0},
        lambda x, n: {"y": x**n, "s": x.sum(), "i": x.argmax(), "shape": x.shape, "name": "é", "b": x > 0},
    )
    assert list(both[0].tensors) == list(both[1].tensors)
    for name in both[0].tensors:
        assert np.allclose(both[0].tensors[name], both[1].tensors[name], rtol=1e-15), name  # a power: two roundings
    assert both[0].facts == both[1].facts == {"forward/name": "é"}
    assert both[0].dtypes["forward/y"] == both[1].dtypes["forward/y"] == "float64"
    assert both[0].tensors["forward/shape.1"] == 2


def test_the_gradient_is_the_vjp_under_the_shared_cotangent():
    both = traces(lambda x, n: 2 * x, lambda x, n: 2 * x)
    wanted = 2 * cotangent("", (2, 2), "float64")
    for trace in both:
        assert np.array_equal(trace.tensors["gradient/x"], wanted)


def test_an_input_without_influence_has_a_gradient_of_zeros():
    inputs = {"x": np.ones(2), "z": np.ones(3)}
    for trace in traces(lambda x, z: x * 1.0, lambda x, z: x * 1.0, inputs):
        assert np.array_equal(trace.tensors["gradient/z"], np.zeros(3))
        assert trace.unreached == ("z",)
    for trace in traces(lambda x, z: x.detach(), lambda x, z: jax.lax.stop_gradient(x), inputs):
        assert np.array_equal(trace.tensors["gradient/x"], np.zeros(2))
        assert trace.unreached == ("x", "z")
    for trace in traces(lambda x, z: x * z * 0, lambda x, z: x * z * 0, inputs | {"z": np.ones(2)}):
        assert trace.unreached == ()  # it is followed, and happens to be zero


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_each_precision_is_the_one_asked_for_and_is_widened_exactly(dtype):
    for trace in traces(lambda x, n: x / 3, lambda x, n: x / 3, dtype=dtype):
        assert trace.dtypes["forward/output"] == dtype
        assert trace.tensors["forward/output"].dtype == (np.float64 if dtype == "float64" else np.float32)


def test_a_function_that_tells_of_dtypes_is_run_as_it_is():
    one, other = traces(
        lambda x, n: str(torch.zeros(2, dtype=torch.float16).dtype).removeprefix("torch."),
        lambda x, n: jnp.zeros(2, jnp.float16).dtype.name,
        wrt=(),
    )
    assert one.facts == other.facts == {"forward/output": "float16"}


def test_complex_outputs_are_compared_as_pairs_of_reals():
    both = traces(lambda x, n: x * (1 + 2j), lambda x, n: x * (1 + 2j), wrt=())
    assert np.array_equal(both[0].tensors["forward/output"], both[1].tensors["forward/output"])
    assert both[0].tensors["forward/output"].shape == (2, 2, 2)


def test_inputs_are_not_modified_by_a_side_that_writes_in_place():
    for dtype in ("float64", "float32"):
        inputs = {"x": np.zeros(2, dtype)}
        probed = side("torch", lambda x: x.add_(1))
        assert probed.run(inputs, dtype=dtype, wrt=()).tensors["forward/output"].tolist() == [1.0, 1.0]
        probed.disturbed(inputs, 2.0**-24, 0)
        assert inputs["x"].tolist() == [0.0, 0.0]


def test_gradients_that_share_memory_are_each_told_whole():
    def function(x, y):
        return x + y, (x * 2)[:1]

    both = {"x": np.ones((2, 3)), "y": np.ones((2, 3))}
    found = side("torch", function).run(both, dtype="float64", wrt=None).tensors
    more = 2 * cotangent("1", (1, 3), "float64") * [[1], [0]]
    assert np.abs(found["gradient/x"] - found["gradient/y"] - more).max() < 1e-14
    summed = side("torch", torch.sum).run({"input": np.ones((2, 3))}, dtype="float64", wrt=None).tensors
    assert summed["gradient/input"].flags.c_contiguous  # torch has one number there, seen six times


def test_nothing_of_a_run_stays_behind():
    before = (jax.config.jax_enable_x64, torch.get_num_threads(), torch.get_default_dtype())
    traces(lambda x, n: x, lambda x, n: x)
    assert (jax.config.jax_enable_x64, torch.get_num_threads(), torch.get_default_dtype()) == before
    assert jnp.ones(()).dtype == jnp.float32


def test_a_program_is_compiled_once_for_a_signature():
    traced = []

    def function(x, n):
        traced.append(n)
        return x * n

    probed = side("jax", function)
    for values in (X, {"x": X["x"] + 1, "n": 3}, X):
        probed.run(values, dtype="float32")
    assert traced == [3]
    probed.run({"x": X["x"], "n": 4}, dtype="float32")
    assert traced == [3, 4]


def test_a_function_that_cannot_be_traced_runs_eagerly():
    def doubling(x, n):
        while float(jnp.linalg.norm(x)) < 1000:
            x = x * 2
        return x

    trace = side("jax", doubling, jit=False).run(X, dtype="float32")
    assert trace.tensors["forward/output"].tolist() == (1024 * X["x"] / 2).tolist()


def test_an_operation_without_float64_is_named():
    with pytest.raises(NoFloat64, match="fused_norm_cpu is not implemented for float64"):
        side("torch", refusing(torch.float64)).run({"x": np.ones(2)}, dtype="float64")
    assert side("torch", refusing(torch.float64)).run({"x": np.ones(2)}, dtype="float32").dtypes
    with pytest.raises(NoFloat64, match="float64"):
        side("jax", unsupported).run({"x": np.ones(2)}, dtype="float64")


def refusing(dtype):
    def function(x):
        if x.dtype == dtype:
            raise RuntimeError("\"fused_norm_cpu\" not implemented for 'Double'")
        return x

    return function


def unsupported(x):
    raise NotImplementedError(f"fused_norm: unsupported dtype {x.dtype}")


def noisy(function, inputs, members=200, size=2.0**-24):
    probed = side("torch", function)
    base = probed.run(inputs, dtype="float64").tensors["forward/output"]
    runs = [probed.disturbed(inputs, size, seed).tensors["forward/output"] for seed in range(members)]
    return np.sqrt(np.mean([((r - base) / size) ** 2 for r in runs], axis=0))


def test_noise_is_one_rounding_for_one_operation_and_grows_with_the_root_of_their_number():
    x = {"x": np.ones(64)}
    once = float(np.mean(noisy(lambda x: x + 0.0 * x, x)))
    assert 1.2 < once < 2.0  # an error in x and one in the sum; the product is zero
    often = float(np.mean(noisy(lambda x: sum((x * 0 for _ in range(9)), x), x)))
    assert 2.5 < often < 4.0  # ten of them: the root of ten, 3.2


def test_noise_sees_a_sum_whose_terms_cancel():
    x = {"x": np.tile([1.0, -1.0], 500)}
    assert noisy(lambda x: x.sum(), x) > 300  # a thousand terms of size 1, though the sum is 0
    assert noisy(lambda x: x[:1] * 1, x)[0] < 3


def test_noise_disturbs_the_way_back_too_and_leaves_choices_alone():
    probed = side("torch", lambda x: torch.relu(x))
    moved = probed.disturbed({"x": np.array([1.0, -1.0])}, 2.0**-10, 0, wrt=None)
    assert moved.tensors["forward/output"][1] == 0.0
    assert moved.tensors["gradient/x"][1] == 0.0
    # relu adds no error of its own to that of the input, at most 1.44 times 2^-10
    assert moved.tensors["forward/output"][0] == pytest.approx(1.0, rel=2.0**-9)


@pytest.mark.parametrize(
    ("function", "arguments", "roundings"),
    [
        (lambda x: x.T, (np.ones((2, 3)),), 1),
        (lambda x: x + 1, (np.ones(3),), 1),
        (lambda x: (x + 1) * 2 - 3, (np.ones(3),), 3),
        (lambda a, b: a @ b, (np.ones((2, 7)), np.ones((7, 3))), 7),
        (lambda x: x.sum(), (np.ones((4, 5)),), 20),
        (jnp.exp, (np.ones(3),), 4),
        (lambda x: jax.lax.scan(lambda c, _: (c * 2 + 1, None), x, length=10)[0], (np.ones(3),), 20),
        (lambda x: jax.jit(lambda y: y * 2)(x) + 1, (np.ones(3),), 2),
        (lambda x: jax.lax.cond(x[0] > 0, lambda y: y * 2 + 1, lambda y: y, x), (np.ones(3),), 2),
    ],
)
def test_the_longest_path_is_read_from_the_graph(function, arguments, roundings):
    assert longest_paths(jax.make_jaxpr(function)(*arguments)) == [roundings]


def test_a_cotangent_that_is_handed_to_a_program_gives_what_one_that_it_holds_does(monkeypatch):
    inputs = {"x": np.random.default_rng(0).normal(size=(6, 5))}
    kept: list[list[int]] = []
    trace = jax.core.eval_jaxpr

    def seen(jaxpr, consts, *arguments):
        kept.append([np.size(c) for c in consts])
        return trace(jaxpr, consts, *arguments)

    monkeypatch.setattr(jax.core, "eval_jaxpr", seen)
    found = []
    for held in (1 << 40, 8):
        monkeypatch.setattr(jax_program, "HELD", held)
        found.append(side("jax", lambda x: x @ x.T).run(inputs, dtype="float32", wrt=None).tensors)
        assert bool(kept) is (held == 8)  # the large limit holds it: nothing is handed over
    assert [36] in kept  # the cotangent of the 6 x 6 output
    assert all(np.array_equal(found[0][name], found[1][name]) for name in found[0])


@pytest.mark.parametrize("tidied", [True, False], ids=["tidied up", "not tidied up"])
def test_a_jax_run_lets_go_of_the_memory_of_its_inputs(tidied, monkeypatch):
    rooms = []

    def noted(leaf, dtype):
        made = laid_out(leaf, dtype)
        rooms.append(weakref.ref(made.base))
        return made

    monkeypatch.setattr(jax_side, "laid_out", noted)
    if not tidied:
        monkeypatch.setattr(jax_side, "gc", SimpleNamespace(collect=lambda _: 0))
    summed = side("jax", lambda x: x.sum())
    held = []
    gc.disable()  # or it may tidy up by chance
    try:
        for _ in range(3):
            summed.run({"x": np.ones(jax_side.HANDED)}, dtype="float64")
            held.append(rooms[-1]() is not None)
    finally:
        gc.enable()
    assert not all(held) if tidied else all(held)  # XLA's own threads may be late once
