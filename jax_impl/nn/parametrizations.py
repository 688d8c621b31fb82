"""Parameters that are computed from others: a weight's direction and length apart, or its largest singular value 1.

The module's class becomes one whose weight is computed each time it is read, as torch does; the state has torch's keys:
parametrizations.weight.original0 and so on.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
from jaxtyping import Float

from jax_impl.functional.distance import normalize, vector_norm
from jax_impl.nn import init
from jax_impl.nn.linear import Linear  # noqa: F401  for the examples
from jax_impl.nn.module import Buffer, Module, Parameter

__all__ = ["weight_norm", "spectral_norm", "remove_parametrizations"]


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """Replace a parameter by its length and its direction: w = g v / |v|.

    Args:
        module: what holds the parameter.
        name: of the parameter.
        dim: the axis each of whose slices has a length of its own; None for one length of all.

    Returns:
        The module, whose state has parametrizations.<name>.original0, g, and .original1, v.

    Raises:
        ValueError: where the module has no such parameter.

    Examples:
        >>> layer = weight_norm(Linear(2, 1, bias=False, **rngs))
        >>> layer.load_state_dict({
        ...     "parametrizations.weight.original0": array([[10.0]]),
        ...     "parametrizations.weight.original1": array([[3.0, 4.0]]),
        ... })
        <All keys matched successfully>
        >>> layer(array([[1.0, 0.0]])).tolist()
        [[6.0]]

    References:
        PyTorch, torch.nn.utils.parametrizations.weight_norm; T. Salimans and D. P. Kingma, "Weight Normalization".
    """
    return _parametrize(module, name, _WeightNorm(_held(module, name), dim))


def spectral_norm(
    module: Any,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
    *,
    rngs: nnx.Rngs,
) -> Any:
    """Divide a parameter by its largest singular value, as estimated by power iteration: w / (u^T w v).

    Each time the parameter is read in training, u and v come closer.

    Args:
        module: what holds the parameter.
        name: of the parameter; with one axis it is divided by its length.
        n_power_iterations: how many steps a reading, at least 1.
        eps: the least length.
        dim: the axis of the matrix's rows; None for 0, and for 1 in a transposed convolution.
        rngs: what u and v start from.

    Returns:
        The module, whose state has parametrizations.<name>.original, and .0._u and .0._v.

    Raises:
        ValueError: where the module has no such parameter, or n_power_iterations is not positive.
        IndexError: where there is no axis dim.

    Examples:
        >>> layer = spectral_norm(Linear(2, 2, bias=False, **rngs), **rngs)
        >>> sorted(layer.state_dict())[:2]
        ['parametrizations.weight.0._u', 'parametrizations.weight.0._v']

    References:
        PyTorch, torch.nn.utils.parametrizations.spectral_norm; T. Miyato et al., "Spectral Normalization" (2018).
    """
    if dim is None:
        dim = int(any(cls.__name__.startswith("ConvTranspose") for cls in type(module).__mro__))
    return _parametrize(module, name, _SpectralNorm(_held(module, name), n_power_iterations, eps, dim, rngs))


def remove_parametrizations(module: Any, tensor_name: str) -> Any:
    """Make a parameter of what is computed in its place.

    Args:
        module: what weight_norm or spectral_norm gave.
        tensor_name: of the parameter.

    Returns:
        The module, of the class that it had.

    Raises:
        ValueError: where nothing is computed under that name.

    Examples:
        >>> layer = remove_parametrizations(weight_norm(Linear(2, 1, **rngs)), "weight")
        >>> sorted(layer.state_dict())
        ['bias', 'weight']

    References:
        PyTorch, torch.nn.utils.parametrize.remove_parametrizations.
    """
    held = getattr(module, "parametrizations", None)
    if held is None or not hasattr(held, tensor_name):
        raise ValueError(f"remove_parametrizations: {type(module).__name__}.{tensor_name} is not parametrized")
    value = getattr(module, tensor_name)
    delattr(held, tensor_name)
    others = [name for name, _ in held.named_children()]
    cls = next(c for c in type(module).__mro__ if not c.__name__.startswith("Parametrized"))
    if not others:
        del module.parametrizations
    object.__setattr__(module, "__class__", functools.reduce(_parametrized, others, cls))
    setattr(module, tensor_name, Parameter(value))
    return module


class _WeightNorm(Module):
    """original0 is the length of each slice, original1 the direction."""

    def __init__(self, weight: Float[Array, "..."], dim: int | None) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim
        self.original0 = Parameter(self._lengths(weight))
        self.original1 = Parameter(weight)

    def __call__(self) -> Float[Array, "..."]:
        length, direction = self._values("original0", "original1")
        return direction * (length / self._lengths(direction))

    def _lengths(self, weight: Float[Array, "..."]) -> Float[Array, "..."]:
        if self.dim == -1:  # of the whole, as torch takes it
            return vector_norm(weight.reshape(-1))
        rows = vector_norm(jnp.moveaxis(weight, self.dim, 0).reshape(weight.shape[self.dim], -1))
        return rows.reshape([-1 if axis == self.dim else 1 for axis in range(weight.ndim)])


class _SpectralNorm(Module):
    """original is the parameter; the submodule "0" holds the vectors of the power iteration."""

    def __init__(
        self, weight: Float[Array, "..."], n_power_iterations: int, eps: float, dim: int, rngs: nnx.Rngs
    ) -> None:
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise IndexError(f"spectral_norm: dim is {dim} for a parameter of shape {tuple(weight.shape)}")
        if n_power_iterations <= 0:
            raise ValueError(f"spectral_norm: n_power_iterations is {n_power_iterations}, wanted at least 1")
        self.n_power_iterations, self.eps, self.dim = n_power_iterations, eps, dim % weight.ndim
        self.original = Parameter(weight)
        vectors = Module()
        setattr(self, "0", vectors)
        if weight.ndim > 1:
            rows, columns = self._matrix(weight).shape
            for key, size in (("_u", rows), ("_v", columns)):
                drawn = init.normal_(jnp.zeros(size, weight.dtype), generator=rngs)
                setattr(vectors, key, Buffer(normalize(drawn, dim=0, eps=eps)))
            self._iterate(weight, 15)

    def __call__(self) -> Float[Array, "..."]:
        weight = self.original[...]
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        if self.training:
            self._iterate(weight, self.n_power_iterations)
        vectors = getattr(self, "0")
        return weight / (vectors._u[...] @ (self._matrix(weight) @ vectors._v[...]))

    def _iterate(self, weight: Float[Array, "..."], steps: int) -> None:
        matrix, vectors = jax.lax.stop_gradient(self._matrix(weight)), getattr(self, "0")
        u, v = vectors._u[...], vectors._v[...]
        for _ in range(steps):
            u = normalize(matrix @ v, dim=0, eps=self.eps)
            v = normalize(matrix.T @ u, dim=0, eps=self.eps)
        vectors._u[...] = u
        vectors._v[...] = v

    def _matrix(self, weight: Float[Array, "..."]) -> Float[Array, "M N"]:
        return jnp.moveaxis(weight, self.dim, 0).reshape(weight.shape[self.dim], -1)


def _held(module: Any, name: str) -> Float[Array, "..."]:
    variable = getattr(module, name, None)
    if variable is None or not hasattr(variable, "shape"):
        raise ValueError(f"{type(module).__name__} has no parameter {name!r}")
    return variable[...]


def _parametrize(module: Any, name: str, computed: Module) -> Any:
    delattr(module, name)
    if not hasattr(module, "parametrizations"):
        module.parametrizations = Module()
    setattr(module.parametrizations, name, computed)
    object.__setattr__(module, "__class__", _parametrized(module.__class__, name))
    return module


@functools.cache  # one class for one pair of arguments, so that graph definitions of equal modules are equal
def _parametrized(cls: Any, name: str) -> Any:
    """The class, with the parameter computed when it is read."""
    computed = property(lambda module: getattr(module.parametrizations, name)())
    return type(f"Parametrized{cls.__name__.removeprefix('Parametrized')}", (cls,), {name: computed})
