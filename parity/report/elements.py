"""Pieces of a page: verdicts as badges, comparisons as tables, distances as histograms."""

import math
from collections.abc import Sequence

from parity.markup import Markup, joined, table, tag
from parity.numerics import Errors, Finding, Verdict, worst
from parity.report.phrases import WHOLE, beside, figure, full_name, sentence
from parity.report.result import CaseResult, PublishedNumber


def comparisons(result: CaseResult) -> Markup:
    """Every comparison of a case as a row: the largest difference at both precisions, and its share of the bound."""
    if not result.findings:
        return Markup()
    dtypes = list(dict.fromkeys(f.dtype for f in result.findings))
    working = dtypes[0] if len(dtypes) == 1 else "working dtype"
    heads = ("stage", "tensor", "step", "verdict", "float64", "x bound", working, "x bound", "rho", "power", "found")
    rows, kinds = [], []
    for f in result.findings:
        apart64, apart = (figure(e.max_abs) if e else "-" for e in (f.errors64, f.errors))
        apart += "" if len(dtypes) == 1 else f" {f.dtype}"
        step, found = "-" if f.step is None else f"{f.step:,}", "; ".join(filter(None, (sentence(f), f.note, why(f))))
        numbers = [apart64, figure(f.ratio64), apart, figure(f.ratio), figure(f.rho), figure(f.power)]
        rows.append([f.stage, tensor(f), step, badge(f.verdict), *numbers, found])
        kinds.append({"data_verdict": f.verdict, "data_stage": f.stage, "data_differs": not f})
    caption = f"Comparisons of {full_name(result)}: largest difference at both precisions, its share of the bound, and "
    caption += "the smallest part of its size that would have been found"
    return table(caption, heads, rows, long=(1, 10), kinds=kinds)


def why(finding: Finding) -> str:
    """What leads to a difference, where that is known."""
    if finding.follows:
        return f"a consequence of {finding.follows}"
    return f"cause: {finding.cause}" if finding.cause else ""


def printed_tables(result: CaseResult) -> list[Markup]:
    """The numbers that sources print beside what both sides give, one table a source."""
    parts = []
    met = {True: tag("span", "✓ yes", class_="AGREE"), False: tag("span", "✗ no", class_="verdict")}
    for source in dict.fromkeys(p.source for p in result.published):
        numbers = [p for p in result.published if p.source == source]
        rows = [[p.label, p.printed, beside(p.torch, p), beside(p.jax, p), met[bool(p)]] for p in numbers]
        verdicts = ["AGREE" if p else verdict_of(p) for p in numbers]
        kinds = [{"data_verdict": v, "data_stage": "printed", "data_differs": v != "AGREE"} for v in verdicts]
        title, heads = f"Printed in {source}", ("number", "printed", "torch", "jax", "met")
        parts += [tag("h4", title), table(title, heads, rows, long=(0,), kinds=kinds)]
    return parts


def histogram(dtype: str, e: Errors) -> list[Markup]:
    """How many elements are how far apart, by powers of two of the unit in the last place; equal ones are left out."""
    bins = list(e.ulp_histogram)
    if bins:
        bins[0] = max(bins[0] - e.bit_equal, 0)
    top = max(bins, default=0)
    if e.bit_equal >= e.count or not top:
        return []
    last = max(max(k for k, n in enumerate(bins) if n) + 1, 8)
    step, bars = 320 / last, []
    for k, n in enumerate(bins):
        height = 60 * math.log1p(n) / math.log1p(top)
        bars += (
            [
                tag(
                    "rect",
                    x=f"{k * step + 0.5:.1f}",
                    y=f"{72 - height:.1f}",
                    width=f"{step - 1:.1f}",
                    height=f"{height:.1f}",
                )
            ]
            if n
            else []
        )
    marks = [
        tag("text", "2", tag("tspan", str(k), dy=-3, font_size=7), x=f"{k * step:.1f}", y=84)
        for k in range(0, last, max(1, last // 6))
    ]
    most = bins.index(top)
    where = "below 2 units" if most == 0 else f"2^{most} to 2^{most + 1} units"
    told = f"{dtype}: elements that differ, by units in the last place. Most, {top:,}, lie {where} apart"
    axis = tag("line", x1=0, y1=72, x2=320, y2=72)
    return [
        captioned(
            tag("svg", axis, *bars, *marks, viewBox="0 0 320 88", aria_hidden="true", focusable="false"),
            f"{told}; the largest distance is {figure(e.max_ulp)}.",
        )
    ]


def captioned(drawing: Markup, told: str) -> Markup:
    """A drawing with the words that say the same."""
    return tag("figure", drawing, tag("figcaption", told))


def stage_mark(findings: Sequence[Finding]) -> Markup:
    """A check mark and how many comparisons, or the name of the worst verdict."""
    if not findings:
        return tag("span", "-", class_="soft")
    verdict = worst(list(findings))
    return _counted("✓", "agree", sum(f.compared for f in findings)) if verdict is Verdict.AGREE else badge(verdict)


def printed_mark(numbers: Sequence[PublishedNumber]) -> Markup:
    """Of the numbers that sources print: how many are not met, else how many there are."""
    if not numbers:
        return tag("span", "-", class_="soft")
    unmet_ones = sum(not p for p in numbers)
    return _counted("✗", "not met", unmet_ones) if unmet_ones else _counted("✓", "met", len(numbers))


def _counted(sign: str, word: str, number: int) -> Markup:
    parts = tag("span", sign, aria_hidden="true"), tag("span", word, class_="away"), f" {number:,}"
    return tag("span", *parts, class_="AGREE" if sign == "✓" else "verdict")


def verdict_of(item: Finding | PublishedNumber) -> Verdict:
    """A finding's verdict; a printed number that is not met is SEMANTIC."""
    return Verdict.SEMANTIC if isinstance(item, PublishedNumber) else item.verdict


def badge(verdict: str) -> Markup:
    """A verdict as a word; its colour says the same again."""
    return tag("span", str(verdict), class_=f"verdict {css_class(verdict)}")


def css_class(verdict: str) -> str:
    """The class that gives a verdict its colour."""
    return str(verdict).replace(" ", "-")


def title_of(result: CaseResult, item: Finding | PublishedNumber) -> Markup:
    """What differs, in which case, at which step."""
    if isinstance(item, PublishedNumber):
        return joined(["printed number ", item.label, " ", tag("span", f"in {full_name(result)}", class_="soft")])
    step = "" if item.step is None else f", step {item.step:,}"
    return joined([f"{item.stage} of ", tensor(item), " ", tag("span", f"in {full_name(result)}{step}", class_="soft")])


def tensor(finding: Finding) -> Markup:
    """A tensor's name; both sides' where they differ."""
    torch, jax = (tag("code", path) if path else Markup(WHOLE) for path in (finding.torch_path, finding.jax_path))
    if torch == jax:
        return torch
    return joined(
        [torch, " ", tag("span", "(torch)", class_="torch"), " / ", jax, " ", tag("span", "(jax)", class_="jax")]
    )
