"""Random starts without a compilation a shape: a program that draws a piece from any place on, for every size.

jax.random compiles a program for every shape, half a second each, which for the sixty parameters of a ResNet took half
a minute. Its threefry numbers are a function of the key and the place alone, so pieces that are drawn one after the
other are the numbers that one call gives, also inside of a compiled function, where that one call is made; what XLA
makes of the distribution's arithmetic there may differ by a rounding.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.extend import random as engines

__all__ = ["draw"]

Distribution = Callable[..., Array]
"""distribution(key, shape, dtype, *numbers): a function of jax.random's, and its arguments."""

PIECE = 1 << 13
"""Numbers in a piece: drawn in a tenth of a millisecond, as much as the call itself takes."""


def draw(distribution: Distribution, key: Array, shape: tuple[int, ...], dtype: Any, *numbers: float) -> Array:
    """What distribution(key, shape, dtype, *numbers) gives, one number for each place.

    Args:
        distribution: a function of a module, by which its program is kept; each number from its own random bits.
        key: of any kind; what is not threefry, or is being traced, is drawn by that one call.
        shape, dtype: of the result; dtype has 32 bits or 64.
        numbers: the distribution's own, such as its bounds.
    """
    size = math.prod(shape)
    if size and not isinstance(key, jax.core.Tracer) and _by_place(key):
        words = jax.random.key_data(key)
        piece = partial(_piece, distribution, np.dtype(dtype))
        first = piece(words, np.uint32(0), *numbers)
        if not isinstance(first, jax.core.Tracer):  # a plain key, but inside of a function that is being compiled
            pieces = [first, *(piece(words, np.uint32(at), *numbers) for at in range(PIECE, size, PIECE))]
            return jnp.asarray(np.concatenate(pieces)[:size].reshape(shape))
    return distribution(key, shape, dtype, *numbers)


def _by_place(key: Array) -> bool:
    return bool(jax.config.jax_threefry_partitionable) and str(jax.random.key_impl(key)) == "threefry2x32"  # type: ignore[attr-defined]


def _bits_from(key: Array, bit_width: int, shape: tuple[int, ...]) -> Array:
    """Random bits of the places from key[2] on, as jax.random makes them from the places' high and low halves."""
    low = key[2] + jnp.arange(math.prod(shape), dtype=jnp.uint32)
    high, low = jnp.split(engines.threefry_2x32(key[:2], jnp.concatenate([jnp.zeros_like(low), low])), 2)
    bits = (high.astype(jnp.uint64) << 32) | low.astype(jnp.uint64) if bit_width == 64 else high ^ low
    return bits.reshape(shape)


def _unused(*_: Any) -> Any:
    raise NotImplementedError("a key with a place in it is for drawing once")


FROM_A_PLACE = engines.define_prng_impl(
    key_shape=(3,), seed=_unused, split=_unused, random_bits=_bits_from, fold_in=_unused, name="from_a_place", tag="fap"
)


@partial(jax.jit, static_argnums=(0, 1))
def _piece(distribution: Distribution, dtype: Any, words: Array, start: Array, *numbers: Array) -> Array:
    key = jax.random.wrap_key_data(jnp.append(words, start), impl=FROM_A_PLACE)
    return distribution(key, (PIECE,), dtype, *numbers)
