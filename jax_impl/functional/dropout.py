"""Dropout: of elements or of whole channels, to 0 or to the value at which selu saturates.

The mask is drawn, or given: what is drawn once and given to both frameworks makes them agree.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

from jax_impl.functional.activation.rectifiers import SELU_ALPHA, SELU_SCALE

__all__ = [
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "alpha_dropout",
    "feature_alpha_dropout",
]

SATURATED = SELU_ALPHA * SELU_SCALE


# differs: torch draws from a generator, the global one by default; JAX from a key, which a drawn mask needs
def dropout(
    input: Float[Array, "*S"],
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    key: Any = None,
    mask: Bool[Array, "*S"] | None = None,
) -> Float[Array, "*S"]:
    """In training, elements are set to 0 with probability p, and the others divided by 1 - p.

    Args:
        input: any shape, floating.
        p: the probability, in [0, 1].
        training: False gives the input back.
        inplace: no effect.
        key: what the mask is drawn from: a key of jax.random, or a torch.Generator.
        mask: True for what stays, of a shape that broadcasts to input's, in place of one that is drawn.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        ValueError: where p is no probability, or a mask must be drawn and there is no key.

    Examples:
        >>> dropout(array([1.0, 2.0]), 0.5, mask=array([True, False])).tolist()
        [2.0, 0.0]

    References:
        PyTorch, torch.nn.functional.dropout; N. Srivastava et al., "Dropout" (2014).
    """
    return _zeroed("dropout", input, input.shape, p, training, key, mask)


def dropout1d(
    input: Float[Array, "*N C L"],
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    key: Any = None,
    mask: Bool[Array, "..."] | None = None,
) -> Float[Array, "*N C L"]:
    """dropout of whole channels.

    Args:
        input: (C, L) or (N, C, L), floating.
        p: as for dropout.
        training: as for dropout.
        inplace: no effect.
        key: as for dropout.
        mask: as for dropout; (C, 1) or (N, C, 1) for whole channels.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        ValueError: as for dropout.
        RuntimeError: for another number of axes.

    Examples:
        >>> dropout1d(array([[1.0, 2.0], [3.0, 4.0]]), mask=array([[True], [False]])).tolist()
        [[2.0, 4.0], [0.0, 0.0]]

    References:
        PyTorch, torch.nn.functional.dropout1d.
    """
    if input.ndim not in (2, 3):
        raise RuntimeError(f"dropout1d: input has shape {tuple(input.shape)}, wanted (C, L) or (N, C, L)")
    return _zeroed("dropout1d", input, _channels("dropout1d", input, input.ndim == 3), p, training, key, mask)


def dropout2d(
    input: Float[Array, "..."],
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    key: Any = None,
    mask: Bool[Array, "..."] | None = None,
) -> Float[Array, "..."]:
    """dropout of whole channels: the second axis holds them, as in torch, also where there are three.

    Args:
        input: (N, C, H, W), or (N, C, L), floating: three axes are no image without its batch.
        p: as for dropout.
        training: as for dropout.
        inplace: no effect.
        key: as for dropout.
        mask: as for dropout; (N, C, 1, 1) for whole channels.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        ValueError: as for dropout.
        RuntimeError: for fewer than two axes.

    Examples:
        >>> dropout2d(array([[[[1.0, 2.0]]]]), mask=array([[[[True]]]])).tolist()
        [[[[2.0, 4.0]]]]

    References:
        PyTorch, torch.nn.functional.dropout2d; J. Tompson et al., "Efficient Object Localization" (2015).
    """
    return _zeroed("dropout2d", input, _channels("dropout2d", input, True), p, training, key, mask)


def dropout3d(
    input: Float[Array, "*N C D H W"],
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    key: Any = None,
    mask: Bool[Array, "..."] | None = None,
) -> Float[Array, "*N C D H W"]:
    """dropout of whole channels.

    Args:
        input: (C, D, H, W) or (N, C, D, H, W), floating.
        p: as for dropout.
        training: as for dropout.
        inplace: no effect.
        key: as for dropout.
        mask: as for dropout; (N, C, 1, 1, 1) for whole channels.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        ValueError: as for dropout.

    Examples:
        >>> dropout3d(array([[[[1.0, 2.0]]]]), mask=array([[[[True]]]])).tolist()
        [[[[2.0, 4.0]]]]

    References:
        PyTorch, torch.nn.functional.dropout3d.
    """
    return _zeroed("dropout3d", input, _channels("dropout3d", input, input.ndim == 5), p, training, key, mask)


def alpha_dropout(
    input: Float[Array, "*S"],
    p: float = 0.5,
    training: bool = False,
    inplace: bool = False,
    *,
    key: Any = None,
    mask: Bool[Array, "*S"] | None = None,
) -> Float[Array, "*S"]:
    """dropout that keeps mean 0 and variance 1: elements are set to selu's limit, then all are scaled and moved.

    y = a (x m - s (1 - m)) + a s p, with s = 1.7581 and a = 1 / sqrt((1 - p) (1 + p s^2)).

    Args:
        input: x, any shape, floating.
        p: the probability, in [0, 1].
        training: False gives the input back.
        inplace: no effect.
        key: as for dropout.
        mask: m, as for dropout.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        ValueError: as for dropout.

    Examples:
        >>> [round(y, 4) for y in alpha_dropout(array([1.0, 2.0]), 0.5, True, mask=array([True, False])).tolist()]
        [1.6656, -0.7792]

    References:
        PyTorch, torch.nn.functional.alpha_dropout; G. Klambauer et al., "Self-Normalizing Neural Networks" (2017).
    """
    return _saturated("alpha_dropout", input, input.shape, p, training, key, mask)


def feature_alpha_dropout(
    input: Float[Array, "N C *D"],
    p: float = 0.5,
    training: bool = False,
    inplace: bool = False,
    *,
    key: Any = None,
    mask: Bool[Array, "..."] | None = None,
) -> Float[Array, "N C *D"]:
    """alpha_dropout of whole channels.

    Args:
        input: (N, C, ...), floating.
        p: as for alpha_dropout.
        training: False gives the input back.
        inplace: no effect.
        key: as for dropout.
        mask: as for dropout; (N, C, 1, ...) for whole channels.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        ValueError: as for dropout.
        RuntimeError: for fewer than two axes.

    Examples:
        >>> [round(y, 4) for y in feature_alpha_dropout(array([[1.0]]), 0.5, True, mask=array([[True]]))[0].tolist()]
        [1.6656]

    References:
        PyTorch, torch.nn.functional.feature_alpha_dropout.
    """
    name = "feature_alpha_dropout"
    return _saturated(name, input, _channels(name, input, True) if training else (), p, training, key, mask)


def _zeroed(
    name: str,
    input: Float[Array, "*S"],
    shape: tuple[int, ...],
    p: float,
    training: bool,
    key: Any,
    mask: Bool[Array, "..."] | None,
) -> Float[Array, "*S"]:
    _check_probability(name, p)
    if not training or p == 0:
        return input
    kept = _mask(name, shape, p, key, mask)
    return input * (kept * jnp.asarray(0 if p == 1 else 1 / (1 - p), input.dtype))


def _saturated(
    name: str,
    input: Float[Array, "*S"],
    shape: tuple[int, ...],
    p: float,
    training: bool,
    key: Any,
    mask: Bool[Array, "..."] | None,
) -> Float[Array, "*S"]:
    _check_probability(name, p)
    if not training or p == 0:
        return input
    if p == 1:
        return input * 0
    kept = _mask(name, shape, p, key, mask).astype(input.dtype)
    a = 1 / math.sqrt((SATURATED**2 * p + 1) * (1 - p))
    return input * (kept * a) + ((kept - 1) * (SATURATED * a) + SATURATED * a * p)


def _check_probability(name: str, p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: p is {p}, wanted a probability")


def _mask(name: str, shape: tuple[int, ...], p: float, key: Any, mask: Bool[Array, "..."] | None) -> Bool[Array, "..."]:
    if mask is not None:
        return mask
    if key is None:
        raise ValueError(
            f"{name}: training without a key or a mask; give key=jax.random.key(seed), or a layer its rngs"
        )
    return jax.random.bernoulli(key, 1 - p, shape)


def _channels(name: str, input: Float[Array, "..."], batched: bool) -> tuple[int, ...]:
    """The shape of a mask of whole channels."""
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input has shape {tuple(input.shape)}, wanted two axes or more")
    kept = 2 if batched else 1
    return input.shape[:kept] + (1,) * (input.ndim - kept)
