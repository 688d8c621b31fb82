"""A small convolutional network with batch norm: NCHW in torch, NHWC in NNX."""

from typing import Any

import jax.numpy as jnp
from flax import nnx
from torch import nn

from twins.handmade import Handmade

CHANNELS, CLASSES = 3, 4

CNN_MAP = Handmade(
    conv__weight=("conv.kernel", 2, 3, 1, 0),
    conv__bias=("conv.bias",),
    bn__weight=("bn.scale",),
    bn__bias=("bn.bias",),
    bn__running_mean=("bn.mean",),
    bn__running_var=("bn.var",),
    head__weight=("head.kernel", 1, 0),
    head__bias=("head.bias",),
)


class TorchCNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, CHANNELS, 3, padding=1)
        self.bn = nn.BatchNorm2d(CHANNELS)
        self.head = nn.Linear(CHANNELS, CLASSES)

    def forward(self, x: Any) -> Any:
        return self.head(self.bn(self.conv(x)).relu().mean(dim=(2, 3)))


class UnbiasedBatchNorm(nnx.BatchNorm):
    """Flax's batch norm with the running variance of torch: the unbiased one of the batch."""

    def __call__(self, x: Any, **options: Any) -> Any:
        before = self.var[...]
        result = super().__call__(x, **options)
        if not self.use_running_average:
            n = x.size // x.shape[-1]
            kept = self.momentum * before
            self.var[...] = kept + (self.var[...] - kept) * n / (n - 1)
        return result


class NnxCNN(nnx.Module):
    def __init__(self, *, momentum: float = 0.9, unbiased: bool = True, trained_mean: bool = False) -> None:
        rngs = nnx.Rngs(0)
        norm = UnbiasedBatchNorm if unbiased else nnx.BatchNorm
        self.conv = nnx.Conv(2, CHANNELS, (3, 3), padding=1, rngs=rngs)
        self.bn = norm(CHANNELS, momentum=momentum, epsilon=1e-5, rngs=rngs)
        if trained_mean:
            self.bn.mean = nnx.Param(self.bn.mean[...])
        self.head = nnx.Linear(CHANNELS, CLASSES, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.head(jnp.mean(nnx.relu(self.bn(self.conv(x))), axis=(1, 2)))


def images_last(model: Any, x: Any) -> Any:
    """The call of the NHWC twin on torch's images."""
    return model(jnp.transpose(x, (0, 2, 3, 1)))
