"""Nested plain values as JSON and back, exactly: tuples stay tuples, infinities and numbered keys survive.

JSON objects are tags here: {"tuple": [...]}, {"dict": [[key, value], ...]}, {"counter": ...}, {"float": "inf"} and
{"tensor": NAME}, which stands for a tensor that is kept beside the JSON. Nothing else is read, so nothing is run.
"""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from parity.convert.optim.tensors import FileError, Tensor

_ODD = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def encode(value: Any, place: str, tensors: dict[str, Tensor]) -> Any:
    """What JSON can hold of a value; its tensors are taken out.

    Args:
        value: None, numbers, strings and Tensors, in lists, tuples, dicts and Counters.
        place: Where it stands, such as "optimizer/state"; names the tensors and the errors.
        tensors: Gets the Tensors, by place.

    Returns:
        A value for json.dumps.

    Raises:
        TypeError: For anything else; the message says where it stands.

    Examples:
        >>> encode({0: (1.5, math.inf), "n": None}, "state", {})
        {'dict': [[0, {'tuple': [1.5, {'float': 'inf'}]}], ['n', None]]}
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(float(value))}
    if isinstance(value, Tensor):
        if place in tensors:
            raise TypeError(f"optim: two tensors would both be called {place}; rename one")
        tensors[place] = value
        return {"tensor": place}
    if isinstance(value, list | tuple):
        items = [encode(item, f"{place}/{i}", tensors) for i, item in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    if isinstance(value, dict):
        for key in value:
            if isinstance(key, bool) or not isinstance(key, str | int):
                raise TypeError(f"optim: {place} has the key {key!r}; a file takes strings and whole numbers")
        pairs = [[key, encode(item, f"{place}/{key}", tensors)] for key, item in value.items()]
        return {"counter" if isinstance(value, Counter) else "dict": pairs}
    raise TypeError(
        f"optim: {place} is a {type(value).__name__}, which a file cannot carry without running code; "
        "numbers, strings, tensors, and lists, tuples and dicts of them can"
    )


def decode(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The value again.

    Args:
        value: What `encode` made, after JSON.
        tensors: Those that it refers to.

    Returns:
        The value.

    Raises:
        FileError: For a tag or a tensor that is not known; it was not made by `encode`.

    Examples:
        >>> decode({"tuple": [1, {"float": "-inf"}]}, {})
        (1, -inf)
    """
    if isinstance(value, list):
        return [decode(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    match list(value.items()):
        case [("tuple", list(items))]:
            return tuple(decode(item, tensors) for item in items)
        case [(("dict" | "counter") as tag, list(pairs))] if all(
            isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str | int) for pair in pairs
        ):
            entries = {key: decode(item, tensors) for key, item in pairs}
            return Counter(entries) if tag == "counter" else entries
        case [("float", str(name))] if name in _ODD:
            return _ODD[name]
        case [("tensor", str(name))]:
            if name not in tensors:
                raise FileError(f"optim: the header names the tensor {name}, which the file lacks; save it again")
            return tensors[name]
    raise FileError(f"optim: the header holds {str(value)[:80]}, which is no value of this format; save it again")
