"""HTML that is safe by construction: text is escaped wherever it enters, and only this file makes markup of it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import repeat

LISTED = 200
"""Rows of a notebook's table."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


STYLE = Markup(
    "<style>"
    ".parity-listing { overflow-x: auto; } "
    ".parity-listing table { border-collapse: collapse; margin: 0; font-size: 0.85em; } "
    ".parity-listing caption { caption-side: top; text-align: left; font-weight: 600; padding: 0 0 0.3em; } "
    ".parity-listing th, .parity-listing td { text-align: left; padding: 0.15em 1.2em 0.15em 0; border: 0; } "
    ".parity-listing th { border-bottom: 1px solid currentColor; } "
    ".parity-listing td { font-family: ui-monospace, Menlo, Consolas, monospace; } "
    ".parity-listing p { margin: 0.3em 0 0; max-width: 80ch; font-size: 0.85em; }"
    "</style>"
)


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
    """Several things one after another, each escaped where it is no Markup.

    Examples:
        >>> joined(["a < b", tag("b", "c")], ", ")
        'a &lt; b, <b>c</b>'
    """
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

    Examples:
        >>> made = table("Losses", ["step", "loss"], [["0", "1.1"], ["1000", "0.79"]])
        >>> made.count("<tr>"), "<td>0.79</td>" in made, isinstance(made, Markup)
        (3, True, True)
    """
    wraps = ["long" if i in long else None for i in range(len(heads))]
    head = tag("tr", *(tag("th", name, scope="col", class_=kind) for name, kind in zip(heads, wraps, strict=True)))
    body = [
        tag("tr", *(tag("td", c, class_=kind) for c, kind in zip(row, wraps, strict=True)), **of_row)
        for row, of_row in zip(rows, kinds or repeat({}), strict=False)
    ]
    whole = tag("table", tag("caption", caption, class_="away"), tag("thead", head), tag("tbody", joined(body, "\n")))
    return tag("div", whole, class_="scroll", role="region", tabindex=0, aria_label=caption)


def listing(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> Markup:
    """A compact table for a notebook: with its own small style, which touches nothing else, and no script.

    Args:
        title: What it is, in a few words.
        heads: The columns' names.
        rows: Their cells; of more than 200, the first 200, and how many more there are.
        notes: Lines below.

    Returns:
        The element as Markup.

    Examples:
        >>> made = listing("Runs", ["seed"], [[str(seed)] for seed in range(203)])
        >>> made.count("<td>"), made[-24:]
        (200, '<p>3 more rows</p></div>')
    """
    head = tag("tr", *(tag("th", name, scope="col") for name in heads))
    body = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows[:LISTED]]
    more = [f"{len(rows) - LISTED:,} more rows"] if len(rows) > LISTED else []
    whole = tag("table", tag("caption", title), tag("thead", head), tag("tbody", joined(body, "\n")))
    return tag("div", STYLE, whole, *(tag("p", note) for note in (*more, *notes)), class_="parity-listing")


def printable(text: str) -> str:
    """The text with its control characters, lone surrogates and changes of direction written out.

    Examples:
        >>> printable("clear" + chr(27) + "[2J")
        'clear\\\\x1b[2J'
    """
    unsafe = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
    return re.sub(unsafe, lambda m: m[0].encode("unicode_escape").decode(), text)
