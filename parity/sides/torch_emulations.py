"""What may lie between two layers, as torch functions: activations, pooling, resizing, flattening, sums, attention.

Each is a candidate for what either side computes there. They run at any precision and can be differentiated, so that
one of them put in the place of torch's own code is judged as that code would be.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Emulation:
    """One candidate.

    Attributes:
        family: What kind it is; two of one family differ in `settings` alone.
        settings: By name, such as {"scale": "1 / sqrt(head)"}.
        run: run(sources by name) -> tensor, in torch's layout.
    """

    family: str
    settings: Mapping[str, str]
    run: Callable[[Tensors], torch.Tensor]

    def but(self, other: "Emulation") -> list[tuple[str, str, str]]:
        """(setting, own value, the other's) where they differ."""
        names = dict.fromkeys([*self.settings, *other.settings])
        both = ((n, self.settings.get(n, "none"), other.settings.get(n, "none")) for n in names)
        return [(n, a, b) for n, a, b in both if a != b]


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


def candidates(sources: Tensors, modules: Sequence[nn.Module], arrived: torch.Tensor) -> Iterator[Emulation]:
    """Everything in the catalogue that may give an array of the shape that arrives.

    Args:
        sources: What it is computed from, by name, in order: outputs of layers, inputs of the model.
        modules: Torch's modules without weights between, whose settings are taken over.
        arrived: What arrives in torch.

    Yields:
        Emulations, the likeliest first.
    """
    for make in (_pointwise, _pooled, _resized, _reduced, _attention):
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

                def run(given: Tensors, chosen: Any = chosen, function: Any = function) -> torch.Tensor:
                    first = given[chosen[0]]
                    total = first
                    for other in chosen[1:]:
                        total = total + given[other].reshape(first.shape)
                    return function(total)

                yield Emulation("activation", {"sum of": " + ".join(chosen), "activation": name}, run)


def _pooled(sources: Tensors, modules: Sequence[nn.Module], arrived: torch.Tensor) -> Iterator[Emulation]:
    """Pooling after an activation, by torch's settings and by those that are mistaken for them."""
    kinds = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
    for pool in (m for m in modules if isinstance(m, kinds)):
        axes = int(type(pool).__name__[-2])
        for source, (act, function) in itertools.product(sources, list(ACTIVATIONS.items())[:8]):
            if sources[source].dim() != axes + 2:
                continue
            own = (pool.kernel_size, pool.stride, pool.padding)
            for kind, ceil, counted, padded in itertools.product(
                ("max", "avg"), (False, True), (True, False), (True, False)
            ):
                if kind == "max" and not counted:
                    continue
                padding = pool.padding if padded else 0
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
                    "ceil_mode": str(ceil),
                    "padding": str(padding),
                }
                if kind == "avg":
                    settings["count_include_pad"] = str(counted)
                yield Emulation("pooling", settings, run)


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


SCALES: dict[str, Callable[[int, int], float]] = {
    "1 / sqrt(head)": lambda head, width: head**-0.5,
    "1": lambda head, width: 1.0,
    "1 / head": lambda head, width: 1.0 / head,
    "1 / sqrt(width)": lambda head, width: width**-0.5,
}


LAID = ("(h d), (h d)", "(d h), (d h)", "(d h), (h d)", "(h d), (d h)")


def _attention(sources: Tensors, modules: Sequence[nn.Module], arrived: torch.Tensor) -> Iterator[Emulation]:
    """Dot-product attention of three sources, or of one that holds all three."""
    masks = {n: t for n, t in sources.items() if t.dtype == torch.bool}
    floating = {n: t for n, t in sources.items() if t.is_floating_point() and t.dim() == 3}
    fused = [
        n for n, t in floating.items() if t.shape[:-1] == arrived.shape[:-1] and t.shape[-1] == 3 * arrived.shape[-1]
    ]
    three = [n for n, t in floating.items() if t.shape == arrived.shape]
    if not fused and len(three) != 3:
        return
    width = arrived.shape[-1]
    heads = [h for h in range(1, width + 1) if width % h == 0 and h <= 16]
    splits = ("3 blocks", "by head") if fused else ("apart",)
    orders = list(itertools.permutations(range(3)))
    given_masks = [f"{n} True {what}" for n in masks for what in ("keeps", "drops")]
    shown = ["none", "causal", *given_masks, *(f"causal and {m}" for m in given_masks)]
    for order, split, mask, scale, head, inner in itertools.product(orders, splits, shown, SCALES, heads, LAID):
        if head == 1 and (inner != LAID[0] or split == "by head"):
            continue
        names = tuple(fused[:1] if fused else three)

        def run(
            given: Tensors,
            names: Any = names,
            order: Any = order,
            split: str = split,
            mask: str = mask,
            scale: str = scale,
            head: int = head,
            inner: str = inner,
        ) -> torch.Tensor:
            q, k, v = _three(given, names, split, head)
            parts = [(q, k, v)[i] for i in order]
            return _attend(parts, given, mask, SCALES[scale](width // head, width), head, inner)

        said = "query, key, value"
        settings = {
            "order": ", ".join(said.split(", ")[i] for i in order),
            "split": split,
            "mask": mask,
            "scale": scale,
            "heads": str(head),
            "heads split, joined": inner,
        }
        yield Emulation("attention", settings, run)


def _three(given: Tensors, names: tuple[str, ...], split: str, heads: int) -> tuple[torch.Tensor, ...]:
    if split == "apart":
        return tuple(given[n] for n in names)
    whole = given[names[0]]
    if split == "3 blocks":
        return whole.chunk(3, -1)
    per_head = whole.reshape(*whole.shape[:-1], heads, 3, -1)
    return tuple(t.flatten(-2) for t in per_head.unbind(-2))


def _attend(parts: list[torch.Tensor], given: Tensors, mask: str, scale: float, heads: int, inner: str) -> torch.Tensor:
    split, _, joined = inner.partition(", ")

    def apart(x: torch.Tensor) -> torch.Tensor:
        if split == "(h d)":
            return x.reshape(*x.shape[:-1], heads, -1).transpose(1, 2)
        return x.reshape(*x.shape[:-1], -1, heads).permute(0, 3, 1, 2)

    q, k, v = map(apart, parts)
    scores = q @ k.transpose(-1, -2) * scale
    if mask.startswith("causal"):
        keep = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~keep, -math.inf)
    mask = mask.removeprefix("causal").removeprefix(" and ")
    if mask not in ("", "none"):
        name, _, meaning = mask.partition(" ")
        given_mask = given[name]
        while given_mask.dim() < 4:
            given_mask = given_mask.unsqueeze(
                1 if given_mask.dim() > 2 or given_mask.shape[0] == scores.shape[0] else 0
            )
        scores = scores.masked_fill(~given_mask if meaning == "True keeps" else given_mask, -math.inf)
    out = scores.softmax(-1) @ v
    if joined == "(h d)":
        return out.transpose(1, 2).flatten(2)
    return out.permute(0, 2, 3, 1).flatten(2)


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
    for one, other in itertools.combinations(range(arrived.ndim), 2):
        if arrived.shape[one] == arrived.shape[other]:
            yield f"axes {one} and {other} exchanged", functools.partial(_exchanged, one=one, other=other)


def _exchanged(x: Any, *, one: int, other: int) -> Any:
    return x.transpose(one, other)
