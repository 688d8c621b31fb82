"""A report in a line: how much was compared, whether it agrees, and what to do next."""

import re
import shlex

from parity.numerics import Finding
from parity.report.phrases import WHOLE, counted, full_name
from parity.report.result import CaseResult, PublishedNumber, Report
from parity.report.sources import concepts
from parity.report.told import conventions, divergences, told

NOTHING = "nothing was compared"


def counts(report: Report) -> str:
    """How much was compared: "2 pairs, 3 cases, 6 comparisons, 2 printed numbers"."""
    compared = sum(f.compared for f in report.findings)
    numbers = [(len(report.concepts), "pair"), (len(report.results), "case"), (compared, "comparison")]
    published = sum(len(r.published) for r in report.results)
    beyond = len(report.findings) - compared
    parts = [counted(n, noun) for n, noun in [*numbers, *([(published, "printed number")] if published else [])]]
    return ", ".join([*parts, *([f"{beyond:,} past a curve's horizon"] if beyond else [])])


def headline(report: Report) -> str:
    """The result in a few words: "all agree", "1 differs, 9 more as a consequence", "1 case could not run"."""
    every, failed = sum(1 for _ in divergences(report)), sum(r.error is not None for r in report.results)
    more = sum(len(item.consequences) for item in told(report))
    differ = every - more
    if not report.findings and not differ and not failed:
        return NOTHING
    if not report:
        could_not = f"{counted(failed, 'case')} could not run" if failed else ""
        following = f"{more:,} more as a consequence" if more else ""
        differing = f"{differ:,} differ{'s' if differ == 1 else ''}" if differ else ""
        return ", ".join(filter(None, (differing, following, could_not)))
    named = len(conventions(report))
    return "all agree" + (f", {named:,} by a named convention" if named else "")


def closing(report: Report) -> str:
    """One line: how much was compared, whether it agrees, and what to do next.

    Args:
        report: The report.

    Returns:
        The line.
    """
    if not report.results:
        return f"no case was run: {NOTHING}; next: parity run"
    compared = f"{counts(report)}: {headline(report)}"
    if report or headline(report) == NOTHING:
        return compared
    first = next(divergences(report), None)
    culprit = first[0] if first else next(r for r in report.results if not r)
    said = _first(culprit, first[1] if first else None)
    return f"{compared}; first: {said}; next: {_next(report, culprit, differs=bool(first))}"


def _first(result: CaseResult, item: Finding | PublishedNumber | None) -> str:
    name = full_name(result)
    if item is None:
        return f"{name} could not run"
    if isinstance(item, PublishedNumber):
        return f"printed number {item.label} in {name}"
    return f"{item.verdict} {item.stage} of {item.torch_path or item.jax_path or WHOLE} in {name}"


def _next(report: Report, result: CaseResult, *, differs: bool) -> str:
    if result.missing and not differs:
        return install(result.error or "")
    if result.concept in concepts():
        return f"parity run {result.concept} --html report.html"
    command = report.environment.get("command", "")
    if not command.startswith("parity "):
        return "report.to_html('report.html')"
    words = shlex.split(command)
    asked = next((words[i + 1] for i, word in enumerate(words[:-1]) if word == "--html"), None)
    asked = asked or next((word.partition("=")[2] for word in words if word.startswith("--html=")), None)
    return f"open {asked}" if asked else f"{command} --html report.html"


def install(error: str) -> str:
    """The command that installs the framework which an error names; both where it names none."""
    named = [extra for extra, words in (("torch", r"torch"), ("jax", r"jax|flax|optax")) if re.search(words, error)]
    return f"pip install 'parity[{named[0] if len(named) == 1 else 'all'}]'"
