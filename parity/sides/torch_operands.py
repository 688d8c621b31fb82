"""What a tensor core does to the operands of a product: keeps some bits of them and drops the others."""

from typing import Any

import torch

from parity.sides.torch_modes import DispatchMode

OPERANDS: dict[str, tuple[int, ...]] = dict.fromkeys(("mm", "bmm", "mv", "dot", "vdot", "convolution"), (0, 1))
OPERANDS |= dict.fromkeys(("addmm", "baddbmm", "addmv"), (1, 2)) | {"convolution_backward": (0, 1, 2)}
"""Where each product's factors stand among its arguments; what is added to it, a bias, is no factor and stays whole."""


class OperandRounding(DispatchMode):
    """Rounds the floating operands of every matrix product and convolution to some bits of significand.

    With a float64 run this is TF32 (11 bits) or bfloat16 products (8) and nothing else: the sums stay exact.

    Args:
        bits: Bits of the significand that are kept, with the leading one.
        truncate: Whether the others are cut off, as some hardware does, and not rounded to nearest.
    """

    def __init__(self, bits: int, *, truncate: bool = False) -> None:
        super().__init__()
        self.bits = bits
        self.shorten = torch.trunc if truncate else torch.round
        self.products = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        factors = OPERANDS.get(func.overloadpacket.__name__)
        if factors is not None:
            self.products += 1
            args = tuple(self._rounded(a) if i in factors else a for i, a in enumerate(args))
        return func(*args, **(kwargs or {}))

    def _rounded(self, leaf: Any) -> Any:
        if not (isinstance(leaf, torch.Tensor) and leaf.is_floating_point()):
            return leaf
        significand, exponent = torch.frexp(leaf)
        scale = 2.0**self.bits
        return torch.ldexp(self.shorten(significand * scale) / scale, exponent)
