"""Every module of torch's table under JAX's and Flax's transforms, and at every width of floats."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.extend.core import jaxprs_in_params
from nn.module_summary import MODULES
from nn.module_table import build, numpy, samples, torch_module

import jax_impl.nn
from parity.sides.inputs import leaves, rebuild

pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")  # torch's own fast path

PRESENT = [name for name in MODULES if hasattr(jax_impl.nn, name)]


def is_float(leaf):
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)


def prepared(name, dtype):
    """The module with torch's values, its arguments, and the same without values, for what is traced alone."""
    sample = min(samples(name, training=True), key=lambda sample: sample.size)
    cast = lambda leaf: jnp.asarray(leaf, dtype if leaf.dtype.kind == "f" else None)
    theirs = torch_module(sample)
    with jax.enable_x64(True):  # some of torch's constructors are given dtypes
        module = nnx.eval_shape(lambda: build(name, sample.constructor))
    state = dict(theirs.named_parameters()) | dict(theirs.named_buffers())
    for key, variable in [*module.named_parameters(), *module.named_buffers()]:
        variable.set_value(cast(state[key].detach().numpy()))
    given = numpy((list(sample.forward.args), dict(sample.forward.kwargs)))
    return module, rebuild(given, lambda _, leaf: cast(leaf) if isinstance(leaf, np.ndarray) else leaf)


def arrays_of(given):
    return {path: leaf for path, leaf in leaves(given) if isinstance(leaf, jax.Array)}


def called(module, given, arrays):
    args, kwargs = rebuild(given, lambda path, leaf: arrays.get(path, leaf))
    return {path: leaf for path, leaf in leaves(module(*args, **kwargs)) if isinstance(leaf, jax.Array)}


def loss(outputs):
    return sum(jnp.sum(leaf) for leaf in outputs.values() if is_float(leaf))


def gradients(module, given):
    """A function of parameters and inputs with outputs and gradients, and what it is called with."""
    graph, parameters, rest = nnx.split(module, nnx.Param, ...)

    def function(parameters, rest, arrays):
        floats = {path: leaf for path, leaf in arrays.items() if is_float(leaf)}

        def of(parameters, floats):
            outputs = called(nnx.clone(nnx.merge(graph, parameters, rest)), given, arrays | floats)
            return loss(outputs), outputs

        return jax.grad(of, argnums=(0, 1), has_aux=True)(parameters, floats)

    return function, (parameters, rest, arrays_of(given))


def dtypes_in(jaxpr):
    """The dtypes of all that a program computes, of the programs inside of it too; Python's own numbers left out."""
    for equation in jaxpr.eqns:
        for variable in equation.outvars:
            if hasattr(variable.aval, "dtype") and not getattr(variable.aval, "weak_type", False):
                yield str(variable.aval.dtype)
        for inner in jaxprs_in_params(equation.params):
            yield from dtypes_in(inner)


def traced(name, dtype, *, x64):
    with jax.enable_x64(x64):
        function, arguments = gradients(*prepared(name, dtype))
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
        return set(dtypes_in(closed.jaxpr)), {str(leaf.dtype) for leaf in jax.tree.leaves(shapes) if is_float(leaf)}


@pytest.mark.parametrize("name", PRESENT)
def test_a_module_computes_in_the_dtype_that_it_is_given(name, whole):
    inside, outside = traced(name, "bfloat16", x64=True)
    assert "float64" not in inside, "bfloat16 grows where x64 is enabled"
    assert outside <= {"bfloat16"}
    if not whole:  # float64 that is narrowed is not torch's: the table's test sees it
        return
    inside, outside = traced(name, "float32", x64=True)
    assert "float64" not in inside, "float32 grows where x64 is enabled"
    assert outside <= {"float32"}
    inside, outside = traced(name, "float64", x64=True)
    assert "float32" not in inside, "float64 is narrowed"
    assert outside <= {"float64"}
    _, outside = traced(name, "bfloat16", x64=False)
    assert outside <= {"bfloat16"}


class Growing(jax_impl.nn.Linear):
    """A linear layer that multiplies by a float64 constant."""

    def __call__(self, input):
        return super().__call__(input) * jnp.asarray(np.float64(2.0))


def test_a_constant_of_float64_is_seen(monkeypatch):
    monkeypatch.setattr(jax_impl.nn, "Linear", Growing)
    assert "float64" in traced("Linear", "bfloat16", x64=True)[0]


@pytest.mark.part(8)
@pytest.mark.parametrize("name", PRESENT)
def test_a_module_goes_through_every_transform(name):
    with jax.enable_x64(True):
        module, given = prepared(name, "float64")
        arrays = arrays_of(given)
        function, arguments = gradients(module, given)
        shapes = nnx.eval_shape(lambda m: called(m, given, arrays), module)

        @jax.jit
        def everything(parameters, rest, arrays):
            (by_parameter, _), outputs = function(parameters, rest, arrays)
            batch = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), arrays)
            mapped = jax.vmap(lambda arrays: function(parameters, rest, arrays)[1])(batch)
            return outputs, by_parameter, mapped

        outputs, by_parameter, mapped = everything(*arguments)
        assert {k: (v.shape, v.dtype) for k, v in outputs.items()} == {k: (v.shape, v.dtype) for k, v in shapes.items()}
        for path, leaf in outputs.items():
            size = jnp.nanmax(jnp.abs(leaf), initial=1)
            # one function twice at float64: what is left is the order of sums, a millionth of what a fault would be
            # a power of a negative number that is not whole is NaN, on both paths or on none
            other = mapped[path][1]
            assert jnp.array_equal(jnp.isnan(other), jnp.isnan(leaf)), path
            assert jnp.nanmax(jnp.abs(other - leaf), initial=0) <= 1e-10 * size, path
        optimizer = nnx.Optimizer(module, optax.sgd(0.5), wrt=nnx.Param)
        before = {key: variable[...] for key, variable in module.named_parameters()}
        optimizer.update(module, by_parameter)
        slopes = dict(nnx.to_flat_state(by_parameter))
        assert len(slopes) == len(before)
        for key, variable in module.named_parameters():
            moved = slopes[tuple(key.split("."))][...]
            assert jnp.array_equal(variable[...], before[key] - 0.5 * moved), key
