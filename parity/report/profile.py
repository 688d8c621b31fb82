"""The error of every layer on a page: a table in order of execution, with a picture in each row."""

import math
from collections.abc import Sequence

from parity.markup import Markup, joined, tag
from parity.report.phrases import WHOLE, figure, full_name
from parity.report.result import CaseResult, LayerError

WIDTH = 200
"""Of a strip, in the units of its picture."""

LEAST, MOST = 1e-4, 1e4
"""In parts of the bound, how far a strip's scale reaches at the least."""


def layer_profile(result: CaseResult) -> Markup:
    """Every layer of a case as a row: how far it is from torch's, in parts of its bound, forwards and backwards.

    Args:
        result: With `layers`.

    Returns:
        A table whose strips say the same as the numbers beside them; nothing for a case without layers.
    """
    if not result.layers:
        return Markup()
    dtype = result.layers[0].dtype
    both = [tag("th", f"{way}, x bound", scope="colgroup", colspan=3) for way in ("forward", "gradient")]
    kinds = (tag("th", "float64", scope="col", class_="number"), tag("th", dtype, scope="col", class_="number"))
    head = joined(
        [
            tag("tr", tag("th", "layer", scope="col", rowspan=2), *both),
            tag("tr", *[*kinds, tag("td")] * 2),
        ]
    )
    top = _top(result.layers)
    rows = [_row(error, number, top) for number, error in enumerate(result.layers, 1)]
    caption = f"Every layer of {full_name(result)}, alone and fed torch's input: its error in parts of the bound"
    whole = tag("table", tag("caption", caption, class_="away"), tag("thead", head), tag("tbody", joined(rows, "\n")))
    legend = (
        "Each layer alone, fed torch's input, in order of execution. A strip runs from a ten-thousandth of the bound "
        f"at its left, by powers of ten; the line is the bound, the dot float64, the ring {dtype}. Right of the line "
        "the layer differs."
    )
    box = tag("div", whole, class_="scroll", role="region", tabindex=0, aria_label=caption)
    return tag("figure", box, tag("figcaption", legend), class_="profile")


def _row(error: LayerError, number: int, top: float) -> Markup:
    name = _name(error, number)
    cells = [tag("th", name, scope="row", class_="long")]
    for value64, value in ((error.forward64, error.forward), (error.gradient64, error.gradient)):
        cells += [tag("td", _number(value64), class_="number"), tag("td", _number(value), class_="number")]
        cells.append(tag("td", _strip(value64, value, top)))
    return tag("tr", *cells, class_=None if error.agrees else "differs")


def _name(error: LayerError, number: int) -> Markup:
    torch, jax = error.torch_path or WHOLE, error.jax_path or WHOLE
    sides = [tag("code", torch)] + ([tag("span", " / ", class_="soft"), tag("code", jax)] if jax != torch else [])
    mark = [] if error.agrees else [tag("span", "✗ ", class_="verdict", aria_hidden="true")]
    said = [] if error.agrees else [tag("span", " differs", class_="away")]
    return joined([tag("span", f"{number}. ", class_="soft"), *mark, *sides, *said])


def _number(ratio: float) -> Markup:
    told = figure(ratio)
    return tag("span", f"✗ {told}", class_="verdict") if ratio > 1.0 else tag("span", told)


def _strip(value64: float, value: float, top: float) -> Markup:
    """Two marks on a logarithmic line with the bound; what is zero or beyond the scale stands at its end."""
    if math.isnan(value64) and math.isnan(value):
        return Markup()
    marks = [tag("line", x1=0, y1=9, x2=WIDTH, y2=9, class_="axis")]
    marks.append(tag("line", x1=_at(1.0, top), y1=1, x2=_at(1.0, top), y2=17, class_="bound"))
    if not math.isnan(value):
        marks.append(tag("circle", cx=_at(value, top), cy=9, r=4.5, class_="ring"))
    if not math.isnan(value64):
        marks.append(tag("circle", cx=_at(value64, top), cy=9, r=2.5, class_="dot"))
    return tag("svg", *marks, viewBox=f"-6 0 {WIDTH + 12} 18", aria_hidden="true", focusable="false")


def _at(ratio: float, top: float) -> str:
    low, high = math.log10(LEAST), math.log10(top)
    place = math.log10(min(max(ratio, LEAST), top))
    return f"{(place - low) / (high - low) * WIDTH:.1f}"


def _top(layers: Sequence[LayerError]) -> float:
    """The end of the scale of all strips of a table: a power of ten beyond the largest finite error."""
    ratios = [r for e in layers for r in (e.forward64, e.forward, e.gradient64, e.gradient) if math.isfinite(r)]
    return max(MOST, 10.0 ** math.ceil(math.log10(max([r for r in ratios if r > 0.0], default=1.0))))
