"""Layers that map the last axis linearly, and the one that changes nothing."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import Identity, Module, Parameter

from torch_impl import functional as F
from torch_impl.nn import init

__all__ = ["Identity", "Linear", "Bilinear"]


class Linear(Module):
    """A linear map of the last axis: y = x W^T + b. W and b start in U(-1/sqrt(in_features), 1/sqrt(in_features)).

    Args:
        in_features: the length of the input's last axis.
        out_features: the length of the output's.
        bias: whether there is a b.
        dtype: of the parameters; None for float32.

    Examples:
        >>> layer = Linear(2, 1, **rngs)
        >>> layer.load_state_dict({"weight": array([[1.0, 2.0]]), "bias": array([0.5])})
        <All keys matched successfully>
        >>> layer(array([[3.0, 4.0]])).tolist()
        [[11.5]]

    References:
        PyTorch, torch.nn.Linear.
    """

    # differs: NNX takes its random streams as an argument, torch draws from the global generator
    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, dtype: Any = None) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(torch.empty(out_features, in_features, dtype=dtype))
        self.bias = Parameter(torch.empty(out_features, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    # differs: torch's modules say forward, which their __call__ wraps; NNX's say __call__
    def forward(self, input: Float[Tensor, "*batch I"]) -> Float[Tensor, "*batch O"]:
        """(*, in_features) -> (*, out_features)."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """A bilinear map of two inputs: y = x1^T W x2 + b. W and b start in U(-1/sqrt(in1_features), 1/sqrt(in1_features)).

    Args:
        in1_features: the length of the first input's last axis; at least 1.
        in2_features: the length of the second's.
        out_features: the length of the output's.
        bias: whether there is a b.
        dtype: of the parameters; None for float32.

    Raises:
        ValueError: where in1_features is not positive.

    Examples:
        >>> layer = Bilinear(2, 1, 1, bias=False, **rngs)
        >>> layer.load_state_dict({"weight": array([[[1.0], [10.0]]])})
        <All keys matched successfully>
        >>> layer(array([[1.0, 2.0]]), array([[3.0]])).tolist()
        [[63.0]]

    References:
        PyTorch, torch.nn.Bilinear.
    """

    # differs: NNX takes its random streams as an argument, torch draws from the global generator
    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"Bilinear: in1_features is {in1_features}, wanted 1 or more")
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = Parameter(torch.empty(out_features, in1_features, in2_features, dtype=dtype))
        self.bias = Parameter(torch.empty(out_features, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    # differs: torch's modules say forward, which their __call__ wraps; NNX's say __call__
    def forward(
        self, input1: Float[Tensor, "*batch I"], input2: Float[Tensor, "*batch J"]
    ) -> Float[Tensor, "*batch O"]:
        """(*, in1_features) and (*, in2_features) -> (*, out_features)."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
