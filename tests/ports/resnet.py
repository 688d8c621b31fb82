"""A small residual network with batch normalisation: images are NCHW in torch, NHWC in NNX and Linen."""

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import linen, nnx
from torch import nn
from torch.nn import functional as F

CHANNELS, CLASSES = 4, 5


def images(rows: int = 3, size: int = 8) -> np.ndarray:
    """Images of shape (rows, 3, size, size)."""
    return np.random.default_rng(4).standard_normal((rows, 3, size, size))


class TorchBasicBlock(nn.Module):
    def __init__(self, features_in: int, features: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features_in, features, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(features)
        self.conv2 = nn.Conv2d(features, features, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(features)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(features_in, features, 1, stride, bias=False), nn.BatchNorm2d(features)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(h)) + self.downsample(x))


class TorchResNet(nn.Module):
    """Logits of shape (N, CLASSES) for images of shape (N, 3, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, CHANNELS, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(CHANNELS)
        self.layer1 = TorchBasicBlock(CHANNELS, CHANNELS, 1)
        self.layer2 = TorchBasicBlock(CHANNELS, 2 * CHANNELS, 2)
        self.fc = nn.Linear(2 * CHANNELS, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        return self.fc(self.layer2(self.layer1(x)).mean((2, 3)))


class BatchNorm(nnx.BatchNorm):
    """NNX's, with the running variance that torch keeps: the unbiased one."""

    def __call__(self, x: jax.Array, use_running_average: bool | None = None) -> jax.Array:
        running = self.use_running_average if use_running_average is None else use_running_average
        kept = self.momentum * self.var.get_value()
        y = super().__call__(x, use_running_average=use_running_average)
        if not running:
            count = x.size // x.shape[-1]
            self.var.set_value(kept + (self.var.get_value() - kept) * (count / (count - 1)))
        return y


def _conv(features_in: int, features: int, kernel: int, stride: int, padding: int, rngs: nnx.Rngs) -> nnx.Conv:
    pads = [(padding, padding)] * 2
    return nnx.Conv(features_in, features, (kernel, kernel), stride, padding=pads, use_bias=False, rngs=rngs)


class ResidualBlock(nnx.Module):
    def __init__(self, features_in: int, features: int, stride: int, same: bool, eps: float, rngs: nnx.Rngs) -> None:
        self.conv_a = _conv(features_in, features, 3, stride, 1, rngs)
        if same:
            self.conv_a.padding = "SAME"
        self.norm_a = BatchNorm(features, momentum=0.9, epsilon=1e-5, rngs=rngs)
        self.conv_b = _conv(features, features, 3, 1, 1, rngs)
        self.norm_b = BatchNorm(features, momentum=0.9, epsilon=eps, rngs=rngs)
        self.shortcut = _conv(features_in, features, 1, stride, 0, rngs) if stride > 1 else None
        self.shortcut_norm = BatchNorm(features, momentum=0.9, epsilon=1e-5, rngs=rngs) if stride > 1 else None

    def __call__(self, x: jax.Array) -> jax.Array:
        short = x if self.shortcut is None or self.shortcut_norm is None else self.shortcut_norm(self.shortcut(x))
        return nnx.relu(self.norm_b(self.conv_b(nnx.relu(self.norm_a(self.conv_a(x))))) + short)


class ResNet(nnx.Module):
    """The same in NNX for the same images, which it turns to NHWC; the arguments are where a port goes wrong."""

    def __init__(self, rngs: nnx.Rngs, *, same: bool = False, eps: float = 1e-5) -> None:
        self.stem = _conv(3, CHANNELS, 3, 1, 1, rngs)
        self.stem_norm = BatchNorm(CHANNELS, momentum=0.9, epsilon=1e-5, rngs=rngs)
        stages = [ResidualBlock(CHANNELS, CHANNELS, 1, False, 1e-5, rngs)]
        stages.append(ResidualBlock(CHANNELS, 2 * CHANNELS, 2, same, eps, rngs))
        self.stages = nnx.List(stages)
        self.head = nnx.Linear(2 * CHANNELS, CLASSES, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        x = nnx.relu(self.stem_norm(self.stem(jnp.transpose(images, (0, 2, 3, 1)))))
        x = nnx.max_pool(x, (2, 2), (2, 2))
        for stage in self.stages:
            x = stage(x)
        return self.head(x.mean((1, 2)))


class LinenBlock(linen.Module):
    features: int
    stride: int

    @linen.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        def norm(x: jax.Array) -> jax.Array:
            return linen.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5)(x)

        def conv(x: jax.Array, kernel: int, stride: int) -> jax.Array:
            pads = [(kernel // 2, kernel // 2)] * 2
            return linen.Conv(self.features, (kernel, kernel), stride, padding=pads, use_bias=False)(x)

        h = linen.relu(norm(conv(x, 3, self.stride)))
        h = norm(conv(h, 3, 1))
        return linen.relu(h + (norm(conv(x, 1, self.stride)) if self.stride > 1 else x))


class LinenResNet(linen.Module):
    """The same in Linen, for NHWC images."""

    @linen.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        x = linen.Conv(CHANNELS, (3, 3), padding=[(1, 1)] * 2, use_bias=False)(x)
        x = linen.relu(linen.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5)(x))
        x = linen.max_pool(x, (2, 2), (2, 2))
        x = LinenBlock(2 * CHANNELS, 2)(LinenBlock(CHANNELS, 1)(x, train), train)
        return linen.Dense(CLASSES)(x.mean((1, 2)))
