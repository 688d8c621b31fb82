"""Working with tensors: reading parts, adding, writing, joining, multiplying, reshaping.

References:
    PyTorch, "Deep Learning with PyTorch: A 60 Minute Blitz", Tensors, both editions.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

__all__ = ["select", "add", "set_column", "aliases", "join", "products", "reshape"]


def select(x: Shaped[Tensor, "N M"]) -> dict[str, Shaped[Tensor, "..."]]:
    """Read parts of a matrix with NumPy's indexing.

    Past the end torch raises an IndexError; JAX clamps the index, as it cannot raise from compiled code.

    Args:
        x: (N, M), N >= 2, M >= 2, any dtype.

    Returns:
        "row" (M,), the first; "column" (N,), the second; "last_column" (N,); "block", every second column of all rows
        but the first; "picked" (2, M), the second row and then the first.

    Examples:
        >>> parts = select(array([[1.0, 2.0], [3.0, 4.0]]))
        >>> parts["row"].tolist(), parts["column"].tolist(), parts["picked"].tolist()
        ([1.0, 2.0], [2.0, 4.0], [[3.0, 4.0], [1.0, 2.0]])

    References:
        Tensors (old), x[:, 1]; (new), "Standard numpy-like indexing and slicing".
    """
    return {
        "row": x[0],
        "column": x[:, 1],
        "last_column": x[..., -1],
        "block": x[1:, ::2],
        "picked": x[[1, 0]],
    }


def add(x: Float[Tensor, "*shape"], y: Float[Tensor, "*shape"]) -> dict[str, Float[Tensor, "*shape"]]:
    """Add in the four ways that the tutorial shows.

    An array cannot be written to: where torch writes, JAX makes a new array and the name moves to it. Compiled, and
    where nothing else reads the old array, XLA writes in place after all.

    Args:
        x: any shape, floating point.
        y: the shape of x.

    Returns:
        "operator", "function", "in_place" and "out", four times x + y.

    Examples:
        >>> {way: total.tolist() for way, total in add(array([1.0]), array([5.0])).items()}
        {'operator': [6.0], 'function': [6.0], 'in_place': [6.0], 'out': [6.0]}

    References:
        Tensors (old), "Operations"; (new), "In-place operations".
    """
    # differs: torch writes where it is told, JAX gives the sum a name; only JAX differentiates through "out"
    in_place = y.clone()
    in_place.add_(x)
    out = torch.empty_like(x)
    torch.add(x.detach(), y.detach(), out=out)
    return {"operator": x + y, "function": torch.add(x, y), "in_place": in_place, "out": out}


def set_column(x: Shaped[Tensor, "N M"], column: int, value: float) -> Shaped[Tensor, "N M"]:
    """Write one value into a column: assignment in torch, a functional update in JAX.

    Args:
        x: (N, M), any dtype; left as it is.
        column: which, from 0.
        value: to write.

    Returns:
        x with that column replaced.

    Examples:
        >>> set_column(array([[1.0, 1.0], [1.0, 1.0]]), 1, 0.0).tolist()
        [[1.0, 0.0], [1.0, 0.0]]

    References:
        Tensors (new), tensor[:, 1] = 0.
    """
    written = x.clone()
    written[:, column] = value
    return written


def aliases(x: Float[Tensor, "N M"]) -> dict[str, bool]:
    """Find out which ways to a tensor lead to its own memory: add 1 there, and see whether the tensor changed.

    Args:
        x: (N, M), not empty, floating point; only its shape and dtype are used.

    Returns:
        For "name" (a second name), "view" (another shape), "slice" (a column), "transpose", "picked" (rows by a list
        of indices) and "clone": whether what is written there is seen in the first tensor.

    Examples:
        >>> facts = aliases(array([[1.0, 2.0], [3.0, 4.0]]))
        >>> facts["picked"], facts["clone"]
        (False, False)

    References:
        Tensors (old), "Any operation that mutates a tensor in-place is post-fixed with an _".
    """

    def is_seen(way: Callable[[Tensor], Tensor]) -> bool:
        first = torch.zeros_like(x)
        way(first).add_(1)
        return bool(first.any())

    return {
        "name": is_seen(lambda t: t),
        "view": is_seen(lambda t: t.view(-1)),
        "slice": is_seen(lambda t: t[:, 0]),
        "transpose": is_seen(lambda t: t.T),
        "picked": is_seen(lambda t: t[[0]]),
        "clone": is_seen(lambda t: t.clone()),
    }


def join(x: Shaped[Tensor, "N M"]) -> dict[str, Shaped[Tensor, "..."]]:
    """Join three copies of a matrix, along an axis that it has or along a new one.

    Args:
        x: (N, M), any dtype.

    Returns:
        "rows" (3N, M), "columns" (N, 3M), "stack" (3, N, M).

    Examples:
        >>> {name: tuple(joined.shape) for name, joined in join(array([[1.0, 2.0]])).items()}
        {'rows': (3, 2), 'columns': (1, 6), 'stack': (3, 1, 2)}

    References:
        Tensors (new), "Joining tensors".
    """
    return {
        "rows": torch.cat([x, x, x], dim=0),
        "columns": torch.cat([x, x, x], dim=1),
        "stack": torch.stack([x, x, x]),
    }


def products(x: Float[Tensor, "N M"]) -> dict[str, Float[Tensor, "..."]]:
    """Multiply a matrix by itself: element by element, and by its transpose.

    elementwise_ij = x_ij^2,  matmul_ij = sum_k x_ik x_jk

    Args:
        x: (N, M), floating point.

    Returns:
        "elementwise" (N, M) and "matmul" (N, N).

    Examples:
        >>> made = products(array([[1.0, 2.0], [3.0, 4.0]]))
        >>> made["elementwise"].tolist(), made["matmul"].tolist()
        ([[1.0, 4.0], [9.0, 16.0]], [[5.0, 11.0], [11.0, 25.0]])

    References:
        Tensors (new), "Multiplying tensors": ones(4, 4) with column 1 zeroed gives 3 everywhere.
    """
    return {"elementwise": x * x, "matmul": x @ x.T}


def reshape(x: Shaped[Tensor, "..."], columns: int) -> dict[str, Shaped[Tensor, "..."]]:
    """Give the same elements another shape; one length may be left to be worked out, as -1.

    Args:
        x: any shape and dtype; contiguous in torch, where `view` never copies and `reshape` does where it must.
        columns: length of a row; divides the number of elements.

    Returns:
        "flat" (size,) and "rows" (size / columns, columns).

    Raises:
        ValueError: the elements do not fill the rows.

    Examples:
        >>> {name: tuple(t.shape) for name, t in reshape(array([[1.0, 2.0], [3.0, 4.0]]), 1).items()}
        {'flat': (4,), 'rows': (4, 1)}

    References:
        Tensors (old), "Resizing": 4 x 4 -> view(16) -> view(-1, 8).
    """
    if columns < 1 or x.numel() % columns:
        raise ValueError(f"reshape: got columns={columns}, wanted a divisor of the {x.numel()} elements of x")
    return {"flat": x.view(-1), "rows": x.view(-1, columns)}
