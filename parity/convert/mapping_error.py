"""What is told where no mapping can be proven: how far it came, which layer stopped it, and what is left."""

import math
from dataclasses import dataclass

ORDER = 1e-12
"""Sorted numbers that differ by less are the same ones: it only chooses the words of a message."""


@dataclass(frozen=True)
class Stop:
    """The call that stopped a mapping.

    Attributes:
        torch_path: The torch layer that comes nearest, "" where there is none.
        jax_path: The JAX layer, or the weight that it wanted.
        what: What was wanted there and what was found, in words.
        shapes: The shapes of what was compared, torch first.
        difference: Largest difference to what comes nearest; NaN where nothing of that shape was there.
        sizes: Where torch's layer has that input and JAX's weight another size: both weights with their shapes.

    Examples:
        >>> stop = Stop("norm", "ln.scale", "no torch layer gives this output", difference=7e-5)
        >>> print(MappingError("the weights could not be mapped", stop=stop, mapped=(2, 6)))
        the weights could not be mapped
          stopped at  norm  (torch)  /  ln.scale  (jax)
          no torch layer gives this output; the nearest in torch differs by up to 7e-05
          2 of 6 JAX leaves were mapped by then
    """

    torch_path: str
    jax_path: str
    what: str
    shapes: tuple[tuple[int, ...], ...] = ()
    difference: float = float("nan")
    sizes: tuple[str, str] | None = None


class MappingError(ValueError):
    """The weights of two models could not be mapped, or the mapping could not be proven.

    Attributes:
        stop: The Stop, or None where it is the structure that does not hold.
        mapped: How many JAX leaves were mapped, and of how many.
        torch_left, jax_left: Names of the leaves without a partner.
    """

    def __init__(
        self,
        message: str,
        *,
        stop: Stop | None = None,
        mapped: tuple[int, int] = (0, 0),
        torch_left: tuple[str, ...] = (),
        jax_left: tuple[str, ...] = (),
    ) -> None:
        self.stop, self.mapped, self.torch_left, self.jax_left = stop, mapped, torch_left, jax_left
        super().__init__(_text(message, stop, mapped, torch_left, jax_left))


class ModelRaised(RuntimeError):
    """A model cannot be run on the inputs, so its weights cannot be mapped; the message names each side that raised."""


def left_over(message: str, side: str, names: tuple[str, ...]) -> MappingError:
    """A MappingError about leaves of one side, "torch" or "jax"."""
    torch, jax = (names if side == own else () for own in ("torch", "jax"))
    return MappingError(message, torch_left=torch, jax_left=jax)


def _text(
    message: str,
    stop: Stop | None,
    mapped: tuple[int, int],
    torch_left: tuple[str, ...],
    jax_left: tuple[str, ...],
) -> str:
    lines = [message]
    if stop:
        lines.append(f"  stopped at  {stop.torch_path or '(nothing)'}  (torch)  /  {stop.jax_path}  (jax)")
        gap = ""
        if math.isfinite(stop.difference):
            gap = f"; the nearest in torch differs by up to {stop.difference:.2g}"
            if stop.difference < ORDER:
                gap = "; the nearest in torch has the same numbers in another order"
        shapes = f" (shapes {' / '.join(map(str, stop.shapes))})" if stop.shapes else ""
        what = f"{stop.what}{gap}{shapes}"
        if stop.sizes and stop.difference < ORDER:
            torch, jax = stop.sizes
            what = f"torch's layer gets the same input, and its weight has another size: {torch}, not {jax}"
        lines.append(f"  {what}")
    if mapped[1]:
        lines.append(f"  {mapped[0]} of {mapped[1]} JAX leaves were mapped by then")
    for side, names in (("torch", torch_left), ("jax", jax_left)):
        if names:
            shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
            lines.append(f"  left in {side}: {shown}")
    return "\n".join(lines)
