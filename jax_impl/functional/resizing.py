"""Resizing: an image of another size, every new element a weighted sum of some old ones, one axis after the other."""

import math
from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Shaped

from jax_impl.functional._cubic import cubic_kernel
from jax_impl.functional.pooling.adaptive import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d

__all__ = ["interpolate", "upsample", "upsample_nearest", "upsample_bilinear"]

Taps = tuple[np.ndarray, np.ndarray | None]
"""For each output element the old ones that it is made of, (K, O), and their weights, (K, O); None where K is 1."""

AXES = {"linear": 1, "bilinear": 2, "bicubic": 2, "lanczos": 2, "trilinear": 3}
AREA = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}


def interpolate(
    input: Shaped[Array, "N C ..."],
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Shaped[Array, "N C ..."]:
    """Resize the spatial axes, to a size or by a factor.

    Args:
        input: (N, C, L), (N, C, H, W) or (N, C, D, H, W).
        size: of the output, one number for all spatial axes or one for each; or
        scale_factor: what to multiply the sizes by, likewise; the output's are rounded down.
        mode: "nearest" (whose rounding is off by half an element), "nearest-exact", "area", "linear" of one axis,
            "bilinear" and "bicubic" of two, "trilinear" of three, or with antialias "lanczos" of two.
        align_corners: of the linear and cubic modes, whether the centres of the corner elements meet, and not their
            outer edges.
        recompute_scale_factor: whether the factor that is sampled by follows from the rounded sizes; else it is
            scale_factor itself.
        antialias: of bilinear and bicubic, whether to widen the kernel where the image shrinks.

    Returns:
        (N, C, ...), resized.

    Raises:
        ValueError: where not one of size and scale_factor is given, or a flag does not go with the mode.
        TypeError: where a size is not whole.
        NotImplementedError: where the mode is unknown, or does not take such a shape.
        RuntimeError: where a size is not positive.

    Examples:
        >>> interpolate(array([[[0.0, 4.0]]]), 4, mode="linear").tolist()
        [[[0.0, 1.0, 3.0, 4.0]]]

    References:
        PyTorch, torch.nn.functional.interpolate; R. Keys, "Cubic Convolution Interpolation for Digital Image
        Processing" (1981).
    """
    spatial = input.shape[2:]
    if align_corners is not None and mode in ("nearest", "area", "nearest-exact"):
        raise ValueError(f"interpolate: mode {mode!r} has no align_corners; the linear and cubic modes have")
    sizes, factors = _sizes(spatial, size, scale_factor)
    if recompute_scale_factor and size is not None:
        raise ValueError("interpolate: recompute_scale_factor goes with scale_factor, and a size is given")
    if recompute_scale_factor or mode == "area":
        factors = (None,) * len(spatial)
    if antialias and (mode not in ("bilinear", "bicubic", "lanczos") or input.ndim != 4):
        raise ValueError(
            f"interpolate: antialias goes with bilinear, bicubic and lanczos of (N, C, H, W), not {mode!r}"
        )
    if mode == "lanczos" and (align_corners or not antialias):
        raise ValueError("interpolate: lanczos goes with antialias=True and without align_corners")
    if input.ndim not in (3, 4, 5) or mode not in ("nearest", "nearest-exact", "area", *AXES):
        raise NotImplementedError(f"interpolate: mode {mode!r} of an input of shape {input.shape} is unknown")
    if AXES.get(mode, len(spatial)) != len(spatial):
        raise NotImplementedError(f"interpolate: mode {mode!r} wants {AXES[mode] + 2} axes, not shape {input.shape}")
    if min(sizes) < 1 or 0 in input.shape[1:]:
        raise RuntimeError(f"interpolate: from shape {input.shape} to spatial shape {sizes}, wanted positive sizes")
    if mode == "area":
        return AREA[len(spatial)](input, sizes)
    if not mode.startswith("nearest") and not jnp.issubdtype(input.dtype, jnp.floating):
        raise NotImplementedError(
            f"interpolate: mode {mode!r} weighs, and the input is {input.dtype}: cast it to floats"
        )
    # torch finds nearest elements in float32 whatever the input's type, and weights in the input's own
    exact = np.dtype(np.float64) if input.dtype == jnp.float64 else np.dtype(np.float32)
    x = input.astype(jnp.float32) if input.dtype in (jnp.bfloat16, jnp.float16) else input
    for axis in range(-1, -len(spatial) - 1, -1):
        n, o, factor = spatial[axis], sizes[axis], factors[axis]
        if mode.startswith("nearest"):
            taps = _nearest(n, o, factor, 0.5 if mode == "nearest-exact" else 0.0)
        elif antialias:
            taps = _antialiased(n, o, _scale(n, o, factor, bool(align_corners), exact), *_KERNELS[mode])
        else:
            taps = (_cubic if mode == "bicubic" else _linear)(n, o, factor, bool(align_corners), exact)
        x = _weighted(x, axis, taps)
    return x.astype(input.dtype)


def upsample(
    input: Shaped[Array, "N C ..."],
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Shaped[Array, "N C ..."]:
    """interpolate under its old name.

    Args:
        input, size, scale_factor, mode, align_corners: as interpolate takes them.

    Returns:
        (N, C, ...), resized.

    Raises:
        ValueError: as interpolate does.

    Examples:
        >>> upsample(array([[[1.0, 2.0]]]), scale_factor=2).tolist()
        [[[1.0, 1.0, 2.0, 2.0]]]

    References:
        PyTorch, torch.nn.functional.upsample.
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Shaped[Array, "N C ..."],
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
) -> Shaped[Array, "N C ..."]:
    """interpolate by the nearest element.

    Args:
        input, size, scale_factor: as interpolate takes them.

    Returns:
        (N, C, ...), resized.

    Raises:
        ValueError: as interpolate does.

    Examples:
        >>> upsample_nearest(array([[[1.0, 2.0]]]), 4).tolist()
        [[[1.0, 1.0, 2.0, 2.0]]]

    References:
        PyTorch, torch.nn.functional.upsample_nearest.
    """
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(
    input: Float[Array, "N C H W"],
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
) -> Float[Array, "N C P Q"]:
    """interpolate bilinearly, the corners aligned.

    Args:
        input, size, scale_factor: as interpolate takes them.

    Returns:
        (N, C, P, Q).

    Raises:
        ValueError: as interpolate does.

    Examples:
        >>> upsample_bilinear(array([[[[0.0, 3.0]]]]), (1, 4)).tolist()
        [[[[0.0, 1.0, 2.0, 3.0]]]]

    References:
        PyTorch, torch.nn.functional.upsample_bilinear.
    """
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)


def _sizes(
    spatial: Sequence[int], size: int | Sequence[int] | None, scale_factor: float | Sequence[float] | None
) -> tuple[tuple[int, ...], tuple[float | None, ...]]:
    """The output's sizes, and the factors that were given for them."""
    given = size if scale_factor is None else scale_factor
    if (size is None) == (scale_factor is None) or given is None:
        raise ValueError(f"interpolate: size is {size} and scale_factor {scale_factor}, wanted one of them")
    numbers = tuple(given) if isinstance(given, Sequence) else (given,) * len(spatial)
    if len(numbers) != len(spatial):
        raise ValueError(f"interpolate: {given} has not one number for each of the spatial axes {tuple(spatial)}")
    if scale_factor is not None:
        return tuple(math.floor(n * f) for n, f in zip(spatial, numbers, strict=True)), numbers
    if not all(hasattr(number, "__index__") for number in numbers):
        raise TypeError(f"interpolate: size is {size}, wanted integers")
    return tuple(int(number) for number in numbers), (None,) * len(spatial)


def _scale(n: int, o: int, factor: float | None, align_corners: bool, exact: np.dtype) -> np.ndarray:
    """How many old elements one new one is wide."""
    if align_corners:
        return np.asarray((n - 1) / (o - 1) if o > 1 else 0, exact)
    return np.asarray(1 / factor if factor else n / o, exact)


def _sources(n: int, o: int, factor: float | None, align_corners: bool, exact: np.dtype) -> np.ndarray:
    """Where in the old array every new element lies."""
    # as torch's processors round it: the product is not rounded before the difference is taken
    wide = _wide(exact)
    scale, i = _scale(n, o, factor, align_corners, exact).astype(wide), np.arange(o).astype(wide)
    return (scale * i if align_corners else scale * (i + 0.5) - 0.5).astype(exact)


def _nearest(n: int, o: int, factor: float | None, offset: float) -> Taps:
    exact = np.dtype(np.float32)
    scale = _scale(n, o, factor, False, exact)
    at = np.floor((np.arange(o).astype(exact) + exact.type(offset)) * scale)
    return np.minimum(at.astype(int), n - 1)[None], None


def _linear(n: int, o: int, factor: float | None, align_corners: bool, exact: np.dtype) -> Taps:
    if n == o:
        return np.arange(o)[None], None
    at = np.maximum(_sources(n, o, factor, align_corners, exact), 0)
    low = np.minimum(at.astype(int), n - 1)
    t = np.clip(at - low, 0, 1).astype(exact)
    return np.stack([low, np.minimum(low + 1, n - 1)]), np.stack([1 - t, t])


def _cubic(n: int, o: int, factor: float | None, align_corners: bool, exact: np.dtype) -> Taps:
    at = _sources(n, o, factor, align_corners, exact)
    low = np.minimum(np.floor(at).astype(int), n - 1)
    t = np.clip(at - low, 0, 1).astype(exact)
    # the two on the far side are measured from theirs, as torch does
    distances = np.stack([t + 1, t, 1 - t, (1 - t) + 1])
    return np.clip(low + np.arange(-1, 3)[:, None], 0, n - 1), _fused(distances, -0.75)


def _fused(d: np.ndarray, a: float) -> np.ndarray:
    """cubic_kernel of two near distances between two far ones, each product and sum rounded once, as torch's are."""
    wide = _wide(d.dtype)

    def step(so_far: np.ndarray | float, term: float) -> np.ndarray:
        return (so_far * d.astype(wide) + term).astype(d.dtype).astype(wide)

    near = step(step(step(a + 2, -(a + 3)), 0), 1)
    far = step(step(step(a, -5 * a), 8 * a), -4 * a)
    return np.stack([far[0], near[1], near[2], far[3]]).astype(d.dtype)


def _wide(exact: np.dtype) -> np.dtype:
    """A type that holds the product of two numbers of the given one, or nearly so."""
    return np.dtype(np.longdouble if exact == np.float64 else np.float64)


def _triangle(distance: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(distance), 0).astype(distance.dtype)


def _lanczos(distance: np.ndarray) -> np.ndarray:
    return np.where(np.abs(distance) < 3, np.sinc(distance) * np.sinc(distance / 3), 0).astype(distance.dtype)


_KERNELS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], int]] = {
    "bilinear": (_triangle, 1),
    "bicubic": (lambda distance: cubic_kernel(distance, -0.5), 2),
    "lanczos": (_lanczos, 3),
}


def _antialiased(n: int, o: int, scale: np.ndarray, kernel: Callable[[np.ndarray], np.ndarray], reach: int) -> Taps:
    """A kernel as wide as a new element where the image shrinks; its weights sum to one, at the edges too."""
    exact = scale.dtype
    wide = np.maximum(scale, 1).astype(exact)
    support = reach * wide
    centre = scale * (np.arange(o).astype(exact) + exact.type(0.5))
    first = np.maximum((centre - support + exact.type(0.5)).astype(int), 0)
    last = np.minimum((centre + support + exact.type(0.5)).astype(int), n)
    j = np.arange(int((last - first).max()))[:, None]
    # in torch's order of operations
    distances = (j.astype(exact) + (first.astype(exact) - centre) + exact.type(0.5)) * (1 / wide)
    weights = np.where(first + j < last, kernel(distances), 0).astype(exact)
    return np.minimum(first + j, n - 1), weights / weights.sum(0)


def _weighted(x: Array, axis: int, taps: Taps) -> Array:
    at, weights = taps
    if weights is None:
        return jnp.take(x, at[0], axis=axis, mode="clip")
    columns = jnp.asarray(weights, x.dtype).reshape(*weights.shape, *(1,) * (-1 - axis))
    terms = (w * jnp.take(x, row, axis=axis, mode="clip") for row, w in zip(at, columns, strict=True))
    return sum(terms, start=jnp.zeros((), x.dtype))
