"""Leaving the framework and coming back: Python numbers, NumPy arrays, and the memory that is shared on the way.

References:
    PyTorch, "Deep Learning with PyTorch: A 60 Minute Blitz", Tensors, "Bridge with NumPy", both editions.
"""

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

__all__ = ["to_python", "from_numpy", "to_numpy", "shared_memory"]


def to_python(x: Shaped[Tensor, "..."]) -> dict[str, float | list]:
    """Leave the framework: a tensor of one element as a number, any tensor as nested lists.

    Both wait for the device to finish, and JAX cannot do either while it traces.

    Args:
        x: any shape and dtype.

    Returns:
        "item", the sum of the elements; "list", the elements.

    Examples:
        >>> to_python(array([[1.0, 0.0], [1.0, 0.0]]))
        {'item': 2.0, 'list': [[1.0, 0.0], [1.0, 0.0]]}

    References:
        Tensors (old), x.item().
    """
    return {"item": x.sum().item(), "list": x.tolist()}


def from_numpy(a: np.ndarray) -> Shaped[Tensor, "..."]:
    """Make a tensor of a NumPy array.

    torch takes the array's memory as its own, on the CPU, with its dtype. JAX copies, to its default device, and
    without x64 narrows 64 bits to 32. Beware of jax.device_put and DLPack: they may alias the array without a word.

    Args:
        a: any shape; a dtype that torch knows.

    Returns:
        The tensor.

    Examples:
        >>> import numpy
        >>> from_numpy(numpy.ones(2)).tolist()
        [1.0, 1.0]

    References:
        Tensors (new), "From a NumPy array".
    """
    return torch.from_numpy(a)


def to_numpy(x: Shaped[Tensor, "..."]) -> np.ndarray:
    """Make a NumPy array of a tensor, on any device.

    On the CPU neither framework copies: torch's array can be written to, and writes to the tensor; JAX's is read-only.

    Args:
        x: any shape; not bfloat16 in torch, which NumPy lacks (JAX brings its own).

    Returns:
        The array.

    Examples:
        >>> to_numpy(array([1.0, 2.0])).tolist()
        [1.0, 2.0]

    References:
        Tensors (old) and (new), "Bridge with NumPy".
    """
    return x.detach().cpu().numpy()


def shared_memory(size: int) -> dict[str, bool]:
    """Find out what a NumPy array and a tensor of the host share: write to the one, look at the other.

    A tensor on a GPU shares nothing with NumPy in either framework.

    Args:
        size: elements of the array of ones that is used; at least 1.

    Returns:
        "array_to_tensor": whether np.add(a, 1, out=a) is seen in the tensor made of a; "tensor_to_array": whether
        adding 1 to the tensor is seen in a; "to_numpy_shares": whether two arrays made of one tensor share memory;
        "to_numpy_writable": whether they can be written to.

    Examples:
        >>> shared_memory(5)["to_numpy_shares"]
        True

    References:
        Tensors (old) and (new), "Bridge with NumPy": the ones become twos, both ways.
    """
    a = np.ones(size)
    tensor = from_numpy(a)
    np.add(a, 1, out=a)
    array_to_tensor = bool((tensor == 2).all())

    b = np.ones(size)
    tensor = from_numpy(b)
    tensor.add_(1)
    tensor_to_array = bool((b == 2).all())

    return {
        "array_to_tensor": array_to_tensor,
        "tensor_to_array": tensor_to_array,
        "to_numpy_shares": np.shares_memory(to_numpy(tensor), to_numpy(tensor)),
        "to_numpy_writable": to_numpy(tensor).flags.writeable,
    }
