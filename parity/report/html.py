"""A Report as one HTML page that needs no network, and as a fragment for notebooks."""

import base64
import hashlib
import math
from collections.abc import Sequence
from importlib.resources import files
from itertools import count

from parity.numerics import Finding, Verdict, worst
from parity.report import picture
from parity.report.elements import (
    badge,
    captioned,
    comparisons,
    css_class,
    histogram,
    printed_mark,
    printed_tables,
    stage_mark,
    title_of,
    verdict_of,
)
from parity.report.markup import Markup, joined, table, tag
from parity.report.phrases import (
    COLUMNS,
    MISSING,
    NOTHING,
    Told,
    accepted,
    both_values,
    circumstances,
    closing,
    column,
    columns,
    counts,
    divergences,
    failure,
    failures,
    figure,
    folded,
    full_name,
    headline,
    install,
    outcome,
    place,
    seconds,
    sentence,
    share,
    short_name,
    statistics,
    told,
    unmet,
)
from parity.report.result import STAGES, CaseResult, Curve, PublishedNumber, Report

CARDS = 40
"""Divergences told in full above the table; all of them stand in the table."""

PICTURES = 24
"""Curves drawn, those of cases that differ first: each costs some forty milliseconds and as many kilobytes."""

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
        self.pictures = count(1)
        curves = sorted(((bool(r), c) for r in report.results for c in r.curves), key=lambda item: item[0])
        self.to_draw = {id(curve) for _, curve in curves[:PICTURES]}
        self.printed = any(r.published for r in report.results)
        self.stages = columns(s for s in STAGES if s in COLUMNS or s in report.stages)

    def body(self, *, tools: bool) -> Markup:
        sections = [self._header(), *self._differences(), *self._failures()]
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
        cards = [self._card(item, i) for i, item in enumerate(found[:CARDS], 1)]
        if len(found) > CARDS:
            cards.append(tag("p", f"{len(found) - CARDS:,} more differ; they stand in the table below."))
        return [_section("What differs", *cards)] if cards else []

    def _card(self, found: Told, number: int) -> Markup:
        item, verdict = found.item, verdict_of(found.item)
        more = [tag("p", line) for line in folded(found, "all stand in the table below")]
        if isinstance(item, PublishedNumber):
            parts = [tag("p", unmet(item)), *more]
        else:
            parts = [*_told(item), *more, *self._evidence(found.result, item)]
        title = tag("h3", badge(verdict), " ", title_of(found.result, item))
        return tag("article", title, *parts, class_=f"divergence {css_class(verdict)}", id=f"{self.prefix}{number}")

    def _evidence(self, result: CaseResult, finding: Finding) -> list[Markup]:
        parts: list[Markup] = []
        measured = statistics(finding)
        heads = ("precision", "largest difference", "at", "x bound", "torch", "jax", "torch at float64", "differ")
        rows = []
        for dtype, e, ratio in measured:
            differ = f"{e.count - e.bit_equal:,} of {e.count:,}"
            rows.append(
                [
                    dtype,
                    figure(e.max_abs),
                    place(e.index),
                    figure(ratio),
                    *both_values(dtype, e),
                    repr(e.reference),
                    differ,
                ]
            )
        if rows:
            parts.append(table("What was measured", heads, rows))
        histograms = [drawing for dtype, e, _ in measured if e.count > 1 for drawing in histogram(dtype, e)]
        if histograms:
            parts.append(tag("div", *histograms, class_="histograms"))
        if finding.stage == "curve":
            parts += [self._curve(c) for c in result.curves if (c.name, c.dtype) == (finding.torch_path, finding.dtype)]
        return parts

    def _failures(self) -> list[Markup]:
        cards = []
        for error, results in failures(self.report).items():
            label, others = failure(results), [full_name(r) for r in results[1:]]
            card = [tag("h3", badge(label), " ", full_name(results[0])), tag("pre", error)]
            if others:
                card.append(tag("p", f"The same of {', '.join(others)}"))
            if results[0].missing and "install" not in error:
                card.append(tag("p", "Install it: ", tag("code", install(error))))
            cards.append(tag("article", *card, class_=f"divergence {css_class(label)}"))
        return [_section("What could not run", *cards)] if cards else []

    def _conventions(self) -> list[Markup]:
        items = []
        for (name, reason, stage), paths in accepted(self.report).items():
            named = [part for path in paths for part in (", ", tag("code", path))][1:]
            items.append(tag("li", f"{stage} of ", *named, tag("span", f" in {name}", class_="soft"), f": {reason}"))
        return [_section("Differences accepted by name", tag("ul", *items, class_="plain"))] if items else []

    def _pairs(self, tools: bool) -> Markup:
        stages = dict.fromkeys(self.stages, "spare")
        if self.printed:
            stages["printed"] = "spare"
        heads = {"pair": None, "cases": "number spare", **stages, "x bound": "number", "verdict": None}
        heads["time"] = "number spare"
        row = tag("tr", *(tag("th", name, scope="col", class_=kind) for name, kind in heads.items()))
        caption = tag("caption", "Every pair, with its stages; each unfolds to its cases", class_="away")
        bodies = [self._pair(name, results, len(heads)) for name, results in self.report.concepts.items()]
        whole = tag("table", caption, tag("thead", row), joined(bodies, "\n"), class_="pairs")
        return _section("Pairs", *([_tools()] if tools else []), tag("div", whole, class_="scroll"))

    def _pair(self, name: str, results: Sequence[CaseResult], width: int) -> Markup:
        taken, verdict, time = share(results), outcome(results), sum(r.seconds for r in results)
        cells = [tag("th", name, scope="row", data_key=name)]
        cells.append(tag("td", str(len(results)), data_key=len(results), class_="number spare"))
        for stage in self.stages:
            found = [f for r in results for f in r.findings if column(f.stage) == stage]
            key = worst(found).severity * 1_000_000 + len(found) if found else ""
            cells.append(tag("td", stage_mark(found), data_key=key, class_="spare"))
        if self.printed:
            numbers = [p for r in results for p in r.published]
            key = (sum(not p for p in numbers) * 1_000_000 + len(numbers)) if numbers else ""
            cells.append(tag("td", printed_mark(numbers), data_key=key, class_="spare"))
        cells.append(tag("td", figure(taken), data_key="" if math.isnan(taken) else taken, class_="number"))
        severity = Verdict(verdict).severity if verdict in list(Verdict) else len(Verdict)
        cells.append(tag("td", badge(verdict), data_key=severity))
        cells.append(tag("td", seconds(time), data_key=f"{time:.3f}", class_="number spare"))
        summary = tag("summary", tag("span", f"Cases of {name}", class_="away"))
        inside = tag("div", joined(map(self._case, results), "\n"), class_="inside")
        more = tag("details", summary, inside, open=not all(results))
        return tag("tbody", tag("tr", *cells), "\n", tag("tr", tag("td", more, colspan=width)))

    def _case(self, result: CaseResult) -> Markup:
        parts = [tag("pre", result.error.strip())] if result.error is not None else []
        parts += [*(self._curve(c) for c in result.curves), *printed_tables(result)]
        if result.remarks:
            parts += [tag("h4", "Remarks"), tag("ul", *(tag("li", r) for r in result.remarks), class_="plain")]
        parts += [tag("h4", "Comparisons")] if parts and result.findings else []
        parts.append(comparisons(result))
        by_stage = [(s, [f for f in result.findings if f.stage == s]) for s in result.stages]
        marks = [tag("span", tag("span", stage, class_="soft"), " ", stage_mark(found)) for stage, found in by_stage]
        marks += [tag("span", tag("span", "printed", class_="soft"), " ", printed_mark(result.published))] * bool(
            result.published
        )
        name, time = tag("b", short_name(result)), tag("span", seconds(result.seconds), class_="soft")
        summary = tag("summary", name, badge(outcome((result,))), *marks, time)
        return tag("details", summary, tag("div", *parts), class_="case", open=not result)

    def _curve(self, curve: Curve) -> Markup:
        if id(curve) not in self.to_draw:
            return tag(
                "p", f"The curve {curve.name} is drawn above, or was one too many to draw on this page.", class_="soft"
            )
        self.to_draw.discard(id(curve))
        steps = len(curve.torch64)
        reach = "every step" if curve.horizon >= steps else f"{curve.horizon:,} of {steps:,} steps"
        told = f"Curve {curve.name}, {steps:,} steps: both sides at float64 and {curve.dtype}, and how far they part."
        drawing = Markup(picture.svg(curve, f"{self.prefix}{next(self.pictures)}-"))
        return captioned(drawing, f"{told} Compared pointwise at float64 over {reach}.")

    def _environment(self) -> list[Markup]:
        items = [
            tag(*item) for pair in self.report.environment.items() for item in zip(("dt", "dd"), pair, strict=True)
        ]
        return [_section("Environment", tag("dl", *items))] if items else []


def _told(finding: Finding) -> list[Markup]:
    """What differs, why, and what to write instead, in words."""
    parts = [tag("p", line) for line in (sentence(finding), *circumstances(finding)) if line]
    parts += [tag("p", tag("b", "cause"), " ", finding.cause)] if finding.cause else []
    parts += [tag("p", tag("b", "fix"), " ", tag("code", finding.fix), class_="fix")] if finding.fix else []
    return parts


def _section(title: str, *children: Markup) -> Markup:
    return tag("section", tag("h2", title), joined(children, "\n"))


def _tools() -> Markup:
    field = Markup('<input type="search" autocomplete="off" placeholder="pair, tensor or verdict">')
    buttons = [tag("button", f"{word} all", type="button", value=word.lower()) for word in ("Unfold", "Fold")]
    return tag(
        "div",
        tag("label", "Filter ", field),
        *buttons,
        tag("span", role="status", class_="soft"),
        class_="tools",
        hidden=True,
    )


def _meanings() -> Markup:
    items = [item for name, text in MEANINGS.items() for item in (tag("dt", badge(name)), tag("dd", text))]
    bound = "The bound is what two honest implementations may differ by: precision times a measured sensitivity."
    summary = tag("summary", tag("h2", "What the verdicts mean"))
    return tag("section", tag("details", summary, tag("dl", *items), tag("p", bound)))
