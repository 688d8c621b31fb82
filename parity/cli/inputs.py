"""The inputs of a check on the command line: a file of arrays, or what a side's module says."""

import io
import zipfile
from types import ModuleType
from typing import Any, NoReturn

import numpy as np

from parity.cli.child import Refused
from parity.files import open_to_read

MAKE = "numpy.savez('inputs.npz', x, y) writes one, in the order of the arguments"


def inputs_of(file: str | None, *modules: ModuleType, needed: bool = True) -> tuple[Any, ...]:
    """The inputs, from a file or from the first module that has any.

    Args:
        file: A .npz or .npy file, or its URL. Its arrays are the inputs in their order; an array whose name has dots is
            a place in a dict, so that "params.W1" and "params.b1" are one input.
        *modules: Each may have `inputs`, a function without arguments, or `INPUTS`: a tuple or a list of inputs, or one
            input alone.

    Returns:
        The inputs.

    Raises:
        Refused: Where there are none, or they cannot be read.
    """
    if file is not None:
        return arrays_of(file)
    for module in modules:
        for name in ("inputs", "INPUTS"):
            value = getattr(module, name, None)
            if value is None:
                continue
            if callable(value):
                try:
                    value = value()
                except Exception as error:
                    raise Refused(f"{module.__name__}:{name}() raised: {type(error).__name__}: {error}", 3) from error
            return tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not needed:
        return ()
    where = " nor ".join(dict.fromkeys(module.__name__ for module in modules))
    raise Refused(
        f"no inputs: there is no `inputs()` or `INPUTS` in {where}; write `def inputs(): return x, y` there (NumPy "
        f"arrays), or name a file with --inputs FILE.npz: {MAKE}",
        2,
    )


def arrays_of(path: str) -> tuple[Any, ...]:
    """The arrays of a .npz or .npy file, or its URL, in their order.

    Raises:
        Refused: Where there is none, or it cannot be read.
    """
    try:
        with open_to_read(path) as file:
            loaded = np.load(io.BytesIO(file.read()), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return (loaded,)
        return _nested({name: loaded[name] for name in loaded.files}, path)
    except FileNotFoundError:
        _usage(f"there is no file {path} of inputs; {MAKE}")
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        pickled = "; arrays of objects are not read" if "pickle" in str(error) else ""
        _usage(f"{path} cannot be read as inputs: {error}{pickled}; {MAKE}")


def _nested(arrays: dict[str, np.ndarray], path: str) -> tuple[Any, ...]:
    """One input a first part of the names; the further parts are keys of nested dicts."""
    whole: dict[str, Any] = {}
    for name, array in arrays.items():
        place = whole
        *folders, last = name.split(".")
        for folder in folders:
            place = place.setdefault(folder, {})
            if not isinstance(place, dict):
                break
        if not isinstance(place, dict) or last in place:
            _usage(f"{path} has an array and a dict of one name at {name!r}; name one of them otherwise")
        place[last] = array
    if not whole:
        _usage(f"{path} has no arrays; {MAKE}")
    return tuple(whole.values())


def _usage(message: str) -> NoReturn:
    raise Refused(message, 2)
