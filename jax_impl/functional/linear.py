"""Linear and bilinear maps of the last axis."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

__all__ = ["linear", "bilinear"]


def linear(
    input: Float[Array, "*batch I"], weight: Float[Array, "O I"] | Float[Array, " I"], bias: Array | None = None
) -> Array:
    """A linear map: y = x W^T + b.

    Args:
        input: (*, in_features).
        weight: (out_features, in_features), or (in_features,) for one number each.
        bias: (out_features,), or a number where weight has one axis.

    Returns:
        (*, out_features), or (*) where weight has one axis.

    Raises:
        RuntimeError: Where the last axis of the input is not as long as that of the weight.

    Examples:
        >>> linear(array([[1.0, 2.0]]), array([[3.0, 4.0], [0.0, 1.0]]), array([0.5, 0.0])).tolist()
        [[11.5, 2.0]]

    References:
        PyTorch, torch.nn.functional.linear.
    """
    if input.ndim == 0 or weight.ndim not in (1, 2) or input.shape[-1] != weight.shape[-1]:
        raise RuntimeError(
            f"linear: input of shape {tuple(input.shape)} and weight of shape {tuple(weight.shape)} do not fit, "
            "wanted (*, in_features) and (out_features, in_features)"
        )
    # differs: a product of a transpose there; here one dot over the last axes, which XLA need not transpose for
    y = jnp.tensordot(input, weight, axes=(-1, -1))
    return y if bias is None else y + bias


def bilinear(
    input1: Float[Array, "*batch I"],
    input2: Float[Array, "*batch J"],
    weight: Float[Array, "O I J"],
    bias: Float[Array, " O"] | None = None,
) -> Float[Array, "*batch O"]:
    """A bilinear map: y_o = x1^T W_o x2 + b_o.

    Args:
        input1: (*, in1_features).
        input2: (*, in2_features).
        weight: (out_features, in1_features, in2_features).
        bias: (out_features,).

    Returns:
        (*, out_features).

    Raises:
        RuntimeError: Where the shapes do not go together.

    Examples:
        >>> bilinear(array([[1.0, 2.0]]), array([[3.0]]), array([[[1.0], [10.0]]]), array([0.5])).tolist()
        [[63.5]]

    References:
        PyTorch, torch.nn.functional.bilinear.
    """
    fits = weight.ndim == 3 and input1.shape[:-1] == input2.shape[:-1]
    if not fits or (input1.shape[-1], input2.shape[-1]) != tuple(weight.shape[1:]):
        raise RuntimeError(
            f"bilinear: inputs of shape {tuple(input1.shape)} and {tuple(input2.shape)} and weight of shape "
            f"{tuple(weight.shape)} do not go together, wanted (*, in1), (*, in2) and (out, in1, in2)"
        )
    y = jnp.einsum("...i,oij,...j->...o", input1, weight, input2)
    return y if bias is None else y + bias
