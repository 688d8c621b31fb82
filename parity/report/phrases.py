"""How a report says things: the same words and digits in the terminal and on a page."""

import math
import re
from collections.abc import Iterable, Sequence

from parity.numerics import Errors, Finding, Verdict, worst
from parity.numerics.sentences import UNBOUNDED, shares
from parity.report.result import CaseResult, PublishedNumber

COLUMNS = ("forward", "gradient", "update", "curve")
"""Stages that a table always has a column for; the others come where something was compared."""

LAYERS = "layers"
"""The column that a layer's values and its gradients share."""

NOT_RUN, MISSING = "NOT RUN", "MISSING"


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


def beside_each_other(finding: Finding) -> str:
    """A finding's tensor by both sides' names.

    Examples:
        >>> beside_each_other(Finding("layer", "norm", "ln", Verdict.SEMANTIC, ""))
        'norm (torch) / ln (jax)'
    """
    torch, jax = finding.torch_path or WHOLE, finding.jax_path or WHOLE
    return torch if torch == jax else f"{torch} (torch) / {jax} (jax)"


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
