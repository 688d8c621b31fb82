"""PKG.MOD:OBJ on the command line: found, imported and made, or refused with the near names."""

import difflib
import functools
import importlib
import inspect
import os
import pkgutil
import sys
import traceback
import types
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from parity.cli.child import Refused
from parity.sides.frameworks import FAMILIES

USAGE, CANNOT_RUN = 2, 3


@dataclass(frozen=True)
class Named:
    """What a name on the command line stands for.

    Attributes:
        name: As it was typed.
        value: The function or model; where a function without arguments was named, what it made.
        module: Where it stands.
    """

    name: str
    value: Any
    module: types.ModuleType


def find(name: str, side: str) -> Named:
    """Import what a name stands for; the current folder can be imported from.

    Args:
        name: "PKG.MOD:OBJ". OBJ is a function of arrays, a model, or what makes one: a class, or a function that needs
            no argument.
        side: "torch" or "jax", for messages; "" where it is not known yet.

    Returns:
        The Named.

    Raises:
        Refused: With status 2 where there is no such module or object, with 3 where it raised.
    """
    whose = f"the {side} side" if side else "the side"
    found = lookup(name, whose)
    return replace(found, value=_made(found.value, name, whose))


def lookup(name: str, whose: str) -> Named:
    """Import what a name stands for and take it as it is.

    Args:
        name: "PKG.MOD:OBJ".
        whose: What it is for, in messages: "the torch side", "--loss".

    Returns:
        The Named.

    Raises:
        Refused: As for `find`.
    """
    module_name, sign, path = name.partition(":")
    if not (sign and module_name and path) or module_name.endswith(".py") or "/" in module_name:
        hint = module_name.removesuffix(".py").replace(os.sep, ".").strip(".")
        _usage(f"{name!r} names no object; wanted PKG.MOD:OBJ, such as {hint or 'port'}:{path or 'model'}")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    module = _imported(module_name, whose)
    value: Any = module
    for step, part in enumerate(path.split(".")):
        if not hasattr(value, part):
            where = ":".join(filter(None, (module_name, ".".join(path.split(".")[:step]))))
            _usage(f"{where} has no {part!r}; {_near(part, [n for n in dir(value) if not n.startswith('_')])}")
        value = getattr(value, part)
    return Named(name, value, module)


def made_of(value: Any, name: str) -> Any:
    """The value itself, or what it gives where it is a function that needs no argument.

    Raises:
        Refused: With status 3 where it raised.
    """
    if not _makes(value):
        return value
    try:
        return value()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        _cannot_run(f"{name}() raised: {_told(error)}")


def _imported(name: str, side: str) -> types.ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(f"{missing}."):
            parent, _, last = missing.rpartition(".")
            places = getattr(sys.modules.get(parent), "__path__", None) if parent else [str(Path.cwd()), *sys.path]
            near = _near(last, [m.name for m in pkgutil.iter_modules(places)] if places else [])
            _usage(f"{side}: there is no module {missing!r} in the current folder or among what is installed; {near}")
        framework = FAMILIES.get(missing.partition(".")[0])
        fix = f"; pip install 'parity[{framework}]'" if framework else f"; install {missing}"
        _cannot_run(f"{side}: {name} needs {missing}, which is not installed ({_place(error)}){fix}")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may call exit too
        _cannot_run(f"{side} raised while {name} was imported: {_told(error)}")


def _made(value: Any, name: str, side: str) -> Any:
    """The value itself, or what it makes where it needs no argument."""
    if not _makes(value):
        if not callable(value) and type(value).__name__ not in ("TorchSide", "JaxSide"):
            _usage(f"{side}: {name} is a {type(value).__name__}, wanted a function, a model, or what makes one")
        return value
    try:
        made = value()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        _cannot_run(f"{side} raised while {name}() made it: {_told(error)}")
    if made is None or not (callable(made) or type(made).__name__ in ("TorchSide", "JaxSide")):
        _usage(
            f"{side}: {name} needs no argument, so it was called to make the side, and gave a {type(made).__name__}; "
            "wanted a function of arrays, a model, or a function that makes one"
        )
    return made


def _makes(value: Any) -> bool:
    if inspect.isclass(value):
        return True
    if not isinstance(value, (types.FunctionType, types.MethodType, functools.partial)):
        return False
    open_ones = [
        p
        for p in inspect.signature(value).parameters.values()
        if p.kind is p.VAR_POSITIONAL or (p.default is p.empty and p.kind is not p.VAR_KEYWORD)
    ]
    return not open_ones


def _near(wanted: str, names: list[str]) -> str:
    close = difflib.get_close_matches(wanted, names, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(close)}?"
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f"there are {shown}" if names else "it is empty"


def _told(error: BaseException) -> str:
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first} ({_place(error)})"


def _place(error: BaseException) -> str:
    """File and line of the innermost code that is a file's, not the import machinery's."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{os.path.relpath(error.filename)}:{error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<")]
    own = [f for f in frames if f.filename.startswith(f"{Path.cwd()}{os.sep}") and "site-packages" not in f.filename]
    frame = (own or frames)[-1]
    return f"{os.path.relpath(frame.filename) if own else frame.filename}:{frame.lineno}"


def _usage(message: str) -> NoReturn:
    raise Refused(message, USAGE)


def _cannot_run(message: str) -> NoReturn:
    raise Refused(message, CANNOT_RUN)
