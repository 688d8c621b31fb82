"""Sampling: an image read at any points, and the grids of points that affine maps give."""

import warnings
from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

from jax_impl.functional._cubic import cubic_kernel

__all__ = ["affine_grid", "grid_sample"]


def affine_grid(
    theta: Float[Array, "N D E"], size: Sequence[int], align_corners: bool | None = None
) -> Float[Array, "N ... D"]:
    """The points that affine maps take the elements of an image to, for grid_sample to read there.

    Args:
        theta: (N, 2, 3), or (N, 3, 4) for volumes: a matrix and a translation, of coordinates from -1 to 1, x first.
        size: (N, C, H, W) or (N, C, D, H, W) of the image that is wanted.
        align_corners: whether -1 and 1 are the centres of the corner elements, and not their outer edges.

    Returns:
        (N, H, W, 2), or (N, D, H, W, 3).

    Raises:
        ValueError: where theta is not floating, or theta and size do not go together.
        NotImplementedError: where size has not four or five numbers.

    Examples:
        >>> affine_grid(array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]), (1, 1, 1, 2), align_corners=False).tolist()
        [[[[-0.5, 0.0], [0.5, 0.0]]]]

    References:
        PyTorch, torch.nn.functional.affine_grid; M. Jaderberg et al., "Spatial Transformer Networks" (2015).
    """
    align = _aligned("affine_grid", align_corners)
    if not jnp.issubdtype(theta.dtype, jnp.floating):
        raise ValueError(f"affine_grid: theta is {theta.dtype}, wanted a floating type")
    if len(size) not in (4, 5):
        raise NotImplementedError(f"affine_grid: size is {tuple(size)}, wanted (N, C, H, W) or (N, C, D, H, W)")
    axes = len(size) - 2
    if theta.shape[1:] != (axes, axes + 1) or theta.ndim != 3:
        raise ValueError(f"affine_grid: theta has shape {theta.shape}, wanted (N, {axes}, {axes + 1}) for size {size}")
    if min(size) < 1:
        raise ValueError(f"affine_grid: size is {tuple(size)}, wanted positive numbers")
    if align and min(size[2:]) == 1:
        warnings.warn("affine_grid: along an axis of one element, align_corners=True puts it at 0", stacklevel=2)
    lines = [_line(n, align, theta.dtype) for n in size[2:]]
    coordinates = jnp.meshgrid(*lines, indexing="ij")[::-1]  # x first
    points = jnp.stack([*coordinates, jnp.ones_like(coordinates[0])], axis=-1)  # (H, W, 3)
    return jnp.einsum("...e,nde->n...d", points, theta)


def grid_sample(
    input: Float[Array, "N C ..."],
    grid: Float[Array, "N ... D"],
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Float[Array, "N C ..."]:
    """Read an image, or a volume, at points between its elements.

    Args:
        input: (N, C, H, W), or (N, C, D, H, W).
        grid: (N, P, Q, 2), or (N, P, Q, R, 3): points, x first, from -1 to 1 inside the image.
        mode: "bilinear", of volumes trilinear; "nearest"; or "bicubic", of images alone.
        padding_mode: outside stand "zeros", the nearest element of the "border", or the image's "reflection".
        align_corners: whether -1 and 1 are the centres of the corner elements, and not their outer edges.

    Returns:
        (N, C, P, Q), or (N, C, P, Q, R).

    Raises:
        ValueError: where a mode is unknown.
        RuntimeError: where shapes or dtypes do not go together.

    Examples:
        >>> image, points = array([[[[0.0, 4.0]]]]), array([[[[0.0, 0.0], [0.5, 0.0]]]])
        >>> grid_sample(image, points, align_corners=True).tolist()
        [[[[2.0, 3.0]]]]

    References:
        PyTorch, torch.nn.functional.grid_sample.
    """
    align = _aligned("grid_sample", align_corners)
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(f"grid_sample: mode is {mode!r}, wanted 'bilinear', 'nearest' or 'bicubic'")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(f"grid_sample: padding_mode is {padding_mode!r}, wanted 'zeros', 'border' or 'reflection'")
    axes = input.ndim - 2
    if axes not in (2, 3) or grid.ndim != input.ndim or grid.shape[0] != input.shape[0] or grid.shape[-1] != axes:
        raise RuntimeError(
            f"grid_sample: input of shape {input.shape} and grid of shape {grid.shape} do not go together, wanted "
            "(N, C, H, W) and (N, P, Q, 2), or (N, C, D, H, W) and (N, P, Q, R, 3)"
        )
    if 0 in input.shape[2:] or input.dtype != grid.dtype or (mode == "bicubic" and axes == 3):
        raise RuntimeError(
            f"grid_sample: mode {mode!r} of an input of shape {input.shape}, {input.dtype}, at a grid of {grid.dtype}: "
            "wanted one dtype, no empty axis, and two spatial axes where it is 'bicubic'"
        )
    sizes = input.shape[2:]
    # (N, P, Q) for each axis, in elements, the last coordinate of a point along the first axis
    at = [_unnormalized(grid[..., axes - 1 - a], n, align) for a, n in enumerate(sizes)]
    place = _PLACES[padding_mode]
    if mode != "bicubic":
        at = [place(x, n, align) for x, n in zip(at, sizes, strict=True)]
    if mode == "nearest":
        return _read(input, [jnp.round(x)[None] for x in at])[(0,) * axes]
    # the neighbours along each axis on an axis of their own: one gather reads them all, and the program stays small
    offsets = jnp.asarray((-1, 0, 1, 2) if mode == "bicubic" else (0, 1), grid.dtype).reshape(-1, *(1,) * at[0].ndim)
    low = [lax.stop_gradient(jnp.floor(x)) for x in at]
    weights = [_weight(mode, x - lo - offsets) for x, lo in zip(at, low, strict=True)]  # (K, N, P, Q) each
    points = [lo + offsets for lo in low]
    if mode == "bicubic":
        points = [place(x, n, align) for x, n in zip(points, sizes, strict=True)]
    y = _read(input, points)  # (K, K, N, C, P, Q)
    names = "klm"[:axes]
    return jnp.einsum(f"{names}nc...,{','.join(f'{k}n...' for k in names)}->nc...", y, *weights)


def _aligned(name: str, align_corners: bool | None) -> bool:
    if align_corners is None:
        warnings.warn(f"{name}: align_corners is not given and taken for False; say which is meant", stacklevel=3)
    return bool(align_corners)


def _line(n: int, align: bool, dtype: jnp.dtype) -> Array:
    """The coordinates of n elements, from -1 to 1."""
    if n == 1:
        return jnp.zeros(1, dtype)
    line = jnp.linspace(-1, 1, n, dtype=dtype)
    return line if align else line * (n - 1) / n


def _unnormalized(x: Array, n: int, align: bool) -> Array:
    return (x + 1) / 2 * (n - 1) if align else ((x + 1) * n - 1) / 2


def _anywhere(x: Array, n: int, align: bool) -> Array:
    return x


def _border(x: Array, n: int, align: bool) -> Array:
    # at the border itself too the slope is torch's, zero
    return jnp.where(x <= 0, 0, jnp.where(x >= n - 1, jnp.asarray(n - 1, x.dtype), x))


def _reflected(x: Array, n: int, align: bool) -> Array:
    # about the centres of the outermost elements, or about their outer edges
    low, high = (0.0, float(n - 1)) if align else (-0.5, n - 0.5)
    if low == high:
        return jnp.zeros_like(x)
    # abs has the slope 0 at 0 here, and torch's reflection 1
    shifted = jnp.where(x - low >= 0, x - low, low - x)
    flips = lax.stop_gradient(jnp.floor(shifted / (high - low)))
    rest = shifted - flips * (high - low)
    return _border(jnp.where(flips % 2 == 0, rest + low, high - rest), n, align)


_PLACES: dict[str, Callable[[Array, int, bool], Array]] = {
    "zeros": _anywhere,
    "border": _border,
    "reflection": _reflected,
}


def _weight(mode: str, distance: Array) -> Array:
    if mode == "bicubic":
        return cubic_kernel(distance, -0.75)
    # 1 - |d|, written by the side that the neighbour is on: at an element itself the slope is that towards the next
    return jnp.where(distance >= 0, 1 - distance, 1 + distance)


def _read(image: Array, at: Sequence[Array]) -> Array:
    """The elements at whole coordinates, (K, N, P, Q) along each axis: (K, K, N, C, P, Q); zeros outside."""
    inside = jnp.ones((), bool)
    index = []
    for a, (x, n) in enumerate(zip(at, image.shape[2:], strict=True)):
        within = (x >= 0) & (x <= n - 1)
        x = jnp.where(within, x, 0).astype(jnp.int32)
        # the neighbours of axis a at the a-th of the leading axes
        shape = [*(x.shape[0] if a == b else 1 for b in range(len(at))), *x.shape[1:]]
        inside = inside & within.reshape(shape)
        index.append(x.reshape(shape))
    batch = jnp.arange(len(image)).reshape(-1, *(1,) * len(at))
    found = image[batch, :, *index]  # (K, K, N, P, Q, C)
    return jnp.where(jnp.expand_dims(inside, len(at) + 1), jnp.moveaxis(found, -1, len(at) + 1), 0)
