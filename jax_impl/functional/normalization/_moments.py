"""What the normalizations share: mean and variance in wide numbers, scale and shift a channel, checks of shapes."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float


def moments(x: Float[Array, "..."], axes: tuple[int, ...]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Mean and variance. Two passes: E[x^2] - E[x]^2 loses every digit where the mean is large."""
    mean = x.mean(axes, keepdims=True)
    return mean, jnp.square(x - mean).mean(axes, keepdims=True)


def wide(x: Float[Array, "..."]) -> Float[Array, "..."]:
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def on_channels(values: Float[Array, " C"], axes: int) -> Float[Array, "1 C ..."]:
    return values.reshape(1, -1, *(1,) * (axes - 2))


def affine(
    y: Float[Array, "N C *D"], weight: Float[Array, " C"] | None, bias: Float[Array, " C"] | None
) -> Float[Array, "N C *D"]:
    y = y if weight is None else y * on_channels(weight, y.ndim)
    return y if bias is None else y + on_channels(bias, y.ndim)


def check_channels(name: str, input: Float[Array, "..."], **given: Float[Array, " C"] | None) -> None:
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input has shape {tuple(input.shape)}, wanted (N, C, ...)")
    for key, values in given.items():
        if values is not None and values.shape != (input.shape[1],):
            raise RuntimeError(
                f"{name}: {key} has shape {tuple(values.shape)}, wanted ({input.shape[1]},): one a channel"
            )
