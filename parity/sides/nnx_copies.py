"""Copies of a Flax NNX module with another mode or configuration; the user's own is never written to."""

from typing import Any

from flax import nnx


def in_mode(module: Any, train: bool) -> Any:
    """A copy in train or eval mode, in every part that keeps its mode."""
    copied = nnx.merge(*nnx.split(module))
    copied.set_attributes(deterministic=not train, use_running_average=not train, raise_if_not_found=False)
    return copied


def without_dropout(module: Any) -> tuple[Any, dict[str, float]]:
    """A copy without the dropout that is on.

    Args:
        module: The NNX module.

    Returns:
        (the copy, the rate of each dropout that was on by the path of its module).
    """
    copied = nnx.merge(*nnx.split(module))
    found: dict[str, float] = {}
    for path, part in nnx.iter_modules(copied):
        for name in ("rate", "dropout_rate"):
            rate = getattr(part, name, 0.0)
            if isinstance(rate, float) and rate > 0.0 and getattr(part, "deterministic", None) is not True:
                found[".".join(map(str, path))] = rate
                setattr(part, name, 0.0)
    return copied, found


def activation(name: str) -> Any:
    """Flax's function of that name, such as "tanh"."""
    return getattr(nnx, name)
