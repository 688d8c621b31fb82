"""The graph: which values are followed, which operations are on the way, and an operation with a gradient of one's own.

References:
    PyTorch, "Deep Learning with PyTorch: A 60 Minute Blitz", Autograd, both editions, "Computational graph".
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["tracked", "operations", "softplus"]

_VOCABULARY = {"AccumulateGrad": (), "MeanBackward0": ("sum", "div")}


def tracked(x: Float[Tensor, "*shape"], y: Float[Tensor, "*shape"], z: Float[Tensor, "*shape"]) -> dict[str, bool]:
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
    x, y, z = x.detach(), y.detach(), z.detach()
    followed = {"z before": z.requires_grad}
    z.requires_grad_()
    values = {"z": z, "x + y": x + y, "x + z": x + z, "z^2": z**2}
    with torch.no_grad():
        values["z^2 under no_grad"] = z**2
    values["z detached"] = z.detach()
    return followed | {name: value.requires_grad for name, value in values.items()}


def operations(function: Callable[..., Float[Tensor, "..."]], *inputs: Float[Tensor, "..."]) -> tuple[str, ...]:
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
    seen = set()

    def names(node: torch.autograd.graph.Node | None) -> Iterator[str]:
        if node is None or node in seen:
            return
        seen.add(node)
        for earlier, _ in node.next_functions:
            yield from names(earlier)
        name = type(node).__name__
        yield from _VOCABULARY.get(name, (name.removesuffix("Backward0").lower(),))

    result = function(*(x.detach().requires_grad_() for x in inputs))
    return tuple(names(result.grad_fn))


class _Softplus(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return upstream * torch.sigmoid(x)


def softplus(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
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
    return _Softplus.apply(x)
