"""torch's fused norms, written out as the scales and shifts that they are."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from parity.convert.affine import Affine

Ids = list[np.ndarray | None]


def _scaled_and_shifted(
    normal: np.ndarray, weight: Any, bias: Any, weight_ids: np.ndarray | None, bias_ids: np.ndarray | None, shape: Any
) -> Iterator[Affine]:
    """normal * weight + bias, step by step; weight and bias take `shape` to broadcast."""
    result = normal
    if weight is not None:
        if weight_ids is not None:
            yield Affine.weights(weight_ids.reshape(shape)).scaled(normal)
        result = normal * np.reshape(weight, shape)
    if bias is not None and bias_ids is not None:
        yield Affine.weights(bias_ids.reshape(shape)).shifted(result)


def _layer_norm(values: list[Any], ids: Ids) -> Iterator[Affine]:
    x, shape, weight, bias, eps = values[:5]
    axes = tuple(range(x.ndim - len(shape), x.ndim))
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return _scaled_and_shifted((x - mean) / np.sqrt(variance + eps), weight, bias, ids[2], ids[3], tuple(shape))


def _rms_norm(values: list[Any], ids: Ids) -> Iterator[Affine]:
    x, shape, weight, eps = values[:4]
    axes = tuple(range(x.ndim - len(shape), x.ndim))
    eps = np.finfo(np.float64).eps if eps is None else eps
    normal = x / np.sqrt(np.square(x).mean(axes, keepdims=True) + eps)
    return _scaled_and_shifted(normal, weight, None, ids[2], None, tuple(shape))


def _group_norm(values: list[Any], ids: Ids) -> Iterator[Affine]:
    x, weight, bias, n, channels, _, groups, eps = values[:8]
    grouped = x.reshape(n, groups, -1)
    normal = (grouped - grouped.mean(-1, keepdims=True)) / np.sqrt(grouped.var(-1, keepdims=True) + eps)
    shape = (1, channels, *(1,) * (x.ndim - 2))
    return _scaled_and_shifted(normal.reshape(x.shape), weight, bias, ids[1], ids[2], shape)


def _batch_norm(values: list[Any], ids: Ids) -> Iterator[Affine]:
    x, weight, bias, mean, variance, training, momentum, eps = values[:8]
    shape = (1, -1, *(1,) * (x.ndim - 2))
    axes = (0, *range(2, x.ndim))
    if training or mean is None:
        own_mean, own_variance, count = x.mean(axes), x.var(axes), x.size // x.shape[1]
        unbiased = own_variance * count / max(count - 1, 1)
        for held, own in ((ids[3], own_mean), (ids[4], unbiased)):
            if held is not None and training:
                yield Affine.weights(held).scaled(np.float64(1 - momentum)).shifted(momentum * own)
        mean, variance = own_mean, own_variance
    else:
        if ids[3] is not None:
            yield Affine.weights(ids[3].reshape(shape)).scaled(np.float64(-1.0)).shifted(x)
        if ids[4] is not None:
            yield Affine.weights(ids[4]).shifted(np.float64(eps))
    normal = (x - np.reshape(mean, shape)) / np.sqrt(np.reshape(variance, shape) + eps)
    yield from _scaled_and_shifted(normal, weight, bias, ids[1], ids[2], shape)


def _batch_norm_without_training_flag(values: list[Any], ids: Ids) -> Iterator[Affine]:
    return _batch_norm([*values[:5], False, *values[5:]], [*ids[:5], None, *ids[5:]])


NORMS: dict[str, Callable[[list[Any], Ids], Iterator[Affine]]] = {
    "native_layer_norm": _layer_norm,
    "_fused_rms_norm": _rms_norm,
    "native_group_norm": _group_norm,
    "native_batch_norm": _batch_norm,
    "_native_batch_norm_legit": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm_without_training_flag,
}
"""By the kernel's name: its arguments and the identities of its weights -> what it does with them."""
