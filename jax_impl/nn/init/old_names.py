"""The names that functions had before torch marked with an underscore what writes in place; torch deprecates them.

References:
    PyTorch, torch.nn.init.
"""

import warnings
from collections.abc import Callable
from typing import Any

from jax_impl.nn.init.drawn import normal_, orthogonal_, sparse_, uniform_
from jax_impl.nn.init.fixed import constant_, dirac_, eye_
from jax_impl.nn.init.scaled import kaiming_normal_, kaiming_uniform_, xavier_normal_, xavier_uniform_

__all__ = [
    "uniform",
    "normal",
    "constant",
    "eye",
    "dirac",
    "xavier_uniform",
    "xavier_normal",
    "kaiming_uniform",
    "kaiming_normal",
    "orthogonal",
    "sparse",
]


def _deprecated(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function under the name that it had before torch marked with an underscore what writes in place."""
    name = function.__name__

    def old(*arguments: Any, **options: Any) -> Any:
        warnings.warn(
            f"`nn.init.{name[:-1]}` is now deprecated in favor of `nn.init.{name}`.", FutureWarning, stacklevel=2
        )
        return function(*arguments, **options)

    old.__name__ = old.__qualname__ = name[:-1]
    old.__doc__ = f"{name} under its old name, which torch deprecates."
    return old


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
