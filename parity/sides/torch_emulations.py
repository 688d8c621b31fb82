"""What may lie between two layers, as torch functions: activations, pooling, resizing, flattening, sums, attention.

Each is a candidate for what either side computes there. They run at any precision and can be differentiated, so that
one of them put in the place of torch's own code is judged as that code would be.
"""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from parity.sides.emulation import Emulation, Tensors
from parity.sides.torch_attention import attention

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "identity": lambda x: x,
    "relu": F.relu,
    "gelu (erf)": F.gelu,
    "gelu (tanh)": lambda x: F.gelu(x, approximate="tanh"),
    "gelu (x sigmoid(1.702 x))": lambda x: x * torch.sigmoid(1.702 * x),
    "silu": F.silu,
    "leaky_relu (slope 0.01)": lambda x: F.leaky_relu(x, 0.01),
    "leaky_relu (slope 0.1)": lambda x: F.leaky_relu(x, 0.1),
    "leaky_relu (slope 0.2)": lambda x: F.leaky_relu(x, 0.2),
    "leaky_relu (slope 0.3)": lambda x: F.leaky_relu(x, 0.3),
    "elu": F.elu,
    "selu": F.selu,
    "celu": F.celu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "relu6": F.relu6,
    "hardswish": F.hardswish,
    "hardtanh": F.hardtanh,
    "mish": F.mish,
    "softmax over the last axis": lambda x: x.softmax(-1),
    "log_softmax over the last axis": lambda x: x.log_softmax(-1),
    "exp": torch.exp,
    "squared relu": lambda x: F.relu(x) ** 2,
}


FAMILIES: dict[str, tuple[str, ...]] = {
    "activation": (
        "gelu's form",
        "another function",
        "a slope",
        "none",
        "one after a sum",
        "its input times a number",
        "a residual connection missing or added",
    ),
    "pooling": ("maximum or average", "count_include_pad", "ceil_mode", "padding", "window"),
    "resize": ("mode", "align_corners", "antialias"),
    "reduction": ("mean, sum, maximum, first or last", "axes"),
    "attention": (
        "scale, of any number",
        "number of heads",
        "order of query, key and value",
        "heads before or after their width",
        "mask missing, inverted, of the future or without the diagonal",
        "what a mask fills in",
        "softmax over queries",
    ),
    "order": ("channels first or last before a flatten", "two axes exchanged", "an axis reversed"),
    "size": ("times a number, such as 1/255 or sqrt(width)", "one part of a sum times a number"),
    "gradient": ("stopped",),
    "dtype": ("a cast to half precision, such as a softmax in bfloat16", "TF32 and bfloat16 products"),
}
"""What is told of the code between layers, by family, with the settings in which ports go wrong."""


def candidates(sources: Tensors, modules: Sequence[nn.Module], arrived: torch.Tensor) -> Iterator[Emulation]:
    """Everything in the catalogue that may give an array of the shape that arrives.

    Args:
        sources: What it is computed from, by name, in order: outputs of layers, inputs of the model.
        modules: Torch's modules without weights between, whose settings are taken over.
        arrived: What arrives in torch.

    Yields:
        Emulations, the likeliest first.
    """
    for make in (_pointwise, _pooled, _resized, _reduced, attention):
        yield from make(sources, modules, arrived)


def tensor(array: Any) -> torch.Tensor:
    """A NumPy array's copy as a tensor."""
    return torch.from_numpy(np.array(array))


def result_of(emulation: Emulation, sources: Tensors) -> torch.Tensor | None:
    """What an emulation gives; None where its settings do not go with these shapes."""
    try:
        with torch.no_grad():
            return emulation.run(sources)
    except (RuntimeError, ValueError, IndexError):
        return None


def _pointwise(sources: Tensors, modules: Sequence[nn.Module], arrived: torch.Tensor) -> Iterator[Emulation]:
    """An activation of one source or of the sum of some: residual connections are sums."""
    floating = [n for n, t in sources.items() if t.is_floating_point() and t.numel() == arrived.numel()]
    slopes = {float(m.negative_slope) for m in modules if isinstance(m, nn.LeakyReLU)}
    known = ACTIVATIONS | {f"leaky_relu (slope {s:g})": (lambda x, s=s: F.leaky_relu(x, s)) for s in slopes}
    most = range(len(floating), 0, -1) if len(floating) <= 6 else [len(floating), len(floating) - 1, 1]
    for size in most:
        for chosen in itertools.combinations(floating, size):
            for name, function in known.items():

                def at(given: Tensors, times: Any, chosen: Any = chosen, function: Any = function) -> torch.Tensor:
                    first = given[chosen[0]]
                    total = first
                    for other in chosen[1:]:
                        total = total + given[other].reshape(first.shape)
                    return function(total if times is None else times * total)

                settings = {"sum of": " + ".join(chosen), "activation": name}
                run = functools.partial(at, times=None)
                yield Emulation("activation", settings, run, (), "its input times", at)


def _pooled(sources: Tensors, modules: Sequence[nn.Module], arrived: torch.Tensor) -> Iterator[Emulation]:
    """Pooling after an activation, by torch's settings and by those that are mistaken for them."""
    for source in sources:
        axes = sources[source].dim() - 2
        if not 1 <= axes <= 3 or arrived.dim() != axes + 2:
            continue
        own_settings = dict.fromkeys([*_settings_of_pools(modules, axes), *_pools_that_fit(sources[source], arrived)])
        for own, (act, function) in itertools.product(own_settings, list(ACTIVATIONS.items())[:8]):
            for kind, ceil, counted, padded in itertools.product(
                ("max", "avg"), (False, True), (True, False), (True, False)
            ):
                if kind == "max" and not counted:
                    continue
                padding = own[2] if padded else 0
                options = {"padding": padding, "ceil_mode": ceil}
                if kind == "avg":
                    options["count_include_pad"] = counted
                call = getattr(F, f"{kind}_pool{axes}d")

                def run(
                    given: Tensors,
                    n: Any = source,
                    f: Any = function,
                    call: Any = call,
                    own: Any = own,
                    o: Any = options,
                ) -> torch.Tensor:
                    return call(f(given[n]), own[0], own[1], **o)

                settings = {
                    "of": source,
                    "activation": act,
                    "pooling": kind,
                    "window": str(own[0]),
                    "stride": str(own[1]),
                    "ceil_mode": str(ceil),
                    "padding": str(padding),
                }
                if kind == "avg":
                    settings["count_include_pad"] = str(counted)
                yield Emulation("pooling", settings, run)


def _settings_of_pools(modules: Sequence[nn.Module], axes: int) -> Iterator[tuple[Any, Any, Any]]:
    kinds = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
    for pool in modules:
        if isinstance(pool, kinds) and int(type(pool).__name__[-2]) == axes:
            yield pool.kernel_size, pool.stride, pool.padding


def _pools_that_fit(source: torch.Tensor, arrived: torch.Tensor) -> Iterator[tuple[int, int, int]]:
    """(window, stride, padding) of a pooling by a function: windows of the stride's size, or overlapping by one."""
    ratios = {round(a / b) for a, b in zip(source.shape[2:], arrived.shape[2:], strict=True) if b}
    if len(ratios) == 1 and source.shape[:2] == arrived.shape[:2] and (stride := ratios.pop()) > 1:
        yield stride, stride, 0
        yield stride + 1, stride, (stride + 1) // 2


def _resized(sources: Tensors, modules: Sequence[nn.Module], arrived: torch.Tensor) -> Iterator[Emulation]:
    """Interpolation of images to the size that arrives."""
    for name, source in sources.items():
        if source.dim() != 4 or arrived.dim() != 4 or source.shape[:2] != arrived.shape[:2]:
            continue
        size = tuple(arrived.shape[2:])
        if size == tuple(source.shape[2:]):
            continue
        for mode, aligned, antialias in itertools.product(
            ("bilinear", "bicubic", "nearest", "nearest-exact", "area"), (False, True), (False, True)
        ):
            smooth = mode in ("bilinear", "bicubic")
            if not smooth and (aligned or antialias):
                continue
            options: dict[str, Any] = {"mode": mode}
            if smooth:
                options |= {"align_corners": aligned, "antialias": antialias}
            settings = {"of": name, **{k: str(v) for k, v in options.items()}}

            def run(given: Tensors, n: str = name, size: Any = size, o: Any = options) -> torch.Tensor:
                return F.interpolate(given[n], size, **o)

            yield Emulation("resize", settings, run)


def _reduced(sources: Tensors, modules: Sequence[nn.Module], arrived: torch.Tensor) -> Iterator[Emulation]:
    """One axis or the whole space of a source taken together."""
    takes: dict[str, Callable[..., torch.Tensor]] = {
        "mean": lambda x, d: x.mean(d),
        "max": lambda x, d: x.amax(d),
        "sum": lambda x, d: x.sum(d),
    }
    single: dict[str, Callable[..., torch.Tensor]] = {
        "first": lambda x, d: x.select(d, 0),
        "last": lambda x, d: x.select(d, -1),
    }
    for name, source in sources.items():
        groups = [(d,) for d in range(1, source.dim())] + ([tuple(range(2, source.dim()))] if source.dim() > 3 else [])
        for axes, (act, function) in itertools.product(groups, list(ACTIVATIONS.items())[:6]):
            chosen = takes | (single if len(axes) == 1 else {})
            for what, take in chosen.items():

                def run(given: Tensors, n: str = name, f: Any = function, t: Any = take, d: Any = axes) -> torch.Tensor:
                    return t(f(given[n]), d if len(d) > 1 else d[0])

                yield Emulation("reduction", {"of": name, "activation": act, "by": f"{what} over axes {axes}"}, run)


def changed(arrived: Any) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """What may have become of an array on its way: another flatten order, another order of equal axes, flipped.

    Yields:
        (description, function of the array).
    """
    for axis in range(1, arrived.ndim):
        size = arrived.shape[axis]
        for factor in range(2, size):
            if size % factor == 0:

                def reordered(x: Any, axis: int = axis, factor: int = factor) -> Any:
                    shape = (*x.shape[:axis], factor, x.shape[axis] // factor, *x.shape[axis + 1 :])
                    return x.reshape(shape).transpose(axis, axis + 1).reshape(x.shape)

                torch, jax = f"({factor}, {size // factor})", f"({size // factor}, {factor})"
                yield f"axis {axis} is flattened from {jax}, torch's from {torch}: channels last, not first", reordered
    for axis in range(1, arrived.ndim):
        yield f"axis {axis} reversed", functools.partial(_reversed, axis=axis)
    for one, other in itertools.combinations(range(arrived.ndim), 2):
        if arrived.shape[one] == arrived.shape[other]:
            yield f"axes {one} and {other} exchanged", functools.partial(_exchanged, one=one, other=other)


def _exchanged(x: Any, *, one: int, other: int) -> Any:
    return x.transpose(one, other)


def _reversed(x: Any, *, axis: int) -> Any:
    return x.flip(axis)
