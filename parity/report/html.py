"""A Report as one HTML page that needs no network, and as a fragment for notebooks."""

import base64
import hashlib
from importlib.resources import files

from parity.markup import Markup, joined, tag
from parity.numerics import Verdict
from parity.report.cards import difference, unrun
from parity.report.closing import (
    NOTHING,
    closing,
    counts,
    headline,
)
from parity.report.drawings import Drawings
from parity.report.elements import badge, css_class, title_of, verdict_of
from parity.report.pairs import controls, pairs_table
from parity.report.phrases import MISSING, full_name, outcome
from parity.report.profile import layer_profile
from parity.report.result import Report
from parity.report.told import (
    accepted,
    divergences,
    failures,
    told,
)

CARDS = 40
"""Divergences told in full above the table; all of them stand in the table."""

MEANINGS = {
    Verdict.AGREE: "The same function: they differ by rounding alone, at float64 and at the working dtype.",
    Verdict.CONVENTION: "They differ where both values are right, as at a kink; it is accepted by name alone.",
    Verdict.UNDECIDED: "Too few seeds to tell: neither agreement nor a difference is shown.",
    Verdict.PRECISION: "float64 agrees, the working dtype does not: one side has less precision than it says.",
    Verdict.UNSTABLE: "One formula, but its algorithm amplifies rounding beyond the bound.",
    Verdict.SEMANTIC: "The formulas differ: the gap does not shrink when the precision grows.",
    Verdict.STRUCTURE: "A name, a shape or a dtype is missing or different.",
}


def page(report: Report) -> str:
    """The report as one HTML file: style, script and pictures are inside, and nothing is loaded from elsewhere.

    It reads without JavaScript too, which only filters and sorts. A content security policy lets no other script run
    and no address be asked for, whatever the names and messages of a report hold; all of them are escaped besides.

    Args:
        report: The report.

    Returns:
        The text of the file.
    """
    script = _resource("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    policy = f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
    head = (
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        tag("title", f"parity: {headline(report)}"),
        f"<style>\n{_resource('page.css')}</style>",
    )
    body = tag("main", _Writer(report).body(tools=True))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n' + "\n".join(head) + "\n</head>\n"
        f'<body class="parity parity-page">\n{body}\n<script>{script}</script>\n</body>\n</html>\n'
    )


def fragment(report: Report) -> str:
    """The report for a notebook: the same, without the page around it and without a script.

    Args:
        report: The report.

    Returns:
        One element with its own style sheet, which touches nothing else.
    """
    style = Markup(f"<style>\n{_resource('page.css')}</style>")
    return tag("div", style, _Writer(report).body(tools=False), class_="parity") + "\n"


def _resource(name: str) -> str:
    return files("parity.report").joinpath(name).read_text(encoding="utf-8")


class _Writer:
    """One report on its way to HTML; its ids have a prefix of their own, so that two reports may stand on one page."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.prefix = f"p{hashlib.sha256(repr(report).encode('utf-8', 'backslashreplace')).hexdigest()[:8]}-"
        self.drawings = Drawings(report, self.prefix)

    def body(self, *, tools: bool) -> Markup:
        sections = [self._header(), *self._differences(), *self._failures(), *self._layers()]
        sections += [self._pairs(tools)] if self.report.results else []
        return joined([*sections, *self._conventions(), _meanings(), *self._environment()], "\n")

    def _header(self) -> Markup:
        first = next(divergences(self.report), None)
        lines = [tag("p", f"{counts(self.report)}, at {' and '.join(self.report.dtypes)}.")]
        if first:
            link = tag("a", title_of(*first), href=f"#{self.prefix}1")
            lines.append(tag("p", "First: ", badge(verdict_of(first[1])), " ", link))
        elif not self.report.results:
            lines = [tag("p", closing(self.report))]
        said = headline(self.report)
        compared = said != NOTHING
        mark = tag("span", "–" if not compared else "✓" if self.report else "✗", aria_hidden="true")
        title = tag("h1", mark, f" {said[:1].upper()}{said[1:]}")
        kind = outcome(self.report.results) if compared else MISSING
        return tag("header", title, *lines, class_=css_class(kind))

    def _differences(self) -> list[Markup]:
        found = told(self.report)
        named = ((item, f"{self.prefix}{i}") for i, item in enumerate(found[:CARDS], 1))
        cards = [difference(item, name, self.drawings) for item, name in named]
        if len(found) > CARDS:
            cards.append(tag("p", f"{len(found) - CARDS:,} more differ; they stand in the table below."))
        return [_section("What differs", *cards)] if cards else []

    def _failures(self) -> list[Markup]:
        cards = [unrun(error, results) for error, results in failures(self.report).items()]
        return [_section("What could not run", *cards)] if cards else []

    def _layers(self) -> list[Markup]:
        parts: list[Markup] = []
        several = sum(bool(r.layers) for r in self.report.results) > 1
        for result in (r for r in self.report.results if r.layers):
            parts += [tag("h3", full_name(result))] if several else []
            parts.append(layer_profile(result))
        return [_section("Layer by layer", *parts)] if parts else []

    def _pairs(self, tools: bool) -> Markup:
        return _section("Pairs", *([controls(self.report)] if tools else []), pairs_table(self.report, self.drawings))

    def _conventions(self) -> list[Markup]:
        items = []
        for (name, reason, stage), paths in accepted(self.report).items():
            named = [part for path in paths for part in (", ", tag("code", path))][1:]
            items.append(tag("li", f"{stage} of ", *named, tag("span", f" in {name}", class_="soft"), f": {reason}"))
        return [_section("Differences accepted by name", tag("ul", *items, class_="plain"))] if items else []

    def _environment(self) -> list[Markup]:
        items = [
            tag(*item) for pair in self.report.environment.items() for item in zip(("dt", "dd"), pair, strict=True)
        ]
        return [_section("Environment", tag("dl", *items))] if items else []


def _section(title: str, *children: Markup) -> Markup:
    return tag("section", tag("h2", title), joined(children, "\n"))


def _meanings() -> Markup:
    items = [item for name, text in MEANINGS.items() for item in (tag("dt", badge(name)), tag("dd", text))]
    bound = "The bound is what two honest implementations may differ by: precision times a measured sensitivity."
    summary = tag("summary", tag("h2", "What the verdicts mean"))
    return tag("section", tag("details", summary, tag("dl", *items), tag("p", bound)))
