"""Containers: modules and parameters in order or by key, under the names that torch gives them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from flax import nnx

from jax_impl.nn.module import Module, Parameter

__all__ = ["Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"]


class _List(Module):
    """What is in a list stands in attributes "0", "1" and so on."""

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._keys: tuple[str, ...] = ()
        self.extend(values or ())

    def _taken(self, value: Any) -> Any:
        if not isinstance(value, nnx.Pytree):
            raise TypeError(f"{type(self).__name__}: got a {type(value).__name__}, wanted a module")
        return value

    def _renewed(self, values: Iterable[Any]) -> None:
        kept = [self._taken(value) for value in values]
        for key in self._keys:
            delattr(self, key)
        self._keys = tuple(map(str, range(len(kept))))
        for key, value in zip(self._keys, kept, strict=True):
            setattr(self, key, value)

    def _place(self, index: int) -> str:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{type(self).__name__}: index {index} is out of range, there are {len(self)}")
        return self._keys[index]

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self, key) for key in self._keys)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, self._place(index))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, self._place(index), self._taken(value))

    def __delitem__(self, index: int | slice) -> None:
        values = list(self)
        del values[index]
        self._renewed(values)

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def __add__(self, values: Iterable[Any]) -> Self:
        return type(self)([*self, *values])

    def append(self, value: Any) -> Self:
        """Put one at the end; returns the container."""
        return self.extend([value])

    def extend(self, values: Iterable[Any]) -> Self:
        """Put several at the end; returns the container."""
        kept = [self._taken(value) for value in values]
        keys = tuple(str(len(self) + i) for i in range(len(kept)))
        for key, value in zip(keys, kept, strict=True):
            setattr(self, key, value)
        self._keys += keys
        return self

    def insert(self, index: int, value: Any) -> None:
        """Put one before the one at this index."""
        values = list(self)
        values.insert(index, value)
        self._renewed(values)

    def pop(self, index: int = -1) -> Any:
        """Take one out and give it back."""
        value = self[index]
        del self[index]
        return value


class ModuleList(_List):
    """Modules in a list, named "0", "1" and so on; it has no forward pass of its own.

    Args:
        modules: what it holds first.

    Raises:
        TypeError: where one is no module.

    Examples:
        >>> layers = ModuleList([Module()])
        >>> layers.append(Module())
        ModuleList(
          (0-1): 2 x Module()
        )

    References:
        PyTorch, torch.nn.ModuleList.
    """

    def __init__(self, modules: Iterable[Any] | None = None) -> None:
        super().__init__(modules)

    def __repr__(self) -> str:
        blocks: list[tuple[int, int, str]] = []
        for i, text in enumerate(map(repr, self)):
            if blocks and blocks[-1][2] == text:
                blocks[-1] = (blocks[-1][0], i, text)
            else:
                blocks.append((i, i, text))
        lines = [f"({a}): {t}" if a == b else f"({a}-{b}): {b - a + 1} x {t}" for a, b, t in blocks]
        inner = "".join(f"  {line}\n".replace("\n", "\n  ")[:-2] for line in lines)
        return f"{type(self).__name__}(\n{inner})" if blocks else f"{type(self).__name__}()"


class Sequential(_List):
    """Modules one after another, each given what the one before it gave; named "0", "1", or by the keys of a mapping.

    Args:
        *args: modules; or one mapping of names to modules.

    Raises:
        TypeError: where one is no module.

    Examples:
        >>> model = Sequential(Module(), Module())
        >>> [name for name, _ in model.named_children()], len(model[:1])
        (['0', '1'], 1)

    References:
        PyTorch, torch.nn.Sequential.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], Mapping):
            for key, module in args[0].items():
                setattr(self, key, self._taken(module))
            self._keys = tuple(args[0])
        else:
            self.extend(args)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)({key: getattr(self, key) for key in self._keys[index]})
        return super().__getitem__(index)

    def __add__(self, values: Iterable[Any]) -> Self:
        return type(self)(*self, *values)

    def __call__(self, input: Any) -> Any:
        """What the last module gives."""
        for module in self:
            input = module(input)
        return input


class ParameterList(_List):
    """Parameters in a list, named "0", "1" and so on. An array becomes a parameter.

    Args:
        values: what it holds first.

    Examples:
        >>> weights = ParameterList([array([1.0]), array([2.0, 3.0])])
        >>> [name for name, _ in weights.named_parameters()], len(weights)
        (['0', '1'], 2)

    References:
        PyTorch, torch.nn.ParameterList.
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__(values)

    def _taken(self, value: Any) -> Any:
        return value if isinstance(value, nnx.Variable) else Parameter(value)

    def extra_repr(self) -> str:
        """Each parameter's dtype and shape, on a line of its own."""
        return "\n".join(_line(key, getattr(self, key)) for key in self._keys)


class _Dict(Module):
    """What is in a mapping stands in attributes of its keys."""

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        super().__init__()
        self._keys: tuple[str, ...] = ()
        self.update(values or {})

    def _taken(self, value: Any) -> Any:
        if not isinstance(value, nnx.Pytree):
            raise TypeError(f"{type(self).__name__}: got a {type(value).__name__}, wanted a module")
        return value

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(f"{type(self).__name__}: no {key!r}; there are {', '.join(self._keys) or 'none'}")
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self._keys and hasattr(self, key):
            raise KeyError(f"{type(self).__name__}: the key {key!r} is an attribute of the container; take another")
        setattr(self, key, self._taken(value))
        if key not in self._keys:
            self._keys += (key,)

    def __delitem__(self, key: str) -> None:
        self[key]
        delattr(self, key)
        self._keys = tuple(k for k in self._keys if k != key)

    def keys(self) -> Iterable[str]:
        """The keys."""
        return self._keys

    def values(self) -> Iterable[Any]:
        """What it holds."""
        return [getattr(self, key) for key in self._keys]

    def items(self) -> Iterable[tuple[str, Any]]:
        """Keys with what it holds."""
        return [(key, getattr(self, key)) for key in self._keys]

    def update(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Take in a mapping, or pairs of a key and a value."""
        for key, value in dict(values).items():
            self[key] = value

    def pop(self, key: str) -> Any:
        """Take one out and give it back."""
        value = self[key]
        del self[key]
        return value

    def clear(self) -> None:
        """Take all out."""
        for key in self._keys:
            del self[key]


class ModuleDict(_Dict):
    """Modules by key; it has no forward pass of its own.

    Args:
        modules: what it holds first.

    Raises:
        TypeError: where one is no module.

    Examples:
        >>> layers = ModuleDict({"a": Module()})
        >>> layers["b"] = Module()
        >>> list(layers.keys()), "a" in layers
        (['a', 'b'], True)

    References:
        PyTorch, torch.nn.ModuleDict.
    """

    def __init__(self, modules: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        super().__init__(modules)


class ParameterDict(_Dict):
    """Parameters by key. An array becomes a parameter.

    Args:
        parameters: what it holds first.

    Examples:
        >>> weights = ParameterDict({"a": array([1.0])})
        >>> [name for name, _ in weights.named_parameters()], len(weights)
        (['a'], 1)

    References:
        PyTorch, torch.nn.ParameterDict.
    """

    def __init__(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        super().__init__(parameters)

    def _taken(self, value: Any) -> Any:
        return value if isinstance(value, nnx.Variable) else Parameter(value)

    def extra_repr(self) -> str:
        """Each parameter's dtype and shape, on a line of its own."""
        return "\n".join(_line(key, getattr(self, key)) for key in self._keys)


def _line(key: str, variable: nnx.Variable) -> str:
    value = variable[...]
    return f"({key}): {type(variable).__name__} containing: [{value.dtype} of size {'x'.join(map(str, value.shape))}]"
