"""Training curves and the errors of layers as pictures, for a page and for a notebook."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from parity.markup import printable
from parity.report.layers_panel import draw_layers
from parity.report.result import Curve, LayerError, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS = 800  # a picture is no wider than this many pixels of curve
PAPER = {
    "torch": "#c2410c",
    "jax": "#1d4ed8",
    "working": "#7c3aed",
    "bound": "#15803d",
    "ink": "#1f2328",
    "faint": "#8c959f",
}
# Stand-ins that the page's style sheet decides, so that a picture follows it from light to dark.
THEMED = {
    "torch": "#010101",
    "jax": "#020202",
    "working": "#030303",
    "bound": "#040404",
    "ink": "#050505",
    "faint": "#060606",
}


def figure(report: Report) -> "Figure":
    """Draw the errors of layers, every training curve, and |torch - jax| over its steps with its bound and horizon.

    Args:
        report: A report with at least one curve, or with a case whose layers were compared.

    Returns:
        A matplotlib Figure with one row a case with layers, and one a curve; it belongs to no window and needs no
        display.

    Raises:
        ValueError: If no case of the report has either.
    """
    curves = [(f"{r.name}: {c.name}", c) for r in report.results for c in r.curves]
    layers = [(r.name, r.layers) for r in report.results if r.layers]
    if not curves and not layers:
        cases = ", ".join(r.name for r in report.results[:5]) or "no case at all"
        raise ValueError(
            f"plot: got a report without training curves and without layers ({cases}), wanted one with a case of stage "
            "'curve', or of two models that differ; run such a case: parity run spiral"
        )
    return _drawn(curves, PAPER, layers)


def svg(curve: Curve, prefix: str) -> str:
    """One curve as an SVG element for a page: its colours are the page's variables, its text is text.

    Args:
        curve: The curve.
        prefix: What its ids start with; one of its own for each picture of a page.

    Returns:
        Markup without prolog, metadata and style sheet.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "parity", "font.family": "sans-serif", "svg.id": None}):
        canvas = FigureCanvasSVG(_drawn([("", curve)], THEMED))
        stream = io.StringIO()
        canvas.print_svg(stream, metadata={"Date": None})
    return _embedded(stream.getvalue(), prefix)


def _embedded(markup: str, prefix: str) -> str:
    markup = markup[markup.index("<svg") :]
    markup = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<!--.*?-->", "", markup, flags=re.DOTALL)
    referenced = set(re.findall(r"#([\w-]+)", markup))
    markup = re.sub(r' id="([^"]*)"', lambda m: f' id="{prefix}{m[1]}"' if m[1] in referenced else "", markup)
    markup = re.sub(r'(xlink:href="|url\()#', rf"\1#{prefix}", markup).replace("xlink:href", "href")
    markup = re.sub(r' xmlns(:\w+)?="[^"]*"| version="1.1"', "", markup)
    markup = re.sub(
        r'<svg[^>]*?(viewBox="[^"]*")[^>]*>', r'<svg \1 aria-hidden="true" focusable="false">', markup, count=1
    )
    markup = re.sub(r' d="[^"]*"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), markup)  # a hundredth of a point
    for name, color in THEMED.items():
        markup = markup.replace(color, f"var(--{name})")
    return re.sub(r"\n\s*", "\n", markup).strip()


def _drawn(
    curves: Sequence[tuple[str, Curve]],
    colors: Mapping[str, str],
    layers: Sequence[tuple[str, tuple[LayerError, ...]]] = (),
) -> "Figure":
    from matplotlib.figure import Figure

    heights = [max(2.4, 1.4 + 0.2 * len(errors)) for _, errors in layers] + [3.4] * len(curves)
    drawing = Figure(figsize=(10, sum(heights)), layout=None if colors is THEMED else "constrained")
    if colors is THEMED:
        drawing.patch.set_visible(False)
        drawing.subplots_adjust(left=0.065, right=0.995, top=0.92, bottom=0.27, wspace=0.16)
    axes = drawing.subplots(len(heights), 2, squeeze=False, height_ratios=heights)
    for (title, errors), (left, right) in zip(layers, axes, strict=False):
        draw_layers(left, errors, "forward", colors)
        draw_layers(right, errors, "gradient", colors)
        for panel, way in ((left, "outputs"), (right, "gradients")):
            text = f"{printable(title)}: {way} of each layer alone"
            panel.set_title(text, loc="left", fontsize=10, color=colors["ink"], parse_math=False)
            _dress(panel, colors, "error / bound")
        right.set_yticklabels([])
    for (title, curve), (left, right) in zip(curves, axes[len(layers) :], strict=True):
        _draw_values(left, curve, colors)
        _draw_differences(right, curve, colors)
        left.set_title(printable(title) or "value", loc="left", fontsize=10, color=colors["ink"], parse_math=False)
        right.set_title("|torch - jax|", loc="left", fontsize=10, color=colors["ink"])
        for panel in (left, right):
            _dress(panel, colors, "step")
    return drawing


def _draw_values(panel: "Axes", curve: Curve, colors: Mapping[str, str]) -> None:
    at = _every(len(curve.torch64))
    for side, style, width in (("torch", "-", 3.0), ("jax", "--", 1.5)):
        values = _flat(getattr(curve, f"{side}64"))[at]
        panel.plot(
            at,
            _finite(values),
            style,
            color=colors[side],
            linewidth=width,
            alpha=0.55 if side == "torch" else 1,
            label=f"{side}, float64",
        )
        values = _flat(getattr(curve, side))[at]
        panel.plot(at, _finite(values), ":", color=colors[side], linewidth=1, label=f"{side}, {curve.dtype}")


def _draw_differences(panel: "Axes", curve: Curve, colors: Mapping[str, str]) -> None:
    gaps = {
        "float64": (_gap(curve.torch64, curve.jax64), "-", "ink"),
        curve.dtype: (_gap(curve.torch, curve.jax), ":", "working"),
    }
    drawn = False
    for dtype, (gap, style, color) in gaps.items():
        at, peaks = _peaks(gap)
        equal = int(np.count_nonzero(gap == 0.0))
        note = (
            f" (equal at {'every step' if equal == len(gap) else f'{equal:,} of {len(gap):,} steps'})" if equal else ""
        )
        panel.plot(
            at,
            peaks,
            style,
            color=colors[color],
            linewidth=1.2,
            marker="." if len(at) < 60 else "",
            markersize=4,
            label=dtype + note,
        )
        drawn = drawn or bool(np.isfinite(peaks).any())
    at, limit = _peaks(_flat(curve.bound))
    inside = at < curve.horizon
    panel.plot(at[inside], limit[inside], "--", color=colors["bound"], linewidth=1.4, label="bound, float64")
    if 0 <= curve.horizon < len(curve.torch64):
        panel.axvline(
            curve.horizon, color=colors["faint"], linewidth=1, linestyle="-.", label=f"horizon, step {curve.horizon:,}"
        )
    if drawn or np.isfinite(limit[inside]).any():
        from matplotlib.ticker import NullFormatter

        panel.set_yscale("log")
        panel.yaxis.set_major_formatter(
            lambda value, _: f"{value:.0e}"
        )  # plain text: a formula takes ten times as long
        panel.yaxis.set_minor_formatter(NullFormatter())


def _dress(panel: "Axes", colors: Mapping[str, str], below: str) -> None:
    panel.patch.set_visible(False)
    panel.set_xlabel(below, fontsize=9, color=colors["ink"], loc="right")  # the legend stands at the left
    panel.tick_params(labelsize=8, color=colors["faint"], labelcolor=colors["ink"], which="both")
    panel.grid(color=colors["faint"], alpha=0.25, linewidth=0.6)
    for name, spine in panel.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(colors["faint"])
    panel.legend(
        fontsize=8, frameon=False, labelcolor=colors["ink"], loc="upper left", bbox_to_anchor=(-0.02, -0.17), ncols=2
    )


def _every(steps: int) -> np.ndarray:
    return np.unique(np.linspace(0, max(steps - 1, 0), min(steps, POINTS)).round().astype(np.int64))


def _peaks(gap: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest finite value of each stretch of steps, so that thinning hides no spike; NaN where all are zero."""
    edges = _every(len(gap))
    shown = np.where(np.isfinite(gap) & (gap > 0.0), gap, 0.0)
    peaks = np.maximum.reduceat(shown, edges) if len(edges) else shown
    return edges, np.where(peaks > 0.0, peaks, np.nan)


def _gap(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):
        return _flat(np.abs(np.asarray(left, np.float64) - np.asarray(right, np.float64)))


def _flat(values: np.ndarray) -> np.ndarray:
    """One value a step: the largest where a step has several."""
    values = np.asarray(values, np.float64)
    return values.reshape(len(values), -1).max(axis=1, initial=-np.inf) if values.ndim > 1 else values


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)
