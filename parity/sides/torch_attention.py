"""Dot-product attention as torch functions, by all settings in which ports of it differ."""

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from parity.sides.emulation import Emulation, Tensors

SCALES: dict[str, Callable[[int, int], float]] = {
    "1 / sqrt(head)": lambda head, width: head**-0.5,
    "1": lambda head, width: 1.0,
    "1 / head": lambda head, width: 1.0 / head,
    "1 / sqrt(width)": lambda head, width: width**-0.5,
}

LAID = ("(h d), (h d)", "(d h), (d h)", "(d h), (h d)", "(h d), (d h)")

ORDER = ("query", "key", "value")

USUAL = {"masked": "-inf", "softmax over": "keys"}
"""Settings that are not tried with all others together: one of them at a time is another."""

UNUSUAL: dict[str, tuple[str, ...]] = {
    "masked": ("0", "nan", "1e-09", "-1", "-10", "-100", "-1000", "-10000", "-1e+09", "finfo.min"),
    "softmax over": ("queries",),
    "mask": ("causal inverted", "anticausal", "causal without the diagonal"),
}


def attention(sources: Tensors, modules: Sequence[nn.Module], arrived: torch.Tensor) -> Iterator[Emulation]:
    """Dot-product attention of three sources, or of one that holds all three.

    Args:
        sources: What it is computed from, by name; boolean ones are masks.
        modules: Not looked at.
        arrived: What arrives in torch.

    Yields:
        Emulations; settings in UNUSUAL come by `unusual`.
    """
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
    given_masks = [f"{n} True {what}" for n in masks for what in ("keeps", "drops")]
    shown = ["none", "causal", *given_masks, *(f"causal and {m}" for m in given_masks)]
    names = tuple(fused[:1] if fused else three)
    for order, split, mask, scale, head, laid in itertools.product(
        itertools.permutations(ORDER), splits, shown, SCALES, heads, LAID
    ):
        if head == 1 and (laid != LAID[0] or split == "by head"):
            continue
        settings = {"order": ", ".join(order), "split": split, "mask": mask, "scale": scale, "heads": str(head)}
        yield _emulation(names, {**settings, "heads split, joined": laid, **USUAL})


def unusual(usual: Emulation, names: tuple[str, ...]) -> Iterator[Emulation]:
    """The same attention in any order, with one setting that few mean: a mask that is none, another softmax axis.

    Order and split are free since behind such a fault nothing tells a query from a key, and a map may have them
    exchanged, or taken by heads where torch has three blocks.

    Args:
        usual: What torch computes.
        names: Of the sources.

    Yields:
        Emulations.
    """
    splits = (usual.settings["split"],) if usual.settings["split"] == "apart" else ("3 blocks", "by head")
    for split, order, (setting, values) in itertools.product(splits, itertools.permutations(ORDER), UNUSUAL.items()):
        if setting == "masked" and usual.settings["mask"] == "none":
            continue
        for value in values:
            yield _emulation(names, {**usual.settings, "order": ", ".join(order), "split": split, setting: value})


def _emulation(names: tuple[str, ...], settings: Mapping[str, str]) -> Emulation:
    heads = int(settings["heads"])

    def at(given: Tensors, scale: Any) -> torch.Tensor:
        three = _three(given, names, settings["split"], heads)
        parts = [three[ORDER.index(n)] for n in settings["order"].split(", ")]
        width = parts[0].shape[-1]
        known = SCALES[settings["scale"]](width // heads, width) if scale is None else scale
        return _attend(parts, given, heads, settings, known)

    return Emulation("attention", settings, functools.partial(at, scale=None), names, "scale", at)


def _three(given: Tensors, names: tuple[str, ...], split: str, heads: int) -> tuple[torch.Tensor, ...]:
    if split == "apart":
        return tuple(given[n] for n in names)
    whole = given[names[0]]
    if split == "3 blocks":
        return whole.chunk(3, -1)
    per_head = whole.reshape(*whole.shape[:-1], heads, 3, -1)
    return tuple(t.flatten(-2) for t in per_head.unbind(-2))


def _attend(
    parts: list[torch.Tensor], given: Tensors, heads: int, settings: Mapping[str, str], scale: Any
) -> torch.Tensor:
    split, _, joined = settings["heads split, joined"].partition(", ")

    def apart(x: torch.Tensor) -> torch.Tensor:
        if split == "(h d)":
            return x.reshape(*x.shape[:-1], heads, -1).transpose(1, 2)
        return x.reshape(*x.shape[:-1], -1, heads).permute(0, 3, 1, 2)

    q, k, v = map(apart, parts)
    scores = q @ k.transpose(-1, -2) * scale
    for keep in _kept(scores, given, settings["mask"]):
        scores = scores.masked_fill(~keep, _filling(settings["masked"], scores))
    out = scores.softmax(-1 if settings["softmax over"] == "keys" else -2) @ v
    if joined == "(h d)":
        return out.transpose(1, 2).flatten(2)
    return out.permute(0, 2, 3, 1).flatten(2)


def _kept(scores: torch.Tensor, given: Tensors, mask: str) -> Iterator[torch.Tensor]:
    """What each mask keeps, against (N, heads, queries, keys)."""
    every = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device)
    own = {
        "causal": every.tril(),
        "causal inverted": ~every.tril(),
        "anticausal": every.triu(),
        "causal without the diagonal": every.tril(-1),
    }
    for each in mask.split(" and "):
        if each in own:
            yield own[each]
        elif each != "none":
            name, _, meaning = each.partition(" ")
            keep = given[name]
            while keep.dim() < 4:
                keep = keep.unsqueeze(1 if keep.dim() > 2 or keep.shape[0] == scores.shape[0] else 0)
            yield keep if meaning == "True keeps" else ~keep


def _filling(text: str, scores: torch.Tensor) -> Any:
    if text == "-inf":
        return -math.inf
    return torch.finfo(scores.dtype).min if text == "finfo.min" else float(text)
