"""Autograd: going backward, vectors times Jacobians, what is followed and what is not, freezing.

torch records what is done to a tensor while it is done, and `backward` goes back along the record. JAX takes a function
and gives another, which computes the derivative. Most of what looks different follows from it.

References:
    PyTorch, "Deep Learning with PyTorch: A 60 Minute Blitz", Autograd, both editions: "Automatic differentiation"
    (old), "A gentle introduction to torch.autograd" (new).
"""

from jax_impl.grad.backward import accumulate, chain, chain_gradient, detached_gradient
from jax_impl.grad.freezing import fine_tune, parameter_counts
from jax_impl.grad.graph import operations, softplus, tracked
from jax_impl.grad.jacobians import (
    cubic,
    cubic_sum_gradient,
    cubic_vjp,
    doubling,
    doubling_vjp,
    hessian,
    jacobian,
)

__all__ = [
    "chain",
    "chain_gradient",
    "accumulate",
    "detached_gradient",
    "cubic",
    "cubic_vjp",
    "cubic_sum_gradient",
    "jacobian",
    "hessian",
    "doubling",
    "doubling_vjp",
    "tracked",
    "operations",
    "softplus",
    "parameter_counts",
    "fine_tune",
]
