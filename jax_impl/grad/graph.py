"""The graph: which values are followed, which operations are on the way, and an operation with a gradient of one's own.

References:
    PyTorch, "Deep Learning with PyTorch: A 60 Minute Blitz", Autograd, both editions, "Computational graph".
"""

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.extend.core import Jaxpr
from jaxtyping import Float

__all__ = ["tracked", "operations", "softplus"]

_VOCABULARY = {"integer_pow": ("pow",), "reduce_sum": ("sum",), "convert_element_type": ()}


def tracked(x: Float[Array, "*shape"], y: Float[Array, "*shape"], z: Float[Array, "*shape"]) -> dict[str, bool]:
    """Say which values are followed backward, where z is differentiated and x and y are not.

    In torch that is the flag requires_grad, which z.requires_grad_() switches on and results inherit. In JAX it is the
    choice of the argument: while a function of z is differentiated, what depends on z is a tracer and nothing else is.

    Args:
        x: any shape, floating point.
        y: the shape of x.
        z: the shape of x.

    Returns:
        Whether it is followed, for "z before" (before the choice), "z", "x + y", "x + z", "z^2", "z^2 under no_grad"
        and "z detached".

    Examples:
        >>> flags = tracked(array(1.0), array(2.0), array(3.0))
        >>> flags["z before"], flags["z"], flags["x + y"], flags["x + z"]
        (False, True, False, True)
        >>> flags["z^2"], flags["z^2 under no_grad"], flags["z detached"]
        (True, False, False)

    References:
        Autograd (old), requires_grad_, no_grad, detach; (new), "Exclusion from the DAG".
    """
    followed = {"z before": isinstance(z, jax.core.Tracer)}

    def look(z: Array) -> Array:
        values = {"z": z, "x + y": x + y, "x + z": x + z, "z^2": z**2}
        values["z^2 under no_grad"] = lax.stop_gradient(z**2)
        values["z detached"] = lax.stop_gradient(z)
        followed.update((name, isinstance(value, jax.core.Tracer)) for name, value in values.items())
        return z

    jax.vjp(look, z)
    return followed


def operations(function: Callable[..., Float[Array, "..."]], *inputs: Float[Array, "..."]) -> tuple[str, ...]:
    """List the operations between the inputs of a function and its result, each after those that it needs.

    torch has them as nodes, from the result's grad_fn back to the leaves; JAX as the equations of the function's jaxpr.
    The names are brought to one vocabulary: torch's node of a mean is the sum and the division that JAX makes of it.
    Casts are left out: torch makes them inside an operation, JAX writes them down.

    Args:
        function: of tensors, to one tensor.
        *inputs: its arguments, floating point; all are differentiated.

    Returns:
        Names such as "add", "sub", "mul", "div", "pow", "sum".

    Examples:
        >>> operations(lambda x: (x + 2).sum(), array([1.0, 2.0]))
        ('add', 'sum')

    References:
        Autograd (old), .grad_fn; (new), "Computational Graph"; JAX, "Understanding jaxprs".
    """

    def names(jaxpr: Jaxpr) -> Iterator[str]:
        for equation in jaxpr.eqns:
            if "jaxpr" in equation.params:  # a jitted function inside
                yield from names(equation.params["jaxpr"].jaxpr)
            else:
                yield from _VOCABULARY.get(equation.primitive.name, (equation.primitive.name,))

    return tuple(names(jax.make_jaxpr(function)(*inputs).jaxpr))


@jax.custom_vjp
def softplus(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Compute a smooth ReLU, with its gradient written by hand.

    f = log(1 + e^x) = max(x, 0) + log(1 + e^-|x|),  df/dx = 1 / (1 + e^-x)

    The second form never overflows, but at 0, where max and |x| have kinks, autograd makes 1 of it in torch and 0 in
    JAX: the derivative is 1/2. So forward takes the second form, and backward is told the derivative of the first.

    Args:
        x: any shape, floating point.

    Returns:
        f, in the shape of x, with that gradient.

    Examples:
        >>> [round(f, 4) for f in softplus(array([-1.0, 0.0, 1000.0])).tolist()]
        [0.3133, 0.6931, 1000.0]

    References:
        PyTorch, "Extending PyTorch", torch.autograd.Function; JAX, "Custom derivative rules", jax.custom_vjp.
    """
    return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


def _softplus_forward(x: Array) -> tuple[Array, Array]:
    return softplus(x), x


def _softplus_backward(x: Array, upstream: Array) -> tuple[Array]:
    return (upstream * jax.nn.sigmoid(x),)


softplus.defvjp(_softplus_forward, _softplus_backward)
