"""What the normalizations share: mean and variance in wide numbers, scale and shift a channel, checks of shapes."""

import torch
from jaxtyping import Float
from torch import Tensor


def moments(x: Float[Tensor, "..."], axes: tuple[int, ...]) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Mean and variance. Two passes: E[x^2] - E[x]^2 loses every digit where the mean is large."""
    if not axes:
        return x, torch.zeros_like(x)
    mean = x.mean(axes, keepdim=True)
    return mean, (x - mean).square().mean(axes, keepdim=True)


def wide(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def on_channels(values: Float[Tensor, " C"], axes: int) -> Float[Tensor, "1 C ..."]:
    return values.reshape(1, -1, *(1,) * (axes - 2))


def affine(
    y: Float[Tensor, "N C *D"], weight: Float[Tensor, " C"] | None, bias: Float[Tensor, " C"] | None
) -> Float[Tensor, "N C *D"]:
    y = y if weight is None else y * on_channels(weight, y.ndim)
    return y if bias is None else y + on_channels(bias, y.ndim)


def check_channels(name: str, input: Float[Tensor, "..."], **given: Float[Tensor, " C"] | None) -> None:
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input has shape {tuple(input.shape)}, wanted (N, C, ...)")
    for key, values in given.items():
        if values is not None and values.shape != (input.shape[1],):
            raise RuntimeError(
                f"{name}: {key} has shape {tuple(values.shape)}, wanted ({input.shape[1]},): one a channel"
            )
