"""Gradient clipping as torch does it: by the norm of all gradients together, and by value.

torch.nn.utils.clip_grad_norm_ and clip_grad_value_ overwrite gradients; here they are given and returned. In a chain of
optax it is optax.stateless(lambda gradients, params: clip_grad_norm(gradients, max_norm)[0]).
"""

from math import inf

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

__all__ = ["get_total_norm", "clip_grads_with_norm", "clip_grad_norm", "clip_grad_value"]

Gradients = dict[str, Float[Array, "..."] | None]


def get_total_norm(tensors: Gradients, norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Float[Array, ""]:
    """The norm of the norms of all tensors: for norm_type p > 0, that of all their elements in one vector.

    (sum_i |x_i|^p)^(1/p); the largest and the smallest |x_i| for inf and -inf; for 0, the tensors that are not all zero

    Args:
        tensors: by name, floating; None, a parameter without a gradient, is passed over.
        norm_type: p.
        error_if_nonfinite: refuse a norm that is infinite or NaN.

    Returns:
        The norm, of the tensors' dtype; 0 where there is none.

    Raises:
        RuntimeError: where it is not finite and error_if_nonfinite asks for it.

    Examples:
        >>> float(get_total_norm({"w": array([3.0]), "b": array([-4.0]), "unused": None}))
        5.0

    References:
        PyTorch, torch.nn.utils.get_total_norm.
    """
    present = jax.tree.leaves(tensors)
    if not present:
        return jnp.zeros(())
    norm = _norm(jnp.stack([_norm(tensor, norm_type) for tensor in present]), norm_type)
    # differs: torch raises wherever the norm is not finite; compiled code cannot, and JAX refuses the option there
    if error_if_nonfinite:
        if isinstance(norm, jax.core.Tracer):
            raise ValueError(
                "get_total_norm: error_if_nonfinite cannot raise inside jax.jit; leave it out, and test the norm that "
                "is returned with jnp.isfinite"
            )
        _refuse(float(norm), norm_type)
    return norm


def clip_grads_with_norm(gradients: Gradients, max_norm: float, total_norm: Float[Array, ""]) -> Gradients:
    """Scale gradients of a known norm down to another, where theirs is larger.

    g min(1, max_norm / (total_norm + 1e-6)), so that even a gradient of norm max_norm shrinks by a millionth of that

    Args:
        gradients: by name, floating, or None.
        max_norm: the norm that they may have.
        total_norm: what get_total_norm gives for them.

    Returns:
        The gradients, scaled.

    Examples:
        >>> clipped = clip_grads_with_norm({"w": array([3.0, 4.0])}, 1.0, array(5.0))
        >>> [round(float(g), 6) for g in clipped["w"]]
        [0.6, 0.8]

    References:
        PyTorch, torch.nn.utils.clip_grads_with_norm_.
    """
    scale = jnp.minimum(max_norm / (total_norm + 1e-6), 1.0)
    return jax.tree.map(lambda g: g * scale.astype(g.dtype), gradients)


def clip_grad_norm(
    gradients: Gradients, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> tuple[Gradients, Float[Array, ""]]:
    """Scale all gradients down so that their norm together is at most max_norm.

    Args:
        gradients: by name, floating; None, a parameter without a gradient, stays None.
        max_norm: the norm that they may have.
        norm_type: p, as get_total_norm takes it.
        error_if_nonfinite: refuse a norm that is infinite or NaN; or else the gradients become NaN and zero.

    Returns:
        The gradients, scaled, and their norm before.

    Raises:
        RuntimeError: where the norm is not finite and error_if_nonfinite asks for it.

    Examples:
        >>> clipped, norm = clip_grad_norm({"w": array([30.0]), "b": array([-40.0])}, max_norm=1.0)
        >>> round(float(clipped["w"][0]), 6), round(float(clipped["b"][0]), 6), float(norm)
        (0.6, -0.8, 50.0)

    References:
        PyTorch, torch.nn.utils.clip_grad_norm_.
    """
    norm = get_total_norm(gradients, norm_type, error_if_nonfinite)
    return clip_grads_with_norm(gradients, max_norm, norm), norm


def clip_grad_value(gradients: Gradients, clip_value: float) -> Gradients:
    """Bring every element of the gradients into [-clip_value, clip_value].

    Args:
        gradients: by name, floating, or None.
        clip_value: the bound, at least 0.

    Returns:
        The gradients; NaN stays NaN.

    Examples:
        >>> clip_grad_value({"w": array([-3.0, 0.5])}, 1.0)["w"].tolist()
        [-1.0, 0.5]

    References:
        PyTorch, torch.nn.utils.clip_grad_value_.
    """
    return jax.tree.map(lambda g: jnp.clip(g, -clip_value, clip_value), gradients)


def _norm(x: Float[Array, "..."], norm_type: float) -> Float[Array, ""]:
    wide = x.ravel().astype(jnp.promote_types(x.dtype, jnp.float32))  # as torch adds up bfloat16 in float32
    return jnp.linalg.norm(wide, ord=float(norm_type)).astype(x.dtype)


def _refuse(norm: float, norm_type: float) -> None:
    if not -inf < norm < inf:
        raise RuntimeError(
            f"get_total_norm: the norm of order {norm_type} is {norm}, so nothing can be clipped by it; look for the "
            "gradient that is not finite, or leave error_if_nonfinite out"
        )
