"""What a report tells: what differs and stands for itself, what goes with it, what was accepted, what could not run."""

from collections.abc import Iterator
from dataclasses import dataclass

from parity.numerics import Finding, Verdict
from parity.report.phrases import beside_each_other, counted, full_name
from parity.report.result import CaseResult, PublishedNumber, Report

PLACES = 6
"""Places that a sentence lists before it counts the rest."""


def divergences(report: Report) -> Iterator[tuple[CaseResult, Finding | PublishedNumber]]:
    """Everything that differs, in the order in which it was found: findings of a case, then printed numbers."""
    for result in report.results:
        items: tuple[Finding | PublishedNumber, ...] = (*result.findings, *result.published)
        for item in items:
            if not item:
                yield result, item


@dataclass(frozen=True)
class Told:
    """One thing that differs, with what is told in its place.

    Attributes:
        result: The case in which it was found.
        item: What differs.
        consequences: What differs because of it.
        repeated: What differs elsewhere for the same proven cause.
    """

    result: CaseResult
    item: Finding | PublishedNumber
    consequences: tuple[Finding, ...] = ()
    repeated: tuple[Finding, ...] = ()


def told(report: Report) -> list[Told]:
    """What differs and stands for itself, in order: consequences and repetitions go with the first of their kind."""
    found: list[Told] = []
    for result in report.results:
        differing = [f for f in result.findings if not f]
        own = {f.label for f in differing if not f.follows}
        first: dict[tuple[str, str], Finding] = {}
        repeated: dict[int, list[Finding]] = {}
        for f in (f for f in differing if f.follows not in own):
            original = first.setdefault((_named(f.cause), f.fix), f) if f.cause else f
            repeated.setdefault(id(original), [])
            if original is not f:
                repeated[id(original)].append(f)
        for f in (f for f in differing if id(f) in repeated):
            led = {f.label, *(r.label for r in repeated[id(f)])}
            consequences = tuple(c for c in differing if c.follows in led)
            found.append(Told(result, f, consequences, tuple(repeated[id(f)])))
        found += [Told(result, number) for number in result.published if not number]
    return found


def _named(cause: str) -> str:
    """A cause without its evidence, which has its own numbers at every place."""
    return cause.partition(". With")[0]


def folded(item: Told, everything: str) -> list[str]:
    """What is told in the place of others, a sentence a kind.

    Args:
        item: With what follows from it.
        everything: Where all of them are told.
    """
    lines = []
    if item.repeated:
        places = [beside_each_other(f) for f in item.repeated]
        more = f" and {len(places) - PLACES} more" if len(places) > PLACES else ""
        lines.append(f"the same at {counted(len(places), 'more place')}: {', '.join(places[:PLACES])}{more}")
    if item.consequences:
        stages: dict[str, int] = {}
        for f in item.consequences:
            stages[f.stage] = stages.get(f.stage, 0) + 1
        listed = ", ".join(f"{stage} {n:,}" for stage, n in stages.items())
        number = len(item.consequences)
        verb = "differs" if number == 1 else "differ"
        lines.append(f"{counted(number, 'later comparison')} {verb} as a consequence: {listed}; {everything}")
    return lines


def conventions(report: Report) -> list[tuple[CaseResult, Finding]]:
    """The differences that were accepted by name."""
    return [(r, f) for r in report.results for f in r.findings if f and f.verdict is Verdict.CONVENTION]


def accepted(report: Report) -> dict[tuple[str, str, str], list[str]]:
    """The differences accepted by name, those of one case, reason and stage together: paths by these three."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for result, finding in conventions(report):
        key = (full_name(result), finding.note or finding.message, finding.stage)
        groups.setdefault(key, []).append(beside_each_other(finding))
    return groups


def failures(report: Report) -> dict[str, list[CaseResult]]:
    """What could not run, by what was said of it: one missing framework is told once, not once a case."""
    found: dict[str, list[CaseResult]] = {}
    for result in report.results:
        if result.error is not None:
            found.setdefault(result.error.strip(), []).append(result)
    return found
