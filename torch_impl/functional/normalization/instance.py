"""Normalization of each channel of an example by itself."""

import torch
from jaxtyping import Float
from torch import Tensor

from torch_impl.functional.normalization._moments import affine, check_channels, moments, wide
from torch_impl.functional.normalization.batch import batch_norm

__all__ = ["instance_norm"]


def instance_norm(
    input: Float[Tensor, "N C *D"],
    running_mean: Float[Tensor, " C"] | None = None,
    running_var: Float[Tensor, " C"] | None = None,
    weight: Float[Tensor, " C"] | None = None,
    bias: Float[Tensor, " C"] | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Float[Tensor, "N C *D"]:
    """(x - mean) / sqrt(var + eps) w + b, a channel of an example at a time.

    Args:
        input: x (N, C, ...), floating, channels on the second axis.
        running_mean: the mean where the input's is not used (C,).
        running_var: the variance where the input's is not used (C,).
        weight: w (C,); 1 by default.
        bias: b (C,); 0 by default.
        use_input_stats: whether mean and variance are the channel's own.
        momentum: as for batch_norm.
        eps: added to the variance.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        ValueError: where a channel has one value and its own statistics are used.
        RuntimeError: where shapes do not fit, or statistics are needed and missing.

    Examples:
        >>> instance_norm(array([[[1.0, 3.0]]]), eps=1e-12).tolist()
        [[[-1.0, 1.0]]]

    References:
        PyTorch, torch.nn.functional.instance_norm; D. Ulyanov et al., "Instance Normalization" (2016).
    """
    name = "instance_norm"
    check_channels(name, input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if input.ndim > 2 and input[0, 0].numel() == 1:
        raise ValueError(f"{name}: input has shape {tuple(input.shape)}, wanted more than one value a channel")
    x = wide(input)
    mean, var = moments(x, tuple(range(2, x.ndim)))
    return affine((x - mean) * torch.rsqrt(var + eps), weight, bias).to(input.dtype)
