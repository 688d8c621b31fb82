"""What differs and what could not run, each told in full on a card."""

from parity.markup import Markup, table, tag
from parity.numerics import Finding
from parity.report.closing import install
from parity.report.drawings import Drawings
from parity.report.elements import badge, css_class, histogram, title_of, verdict_of
from parity.report.phrases import (
    both_values,
    circumstances,
    failure,
    figure,
    full_name,
    place,
    sentence,
    statistics,
    unmet,
)
from parity.report.result import CaseResult, PublishedNumber
from parity.report.told import Told, folded

MEASURED = ("precision", "largest difference", "at", "x bound", "torch", "jax", "torch at float64", "differ")


def difference(found: Told, name: str, drawings: Drawings) -> Markup:
    """One divergence: its title, what it says, its cause and fix, its numbers and its pictures.

    Args:
        found: The divergence, with what follows from it.
        name: The id of the card.
        drawings: The curves of the page.
    """
    item, verdict = found.item, verdict_of(found.item)
    more = [tag("p", line) for line in folded(found, "all stand in the table below")]
    if isinstance(item, PublishedNumber):
        stage, parts = "printed", [tag("p", unmet(item)), *more]
    else:
        stage, parts = item.stage, [*_told(item), *more, *_evidence(found.result, item, drawings)]
    title = tag("h3", badge(verdict), " ", title_of(found.result, item))
    kinds = {"data_verdict": verdict, "data_stage": stage}
    return tag("article", title, *parts, class_=f"divergence {css_class(verdict)}", id=name, tabindex=-1, **kinds)


def unrun(error: str, results: list[CaseResult]) -> Markup:
    """Cases that could not run for one reason.

    Args:
        error: The reason.
        results: The cases.
    """
    label, others = failure(results), [full_name(r) for r in results[1:]]
    card = [tag("h3", badge(label), " ", full_name(results[0])), tag("pre", error)]
    if others:
        card.append(tag("p", f"The same of {', '.join(others)}"))
    if results[0].missing and "install" not in error:
        card.append(tag("p", "Install it: ", tag("code", install(error))))
    return tag("article", *card, class_=f"divergence {css_class(label)}", data_verdict=label, data_stage="")


def _told(finding: Finding) -> list[Markup]:
    """What differs, why, and what to write instead, in words."""
    parts = [tag("p", line) for line in (sentence(finding), *circumstances(finding)) if line]
    parts += [tag("p", tag("b", "cause"), " ", finding.cause)] if finding.cause else []
    parts += [tag("p", tag("b", "fix"), " ", tag("code", finding.fix), class_="fix")] if finding.fix else []
    return parts


def _evidence(result: CaseResult, finding: Finding, drawings: Drawings) -> list[Markup]:
    parts: list[Markup] = []
    measured = statistics(finding)
    rows = []
    for dtype, e, ratio in measured:
        apart, share = figure(e.max_abs), figure(ratio)
        ends = (repr(e.reference), f"{e.count - e.bit_equal:,} of {e.count:,}")
        rows.append([dtype, apart, place(e.index), share, *both_values(dtype, e), *ends])
    if rows:
        parts.append(table("What was measured", MEASURED, rows))
    histograms = [drawing for dtype, e, _ in measured if e.count > 1 for drawing in histogram(dtype, e)]
    if histograms:
        parts.append(tag("div", *histograms, class_="histograms"))
    if finding.stage == "curve":
        own = [c for c in result.curves if (c.name, c.dtype) == (finding.torch_path, finding.dtype)]
        parts += map(drawings.of, own)
    return parts
