"""Dtypes: what a sum of two becomes, what nobody asked for, and moving to another dtype and device.

References:
    PyTorch, "Deep Learning with PyTorch: A 60 Minute Blitz", Tensors (old); JAX, "Type promotion semantics".
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

__all__ = ["DTYPES", "promotion_table", "default_dtypes", "move"]

DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64")


@contextmanager
def _default_float(name: str) -> Iterator[None]:
    if name not in ("float32", "float64"):
        raise ValueError(f"default_float: got {name!r}, wanted 'float32' or 'float64'")
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, name))
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def promotion_table(*, default_float: str) -> dict[str, str]:
    """Tabulate the dtype of a sum for every pair of dtypes, and for every dtype with a Python number.

    Args:
        default_float: "float32" or "float64", what a Python float becomes: set_default_dtype in torch; in JAX x64,
            which also decides whether 64 bits exist at all.

    Returns:
        "int32 + float16" -> "float16" for tensors of at least one dimension, "int32 + Python float" -> ...; 85 rows.
        With "float64" the two tables are the same. With "float32" every row that is 64 bits wide in torch is 32 in JAX.

    Raises:
        ValueError: default_float is neither.

    Examples:
        >>> table = promotion_table(default_float="float32")
        >>> table["uint8 + int8"], table["int32 + float16"], table["float16 + bfloat16"], table["int32 + Python float"]
        ('int16', 'float16', 'float32', 'float32')

    References:
        Tensors (old), new_ones(dtype=torch.double); PyTorch, "Tensor Attributes"; JAX, "Type promotion semantics".
    """
    numbers = {"Python bool": True, "Python int": 1, "Python float": 1.0}
    table = {}
    with _default_float(default_float):
        for position, name in enumerate(DTYPES):
            ones = torch.ones(1, dtype=getattr(torch, name))
            for other in DTYPES[position:]:
                table[f"{name} + {other}"] = torch.result_type(ones, torch.ones(1, dtype=getattr(torch, other)))
            for kind, number in numbers.items():
                table[f"{name} + {kind}"] = torch.result_type(ones, number)
    return {operands: str(dtype).removeprefix("torch.") for operands, dtype in table.items()}


def default_dtypes(*, default_float: str) -> dict[str, str]:
    """Tabulate the dtypes that nobody asked for: of Python numbers, of sums, indices and quotients.

    Args:
        default_float: "float32" or "float64", as in `promotion_table`.

    Returns:
        Expression -> name of its dtype. The integers are 64 bits wide in torch always, in JAX with x64. A quotient of
        int8 is the default float in torch, float32 in JAX. A tensor without dimensions does not widen others in torch.

    Raises:
        ValueError: default_float is neither.

    Examples:
        >>> default_dtypes(default_float="float32")["[1.5]"]
        'float32'

    References:
        Tensors (old), zeros(5, 3, dtype=torch.long); JAX, "Type promotion semantics".
    """
    with _default_float(default_float):
        ints, floats, small = torch.tensor([1, 2]), torch.tensor([1.5]), torch.ones(2, dtype=torch.int8)
        results = {
            "[1, 2]": ints,
            "[1.5]": floats,
            "arange(3)": torch.arange(3),
            "argmax": floats.argmax(),
            "sum of bool": (ints > 1).sum(),
            "sum of int8": small.sum(),
            "int / int": ints / ints,
            "int8 / int8": small / small,
            "float16 + float32 without dimensions": floats.to(torch.float16) + torch.tensor(1, dtype=torch.float32),
            "NumPy float64": torch.from_numpy(np.ones(1)),
        }
    return {expression: str(result.dtype).removeprefix("torch.") for expression, result in results.items()}


def move(x: Shaped[Tensor, "*shape"], device: str, dtype: str) -> Shaped[Tensor, "*shape"]:
    """Bring a tensor to a device and to a dtype; where it is there already, nothing is copied.

    Args:
        x: any shape and dtype.
        device: "cpu" or "cuda", as both frameworks call them.
        dtype: one of DTYPES; from floats to integers the fraction is cut off, towards zero.

    Returns:
        The tensor there, in that dtype.

    Raises:
        ValueError: the dtype is not one of DTYPES.

    Examples:
        >>> move(array([1.75, -1.75]), "cpu", "int32").tolist()
        [1, -1]

    References:
        Tensors (old), x.to("cpu", torch.double); (new), tensor.to("cuda").
    """
    if dtype not in DTYPES:
        raise ValueError(f"move: got dtype {dtype!r}, wanted one of {', '.join(DTYPES)}")
    return x.to(device, getattr(torch, dtype))
