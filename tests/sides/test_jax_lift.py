"""JAX code that casts to less inside has a float64 run all the same: equal to the code without its casts."""

import contextlib
import threading
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

from parity.sides import jax_program, side
from parity.sides.jax_requests import requests_raised

pytestmark = pytest.mark.part(3)

RNG = np.random.default_rng(5)
X = RNG.normal(size=(6, 8))
F32, BF16 = jnp.float32, jnp.bfloat16
FULL = jnp.float64


def scanned(x, d):
    def body(carry, row):
        carry = jnp.tanh(carry.astype(d) + row)
        return carry.astype(x.dtype), jnp.sum(carry.astype(d))

    return jax.lax.scan(body, jnp.zeros(8, x.dtype), x, reverse=True)


def strict_carry(x, d):
    """A carry that is float32 by name: without lifting the float64 trace refuses it."""
    return jax.lax.scan(lambda c, row: (jnp.sin(c + row).astype(d), c), jnp.zeros(8, d), x)


def while_loop(x, d):
    x = jax.lax.stop_gradient(x)
    return jax.lax.while_loop(
        lambda c: c[1] < 4, lambda c: (jnp.cos(c[0].astype(d)).astype(x.dtype), c[1] + 1), (x, 0)
    )[0]


def conditional(x, d):
    return jax.lax.cond(x[0, 0] > -9, lambda y: jnp.exp(y.astype(d)) * 0.3, lambda y: y.astype(d), x)


def switched(x, d):
    return jax.lax.switch(1, [lambda y: y, lambda y: jnp.exp(y.astype(d)).astype(x.dtype)], x)


def custom_vjp(x, d):
    @jax.custom_vjp
    def f(y):
        return jnp.sin(y.astype(d))

    f.defvjp(lambda y: (f(y), y), lambda y, g: ((3.0 * g.astype(d) * y.astype(d) * 0.1).astype(y.dtype),))
    return f(x)


def custom_jvp(x, d):
    @jax.custom_jvp
    def f(y):
        return jnp.sin(y.astype(d))

    f.defjvp(lambda p, t: (f(*p), 7.0 * t[0].astype(d) * jnp.cos(p[0].astype(d)).astype(d)))
    return f(x)


def remat(x, d):
    return jax.checkpoint(lambda y: jnp.tanh(jnp.sin(y.astype(d)) * 1.1))(x)


@jax.jit
def jitted32(x):
    return jnp.exp(x.astype(F32)) * 0.7


def jitted(x, d):
    return (jitted32 if d != FULL else lambda y: jnp.exp(y) * 0.7)(x)


def attention_softmax(x, d):
    weights = jax.nn.softmax((x @ x.T / np.sqrt(8)).astype(d), axis=-1).astype(x.dtype)
    return weights @ x


def tiny_eps(x, d):
    return x / (jnp.sum(x * x, -1, keepdims=True) * 1e-12 + d(1e-12))


def preferred(x, d):
    return jnp.einsum("ij,kj->ik", x, x, preferred_element_type=d) + jax.lax.dot(x, x.T, preferred_element_type=d)


def accumulated(x, d):
    return jnp.zeros((8,), d).at[jnp.array([0, 1, 0, 2, 7, 7])].add(x[:, 0].astype(d)) + jnp.sum(x, 0, dtype=d)


def solved(x, d):
    return jnp.linalg.solve((x.T @ x + 3 * jnp.eye(8)).astype(d), x[0].astype(d))


def reduced_windows(x, d):
    x = jax.lax.stop_gradient(x)  # JAX itself cannot differentiate a window's sum that starts at an array
    y = jax.lax.reduce_window(x.astype(d), d(0.0), jax.lax.add, (2, 2), (1, 1), "VALID")
    return y + jax.lax.reduce_window(x.astype(d), d(-np.inf), jax.lax.max, (2, 2), (1, 1), "VALID")


def generic_reduction(x, d):
    return jax.lax.reduce(x.astype(d), d(1.0), lambda a, b: a * b, (1,))


def sharded(x, d):
    mesh = jax.make_mesh((2,), ("i",), axis_types=(jax.sharding.AxisType.Auto,))
    rows = jax.P("i")
    return jax.shard_map(
        lambda y: jnp.sin(y.astype(d)) + jax.lax.psum(y.astype(d), "i"), mesh=mesh, in_specs=rows, out_specs=rows
    )(x)


def batch_norm(x, d):
    layer = nnx.BatchNorm(8, dtype=d, rngs=nnx.Rngs(0))
    return layer(x), layer.mean[...], layer.var[...]


def layer_norm(x, d):
    return nnx.LayerNorm(8, dtype=d, param_dtype=d, epsilon=1e-12, rngs=nnx.Rngs(0))(x * 1e-5)


def linen_norms(x, d):
    layer = linen.BatchNorm(use_running_average=False, dtype=d, param_dtype=d)
    y, state = layer.apply(layer.init(jax.random.key(0), x), x, mutable=["batch_stats"])
    norm = linen.LayerNorm(dtype=d)
    return y, state["batch_stats"], norm.apply(norm.init(jax.random.key(0), x), x)


def nnx_attention(x, d):
    layer = nnx.MultiHeadAttention(
        2, 8, dtype=d, decode=False, rngs=nnx.Rngs(0), kernel_init=nnx.initializers.constant(0.3)
    )
    layer.query.kernel[...] = jnp.asarray(np.linspace(-1, 1, 64).reshape(8, 2, 4), d)
    return layer(x[None] * 1.7)


def statistics_rounded(x, d):
    return (x - jnp.mean(x.astype(d), 0)) * jax.lax.rsqrt(jnp.var(x.astype(d), 0) + jnp.asarray(1e-5, d))


def bfloat16_matmul(x, d):
    return (x.astype(d) @ x.T.astype(d)).astype(x.dtype)


CASTS = [
    scanned, strict_carry, while_loop, conditional, switched, custom_vjp, custom_jvp, remat, jitted, attention_softmax,
    tiny_eps, preferred, accumulated, solved, reduced_windows, generic_reduction, sharded, batch_norm, layer_norm,
    linen_norms, nnx_attention, statistics_rounded, bfloat16_matmul,
]  # fmt: skip


def run(function, dtype, *, lifting=True, **options):
    with pytest.MonkeyPatch.context() as patch:
        if not lifting:
            patch.setattr(jax_program, "requests_raised", contextlib.nullcontext)
            patch.setattr(jax_program, "needs_lifting", lambda closed: False)
        return side("jax", lambda x: function(x, dtype), **options).run({"x": X}, dtype="float64", wrt=None)


def distance(left, right):
    worst = 0.0
    assert left.tensors.keys() == right.tensors.keys()
    for name, wanted in right.tensors.items():
        scale = np.abs(wanted).max(initial=1e-300)
        worst = max(worst, float(np.abs(left.tensors[name] - wanted).max(initial=0.0) / scale))
    return worst


BRIEF = [scanned, custom_vjp, attention_softmax, solved, batch_norm, bfloat16_matmul]


@pytest.mark.parametrize(
    ("function", "dtype"),
    [*((f, F32) for f in CASTS), *((f, BF16) for f in BRIEF)],
    ids=lambda value: value.__name__,
)
def test_casts_are_lifted_forward_and_back(function, dtype):
    truth = run(function, FULL)
    lifted = run(function, dtype)
    assert {d for d in lifted.dtypes.values() if not d.startswith("int")} == {"float64"}
    assert distance(lifted, truth) <= 4e-15
    assert lifted.narrow == {}
    try:
        plain = run(function, dtype, lifting=False)
    except (TypeError, NotImplementedError):  # a carry of two dtypes, no kernel: without lifting there is no such run
        return
    assert distance(plain, truth) > 1e-10


def test_casts_are_lifted_without_jit_too():
    def tripled(x, d):
        return x.astype(d) * 3.1

    assert distance(run(tripled, F32, jit=False), run(tripled, FULL, jit=False)) == 0
    assert distance(run(tripled, F32, jit=False, lifting=False), run(tripled, FULL, jit=False)) > 1e-10


def test_a_custom_rule_stays_its_authors():
    trace = run(custom_vjp, F32)
    from parity.sides.inputs import cotangent

    # two products of float64
    assert np.allclose(trace.tensors["gradient/x"], 0.3 * cotangent("", (6, 8), "float64") * X, rtol=1e-15, atol=0)


def test_casts_to_integers_and_int8_quantisation_stay():
    def quantised(x):
        return jnp.clip(jnp.round(x.astype(F32) * 10), -128, 127).astype(jnp.int8).astype(F32) / 10

    trace = side("jax", quantised).run({"x": X}, dtype="float64")
    # a quotient of float64: its rounding
    assert np.allclose(trace.tensors["forward/output"], np.round(X * 10) / 10, rtol=4e-16, atol=0)


def test_what_cannot_be_lifted_is_told_of_what_depends_on_it_and_of_nothing_else():
    def mixed(x):
        y = jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, np.float32), x.astype(F32))

        def body(carry, row):
            return carry + row, carry

        total, _ = jax.lax.scan(body, jnp.zeros(8), y)
        return {
            "callback": y * 2,
            "clean": x * 2,
            "loop": total,
            "branch": jnp.where(total[0] > 0, x, -x),
        }

    trace = side("jax", mixed).run({"x": X}, dtype="float64")
    assert set(trace.narrow) == {"forward/callback", "forward/loop", "forward/branch"}
    line = mixed.__code__.co_firstlineno + 1
    assert trace.narrow["forward/loop"].startswith(f"pure_callback works at float32 (test_jax_lift.py:{line}, ")
    assert trace.narrow["forward/loop"].endswith("mixed)")
    assert np.array_equal(trace.tensors["forward/callback"], 2 * np.sin(X.astype(np.float32)).astype(np.float64))


def test_the_bits_of_a_low_number_are_read_as_they_are():
    captured = jnp.asarray(X[0], F32)

    def bits(x):
        return jax.lax.bitcast_convert_type(captured, jnp.int32), x

    trace = side("jax", bits).run({"x": X}, dtype="float64")
    assert np.array_equal(trace.tensors["forward/0"], X[0].astype(np.float32).view(np.int32))
    assert "bitcast_convert_type works at float32" in trace.narrow["forward/0"]
    assert "forward/1" not in trace.narrow


def test_code_that_works_on_the_bits_of_float32_still_does():
    def truncated(x):
        bits = x.astype(F32).view(jnp.uint32) & jnp.uint32(0xFFFF0000)
        return jax.lax.bitcast_convert_type(bits, F32) + 0.1, jnp.frexp(x)[0], x * 0.7

    trace = side("jax", truncated).run({"x": X}, dtype="float64")
    cut = (X.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32).astype(float)
    # a sum of float64: its rounding
    assert np.allclose(trace.tensors["forward/0"], cut + 0.1, rtol=4e-16, atol=0)
    assert "bitcast_convert_type works at float32" in trace.narrow["forward/0"]
    assert "forward/2" not in trace.narrow
    mantissas = side("jax", lambda x: jnp.frexp(x)[0]).run({"x": X}, dtype="float64")
    assert np.array_equal(mantissas.tensors["forward/output"], np.frexp(X)[0])
    assert mantissas.narrow == {}


def test_a_function_that_refuses_float64_is_lifted_from_its_float32_program():
    table = jnp.asarray(np.linspace(0, 1, 8), F32)

    def particular(x):
        assert (x * 1).astype(F32).dtype == F32
        return jax.lax.scan(lambda c, row: (jnp.sin(c + row) * 0.1, c), table, x)

    trace = side("jax", particular).run({"x": X}, dtype="float64", wrt=None)
    carry = np.linspace(0, 1, 8).astype(np.float32).astype(np.float64)
    for row in X:
        carry = np.sin(carry + row) * 0.1
    # a few roundings of float64, which each step shrinks
    assert np.allclose(trace.tensors["forward/0"], carry, rtol=1e-15, atol=1e-16)
    assert trace.narrow == {}
    third = jnp.asarray(1 / 3, F32)
    told = side("jax", lambda x: particular(x)[0] * np.float32(third)).run({"x": X}, dtype="float64").narrow
    assert "its scalars are float32" in told["forward/output"]


def test_constants_of_both_sides_that_differ_by_rounding_are_made_one():
    exact = np.linspace(0.1, 0.9, 8)
    mine = jnp.asarray(exact, F32)
    theirs = np.nextafter(exact.astype(np.float32), np.float32(1)).astype(np.float64)
    probed = side("jax", lambda x: x * mine)
    alone = probed.run({"x": X}, dtype="float64")
    assert np.array_equal(alone.constants["constant.0"], np.asarray(mine, np.float64))
    assert np.array_equal(alone.tensors["forward/output"], X * np.asarray(mine, np.float64))
    shared = probed.run({"x": X}, dtype="float64", constants={"constant.3": theirs})
    assert np.array_equal(shared.tensors["forward/output"], X * theirs)
    assert shared.origin["constants"] == "constant.0 is the other side's constant.3"
    other = probed.run({"x": X}, dtype="float64", constants={"constant.3": theirs * (1 + 1e-4)})
    assert np.array_equal(other.tensors["forward/output"], alone.tensors["forward/output"])
    assert "constants" not in other.origin


def test_a_scalar_that_was_rounded_gets_its_digits_back():
    captured = jnp.float32(1e-12)
    trace = side("jax", lambda x: x * np.float32(0.1) + captured + np.float32(2.5)).run({"x": X}, dtype="float64")
    # a product and two sums of float64: two of its roundings; 0.1 of float32 is off by 1e-9
    assert np.allclose(trace.tensors["forward/output"], X * 0.1 + 1e-12 + 2.5, rtol=4e-16, atol=0)


def states():
    from jax._src import dtypes

    return jax.config.jax_enable_x64, jnp.zeros(3).dtype, dtypes.check_and_canonicalize_user_dtype


def test_nothing_of_a_lifted_run_stays_behind_not_even_after_an_error():
    before = states()

    def failing(x):
        assert jnp.zeros(3).dtype == jnp.zeros(3, F32).dtype == x.dtype
        raise KeyError("mine")

    for dtype in ("float64", "float32"):
        with pytest.raises(KeyError, match="mine"):
            side("jax", failing).run({"x": X}, dtype=dtype)
        assert states() == before


def test_the_run_at_float32_is_the_users_own_program():
    seen = []

    @jax.jit
    def mine(x):
        seen.append((jnp.zeros(3).dtype, x.astype(BF16).dtype, jax.config.jax_enable_x64))
        return x.astype(BF16) * 2

    probed = side("jax", lambda x: mine(x))
    probed.run({"x": X}, dtype="float64")
    probed.run({"x": X}, dtype="float32")
    assert seen == [(np.float64, np.float64, True), (np.float32, BF16, False)]
    assert mine(jnp.asarray(X)).dtype == BF16
    with jax.enable_x64(True):
        assert mine(jnp.asarray(X)).dtype == BF16  # what was traced while requests were raised is not the user's


def test_requests_are_raised_on_this_thread_alone():
    found = []
    with jax.enable_x64(True), requests_raised():
        assert jnp.zeros(2, F32).dtype == np.float64
        thread = threading.Thread(target=lambda: found.append(jnp.zeros(2, F32).dtype))
        thread.start()
        thread.join()
    assert found == [np.float32]


def test_random_bits_are_not_drawn_anew():
    def drawn(x):
        return x * jax.random.normal(jax.random.key(0), (6, 8), F32) + jax.random.uniform(jax.random.key(1), (8,), F32)

    low = side("jax", drawn).run({"x": X}, dtype="float32").tensors["forward/output"]
    full = side("jax", drawn).run({"x": X}, dtype="float64").tensors["forward/output"]
    assert np.abs(low - full).max() < 1e-5


def test_an_unraised_program_is_compiled_as_it_was_traced():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace = side("jax", lambda x: jnp.sum(x * 2)).run({"x": X}, dtype="float64")
    assert trace.constants == trace.narrow == {}
