"""Making tensors: from data, after another tensor, filled, random; and what a tensor says of itself.

References:
    PyTorch, "Deep Learning with PyTorch: A 60 Minute Blitz", Tensors, both editions.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Shaped

__all__ = ["from_data", "filled", "random", "attributes"]


def from_data(rows: Sequence) -> Shaped[Array, "..."]:
    """Make a tensor of nested lists of numbers; the dtype follows from them.

    Args:
        rows: nested sequences of Python numbers; at each depth, all of one length.

    Returns:
        The tensor. Integers give int64 in torch and int32 in JAX (int64 with x64); floats give the default float.

    Raises:
        ValueError: the lengths differ.

    Examples:
        >>> from_data([[1, 2], [3, 4]]).tolist()
        [[1, 2], [3, 4]]

    References:
        Tensors (new), "Directly from data"; (old), torch.tensor([5.5, 3]).
    """
    return jnp.array(rows)


def filled(x: Float[Array, "..."], shape: tuple[int, ...], value: float) -> dict[str, Shaped[Array, "..."]]:
    """Make constant tensors, after the shape and dtype of another or after its dtype alone.

    Memory that is only reserved, `empty`, has no counterpart: jnp.empty is jnp.zeros.

    Args:
        x: any shape, floating point; what the new ones are like.
        shape: of the tensors that take only their dtype from x.
        value: that fills one of them.

    Returns:
        "ones_like" in x's shape; "zeros", "ones", "full" in `shape`; "counts", zeros of the default integer.

    Examples:
        >>> made = filled(array([5.5, 3.0]), (2, 3), 7.0)
        >>> made["ones_like"].tolist(), made["full"].tolist(), made["counts"].tolist()
        ([1.0, 1.0], [[7.0, 7.0, 7.0], [7.0, 7.0, 7.0]], [[0, 0, 0], [0, 0, 0]])

    References:
        Tensors (old), zeros, new_ones, empty; (new), "From another tensor", "With random or constant values".
    """
    return {
        "ones_like": jnp.ones_like(x),
        "zeros": jnp.zeros(shape, x.dtype),
        "ones": jnp.ones(shape, x.dtype),
        "full": jnp.full(shape, value, x.dtype),
        "counts": jnp.zeros(shape, int),
    }


def random(x: Float[Array, "*shape"], *, seed: int) -> dict[str, Float[Array, "*shape"]]:
    """Draw numbers in the shape and dtype of another tensor.

    The same seed gives other numbers in the other framework: only the distributions can be compared.

    Args:
        x: any shape, floating point.
        seed: of a generator used for this call alone; torch's advances as it draws, JAX's key is split.

    Returns:
        "uniform" on [0, 1) and "normal" with mean 0 and variance 1.

    Examples:
        >>> drawn = random(array([0.0, 0.0, 0.0]), seed=0)
        >>> tuple(drawn["normal"].shape), all(0 <= u < 1 for u in drawn["uniform"].tolist())
        ((3,), True)

    References:
        Tensors (old), rand, randn_like; (new), rand_like.
    """
    uniform_key, normal_key = jax.random.split(jax.random.key(seed))
    return {
        "uniform": jax.random.uniform(uniform_key, x.shape, x.dtype),
        "normal": jax.random.normal(normal_key, x.shape, x.dtype),
    }


def attributes(x: Shaped[Array, "..."]) -> dict[str, tuple[int, ...] | str | int]:
    """Say what a tensor is, without its values.

    Args:
        x: any shape and dtype.

    Returns:
        "shape", a tuple; "dtype" by name; "ndim"; "size", the number of elements (in torch, size() is the shape);
        "device", "cpu" or "cuda" (a GPU's platform in JAX is "gpu", and jax.devices takes both names).

    Examples:
        >>> facts = attributes(array([[1.0, 2.0, 3.0, 4.0]]))
        >>> facts["shape"], facts["dtype"], facts["ndim"], facts["size"]
        ((1, 4), 'float32', 2, 4)

    References:
        Tensors (new), "Tensor attributes"; (old), x.size().
    """
    platform = next(iter(x.devices())).platform
    return {
        "shape": x.shape,
        "dtype": str(x.dtype),
        "ndim": x.ndim,
        "size": x.size,
        "device": "cuda" if platform == "gpu" else platform,
    }
