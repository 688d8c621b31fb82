"""The weights of either side as named NumPy arrays, bit for bit, and back into what each framework loads."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

Path = tuple[str | int, ...]


def dotted(path: Path) -> str:
    """A JAX leaf's path as one name.

    Examples:
        >>> dotted(("blocks", 0, "attn", "kernel"))
        'blocks.0.attn.kernel'
    """
    return ".".join(map(str, path))


def torch_arrays(state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """A torch state_dict as NumPy arrays on the host; bfloat16 by its bits.

    Args:
        state: Tensors, or NumPy arrays already, by name.

    Returns:
        The same names.

    Raises:
        TypeError: If something is neither.
    """
    return {name: _torch_array(name, leaf) for name, leaf in state.items()}


def _torch_array(name: str, leaf: Any) -> np.ndarray:
    if isinstance(leaf, np.ndarray):
        return leaf
    if not hasattr(leaf, "detach"):
        raise TypeError(f"torch weights: {name} is a {type(leaf).__name__}, wanted a tensor; pass model.state_dict()")
    leaf = leaf.detach().cpu()
    if str(leaf.dtype) == "torch.bfloat16":
        import ml_dtypes
        import torch

        return leaf.contiguous().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return leaf.numpy()


def tensor(array: np.ndarray) -> Any:
    """A NumPy array as a torch tensor of its own memory, bit for bit."""
    import torch

    array = np.array(array, order="C")
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def jax_leaves(state: Any) -> Iterator[tuple[Path, Any]]:
    """The array leaves of a nest of JAX weights with their paths.

    Args:
        state: An NNX module or State, a Linen module's variables, or any nest of mappings, tuples and lists.

    Yields:
        (path, leaf); a Flax variable is its value. Streams of random numbers are no weights and are passed over.
    """
    if _is_nnx_module(state):
        from flax import nnx

        state = nnx.state(state)
    yield from _walk(state, ())


def jax_arrays(state: Any) -> dict[str, np.ndarray]:
    """The same as NumPy arrays by dotted name."""
    return {dotted(path): np.asarray(leaf) for path, leaf in jax_leaves(state)}


def nested(arrays: Mapping[Path, np.ndarray]) -> dict[Any, Any]:
    """Arrays by path as nested dicts, which `nnx.update` and a Linen module's `apply` take.

    Examples:
        >>> nested({("a", 0, "b"): np.ones(1), ("a", 1, "b"): np.zeros(1)})
        {'a': {0: {'b': array([1.])}, 1: {'b': array([0.])}}}
    """
    tree: dict[Any, Any] = {}
    for path, array in arrays.items():
        level = tree
        for key in path[:-1]:
            level = level.setdefault(key, {})
        level[path[-1]] = array
    return tree


def _walk(node: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if _is_random(node):
        return
    if hasattr(node, "get_value"):
        node = node.get_value()
    if isinstance(node, Mapping):
        for key in node:
            yield from _walk(node[key], (*path, key))
    elif isinstance(node, (tuple, list)):
        for index, child in enumerate(node):
            yield from _walk(child, (*path, index))
    elif hasattr(node, "shape") and hasattr(node, "dtype"):
        if "key<" not in str(node.dtype):
            yield path, node
    elif node is not None:
        raise TypeError(
            f"JAX weights: {dotted(path) or 'the state'} is a {type(node).__name__}, wanted arrays in a nest"
        )


def _is_random(node: Any) -> bool:
    return any(base.__name__ == "RngState" for base in type(node).__mro__)


def _is_nnx_module(node: Any) -> bool:
    return any(base.__module__.startswith("flax.nnx") and base.__name__ == "Module" for base in type(node).__mro__)
