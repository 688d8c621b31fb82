"""Normalization over a batch, a channel at a time, and the statistics that it keeps."""

import torch
from jaxtyping import Float
from torch import Tensor

from torch_impl.functional.normalization._moments import affine, check_channels, moments, on_channels, wide

__all__ = ["batch_norm", "running_statistics"]


def batch_norm(
    input: Float[Tensor, "N C *D"],
    running_mean: Float[Tensor, " C"] | None,
    running_var: Float[Tensor, " C"] | None,
    weight: Float[Tensor, " C"] | None = None,
    bias: Float[Tensor, " C"] | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Float[Tensor, "N C *D"]:
    """(x - mean) / sqrt(var + eps) w + b, a channel at a time.

    Args:
        input: x (N, C, ...), floating, channels on the second axis.
        running_mean: the mean in evaluation (C,); needed there.
        running_var: the variance in evaluation (C,); needed there.
        weight: w (C,); 1 by default.
        bias: b (C,); 0 by default.
        training: whether mean and variance, divided by n, are the batch's own.
        momentum: how far the running statistics move; see running_statistics.
        eps: added to the variance, positive in training.

    Returns:
        Shaped as input, of its dtype.

    Raises:
        ValueError: where eps is out of range, or one value a channel is to be normalized.
        RuntimeError: where shapes do not fit, or statistics are needed and missing.

    Examples:
        >>> batch_norm(array([[1.0], [3.0]]), None, None, training=True, eps=1e-12).tolist()
        [[-1.0], [1.0]]

    References:
        PyTorch, torch.nn.functional.batch_norm; S. Ioffe and C. Szegedy, "Batch Normalization" (2015), algorithm 1.
    """
    # differs: torch moves running_mean and running_var in place; JAX's arrays stay, and running_statistics moves them
    _check_batch_norm(input, running_mean, running_var, weight, bias, training, eps)
    x = wide(input)
    if training:
        mean, var = moments(x, (0, *range(2, x.ndim)))
        if running_mean is not None and running_var is not None:
            moved = running_statistics(input, running_mean, running_var, momentum)
            running_mean.copy_(moved[0])
            running_var.copy_(moved[1])
    else:
        mean, var = (on_channels(wide(s), x.ndim) for s in (running_mean, running_var))  # type: ignore[arg-type]
    return affine((x - mean) * torch.rsqrt(var + eps), weight, bias).to(input.dtype)


def running_statistics(
    input: Float[Tensor, "N C *D"],
    running_mean: Float[Tensor, " C"],
    running_var: Float[Tensor, " C"],
    momentum: float = 0.1,
    per_instance: bool = False,
) -> tuple[Float[Tensor, " C"], Float[Tensor, " C"]]:
    """What batch_norm's running statistics become after a batch: r + m (s - r), the variance s divided by n - 1.

    Args:
        input: (N, C, ...), floating.
        running_mean: (C,).
        running_var: (C,).
        momentum: m; 1/t at the t-th batch makes them plain averages.
        per_instance: whether s is each example's own, averaged over the examples, as for instance_norm.

    Returns:
        The next mean and variance, each (C,), of the dtypes that they had; as they were for an empty batch.

    Examples:
        >>> mean, var = running_statistics(array([[1.0], [3.0]]), array([0.0]), array([1.0]), 0.5)
        >>> mean.tolist(), var.tolist()
        ([1.0], [1.5])

    References:
        PyTorch, torch.nn.BatchNorm2d: momentum, and the unbiased variance of the running estimate.
    """
    if input.numel() == 0:
        return running_mean, running_var
    x = wide(input.detach())
    mean, var = moments(x, tuple(range(2, x.ndim)) if per_instance else (0, *range(2, x.ndim)))
    mean, var = (s.mean(0).reshape(-1) for s in (mean, var))
    count = x.numel() // x.shape[1] // (len(x) if per_instance else 1)
    unbiased = var * (count / max(1, count - 1))
    after = [
        ((1 - momentum) * old + momentum * new).to(old.dtype)
        for old, new in ((running_mean, mean), (running_var, unbiased))
    ]
    return after[0], after[1]


def _check_batch_norm(
    input: Float[Tensor, "N C *D"],
    running_mean: Float[Tensor, " C"] | None,
    running_var: Float[Tensor, " C"] | None,
    weight: Float[Tensor, " C"] | None,
    bias: Float[Tensor, " C"] | None,
    training: bool,
    eps: float,
) -> None:
    check_channels("batch_norm", input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if training and input.numel() == input.shape[1]:
        raise ValueError(f"batch_norm: input has shape {tuple(input.shape)}, wanted more than one value a channel")
    if eps < 0 or (training and eps == 0):
        raise ValueError(f"batch_norm: eps is {eps}, wanted a positive number, or 0 in evaluation")
    if not training and (running_mean is None or running_var is None):
        raise RuntimeError("batch_norm: evaluation without running_mean and running_var")
