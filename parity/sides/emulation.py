"""A torch function that stands for what one side may compute: a family, its settings, and how to run it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Emulation:
    """One candidate.

    Attributes:
        family: What kind it is; two of one family differ in `settings` alone.
        settings: By name, such as {"scale": "1 / sqrt(head)"}.
        run: run(sources by name) -> tensor, in torch's layout.
        names: Of the sources that it takes, where a family has variants of one emulation.
        number: The setting that may be any number; "" where none may.
        at: at(sources by name, number) -> tensor: the same with that number.
    """

    family: str
    settings: Mapping[str, str]
    run: Callable[[Tensors], torch.Tensor]
    names: tuple[str, ...] = ()
    number: str = ""
    at: Callable[[Tensors, Any], torch.Tensor] | None = None

    def but(self, other: "Emulation") -> list[tuple[str, str, str]]:
        """(setting, own value, the other's) where they differ."""
        names = dict.fromkeys([*self.settings, *other.settings])
        both = ((n, self.settings.get(n, "none"), other.settings.get(n, "none")) for n in names)
        return [(n, a, b) for n, a, b in both if a != b]
