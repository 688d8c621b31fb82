"""Vectors times Jacobians: a function of vectors differentiated along a vector, in full, and twice; a loop as well.

References:
    PyTorch, "Deep Learning with PyTorch: A 60 Minute Blitz", Autograd, both editions, "Vector calculus using autograd".
"""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

__all__ = ["cubic", "cubic_vjp", "cubic_sum_gradient", "jacobian", "hessian", "doubling", "doubling_vjp"]


def cubic(a: Float[Tensor, " N"], b: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    """Compute the error Q of two vectors of parameters, element by element.

    Q = 3 a^3 - b^2

    Args:
        a: (N,), floating point.
        b: (N,).

    Returns:
        Q (N,).

    Raises:
        ValueError: the shapes differ.

    Examples:
        >>> cubic(array([2.0, 3.0]), array([6.0, 4.0])).tolist()
        [-12.0, 65.0]

    References:
        Autograd (new), "Differentiation in Autograd".
    """
    if a.shape != b.shape:
        raise ValueError(
            f"cubic: got a {tuple(a.shape)} and b {tuple(b.shape)}, wanted one shape; broadcast them first"
        )
    return 3 * a**3 - b**2


def cubic_vjp(
    a: Float[Tensor, " N"], b: Float[Tensor, " N"], v: Float[Tensor, " N"]
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
    """Go backward from the vector Q, which takes a vector of its shape: the gradient of a scalar that follows Q.

    J_a^T v = 9 a^2 v,  J_b^T v = -2 b v

    Args:
        a: (N,), floating point.
        b: (N,).
        v: (N,), the upstream gradient.

    Returns:
        (J_a^T v, J_b^T v), each (N,).

    Raises:
        ValueError: the shapes differ.

    Examples:
        >>> [g.tolist() for g in cubic_vjp(array([2.0, 3.0]), array([6.0, 4.0]), array([1.0, 1.0]))]
        [[36.0, 81.0], [-12.0, -8.0]]

    References:
        Autograd (new), Q.backward(gradient=external_grad).
    """
    if v.shape != a.shape:
        raise ValueError(f"cubic_vjp: got v {tuple(v.shape)}, wanted the shape of Q, {tuple(a.shape)}")
    a, b = a.detach().requires_grad_(), b.detach().requires_grad_()
    cubic(a, b).backward(gradient=v)
    return a.grad, b.grad  # type: ignore[return-value]


def cubic_sum_gradient(
    a: Float[Tensor, " N"], b: Float[Tensor, " N"]
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
    """Go backward from the sum of Q, which is `cubic_vjp` with v = (1, ..., 1).

    d sum(Q) / da = 9 a^2,  d sum(Q) / db = -2 b

    Args:
        a: (N,), floating point.
        b: (N,).

    Returns:
        (gradient of a, gradient of b), each (N,).

    Raises:
        ValueError: the shapes differ.

    Examples:
        >>> [g.tolist() for g in cubic_sum_gradient(array([2.0, 3.0]), array([6.0, 4.0]))]
        [[36.0, 81.0], [-12.0, -8.0]]

    References:
        Autograd (new), Q.sum().backward().
    """
    a, b = a.detach().requires_grad_(), b.detach().requires_grad_()
    gradient_of_a, gradient_of_b = torch.autograd.grad(cubic(a, b).sum(), (a, b))
    return gradient_of_a, gradient_of_b


def jacobian(a: Float[Tensor, " N"], b: Float[Tensor, " N"]) -> tuple[Float[Tensor, "N N"], Float[Tensor, "N N"]]:
    """Compute the Jacobians of Q, a VJP for every row; going backward needs none of it.

    (J_a)_ij = dQ_i / da_j = 9 a_i^2 where i = j, else 0;  (J_b)_ij = -2 b_i where i = j, else 0

    Args:
        a: (N,), floating point.
        b: (N,).

    Returns:
        (J_a, J_b), each (N, N).

    Raises:
        ValueError: the shapes differ.

    Examples:
        >>> [J.diagonal().tolist() for J in jacobian(array([2.0, 3.0]), array([6.0, 4.0]))]
        [[36.0, 81.0], [-12.0, -8.0]]

    References:
        Autograd (new), "Vector Calculus using autograd".
    """
    return torch.func.jacrev(cubic, argnums=(0, 1))(a, b)


def hessian(a: Float[Tensor, " N"], b: Float[Tensor, " N"]) -> dict[str, Float[Tensor, "N N"]]:
    """Compute the second derivatives of the sum of Q, by differentiating its gradient.

    d2/da2 = diag(18 a),  d2/da db = 0,  d2/db2 = diag(-2)

    Args:
        a: (N,), floating point.
        b: (N,).

    Returns:
        The blocks "aa", "ab", "ba" and "bb", each (N, N).

    Raises:
        ValueError: the shapes differ.

    Examples:
        >>> blocks = hessian(array([2.0, 3.0]), array([6.0, 4.0]))
        >>> blocks["aa"].tolist(), blocks["bb"].diagonal().tolist()
        ([[36.0, 0.0], [0.0, 54.0]], [-2.0, -2.0])

    References:
        PyTorch, torch.autograd.functional.hessian; JAX, jax.hessian.
    """
    (aa, ab), (ba, bb) = torch.autograd.functional.hessian(lambda a, b: cubic(a, b).sum(), (a, b))
    return {"aa": aa, "ab": ab, "ba": ba, "bb": bb}


def doubling(x: Float[Tensor, " N"], *, threshold: float = 1000.0) -> dict[str, Shaped[Tensor, "..."]]:
    """Double a vector once, and on until its length reaches a threshold: a loop whose length depends on the data.

    y = 2^k x,  k >= 1 the least with |2^k x| >= threshold

    Args:
        x: (N,), floating point; 2^k must not overflow. A zero vector is doubled once, as it never gets longer.
        threshold: length at which to stop.

    Returns:
        "y" (N,) and "doublings", k, an integer scalar.

    Examples:
        >>> end = doubling(array([0.375, -0.25, 0.5]))
        >>> end["y"].tolist(), int(end["doublings"])
        ([768.0, -512.0, 1024.0], 11)

    References:
        Autograd (old), while y.data.norm() < 1000.
    """
    # differs: torch records each doubling; JAX cannot go back through a while_loop, so it finds 2^k and multiplies once
    y = x * 2
    doublings = 1
    while 0 < y.detach().norm() < threshold:
        y = y * 2
        doublings += 1
    return {"y": y, "doublings": torch.tensor(doublings, device=x.device)}


def doubling_vjp(x: Float[Tensor, " N"], v: Float[Tensor, " N"], *, threshold: float = 1000.0) -> Float[Tensor, " N"]:
    """Go backward through the loop, along a vector: k is a constant there.

    J^T v = 2^k v

    Args:
        x: (N,), floating point; where the loop starts.
        v: (N,), the upstream gradient.
        threshold: length at which the loop stops.

    Returns:
        The gradient of x (N,).

    Raises:
        ValueError: the shapes differ.

    Examples:
        >>> [round(g, 4) for g in doubling_vjp(array([0.3, -0.2, 0.5]), array([0.1, 1.0, 0.0001])).tolist()]
        [204.8, 2048.0, 0.2048]

    References:
        Autograd (old), y.backward(v) with v = (0.1, 1.0, 0.0001).
    """
    if v.shape != x.shape:
        raise ValueError(f"doubling_vjp: got v {tuple(v.shape)}, wanted the shape of x, {tuple(x.shape)}")
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(doubling(x, threshold=threshold)["y"], x, grad_outputs=v)
    return gradient
