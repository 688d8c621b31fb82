"""torch's optimizers, schedules and training runs in JAX, and back: `parity.optim`.

from_torch translates a live optimizer; save_torch, load_jax, save_jax and load_torch carry a run over and back.
"""

import importlib
from typing import TYPE_CHECKING, Any

from parity.convert.optim.exactness import InexactWarning
from parity.convert.optim.tensors import FileError

if TYPE_CHECKING:
    from parity.convert.optim.jax_run import Resumed as Resumed
    from parity.convert.optim.jax_run import from_torch as from_torch
    from parity.convert.optim.jax_run import load_jax as load_jax
    from parity.convert.optim.jax_run import save_jax as save_jax
    from parity.convert.optim.torch_run import load_torch as load_torch
    from parity.convert.optim.torch_run import save_torch as save_torch
    from parity.convert.optim.translated import Translated as Translated

_HOMES = {
    "from_torch": "jax_run",
    "load_jax": "jax_run",
    "save_jax": "jax_run",
    "Resumed": "jax_run",
    "Translated": "translated",
    "load_torch": "torch_run",
    "save_torch": "torch_run",
}  # each needs one framework, or both, which are imported with it

__all__ = [*_HOMES, "FileError", "InexactWarning"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"parity.optim has no {name!r}; it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"parity.convert.optim.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
