"""Tensors of a record as JAX's arrays and back, bit for bit or not at all."""

from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from parity.convert.optim.tensors import Tensor


def to_jax(tensor: Tensor, place: str) -> jax.Array:
    """A new array of the same bits.

    Args:
        tensor: Of any dtype that JAX has.
        place: What it is, for the message.

    Returns:
        The array.

    Raises:
        ValueError: For a dtype that JAX would round as it is set now.

    Examples:
        >>> to_jax(Tensor("bfloat16", np.array([0x3F80], np.uint16)), "w").tolist()
        [1.0]
    """
    bits = tensor.bits.view(ml_dtypes.bfloat16) if tensor.dtype == "bfloat16" else tensor.bits
    if jax.dtypes.canonicalize_dtype(bits.dtype) != bits.dtype:
        raise ValueError(
            f"optim: {place} is {tensor.dtype}, which JAX would round; call inside jax.enable_x64(True), or train the "
            "torch model in float32"
        )
    return jnp.array(bits)


def of_jax(array: Any) -> Tensor:
    """A copy of an array's bits.

    Examples:
        >>> of_jax(jnp.ones(2, jnp.bfloat16)).bits.tolist()
        [16256, 16256]
    """
    host = np.array(array)
    return Tensor(host.dtype.name, host.view(np.uint16) if host.dtype == ml_dtypes.bfloat16 else host)
