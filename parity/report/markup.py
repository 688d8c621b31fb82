"""HTML that is safe by construction: text is escaped wherever it enters, and only this room makes markup of it."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import repeat

from parity.report.phrases import printable


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: object) -> Markup:
    """An element.

    Args:
        name: Of the element.
        *children: What it holds; a Markup as it is, any other text escaped.
        **attributes: "_" in a name stands for "-", and one at the end is dropped (class_). True is an attribute
            without a value, None and False are none.

    Returns:
        The element as Markup.

    Examples:
        >>> tag("p", "1 < 2 ", tag("b", "yes"), class_="note", hidden=True)
        '<p class="note" hidden>1 &lt; 2 <b>yes</b></p>'
    """
    told = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(printable(str(value)))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Markup(f"<{name}{told}>{joined(children)}</{name}>")


def joined(children: Iterable[str], between: str = "") -> Markup:
    """Several things one after another, each escaped where it is no Markup."""
    return Markup(between.join(c if isinstance(c, Markup) else escape(printable(c)) for c in children))


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    long: Sequence[int] = (),
    kinds: Iterable[Mapping[str, object]] | None = None,
) -> Markup:
    """A table in a box that scrolls by itself.

    Args:
        caption: What it shows, for those who hear the page.
        heads: The columns' names.
        rows: Their cells.
        long: Columns whose text may wrap.
        kinds: Attributes of each row, by which a script finds it.

    Returns:
        The element as Markup.
    """
    wraps = ["long" if i in long else None for i in range(len(heads))]
    head = tag("tr", *(tag("th", name, scope="col", class_=kind) for name, kind in zip(heads, wraps, strict=True)))
    body = [
        tag("tr", *(tag("td", c, class_=kind) for c, kind in zip(row, wraps, strict=True)), **of_row)
        for row, of_row in zip(rows, kinds or repeat({}), strict=False)
    ]
    whole = tag("table", tag("caption", caption, class_="away"), tag("thead", head), tag("tbody", joined(body, "\n")))
    return tag("div", whole, class_="scroll", role="region", tabindex=0, aria_label=caption)
