"""What a torch model holds in all, by name: what a file must carry beside what the optimizer trains."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Whole:
    """What the torch model's state_dict holds, beside what the optimizer trains too.

    Attributes:
        shapes: By name, each tensor once.
        ties: Further names of them.
    """

    shapes: Mapping[str, tuple[int, ...]]
    ties: Mapping[str, str] = field(default_factory=dict)
