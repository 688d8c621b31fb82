"""Normalization: over a batch, an instance, a group, a layer, its root mean square, or neighbouring channels.

All but the last subtract a mean and divide by a standard deviation; they differ in what these are taken over. 16-bit
inputs are normalized in float32, as torch does.
"""

from jax_impl.functional.normalization.batch import batch_norm, running_statistics
from jax_impl.functional.normalization.cross_map import local_response_norm
from jax_impl.functional.normalization.instance import instance_norm
from jax_impl.functional.normalization.layer import group_norm, layer_norm, rms_norm

__all__ = [
    "batch_norm",
    "running_statistics",
    "instance_norm",
    "layer_norm",
    "rms_norm",
    "group_norm",
    "local_response_norm",
]
