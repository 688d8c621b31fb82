"""ResNet itself: the block of two convolutions, and four stages of such blocks, with torchvision's names."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from torch_impl import functional as F
from torch_impl import nn

__all__ = ["BasicBlock", "ResNet", "parameter_count"]

State = dict[str, Tensor]
STAGES = ("layer1", "layer2", "layer3", "layer4")


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a way past them: y = relu(x' + f(x)).

    x' is x, or where the shape changes a 1 x 1 convolution of x, normalized.

    Args:
        in_channels: the input's channels.
        channels: the output's.
        stride: of the first convolution.
        dtype: of the parameters; None for float32.

    Examples:
        >>> block = BasicBlock(2, 3, stride=2, **rngs)
        >>> tuple(block(array([[[[1.0] * 4] * 4] * 2])).shape)
        (1, 3, 2, 2)

    References:
        K. He et al., "Deep Residual Learning for Image Recognition" (2015), figure 2 and section 3.3, option B.
    """

    # differs: NNX takes its random streams as an argument, torch draws from the global generator
    def __init__(self, in_channels: int, channels: int, stride: int = 1, *, dtype: Any = None) -> None:
        super().__init__()
        conv = partial(nn.Conv2d, bias=False, dtype=dtype)
        self.conv1 = conv(in_channels, channels, 3, stride, padding=1)
        self.bn1 = nn.BatchNorm2d(channels, dtype=dtype)
        self.conv2 = conv(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels, dtype=dtype)
        moved = stride != 1 or in_channels != channels
        past = (conv(in_channels, channels, 1, stride), nn.BatchNorm2d(channels, dtype=dtype)) if moved else None
        self.downsample = nn.Sequential(*past) if past else None

    # differs: torch's modules say forward, which their __call__ wraps; NNX's say __call__
    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N D P Q"]:
        """(N, in_channels, H, W) -> (N, channels, ceil(H / stride), ceil(W / stride))."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """Four stages of BasicBlocks, each after the first at half the size and twice the channels; then a linear layer.

    Args:
        num_classes: the outputs.
        layers: the blocks of each stage: (2, 2, 2, 2) make ResNet-18, (3, 4, 6, 3) ResNet-34.
        in_channels: the images' channels.
        width: the channels of the first stage.
        stem: "imagenet", a 7 x 7 convolution of stride 2 and max pooling; "small", for images of 32 x 32 or so, a
            3 x 3 convolution that keeps the size.
        dtype: of the parameters; None for float32.

    Raises:
        ValueError: where the stem is unknown, or there are not four stages.

    Examples:
        >>> net = ResNet(5, layers=(1, 1, 1, 1), width=2, stem="small", **rngs)
        >>> [name for name, _ in net.named_children()]
        ['conv1', 'bn1', 'layer1', 'layer2', 'layer3', 'layer4', 'fc']

    References:
        K. He et al., "Deep Residual Learning for Image Recognition" (2015), table 1; torchvision, resnet18.
    """

    # differs: NNX takes its random streams as an argument, torch draws from the global generator
    def __init__(
        self,
        num_classes: int = 1000,
        *,
        layers: Sequence[int] = (2, 2, 2, 2),
        in_channels: int = 3,
        width: int = 64,
        stem: str = "imagenet",
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if stem not in ("imagenet", "small"):
            raise ValueError(f"ResNet: stem is {stem!r}, wanted 'imagenet' or 'small'")
        if len(layers) != 4:
            raise ValueError(f"ResNet: layers is {tuple(layers)}, wanted the blocks of four stages, as (2, 2, 2, 2)")
        self.stem = stem
        kernel, stride = (7, 2) if stem == "imagenet" else (3, 1)
        self.conv1 = nn.Conv2d(in_channels, width, kernel, stride, padding=kernel // 2, bias=False, dtype=dtype)
        self.bn1 = nn.BatchNorm2d(width, dtype=dtype)
        stages = []
        for stage, blocks in enumerate(layers):
            channels, before = width << stage, width << max(stage - 1, 0)
            first = BasicBlock(before, channels, 2 if stage else 1, dtype=dtype)
            rest = (BasicBlock(channels, channels, dtype=dtype) for _ in range(blocks - 1))
            stages.append(nn.Sequential(first, *rest))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = nn.Linear(width << 3, num_classes, dtype=dtype)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @classmethod
    def skeleton(cls, state: State) -> Self:
        """A ResNet of the sizes of this state, with shapes for values."""
        with torch.device("meta"):
            return cls(**_sizes(state))

    @classmethod
    def from_state(cls, state: State) -> Self:
        """A whole ResNet that holds this state, in the state's dtype, in train mode."""
        model = cls.skeleton(state).to_empty(device=state["fc.bias"].device)
        nn.load_state_dict(model, state)
        return model

    # differs: torch's modules say forward, which their __call__ wraps; NNX's say __call__
    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N K"]:
        """The logits (N, num_classes) of images (N, in_channels, H, W)."""
        x = F.relu(self.bn1(self.conv1(x)))
        if self.stem == "imagenet":
            x = F.max_pool2d(x, 3, stride=2, padding=1)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return self.fc(x.mean((2, 3)))


def parameter_count(num_classes: int = 1000, **arguments: Any) -> int:
    """How many numbers are trained; the net is built of shapes alone.

    Args:
        num_classes: as ResNet's.
        **arguments: ResNet's others.

    Returns:
        The count, without running statistics.

    Examples:
        >>> parameter_count()
        11689512

    References:
        torchvision, ResNet18_Weights, num_params.
    """
    with torch.device("meta"):
        net = ResNet(num_classes, **arguments)
    return sum(w.numel() for w in net.parameters())


def _sizes(state: State) -> dict[str, Any]:
    width, in_channels, kernel, _ = state["conv1.weight"].shape
    return {
        "num_classes": len(state["fc.bias"]),
        "layers": [sum(f"{stage}.{block}.bn1.weight" in state for block in range(len(state))) for stage in STAGES],
        "in_channels": in_channels,
        "width": width,
        "stem": "imagenet" if kernel == 7 else "small",
        "dtype": state["conv1.weight"].dtype,
    }
