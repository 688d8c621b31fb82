"""The table of pairs: a row each with its stages as marks, which unfolds to its cases and their comparisons."""

import math
from collections.abc import Iterable, Sequence

from parity.markup import Markup, joined, tag
from parity.numerics import Verdict, worst
from parity.report.drawings import Drawings
from parity.report.elements import badge, comparisons, printed_mark, printed_tables, stage_mark
from parity.report.phrases import COLUMNS, column, columns, figure, outcome, seconds, share, short_name
from parity.report.result import STAGES, CaseResult, Report

KINDS = {"x bound": "number", "verdict": None, "time": "number spare"}
"""The columns behind those of the stages; a spare one is left out where the page is narrow."""


def pairs_table(report: Report, drawings: Drawings) -> Markup:
    """Every pair of a report in two rows: its line, and its cases behind it.

    Args:
        report: The report.
        drawings: The curves of the page.
    """
    stages = columns(s for s in STAGES if s in COLUMNS or s in report.stages)
    printed = ["printed"] if any(r.published for r in report.results) else []
    heads = {"pair": None, "cases": "number spare", **dict.fromkeys([*stages, *printed], "spare"), **KINDS}
    row = tag("tr", *(tag("th", name, scope="col", class_=kind) for name, kind in heads.items()))
    told = "Every pair, with its stages; each unfolds to its cases"
    bodies = []
    for name, results in report.concepts.items():
        cells = [tag("th", name, scope="row", data_key=name), *_line(results, stages, printed=bool(printed))]
        summary = tag("summary", tag("span", f"Cases of {name}", class_="away"))
        inside = tag("div", joined((_case(r, drawings) for r in results), "\n"), class_="inside")
        more = tag("details", summary, inside, open=not all(results))
        bodies.append(tag("tbody", tag("tr", *cells), "\n", tag("tr", tag("td", more, colspan=len(heads)))))
    caption = tag("caption", told, class_="away")
    whole = tag("table", caption, tag("thead", row), joined(bodies, "\n"), class_="pairs")
    return tag("div", whole, class_="scroll", role="region", aria_label=told)


def controls(report: Report) -> Markup:
    """The filter and the buttons, which a page's script brings to light.

    Args:
        report: The report, which decides by what verdicts and stages one can filter.
    """
    text = Markup('<input type="search" autocomplete="off" spellcheck="false" placeholder="pair, case or tensor">')
    words = [v.value for v in Verdict if any(f.verdict is v for f in report.findings)]
    failed = {outcome((r,)) for r in report.results if r.error is not None} - set(words)
    stages = dict.fromkeys(f.stage for f in report.findings)
    in_order = [s for s in STAGES if s in stages] + (["printed"] if any(r.published for r in report.results) else [])
    return tag(
        "div",
        tag("label", "Filter ", text),
        tag("label", "Verdict ", _choice("verdict", "any", {"differs": "what differs"}, [*words, *sorted(failed)])),
        tag("label", "Stage ", _choice("stage", "any", {}, in_order)),
        *(tag("button", f"{word} all", type="button", value=word.lower()) for word in ("Unfold", "Fold")),
        tag("span", role="status", class_="soft"),
        class_="tools",
        role="search",
        aria_label="Pairs and comparisons",
        hidden=True,
    )


def _choice(name: str, every: str, named: dict[str, str], values: Iterable[str]) -> Markup:
    options = {"": every} | named | {value: value for value in values}
    return tag("select", *(tag("option", told, value=value) for value, told in options.items()), name=name)


def _line(results: Sequence[CaseResult], stages: Sequence[str], *, printed: bool) -> list[Markup]:
    """The cells of a pair behind its name; `data-key` is what the script sorts by."""
    cells = [tag("td", str(len(results)), data_key=len(results), class_="number spare")]
    for stage in stages:
        found = [f for r in results for f in r.findings if column(f.stage) == stage]
        key = worst(found).severity * 1_000_000 + len(found) if found else ""
        cells.append(tag("td", stage_mark(found), data_key=key, class_="spare"))
    if printed:
        numbers = [p for r in results for p in r.published]
        key = (sum(not p for p in numbers) * 1_000_000 + len(numbers)) if numbers else ""
        cells.append(tag("td", printed_mark(numbers), data_key=key, class_="spare"))
    taken, verdict, time = share(results), outcome(results), sum(r.seconds for r in results)
    cells.append(tag("td", figure(taken), data_key="" if math.isnan(taken) else taken, class_="number"))
    severity = Verdict(verdict).severity if verdict in list(Verdict) else len(Verdict)
    cells.append(tag("td", badge(verdict), data_key=severity))
    return [*cells, tag("td", seconds(time), data_key=f"{time:.3f}", class_="number spare")]


def _case(result: CaseResult, drawings: Drawings) -> Markup:
    parts = [tag("pre", result.error.strip())] if result.error is not None else []
    parts += [*map(drawings.of, result.curves), *printed_tables(result)]
    if result.remarks:
        parts += [tag("h4", "Remarks"), tag("ul", *(tag("li", r) for r in result.remarks), class_="plain")]
    parts += [tag("h4", "Comparisons")] if parts and result.findings else []
    parts.append(comparisons(result))
    by_stage = [(s, [f for f in result.findings if f.stage == s]) for s in result.stages]
    marks = [tag("span", tag("span", stage, class_="soft"), " ", stage_mark(found)) for stage, found in by_stage]
    if result.published:
        marks.append(tag("span", tag("span", "printed", class_="soft"), " ", printed_mark(result.published)))
    name, time = tag("h3", short_name(result)), tag("span", seconds(result.seconds), class_="soft")
    verdict = outcome((result,))
    summary = tag("summary", name, badge(verdict), *marks, time)
    failed = verdict if result.error is not None else None
    return tag("details", summary, tag("div", *parts), class_="case", open=not result, data_verdict=failed)
