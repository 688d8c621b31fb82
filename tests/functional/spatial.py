"""Calls of convolution, pooling, padding, folding, resizing and sampling that read the same in torch and its mirror."""

import jax
import numpy as np
import torch
from numpy.random import default_rng

rng = default_rng(0)


def normal(*shape):
    return rng.standard_normal(shape)


LINE, IMAGE, VOLUME = normal(2, 4, 11), normal(2, 4, 9, 8), normal(1, 4, 5, 6, 5)
TIES = rng.integers(0, 3, (2, 3, 8, 9)).astype(float)
SAMPLES = rng.uniform(size=(2, 4, 3)).astype(np.float32)


def samples(x):
    """The random numbers of fractional pooling, as torch's or JAX's."""
    if isinstance(x, torch.Tensor):
        return torch.tensor(SAMPLES).to(x.dtype)
    return jax.numpy.asarray(SAMPLES, x.dtype)


TABLE = {  # the inputs of a group, and its calls by name
    "convolution over a line": (
        (LINE, normal(6, 4, 3), normal(6), normal(6, 2, 2)),
        {
            "plain": lambda F, x, w, b, g: F.conv1d(x, w, b),
            "stride and padding": lambda F, x, w, b, g: F.conv1d(x, w, None, 2, 1),
            "same, dilated": lambda F, x, w, b, g: F.conv1d(x, w, b, padding="same", dilation=2),
            "groups, even kernel, same": lambda F, x, w, b, g: F.conv1d(x, g, b, padding="same", groups=2),
            "one example": lambda F, x, w, b, g: F.conv1d(x[0], w, b, padding="valid"),
        },
    ),
    "convolution over an image": (
        (IMAGE, normal(6, 4, 3, 2), normal(6), normal(6, 2, 3, 3), normal(8, 1, 2, 3)),
        {
            "all": lambda F, x, w, b, g, d: F.conv2d(x, w, b, (2, 1), (1, 2), (1, 2)),
            "groups": lambda F, x, w, b, g, d: F.conv2d(x, g, b, padding="same", groups=2),
            "depthwise": lambda F, x, w, b, g, d: F.conv2d(x, d, None, 2, 1, 1, 4),
            "one example": lambda F, x, w, b, g, d: F.conv2d(x[1], w),
        },
    ),
    "convolution over a volume": (
        (VOLUME, normal(2, 2, 2, 3, 2), normal(2)),
        {"groups": lambda F, x, w, b: F.conv3d(x, w, b, (1, 2, 1), (0, 1, 1), (2, 1, 1), 2)},
    ),
    "transposed convolution": (
        (
            LINE[:, :, :5],
            IMAGE[:, :, :4, :3],
            VOLUME[..., :2],
            normal(4, 3, 3),
            normal(4, 2, 3, 2),
            normal(4, 1, 2, 1, 3),
        ),
        {
            "1d": lambda F, a, b, c, u, v, w: F.conv_transpose1d(a, u, None, 3, 1, 2),
            "1d, dilated, cut by more than the kernel": lambda F, a, b, c, u, v, w: F.conv_transpose1d(
                a, u, None, 2, 3, 1, dilation=1
            ),
            "2d, groups": lambda F, a, b, c, u, v, w: F.conv_transpose2d(
                b, v, v[0, 0, 0].sum() * v[:, 0, 0, 0], (2, 1), (1, 0), (1, 1), 2, (1, 2)
            ),
            "2d, one example": lambda F, a, b, c, u, v, w: F.conv_transpose2d(b[0], v),
            "3d": lambda F, a, b, c, u, v, w: F.conv_transpose3d(c, w, None, (1, 2, 1), groups=2),
        },
    ),
    "convolution by unfold": (
        (IMAGE, normal(6, 2, 3, 2), normal(6)),
        {"groups": lambda F, x, w, b: getattr(F, "conv2d_by_unfold", F.conv2d)(x, w, b, 2, (1, 2), (2, 1), 2)},
    ),
    "folding": (
        (IMAGE, normal(2, 12, 20), normal(8, 9)),
        {
            "unfold": lambda F, x, c, s: F.unfold(x, (3, 2), (1, 2), (1, 0), 2),
            "unfold of one example": lambda F, x, c, s: F.unfold(x[0], 3),
            "fold": lambda F, x, c, s: F.fold(c, (5, 6), (2, 2)),
            "fold of one example, padded": lambda F, x, c, s: F.fold(s, (6, 5), 2, 2, 1, (2, 2)),
        },
    ),
    "max pooling": (
        (LINE, IMAGE, VOLUME, normal(1, 2, 70)),
        {
            "1d": lambda F, x, y, z, w: F.max_pool1d(x, 3),
            "1d, ceil, dilated": lambda F, x, y, z, w: F.max_pool1d(x, 3, 2, 1, 2, True),
            "1d, a long window": lambda F, x, y, z, w: F.max_pool1d(w, 40, 7, 5),
            "2d": lambda F, x, y, z, w: F.max_pool2d(y, (3, 2), (2, 1), (1, 0), (1, 2), return_indices=True),
            "2d, ceil, one example": lambda F, x, y, z, w: F.max_pool2d(y[0], 3, 2, 1, ceil_mode=True),
            "3d": lambda F, x, y, z, w: F.max_pool3d(z, 2, (2, 1, 2), 1, return_indices=True),
        },
    ),
    "max pooling of ties": (
        (TIES,),
        {
            "2d": lambda F, x: F.max_pool2d(x, 3, 2, 1, return_indices=True),
            "ceil, dilated": lambda F, x: F.max_pool2d(x, 2, 1, 1, 2, True, return_indices=True),
            "adaptive": lambda F, x: F.adaptive_max_pool2d(x, (3, 5), return_indices=True),
            "1d": lambda F, x: F.max_pool1d(x[0], 4, 2),
        },
    ),
    "max unpooling": (
        (LINE, IMAGE, VOLUME),
        {
            "1d": lambda F, x, y, z: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2, output_size=(11,)),
            "2d": lambda F, x, y, z: F.max_unpool2d(*F.max_pool2d(y, 2, return_indices=True), 2, output_size=y.shape),
            "3d": lambda F, x, y, z: F.max_unpool3d(*F.max_pool3d(z[0], 2, 1, return_indices=True), 2, 1),
        },
    ),
    "average pooling": (
        (LINE, IMAGE, VOLUME),
        {
            "1d": lambda F, x, y, z: F.avg_pool1d(x, 3, 2, 1, True),
            "1d, padding not counted": lambda F, x, y, z: F.avg_pool1d(x[0], 3, 2, 1, True, False),
            "2d": lambda F, x, y, z: F.avg_pool2d(y, (3, 2), 2, (1, 1), True),
            "2d, divisor": lambda F, x, y, z: F.avg_pool2d(y, 2, divisor_override=3),
            "3d": lambda F, x, y, z: F.avg_pool3d(z, (2, 3, 2), 2, (1, 0, 1), True, False),
        },
    ),
    "power-average pooling": (
        (LINE, np.abs(IMAGE), VOLUME),
        {
            "1d": lambda F, x, y, z: F.lp_pool1d(x, 2, 3, 2, True),
            "1d, infinite": lambda F, x, y, z: F.lp_pool1d(x, float("inf"), 3),
            "2d, odd power": lambda F, x, y, z: F.lp_pool2d(y, 3, (2, 3)),
            "2d, no whole power": lambda F, x, y, z: F.lp_pool2d(y, 1.5, 2),
            "3d": lambda F, x, y, z: F.lp_pool3d(z, 2, 2, 1),
        },
    ),
    "adaptive pooling": (
        (LINE, IMAGE, VOLUME),
        {
            "mean 1d": lambda F, x, y, z: F.adaptive_avg_pool1d(x, 4),
            "mean 2d": lambda F, x, y, z: F.adaptive_avg_pool2d(y, (4, None)),
            "mean 2d, more": lambda F, x, y, z: F.adaptive_avg_pool2d(y[0], (13, 3)),
            "mean 3d": lambda F, x, y, z: F.adaptive_avg_pool3d(z, (1, 4, 2)),
            "largest 1d": lambda F, x, y, z: F.adaptive_max_pool1d(x, 4, return_indices=True),
            "largest 2d": lambda F, x, y, z: F.adaptive_max_pool2d(y, (2, 5), return_indices=True),
            "largest 3d": lambda F, x, y, z: F.adaptive_max_pool3d(z[0], (2, None, 3), return_indices=True),
        },
    ),
    "fractional pooling": (
        (IMAGE, VOLUME),
        {
            "2d": lambda F, y, z: F.fractional_max_pool2d(
                y, (2, 3), (5, 4), return_indices=True, _random_samples=samples(y)[..., :2]
            ),
            "2d, ratio": lambda F, y, z: F.fractional_max_pool2d(
                y[0], 2, output_ratio=(0.5, 0.7), _random_samples=samples(y)[:1, :, :2]
            ),
            "3d": lambda F, y, z: F.fractional_max_pool3d(
                z, 2, (3, 4, 3), return_indices=True, _random_samples=samples(z)[:1]
            ),
        },
    ),
    "padding": (
        (LINE, IMAGE, VOLUME),
        {
            "constant": lambda F, x, y, z: F.pad(z, (1, -2, -1, 3, 0, 1, 0, 0, 1, 0), value=2.5),
            "reflect": lambda F, x, y, z: F.pad(y, (3, 1, 0, 2), "reflect"),
            "reflect, cut": lambda F, x, y, z: F.pad(x, (-2, 4), "reflect"),
            "reflect 3d": lambda F, x, y, z: F.pad(z, (1, 2, 3, 1, 2, 0), "reflect"),
            "replicate": lambda F, x, y, z: F.pad(y[0], (7, 1, -1, 2), "replicate"),
            "circular": lambda F, x, y, z: F.pad(y, (8, 2, 1, 0), "circular"),
            "circular, cut": lambda F, x, y, z: F.pad(x, (3, -2), "circular"),
        },
    ),
    "nearest": (
        (LINE, IMAGE, VOLUME),
        {
            "smaller": lambda F, x, y, z: F.interpolate(x, 7),
            "factor": lambda F, x, y, z: F.interpolate(y, scale_factor=(1.7, 0.6)),
            "factor, from the sizes": lambda F, x, y, z: F.interpolate(
                y, scale_factor=1.7, recompute_scale_factor=True
            ),
            "exact": lambda F, x, y, z: F.interpolate(y, (5, 13), mode="nearest-exact"),
            "3d": lambda F, x, y, z: F.interpolate(z, (3, 7, 9), mode="nearest-exact"),
        },
    ),
    "linear": (
        (LINE, IMAGE, VOLUME),
        {
            "1d": lambda F, x, y, z: F.interpolate(x, 17, mode="linear"),
            "2d": lambda F, x, y, z: F.interpolate(y, (5, 13), mode="bilinear"),
            "2d, corners": lambda F, x, y, z: F.interpolate(y, (4, 9), mode="bilinear", align_corners=True),
            "2d, factor": lambda F, x, y, z: F.interpolate(y, scale_factor=1.3, mode="bilinear"),
            "2d, one element": lambda F, x, y, z: F.interpolate(y, (1, 9), mode="bilinear", align_corners=True),
            "antialias": lambda F, x, y, z: F.interpolate(y, (4, 11), mode="bilinear", antialias=True),
            "3d": lambda F, x, y, z: F.interpolate(z, scale_factor=(0.7, 1, 1.6), mode="trilinear"),
            "area": lambda F, x, y, z: F.interpolate(y, scale_factor=0.6, mode="area"),
        },
    ),
    # by factors that make the weights exact: how others are rounded is told by their own test
    "cubic": (
        (IMAGE[:, :, :8],),
        {
            "plain": lambda F, y: F.interpolate(y, (4, 16), mode="bicubic"),
            "corners": lambda F, y: F.interpolate(y, (15, 15), mode="bicubic", align_corners=True),
            "antialias": lambda F, y: F.interpolate(y, (4, 16), mode="bicubic", antialias=True),
            "lanczos": lambda F, y: F.interpolate(y, (4, 16), mode="lanczos", antialias=True),
        },
    ),
    "sampling": (
        (
            IMAGE,
            1.3 * rng.uniform(-1, 1, (2, 5, 4, 2)),
            VOLUME,
            1.3 * rng.uniform(-1, 1, (1, 3, 2, 2, 3)),
            normal(2, 2, 3),
        ),
        {
            f"{mode}, {padding}, {align}": lambda F, x, g, z, h, t, mode=mode, padding=padding, align=align: (
                F.grid_sample(x, g, mode, padding, align)
            )
            for mode, padding, align in (
                ("bilinear", "zeros", True),
                ("bilinear", "border", False),
                ("bilinear", "reflection", True),
                ("nearest", "reflection", False),
            )
        }
        | {
            "3d": lambda F, x, g, z, h, t: F.grid_sample(z, h, "bilinear", "reflection", False),
            "3d, nearest": lambda F, x, g, z, h, t: F.grid_sample(z, h, "nearest", "border", True),
            "affine": lambda F, x, g, z, h, t: F.affine_grid(t, (2, 1, 3, 4), align_corners=True),
            "affine, edges": lambda F, x, g, z, h, t: F.affine_grid(t, (2, 1, 1, 4), align_corners=False),
        },
    ),
    "shuffles": (
        (IMAGE[:, :, :8],),
        {
            "pixels": lambda F, x: F.pixel_shuffle(x[0], 2),
            "pixels back": lambda F, x: F.pixel_unshuffle(x, 4),
            "channels": lambda F, x: F.channel_shuffle(x, 2),
        },
    ),
}
