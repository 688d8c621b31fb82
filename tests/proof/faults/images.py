"""Faults of layers of images: convolutions, pooling, resizing, the way to a dense layer."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from torch.nn import functional as F

from proof.faults.fault import Fault, normal

IMAGE = normal(x=(1, 2, 7, 7), w=(3, 2, 3, 3))
NCHW = ("NCHW", "OIHW", "NCHW")
NHWC = ("NHWC", "OIHW", "NHWC")


def conv(padding, stride=2, turn=lambda w: w):
    return lambda x, w: lax.conv_general_dilated(x, turn(w), (stride, stride), padding, dimension_numbers=NCHW)


def conv_transpose(low=1, high=1, extra=1, flip=True):
    """torch's conv_transpose2d of stride 2 and padding 1, as a convolution of the input spread out by zeros."""

    def function(x, w):
        kernel = jnp.swapaxes(jnp.flip(w, (2, 3)) if flip else w, 0, 1)
        pads = ((2 - low, 2 - high + extra),) * 2
        return lax.conv_general_dilated(x, kernel, (1, 1), pads, lhs_dilation=(2, 2), dimension_numbers=NCHW)

    return function


def conv_transpose_of_groups(order):
    def function(x, w):
        i, o, kh, kw = w.shape
        kernel = jnp.flip(w, (2, 3)).reshape(2, i // 2, o, kh, kw)
        kernel = kernel.transpose(order).reshape(2 * o, i // 2, kh, kw)
        return lax.conv_general_dilated(
            x, kernel, (1, 1), ((2, 2), (2, 2)), dimension_numbers=NCHW, feature_group_count=2
        )

    return function


def flatten_then_dense(axes):
    def function(x, w1, w2):
        y = lax.conv_general_dilated(x.transpose(0, 2, 3, 1), w1, (1, 1), "VALID", dimension_numbers=NHWC)
        return y.transpose(axes).reshape(len(x), -1) @ w2.T

    return function


def window_sum(x, pads, size=3, stride=2):
    return lax.reduce_window(x, 0.0, lax.add, (1, 1, size, size), (1, 1, stride, stride), ((0, 0), (0, 0), pads, pads))


def average_pool(pads, counted, size=3, stride=2):
    """The sum over each window, over the number of its elements inside x and `counted` rows of padding around it."""

    def function(x):
        ones = jnp.ones((1, 1, x.shape[2] + 2 * counted, x.shape[3] + 2 * counted), x.dtype)
        rest = tuple(p - counted for p in pads)
        return window_sum(x, pads, size, stride) / window_sum(ones, rest, size, stride)

    return function


def resize(method, shape=(4, 5), antialias=False):
    return lambda x: jax.image.resize(x, (*x.shape[:2], *shape), method, antialias=antialias)


def bilinear_by_hand(size, corners):
    """Bilinear interpolation as a product with a matrix for each axis."""

    def matrix(old, new):
        centres = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        at = np.linspace(0, old - 1, new) if corners else centres
        return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(old)))

    return lambda x: jnp.einsum("ih,nchw,jw->ncij", matrix(x.shape[2], size), x, matrix(x.shape[3], size))


def cubic_by_hand(size, a):
    """Cubic convolution with Keys' parameter a; the edge is repeated."""

    def matrix(old, new):
        at = (np.arange(new) + 0.5) * old / new - 0.5
        m = np.zeros((new, old))
        for row, centre in enumerate(at):
            for tap in range(int(np.floor(centre)) - 1, int(np.floor(centre)) + 3):
                d = abs(centre - tap)
                near = (a + 2) * d**3 - (a + 3) * d**2 + 1
                far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
                m[row, np.clip(tap, 0, old - 1)] += near if d <= 1 else far
        return m

    return lambda x: jnp.einsum("ih,nchw,jw->ncij", matrix(x.shape[2], size), x, matrix(x.shape[3], size))


def nearest(indices):
    return lambda x: x[:, :, indices(7, 4)][:, :, :, indices(7, 4)]


FAULTS = (
    Fault(
        "convolution: SAME padding with stride 2",
        "flax#2993, keras PR#16363, jax PR#12659",
        normal(x=(1, 2, 8, 8), w=(3, 2, 3, 3)),
        lambda x, w: F.conv2d(x, w, stride=2, padding=1),
        conv(((1, 1), (1, 1))),
        conv("SAME"),
    ),
    Fault(
        "convolution: SAME padding for none",
        "Flax's guide: its default",
        IMAGE,
        lambda x, w: F.conv2d(x, w),
        conv("VALID", stride=1),
        conv("SAME", stride=1),
        stage="structure",
        verdict="STRUCTURE",
    ),
    Fault(
        "convolution: square kernel transposed",
        "transformers' rename_key_and_reshape_tensor",
        IMAGE,
        lambda x, w: F.conv2d(x, w, stride=2, padding=1),
        conv(((1, 1), (1, 1))),
        conv(((1, 1), (1, 1)), turn=lambda w: w.swapaxes(2, 3)),
    ),
    Fault(
        "convolution: as many channels in as out, swapped",
        "Flax's guide",
        normal(x=(1, 3, 7, 7), w=(3, 3, 3, 3)),
        lambda x, w: F.conv2d(x, w, stride=2, padding=1),
        conv(((1, 1), (1, 1))),
        conv(((1, 1), (1, 1)), turn=lambda w: w.swapaxes(0, 1)),
    ),
    Fault(
        "transposed convolution: kernel not flipped",
        "jax#11252",
        normal(x=(1, 2, 4, 4), w=(2, 3, 3, 3)),
        lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1),
        conv_transpose(),
        conv_transpose(flip=False),
    ),
    Fault(
        "transposed convolution: cropped on the other side",
        "flax#1872",
        normal(x=(1, 2, 4, 4), w=(2, 3, 3, 3)),
        lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1),
        conv_transpose(),
        conv_transpose(low=0, high=2),
    ),
    Fault(
        "transposed convolution: no output padding",
        "keras PR#22876",
        normal(x=(1, 2, 4, 4), w=(2, 3, 3, 3)),
        lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1),
        conv_transpose(),
        conv_transpose(extra=0),
        stage="structure",
        verdict="STRUCTURE",
    ),
    Fault(
        "transposed convolution: groups in another order",
        "flax#3137",
        normal(x=(1, 4, 4, 4), w=(4, 2, 3, 3)),
        lambda x, w: F.conv_transpose2d(x, w, groups=2),
        conv_transpose_of_groups((0, 2, 1, 3, 4)),
        conv_transpose_of_groups((2, 0, 1, 3, 4)),
    ),
    Fault(
        "dense after flatten: NHWC for NCHW",
        "Flax's guide",
        normal(x=(2, 2, 4, 4), w1=(3, 2, 3, 3), w2=(5, 12)),
        lambda x, w1, w2: F.conv2d(x, w1).flatten(1) @ w2.T,
        flatten_then_dense((0, 3, 1, 2)),
        flatten_then_dense((0, 1, 2, 3)),
    ),
    Fault(
        "average pooling: padding counted",
        "flax PR#1848",
        normal(x=(1, 2, 7, 7)),
        lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
        average_pool((1, 1), counted=0),
        average_pool((1, 1), counted=1),
    ),
    Fault(
        "average pooling: ceil_mode's last window over its full size",
        "pytorch/xla#746",
        normal(x=(1, 2, 6, 6)),
        lambda x: F.avg_pool2d(x, 3, 2, ceil_mode=True),
        average_pool((0, 1), counted=0),
        lambda x: window_sum(x, (0, 1)) / 9,
    ),
    Fault(
        "max pooling: no ceil_mode",
        "pytorch/xla#746",
        normal(x=(1, 2, 6, 6)),
        lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True),
        lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 3, 3), (1, 1, 2, 2), ((0, 0), (0, 0), (0, 1), (0, 1))),
        lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 3, 3), (1, 1, 2, 2), "VALID"),
        stage="structure",
        verdict="STRUCTURE",
    ),
    Fault(
        "resize down: antialias by default",
        "cmmd-pytorch PR#5",
        normal(x=(1, 2, 8, 10)),
        lambda x: F.interpolate(x, (4, 5), mode="bilinear"),
        resize("bilinear"),
        resize("bilinear", antialias=True),
    ),
    Fault(
        "resize: bicubic with a = -0.5 for -0.75",
        "jax#15768",
        normal(x=(1, 2, 5, 5)),
        lambda x: F.interpolate(x, (8, 8), mode="bicubic"),
        cubic_by_hand(8, -0.75),
        cubic_by_hand(8, -0.5),
    ),
    Fault(
        "resize: align_corners",
        "jax#11206",
        normal(x=(1, 2, 4, 4)),
        lambda x: F.interpolate(x, (7, 7), mode="bilinear", align_corners=True),
        bilinear_by_hand(7, corners=True),
        bilinear_by_hand(7, corners=False),
    ),
    Fault(
        "resize: nearest from the centre of a pixel",
        "torch.nn against jax.image, measured",
        normal(x=(1, 2, 7, 7)),
        lambda x: F.interpolate(x, (4, 4), mode="nearest"),
        nearest(lambda old, new: np.arange(new) * old // new),
        nearest(lambda old, new: ((np.arange(new) + 0.5) * old / new).astype(int)),
    ),
)
