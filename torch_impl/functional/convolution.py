"""Convolutions over one, two and three spatial axes, channels first, and their transposes."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d

from torch_impl.functional.folding import unfold

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "conv2d_by_unfold",
]

Sizes = int | Sequence[int]


def conv2d_by_unfold(
    input: Float[Tensor, "N I H W"],
    weight: Float[Tensor, "O I_g K_h K_w"],
    bias: Float[Tensor, " O"] | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Float[Tensor, "N O P Q"]:
    """conv2d as one matrix product: every window of the input becomes a column, every filter a row.

    Args:
        input: (N, in_channels, H, W).
        weight: (out_channels, in_channels / groups, kernel height, kernel width).
        bias: (out_channels,).
        stride, padding, dilation: one number for both axes or one for each.
        groups: groups of channels.

    Returns:
        (N, out_channels, P, Q), what conv2d gives.

    Raises:
        RuntimeError: where a number is out of range.

    Examples:
        >>> conv2d_by_unfold(array([[[[1.0, 2.0], [4.0, 8.0]]]]), array([[[[1.0, 0.0], [0.0, 1.0]]]])).tolist()
        [[[[9.0]]]]

    References:
        PyTorch, torch.nn.Unfold, its note on convolution.
    """
    columns = unfold(input, tuple(weight.shape[2:]), dilation, padding, stride)  # (N, I K_h K_w, P Q)
    columns = columns.unflatten(1, (groups, -1))
    filters = weight.reshape(groups, len(weight) // groups, -1)  # (groups, O / groups, I K_h K_w / groups)
    y = torch.einsum("gok,ngkl->ngol", filters, columns).flatten(1, 2)
    s, p, d = ((v, v) if isinstance(v, int) else tuple(v) for v in (stride, padding, dilation))
    size = [(input.shape[2 + a] + 2 * p[a] - d[a] * (weight.shape[2 + a] - 1) - 1) // s[a] + 1 for a in (0, 1)]
    y = y.unflatten(-1, size)
    return y if bias is None else y + bias[:, None, None]
