"""What is asked of two models, and whether the question holds together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LOSSES = ("cross_entropy", "mse")


@dataclass(frozen=True)
class Question:
    """What is asked of two models, but for the models.

    Attributes:
        weights: "auto", None or a WeightMap.
        loss: A name in LOSSES, or (torch_fn, jax_fn); None for none.
        targets: What the loss compares with.
        optimizer: A torch factory, or (torch_factory, optax_transform); None for none.
        steps: Of the training curve.
        batches: What its steps are made on, a Batches; None where every step is on the check's own inputs.
        train: The mode of both; None for the one that each is in.
        name, dtypes, device, gradient, jit, conventions, randomness: As for `check`.
    """

    weights: Any = "auto"
    loss: Any = None
    targets: Any = None
    optimizer: Any = None
    steps: int = 0
    batches: Any = None
    train: bool | None = None
    name: str = "check"
    dtypes: tuple[str, ...] = ("float64", "float32")
    device: str = "cpu"
    gradient: bool = True
    jit: bool = True
    conventions: Mapping[str, str] = field(default_factory=dict)
    randomness: int | None = None

    def of(self, framework: str, asked: str) -> Any:
        """One side's part of "loss" or "optimizer"."""
        value = getattr(self, asked)
        return value[framework == "jax"] if isinstance(value, (tuple, list)) else value

    def validate(self) -> None:
        """Refuse a question that does not hold together, saying what is wanted.

        Raises:
            ValueError, TypeError: With the argument's name.
        """
        loss, weights = self.loss, self.weights
        auto = weights is None or (isinstance(weights, str) and weights == "auto")
        if not auto and not (hasattr(weights, "to_jax") and hasattr(weights, "to_torch")):
            raise TypeError(f"check: weights is {weights!r:.60}, wanted 'auto', None or a parity.WeightMap")
        if isinstance(loss, str) and loss not in LOSSES:
            raise ValueError(f"check: loss is {loss!r}, wanted one of {', '.join(LOSSES)}, or (torch_fn, jax_fn)")
        if isinstance(loss, str) and self.targets is None:
            raise ValueError(f"check: loss={loss!r} needs targets=, a NumPy array")
        if loss is None and self.targets is not None:
            raise ValueError("check: targets without a loss; give loss='cross_entropy', 'mse' or (torch_fn, jax_fn)")
        for name in ("loss", "optimizer"):
            value = getattr(self, name)
            pair = isinstance(value, (tuple, list))
            lone = name == "loss" and value is not None and not isinstance(value, str)
            if len(value) != 2 if pair else lone:
                raise TypeError(f"check: {name} is {value!r:.60}, wanted a pair, torch's first")
        if self.optimizer is not None and loss is None:
            raise ValueError("check: an optimizer without a loss; give loss= and targets=")
        if self.optimizer is None and self.batches is not None:
            raise ValueError("check: batches without an optimizer; give optimizer=")
        if self.optimizer is None and self.steps:
            raise ValueError(f"check: steps={self.steps} without an optimizer; give optimizer=")
        if self.steps < 0:
            raise ValueError(f"check: steps={self.steps}, wanted 0 or more")
