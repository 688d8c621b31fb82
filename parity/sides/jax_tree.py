"""Trees of JAX arrays as flat dicts: leaves by dotted path, and trees filled anew."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from parity.sides import jax_backend

jax = jax_backend.start()


def flat(tree: Any) -> dict[str, Any]:
    """The leaves of a tree by path, such as "layers.0.kernel"; the `value` of a Variable has its Variable's path.

    Examples:
        >>> flat({"a": [1.0, 2.0]})
        {'a.0': 1.0, 'a.1': 2.0}
    """
    return {dotted(path): leaf for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]}


def filled(tree: Any, values: Mapping[str, Any]) -> Any:
    """The same tree with the leaves that `values` names replaced.

    Examples:
        >>> filled({"a": [1.0, 2.0]}, {"a.1": 5.0})
        {'a': [1.0, 5.0]}
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    return jax.tree.unflatten(structure, [values.get(dotted(path), leaf) for path, leaf in leaves])


def dotted(path: tuple[Any, ...]) -> str:
    """A path of JAX's as one string."""
    if path and getattr(path[-1], "name", None) == "value":
        path = path[:-1]
    return ".".join(str(getattr(k, "key", getattr(k, "idx", getattr(k, "name", k)))) for k in path)


def is_key(leaf: Any) -> bool:
    """Whether a leaf is a random key."""
    return hasattr(leaf, "dtype") and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


class Hosts(Mapping[str, np.ndarray]):
    """Arrays on the host by path, floats as float64 exactly, each made when it is asked for: a model's are seldom.

    Args:
        leaves: Arrays by path; random keys and what is no array are left out.

    Examples:
        >>> dict(Hosts({"a": jax.numpy.ones(2), "b": "no array"}))
        {'a': array([1., 1.])}
    """

    def __init__(self, leaves: Mapping[str, Any]) -> None:
        self._leaves = {p: leaf for p, leaf in leaves.items() if hasattr(leaf, "dtype") and not is_key(leaf)}

    def __getitem__(self, path: str) -> np.ndarray:
        return _host(self._leaves[path])

    def __iter__(self) -> Iterator[str]:
        return iter(self._leaves)

    def __len__(self) -> int:
        return len(self._leaves)

    def __contains__(self, path: object) -> bool:
        return path in self._leaves

    def only(self, wanted: Callable[[str, Any], bool]) -> "Hosts":
        """Those of which this is true, by path and leaf as it is."""
        return Hosts({p: leaf for p, leaf in self._leaves.items() if wanted(p, leaf)})


def _host(leaf: Any) -> np.ndarray:
    if jax.numpy.issubdtype(leaf.dtype, jax.numpy.complexfloating):
        return np.asarray(leaf).astype(np.complex128)
    if jax.numpy.issubdtype(leaf.dtype, jax.numpy.floating):
        return np.asarray(leaf).astype(np.float64)
    return np.array(leaf)
