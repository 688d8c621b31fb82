"""Which framework a side belongs to, told without importing either."""

import functools
import inspect
import types
from typing import Any

from parity.sides import FRAMEWORKS

FAMILIES = {"torch": "torch", "torch_impl": "torch", "jax": "jax", "jaxlib": "jax", "flax": "jax", "optax": "jax"}
FAMILIES |= {"jax_impl": "jax", "equinox": "jax"}
"""Framework of a top-level package."""

SIDES = {"TorchSide": "torch", "JaxSide": "jax"}
"""Framework of a side that says so by its class."""


def framework_of(side: Any) -> str:
    """The framework of a function, a model, or an object with a `framework`.

    A model is told by its class. A function is told by what it mentions: the modules, functions and arrays among its
    globals, closures and defaults, and those of the functions that it mentions; where that is nothing, by the
    frameworks that its file imports.

    Args:
        side: What a user hands over as one side.

    Returns:
        "torch" or "jax".

    Raises:
        ValueError: If neither or both are mentioned; the message says how to name it.

    Examples:
        >>> import torch
        >>> framework_of(torch.relu), framework_of(lambda x: torch.relu(x) + 1)
        ('torch', 'torch')
    """
    told = getattr(side, "framework", None) or SIDES.get(type(side).__name__)
    if told in FRAMEWORKS:
        return str(told)
    found = _mentioned(side, set())
    if not found and isinstance(side, types.FunctionType):
        found = set().union(
            *(_family(m.__name__) for m in side.__globals__.values() if isinstance(m, types.ModuleType))
        )
    if len(found) == 1:
        return found.pop()
    why = "mentions both frameworks" if found else "mentions neither framework"
    raise ValueError(
        f'record: {getattr(side, "__name__", type(side).__name__)} {why}; say which it is: framework="torch" or '
        'framework="jax" (--framework on the command line)'
    )


def _mentioned(thing: Any, seen: set[int]) -> set[str]:
    if id(thing) in seen:
        return set()
    seen.add(id(thing))
    if isinstance(thing, types.ModuleType):
        return _family(thing.__name__)
    if isinstance(thing, functools.partial):
        return set().union(*(_mentioned(t, seen) for t in (thing.func, *thing.args, *thing.keywords.values())))
    if isinstance(thing, types.MethodType):
        return _mentioned(thing.__self__, seen) | _mentioned(thing.__func__, seen)
    if isinstance(thing, types.BuiltinFunctionType):
        return _family(thing.__module__ or type(thing.__self__).__module__)
    ancestors = (thing if inspect.isclass(thing) else type(thing)).__mro__
    own = set().union(*(_family(kind.__module__) for kind in ancestors))
    own |= _family(getattr(thing, "__module__", None) or "")
    if own:
        return own
    if isinstance(thing, types.FunctionType):
        names = _names(thing.__code__)
        cells = [c.cell_contents for c in thing.__closure__ or () if _filled(c)]
        defaults = [*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values()]
        used = [thing.__globals__[n] for n in names if n in thing.__globals__]
        return set().union(*(_mentioned(t, seen) for t in [*used, *cells, *defaults]))
    call = inspect.getattr_static(type(thing), "__call__", None)
    return _mentioned(call, seen) if isinstance(call, types.FunctionType) else set()


def _names(code: types.CodeType) -> set[str]:
    """Globals that a function mentions, and the functions inside it; what it imports counts too."""
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return set(code.co_names).union(*(_names(c) for c in inner))


def _filled(cell: types.CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _family(module: str) -> set[str]:
    framework = FAMILIES.get(module.partition(".")[0])
    return {framework} if framework else set()
