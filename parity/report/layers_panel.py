"""One panel of a picture: the error of every layer in parts of its bound, from the first that runs at its top."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from parity.markup import printable
from parity.report.phrases import WHOLE
from parity.report.result import LayerError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST = 1e-4
"""In parts of the bound: smaller errors, zeros among them, stand here."""

LONGEST = 32
"""Characters of a name; of a longer one the end stands there."""

NAMED = 60
"""Layers whose names are written; of more, every second, third and so on, and each that differs."""


def draw_layers(panel: "Axes", layers: Sequence[LayerError], way: str, colors: Mapping[str, str]) -> None:
    """Draw one direction of a profile: a dot at float64, a ring at the working dtype, the bound as a line.

    Args:
        panel: Where to draw.
        layers: The layers, of shape (L,), in order of execution.
        way: "forward" or "gradient".
        colors: By the names of `parity.report.picture.PAPER`.
    """
    places = range(len(layers))
    exact, working = ([_shown(getattr(e, f"{way}{kind}")) for e in layers] for kind in ("64", ""))
    dtype = layers[0].dtype
    panel.plot(exact, places, "o", color=colors["ink"], markersize=4, label="float64")
    panel.plot(working, places, "o", color=colors["working"], markersize=7, fillstyle="none", label=dtype)
    panel.axvline(1.0, color=colors["bound"], linewidth=1.4, linestyle="--", label="bound")
    panel.set_xscale("log")
    panel.set_xlim(left=LEAST / 2)
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:.0e}")
    every = -(-len(layers) // NAMED)
    named = [i for i, e in enumerate(layers) if i % every == 0 or not e.agrees]
    panel.set_yticks(named, [_name(layers[i]) for i in named], parse_math=False)
    panel.set_ylim(len(layers) - 0.5, -0.5)
    for i, error in enumerate(layers):
        if not error.agrees:
            panel.axhspan(i - 0.5, i + 0.5, color=colors["torch"], alpha=0.15, linewidth=0)


def _shown(ratio: float) -> float:
    return max(ratio, LEAST)  # NaN stays NaN: it is the first of the two


def _name(error: LayerError) -> str:
    name = printable(error.torch_path or error.jax_path or WHOLE)
    short = name if len(name) <= LONGEST else f"…{name[1 - LONGEST :]}"  # its end tells more than its beginning
    return ("" if error.agrees else "differs: ") + short
