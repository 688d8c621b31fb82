"""How a report says things: the same words and digits in the terminal and on a page."""

import math
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from parity.numerics import Errors, Finding, Verdict, worst
from parity.numerics.sentences import UNBOUNDED, shares
from parity.report.result import CaseResult, PublishedNumber, Report
from parity.report.sources import concepts

COLUMNS = ("forward", "gradient", "update", "curve")
"""Stages that a table always has a column for; the others come where something was compared."""

LAYERS = "layers"
"""The column that a layer's values and its gradients share."""

PLACES = 6
"""Places that a sentence lists before it counts the rest."""

NOT_RUN, MISSING = "NOT RUN", "MISSING"
NOTHING = "nothing was compared"


def columns(stages: Iterable[str]) -> list[str]:
    """The columns of a table over these stages, in their order.

    Examples:
        >>> columns(("forward", "gradient", "layer", "layer gradient", "update"))
        ['forward', 'gradient', 'layers', 'update']
    """
    return list(dict.fromkeys(map(column, stages)))


def column(stage: str) -> str:
    """The column of one stage."""
    return LAYERS if stage in ("layer", "layer gradient") else stage


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


def beside_each_other(finding: Finding) -> str:
    """A finding's tensor by both sides' names.

    Examples:
        >>> beside_each_other(Finding("layer", "norm", "ln", Verdict.SEMANTIC, ""))
        'norm (torch) / ln (jax)'
    """
    torch, jax = finding.torch_path or WHOLE, finding.jax_path or WHOLE
    return torch if torch == jax else f"{torch} (torch) / {jax} (jax)"


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


def counted(n: int, noun: str) -> str:
    """A number and its noun.

    Examples:
        >>> counted(1, "case"), counted(1200, "case")
        ('1 case', '1,200 cases')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def full_name(result: CaseResult) -> str:
    """The case's name, with its device where that is not the CPU."""
    return result.name + ("" if result.device == "cpu" else f" on {result.device}")


def short_name(result: CaseResult) -> str:
    """The same without the name of its pair."""
    return full_name(result).removeprefix(f"{result.concept}.")


WHOLE = "the whole output"


def sentence(finding: Finding) -> str:
    """The message, without the gap where the numbers stand beside it in full."""
    if finding.errors64 is None:
        return finding.message
    return re.sub(r": torch \S+, jax .*? differ by .*? x the rounding bound(, which is 0 there)?", "", finding.message)


def statistics(finding: Finding) -> list[tuple[str, Errors, float]]:
    """What was measured at either precision: its name, the statistics, the share of the bound."""
    both = (("float64", finding.errors64, finding.ratio64), (finding.dtype, finding.errors, finding.ratio))
    return [(dtype, e, ratio) for dtype, e, ratio in both if e is not None and e.count]


def gap(e: Errors, ratio: float) -> str:
    """The largest difference, where, how many elements differ, and the largest share that any takes of its bound."""
    if e.bit_equal == e.count:
        return f"equal bit by bit in {'the one element' if e.count == 1 else f'all {e.count:,} elements'}"
    at = f" at {place(e.index)}" if e.index else ""
    differ = f"; {e.count - e.bit_equal:,} of {e.count:,} elements differ" if e.count > 1 else ""
    by = "" if math.isnan(ratio) else f", by up to {shares(ratio)}"
    if e.count == 1:
        by = by.replace("by up to ", "")
    return f"largest difference {figure(e.max_abs)}{at}{differ}{by}"


def both_values(dtype: str, e: Errors) -> tuple[str, str]:
    """What torch and jax have where they differ most, with all the digits that the precision holds."""
    return (repr(e.left), repr(e.right)) if dtype == "float64" else (f"{e.left:.9g}", f"{e.right:.9g}")


def worse(finding: Finding) -> str:
    """How far each side strays from float64, where the verdict names one that is further; else nothing."""
    if finding.errors is None or not finding.worse:
        return ""
    torch, jax = figure(finding.errors.left_error), figure(finding.errors.right_error)
    return f"{finding.dtype} strays from torch's float64 by: torch {torch}, jax {jax}; {finding.worse} is worse"


def remarks(finding: Finding) -> list[str]:
    """What stands below a finding's numbers: the worse side, the cause and its fix, the reference, notes."""
    cause = f"cause: {finding.cause}" if finding.cause else ""
    fix = f"fix: {finding.fix}" if finding.fix else ""
    return [line for line in (*circumstances(finding), cause, fix) if line]


def circumstances(finding: Finding) -> list[str]:
    """The same without the cause and its fix."""
    reference = f"no float64 reference: judged at {finding.reference}" if finding.reference != "float64" else ""
    return [line for line in (worse(finding), where(finding), reference, finding.note) if line]


def where(finding: Finding) -> str:
    """The row or channel in which most of the difference lies, where it is not spread over all."""
    e = finding.errors64 if finding.ratio64 > 1.0 else finding.errors
    if e is None or e.concentration is None:
        return ""
    axis, index, part = e.concentration
    return f"{part:.0%} of the squared difference lies at index {index} of axis {axis}"


def power(result: CaseResult) -> str:
    """The smallest error that would have been found, over the tensors of a case that have power; else nothing."""
    found = sorted((f for f in result.findings if f.power < 1.0 and f.compared), key=lambda f: f.power)
    if not found:
        return ""
    least, most = figure(found[0].power), figure(found[-1].power)
    name = f"{found[-1].stage} of {found[-1].torch_path or WHOLE}"
    if len(found) == 1:
        return f"power: an error of {most} of its size would have been found in {name}"
    return f"power: errors of {least} to {most} of a tensor's size would have been found, the largest in {name}"


def unmet(number: PublishedNumber) -> str:
    """What a source prints, what both sides give, and how far off that is."""
    off = max(abs(number.torch - float(number.printed)), abs(number.jax - float(number.printed)))
    values = f"torch {beside(number.torch, number)}, jax {beside(number.jax, number)}"
    return f"{number.source} prints {number.printed}: {values}; {figure(off)} off, {figure(number.allowed)} allowed"


def curve_notes(result: CaseResult) -> list[str]:
    """How far each curve was compared, one line for those that say the same; the agreeing end of a run has none."""
    said: dict[str, list[str]] = {}
    for f in result.findings:
        if f.stage == "curve" and f and f.horizon != 1:
            said.setdefault("; ".join(filter(None, (f.message, f.note))), []).append(f.torch_path or WHOLE)
    return [f"curve {', '.join(names)}: {text}" for text, names in said.items()]


def place(index: tuple[int, ...] | None) -> str:
    """An index as a reader writes it.

    Examples:
        >>> place((41,)), place((3, 5)), place(())
        ('(41)', '(3, 5)', '-')
    """
    return f"({', '.join(map(str, index))})" if index else "-"


def share(results: Iterable[CaseResult]) -> float:
    """The largest finite part of the bound that any comparison took; NaN where none has one."""
    ratios = [x for r in results for f in r.findings for x in (f.ratio64, f.ratio) if math.isfinite(x)]
    return max(ratios, default=math.nan)


def outcome(results: Sequence[CaseResult]) -> str:
    """The worst verdict of what was compared; where that agrees but a case could not run, why not."""
    found = worst([f for r in results for f in r.findings])
    if not all(p for r in results for p in r.published):
        found = max(found, Verdict.SEMANTIC, key=lambda verdict: verdict.severity)
    failed = [r for r in results if r.error is not None]
    return failure(failed) if failed and found in (Verdict.AGREE, Verdict.CONVENTION) else found.value


def failures(report: Report) -> dict[str, list[CaseResult]]:
    """What could not run, by what was said of it: one missing framework is told once, not once a case."""
    found: dict[str, list[CaseResult]] = {}
    for result in report.results:
        if result.error is not None:
            found.setdefault(result.error.strip(), []).append(result)
    return found


def failure(failed: Sequence[CaseResult]) -> str:
    """MISSING where all that is wrong is a framework or a device that is not there, else NOT RUN."""
    return MISSING if all(r.missing for r in failed) else NOT_RUN


def beside(value: float, number: PublishedNumber) -> str:
    """A value with three digits more than the printed number has.

    Examples:
        >>> beside(0.29494561, PublishedNumber("a page", "loss", "0.295", 0.0, 0.0, 0.0))
        '0.294946'
    """
    mantissa, exponent, _ = number.printed.lower().partition("e")
    return f"{value:.{len(mantissa.partition('.')[2]) + 3}{'e' if exponent else 'f'}}"


def figure(x: float) -> str:
    """Two significant digits; a dash where there is no number, and infinity where its bound is 0.

    Examples:
        >>> figure(0.0312), figure(2.2e9), figure(0.0), figure(math.nan), figure(4e306)
        ('0.031', '2.2e+09', '0', '-', '∞')
    """
    return "-" if math.isnan(x) else "∞" if x > UNBOUNDED else f"{x:.2g}"


def seconds(t: float) -> str:
    """A duration for a person.

    Examples:
        >>> seconds(0.04), seconds(0.51), seconds(12.3), seconds(80)
        ('0.04 s', '0.5 s', '12 s', '1:20 min')
    """
    if t >= 59.5:
        return f"{round(t) // 60}:{round(t) % 60:02d} min"
    return f"{t:.0f} s" if t >= 9.95 else f"{t:.1f} s" if t >= 0.095 else f"{t:.2f} s"
