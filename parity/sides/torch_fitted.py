"""The one number in a torch function with which it gives an array."""

from collections.abc import Callable

import torch

STARTS = (1.0, 0.25, 4.0, 0.0625, 16.0, -1.0)
"""Where the search begins: factors and scales that ports write are within a decade or two of 1."""

STEPS = 24
"""Of Gauss and Newton, which doubles the digits at each where the function can give the array."""

NEAR = 2.0**-40
"""Of the array's largest element: what is further off is another function's array."""


def fitted(function: Callable[[torch.Tensor], torch.Tensor], wanted: torch.Tensor) -> float | None:
    """Find t with function(t) = wanted.

    Args:
        function: Of a float64 scalar tensor; differentiable.
        wanted: float64, of the shape that it gives.

    Returns:
        t, or None where none was found that gives every element to twelve digits.

    Examples:
        >>> x = torch.linspace(-2.0, 3.0, 9, dtype=torch.float64)
        >>> round(fitted(lambda t: torch.tanh(t * x), torch.tanh(x / 2.1)) * 2.1, 12)
        1.0
        >>> fitted(lambda t: torch.tanh(t * x), torch.sin(x)) is None
        True
    """
    limit = NEAR * float(wanted.abs().max())
    for start in STARTS:
        t = torch.tensor(start, dtype=torch.float64)
        for _ in range(STEPS):
            value, slope = torch.func.jvp(function, (t,), (torch.ones_like(t),))[:2]
            size = (slope * slope).sum()
            if not bool(torch.isfinite(size)) or not float(size):
                break
            step = (slope * (wanted - value)).sum() / size
            if float((wanted - value).abs().max()) <= limit and float(step.abs()) <= NEAR * float(t.abs()):
                return float(t + step)
            t = t + step
    return None
