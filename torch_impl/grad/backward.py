"""Going backward: the gradient of a chain of operations, gradients that add up, and values that count as constants.

References:
    PyTorch, "Deep Learning with PyTorch: A 60 Minute Blitz", Autograd (old).
"""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["chain", "chain_gradient", "accumulate", "detached_gradient"]


def chain(x: Float[Tensor, "*shape"]) -> dict[str, Float[Tensor, "..."]]:
    """Compute a mean in three steps.

    y = x + 2,  z = 3 y^2,  out = mean(z)

    Args:
        x: any shape but empty, floating point.

    Returns:
        "y" and "z" in the shape of x, and the scalar "out".

    Examples:
        >>> steps = chain(array([[1.0, 1.0], [1.0, 1.0]]))
        >>> steps["z"].tolist(), float(steps["out"])
        ([[27.0, 27.0], [27.0, 27.0]], 27.0)

    References:
        Autograd (old), "Tensor".
    """
    y = x + 2
    z = y * y * 3
    return {"y": y, "z": z, "out": z.mean()}


def chain_gradient(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Differentiate the mean with regard to the start of the chain.

    d out / dx_i = 6 (x_i + 2) / n,  n the number of elements

    Args:
        x: any shape but empty, floating point.

    Returns:
        The gradient, in the shape of x.

    Examples:
        >>> chain_gradient(array([[1.0, 1.0], [1.0, 1.0]])).tolist()
        [[4.5, 4.5], [4.5, 4.5]]

    References:
        Autograd (old), "Gradients": the matrix of 4.5.
    """
    x = x.detach().requires_grad_()
    chain(x)["out"].backward()
    return x.grad  # type: ignore[return-value]


def accumulate(x: Float[Tensor, "*shape"]) -> dict[str, Float[Tensor, "*shape"]]:
    """Go backward three times: once, once more on top, and once after zeroing.

    `backward` adds to what is in x.grad, so a training loop zeroes it. JAX returns a gradient and keeps none: who wants
    the sum, over parts of a batch that is too large for one pass, adds.

    Args:
        x: any shape but empty, floating point; where `chain` is differentiated.

    Returns:
        "once", the gradient; "twice", two times that; "zeroed", the gradient again.

    Examples:
        >>> {name: gradient.tolist() for name, gradient in accumulate(array([1.0, 1.0, 1.0, 1.0])).items()}
        {'once': [4.5, 4.5, 4.5, 4.5], 'twice': [9.0, 9.0, 9.0, 9.0], 'zeroed': [4.5, 4.5, 4.5, 4.5]}

    References:
        Autograd (new), "Differentiation in Autograd"; Neural Networks (new), "Backprop".
    """
    x = x.detach().requires_grad_()
    x.grad = torch.zeros_like(x)
    chain(x)["out"].backward()
    once = x.grad.clone()
    chain(x)["out"].backward()
    twice = x.grad.clone()
    x.grad.zero_()
    chain(x)["out"].backward()
    return {"once": once, "twice": twice, "zeroed": x.grad}


def detached_gradient(x: Float[Tensor, "*shape"]) -> dict[str, Float[Tensor, "*shape"]]:
    """Differentiate a sum of squares, and again with one of the two factors held as a constant.

    d/dx sum x x = 2x;  with c = x held constant,  d/dx sum x c = c

    Args:
        x: any shape, floating point.

    Returns:
        "attached", 2x, and "detached", x.

    Examples:
        >>> {name: gradient.tolist() for name, gradient in detached_gradient(array([1.0, -3.0])).items()}
        {'attached': [2.0, -6.0], 'detached': [1.0, -3.0]}

    References:
        Autograd (old), .detach(): the same content, no gradient.
    """
    x = x.detach().requires_grad_()
    (attached,) = torch.autograd.grad((x * x).sum(), x)
    (detached,) = torch.autograd.grad((x * x.detach()).sum(), x)
    return {"attached": attached, "detached": detached}
