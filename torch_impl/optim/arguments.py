"""Which hyperparameters are refused: those that torch.optim's constructors refuse."""

import math
from typing import Any

__all__ = ["at_least", "within_unit"]


def at_least(optimizer: str, bound: float, **values: Any) -> None:
    """Refuse a hyperparameter below its bound, or NaN, or no single number.

    Args:
        optimizer: the optimizer's name, for the message.
        bound: the smallest value allowed.
        **values: hyperparameters by name.

    Raises:
        ValueError: for the first that is below.

    Examples:
        >>> at_least("SGD", 0.0, lr=-1.0)
        Traceback (most recent call last):
        ValueError: SGD: lr is -1.0, wanted at least 0.0, as torch.optim.SGD wants it
    """
    for name, value in values.items():
        shape = tuple(getattr(value, "shape", ()))
        if math.prod(shape) != 1:
            raise ValueError(f"{optimizer}: {name} has shape {shape}, wanted a single number")
        if not value >= bound:
            raise ValueError(
                f"{optimizer}: {name} is {value}, wanted at least {bound}, as torch.optim.{optimizer} wants it"
            )


def within_unit(optimizer: str, **values: Any) -> None:
    """Refuse a decay rate outside [0, 1).

    Args:
        optimizer: the optimizer's name, for the message.
        **values: a pair of decay rates by name, such as betas.

    Raises:
        ValueError: for what is no pair, and for the first rate that is outside.

    Examples:
        >>> within_unit("Adam", betas=(0.9, 1.0))
        Traceback (most recent call last):
        ValueError: Adam: betas[1] is 1.0, wanted at least 0 and below 1, as torch.optim.Adam wants it
    """
    for name, pair in values.items():
        if len(pair) != 2:
            raise ValueError(f"{optimizer}: {name} is {pair}, wanted two numbers")
        for index, value in enumerate(pair):
            if not 0 <= value < 1:
                raise ValueError(
                    f"{optimizer}: {name}[{index}] is {value}, wanted at least 0 and below 1, as "
                    f"torch.optim.{optimizer} wants it"
                )
