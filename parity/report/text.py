"""A Report in the terminal: a table, every divergence, and one line to close."""

import io
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parity.markup import printable
from parity.numerics import Finding, Verdict, worst
from parity.report.phrases import (
    COLUMNS,
    MISSING,
    NOT_RUN,
    NOTHING,
    WHOLE,
    Told,
    accepted,
    beside,
    both_values,
    closing,
    column,
    columns,
    counted,
    curve_notes,
    divergences,
    failure,
    failures,
    figure,
    folded,
    full_name,
    gap,
    headline,
    install,
    outcome,
    power,
    remarks,
    seconds,
    sentence,
    share,
    short_name,
    statistics,
    told,
    unmet,
)
from parity.report.result import STAGES, CaseResult, PublishedNumber, Report

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

BLOCKS = 20
"""Divergences told in full; every further one gets a line."""

STYLES = {
    Verdict.AGREE: "green",
    Verdict.CONVENTION: "cyan",
    Verdict.UNDECIDED: "yellow",
    Verdict.PRECISION: "yellow",
    Verdict.UNSTABLE: "magenta",
    Verdict.SEMANTIC: "bold red",
    Verdict.STRUCTURE: "bold red",
    NOT_RUN: "bold red",
    MISSING: "yellow",
}


@dataclass(frozen=True)
class Marks:
    """The signs of a table, as the stream's encoding can hold them."""

    agree: str
    differ: str
    rule: str


UNICODE, ASCII = Marks("✓", "✗", "─"), Marks("ok", "no", "-")


def render(report: Report, *, width: int | None = None, detail: bool | None = None, everything: bool = False) -> str:
    """The report as plain text, without colour.

    Args:
        report: The report.
        width: Columns; as many as the terminal has where not given.
        detail: One line a case instead of one a pair; where not given, for a report on a single pair.
        everything: Whether consequences of a divergence are told like itself, and not counted below it.

    Returns:
        The text, without a newline at its end. It holds no sign that the encoding of standard output lacks.
    """
    from rich.console import Console

    stream = _Stream(getattr(sys.stdout, "encoding", None) or "utf-8")
    columns = width or shutil.get_terminal_size((100, 24)).columns
    # force_jupyter: in a notebook rich would write past the stream, to the cell
    console = Console(
        file=stream, width=columns, color_system=None, force_terminal=False, force_jupyter=False, legacy_windows=False
    )
    print_report(report, console, detail, everything=everything)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


class _Stream(io.StringIO):
    """Text in memory that has the encoding of the stream for which it is meant."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a StringIO has none
        return self._encoding


def print_report(report: Report, console: "Console", detail: bool | None = None, *, everything: bool = False) -> None:
    """Print the report: a table, what differs, what could not run, and one line to close.

    Args:
        report: The report.
        console: Where to print; decides colour, width and encoding.
        detail: One line a case, with printed numbers, remarks and curves; where not given, for a report on a
            single pair.
        everything: As for `render`.
    """
    _Printer(report, console, everything=everything).print(len(report.concepts) == 1 if detail is None else detail)


class _Printer:
    """One report on its way to one console."""

    def __init__(self, report: Report, console: "Console", *, everything: bool = False) -> None:
        self.report = report
        self.console = console
        self.everything = everything
        self.marks = UNICODE if _can_hold(console.encoding, "✓✗─") else ASCII

    def print(self, detail: bool) -> None:
        if detail:
            for concept, results in self.report.concepts.items():
                self._table(concept, [(short_name(r), (r,)) for r in results])
                self.console.print()
            for result in self.report.results:
                self._more(result)
        elif self.report.results:
            self._table("pair", list(self.report.concepts.items()))
            self.console.print()
        self._divergences()
        for (name, reason, stage), paths in accepted(self.report).items():
            self._line(f"{name}  {stage} of {', '.join(paths)}", label=Verdict.CONVENTION)
            self._line(f"accepted: {reason}", indent=2)
            self.console.print()
        for error, failed in failures(self.report).items():
            self._not_run(failed, error)
        compared = headline(self.report) != NOTHING
        self._line(
            closing(self.report), style=STYLES[Verdict.AGREE if self.report else Verdict.SEMANTIC] if compared else ""
        )

    def _line(self, text: str, *, label: str = "", style: str = "", indent: int = 0) -> None:
        """One paragraph that wraps under itself; nothing in it is markup."""
        from rich.text import Text

        line = Text.assemble((f"{label}  ", STYLES.get(label, "")) if label else "", (self._fit(text), style))
        for wrapped in line.wrap(self.console, max(self.console.width - indent, 20), overflow="fold"):
            wrapped.rstrip()
            self.console.print(Text(" " * indent).append_text(wrapped), highlight=False, soft_wrap=True)

    def _fit(self, text: str) -> str:
        return printable(text).encode(self.console.encoding, "backslashreplace").decode(self.console.encoding)

    def _table(self, title: str, groups: Sequence[tuple[str, Sequence[CaseResult]]]) -> None:
        findings = [f for _, results in groups for r in results for f in r.findings]
        stages = columns(s for s in STAGES if s in COLUMNS or any(f.stage == s for f in findings))
        rows = [self._row(name, results, stages) for name, results in groups]
        numbers = [p for _, results in groups for r in results for p in r.published]
        shown = {"cases": title == "pair", "printed": bool(numbers)}
        header = [name for name in rows[0] if shown.get(name, True)]
        settled = ["structure"] if all(f for f in findings if f.stage == "structure") else []
        settled += ["printed"] if all(numbers) else []
        unused = [s for s in stages if not any(column(f.stage) == s for f in findings)]
        # What the divergences below say again is given up, in this order, where the table is too wide.
        for name in ("time", *settled, "cases", *unused, "x bound", "printed", *stages):
            if name in header and _width(header, rows) > self.console.width:
                header.remove(name)
        titles = [title, *header[1:]]
        self.console.print(self._built(titles, [[row[name] for name in header] for row in rows]), highlight=False)

    def _row(self, name: str, results: Sequence[CaseResult], stages: Sequence[str]) -> dict[str, str]:
        by_stage = {s: self._stage([f for r in results for f in r.findings if column(f.stage) == s]) for s in stages}
        ends = {"printed": self._met([p for r in results for p in r.published])}
        ends |= {"x bound": figure(share(results)), "verdict": outcome(results)}
        return {
            "": name,
            "cases": str(len(results)),
            **by_stage,
            **ends,
            "time": seconds(sum(r.seconds for r in results)),
        }

    def _stage(self, findings: Sequence[Finding]) -> str:
        if not findings:
            return "-"
        verdict = worst(list(findings))
        return (
            f"{self.marks.agree} {sum(f.compared for f in findings):,}" if verdict is Verdict.AGREE else verdict.value
        )

    def _met(self, numbers: Sequence[PublishedNumber]) -> str:
        unmet_ones = sum(not p for p in numbers)
        return (
            f"{self.marks.differ} {unmet_ones:,}"
            if unmet_ones
            else f"{self.marks.agree} {len(numbers):,}"
            if numbers
            else "-"
        )

    def _built(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> "Table":
        from rich.box import Box
        from rich.table import Table
        from rich.text import Text

        rule = self.marks.rule
        lines = Box("    \n" * 2 + rule * 4 + "\n" + "    \n" * 5, ascii=rule == "-")
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        gap_between = 1 if sum(widths) + 2 * len(widths) <= self.console.width else 0
        table = Table(box=lines, show_edge=False, padding=(0, gap_between, 0, 0), pad_edge=False, header_style="bold")
        for i, name in enumerate(header):
            side = "right" if name in ("cases", "x bound", "time") else "left"
            table.add_column(self._fit(name), justify=side, no_wrap=i > 0, overflow="fold")  # type: ignore[arg-type]
        for row in rows:
            table.add_row(*(Text(self._fit(cell), style=self._style(cell)) for cell in row))
        return table

    def _style(self, cell: str) -> str:
        marked = {self.marks.agree: STYLES[Verdict.AGREE], self.marks.differ: STYLES[Verdict.SEMANTIC]}
        return STYLES.get(cell, marked.get(cell.partition(" ")[0], ""))

    def _more(self, result: CaseResult) -> None:
        """What a table of cases has no column for."""
        curves, sources = curve_notes(result), dict.fromkeys(p.source for p in result.published)
        notes = [*curves, *result.remarks, *filter(None, (power(result),))]
        if not (notes or sources):
            return
        self._line(full_name(result), style="bold")
        for note in notes:
            self._line(note, indent=2)
        for source in sources:
            self._published(source, [p for p in result.published if p.source == source])
        self.console.print()

    def _published(self, source: str, numbers: Sequence[PublishedNumber]) -> None:
        from rich.padding import Padding

        self._line(f"printed in {source}", indent=2)
        met = {True: self.marks.agree, False: self.marks.differ}
        rows = [[p.label, p.printed, beside(p.torch, p), beside(p.jax, p), met[bool(p)]] for p in numbers]
        table = self._built(["number", "printed", "torch", "jax", ""], rows)
        self.console.print(Padding(table, (0, 0, 0, 2), expand=False), highlight=False)

    def _divergences(self) -> None:
        found = told(self.report)
        if self.everything:
            found = [Told(result, item) for result, item in divergences(self.report)]
        for item in found[: len(found) if self.everything else BLOCKS]:
            self._divergence(item)
            self.console.print()
        rest = [] if self.everything else found[BLOCKS:]
        for item in rest:
            self._title(item.result, item.item)
        if rest:
            self.console.print()

    def _title(self, result: CaseResult, item: Finding | PublishedNumber) -> None:
        if isinstance(item, PublishedNumber):
            self._line(f"{full_name(result)}  printed number {item.label}", label=Verdict.SEMANTIC)
        else:
            self._line(f"{full_name(result)}  {_of(item)}", label=item.verdict)

    def _divergence(self, found: Told) -> None:
        item = found.item
        self._title(found.result, item)
        if isinstance(item, PublishedNumber):
            self._line(unmet(item), indent=2)
            return
        self._line(sentence(item), indent=2)
        for dtype, e, ratio in statistics(item):
            self._line(f"{dtype}: {gap(e, ratio)}", indent=2)
            if e.bit_equal != e.count:
                reference = "" if dtype == "float64" else f"   torch at float64 {e.reference!r}"
                self._line("torch {}   jax {}".format(*both_values(dtype, e)) + reference, indent=4)
        typed = self.report.environment.get("command", "").startswith("parity ")
        for line in (*remarks(item), *folded(found, "--verbose tells each" if typed else "report.findings has each")):
            self._line(line, indent=2)

    def _not_run(self, failed: Sequence[CaseResult], error: str) -> None:
        others = f" and {counted(len(failed) - 1, 'more case')}" if len(failed) > 1 else ""
        self._line(f"{full_name(failed[0])}{others}", label=failure(failed))
        self._line(error, indent=2)
        if failed[0].missing and "install" not in error:
            self._line(f"install it: {install(error)}", indent=2)
        self.console.print()


def _of(finding: Finding) -> str:
    torch, jax = finding.torch_path or WHOLE, finding.jax_path or WHOLE
    where = torch if torch == jax else f"{torch}  (torch)  /  {jax}  (jax)"
    return f"{finding.stage} of {where}" + ("" if finding.step is None else f"     step {finding.step:,}")


def _width(header: Sequence[str], rows: Sequence[dict[str, str]]) -> int:
    """Columns that a table needs; a long first column folds."""
    widths = [max(len(name), *(len(row[name]) for row in rows)) for name in header]
    return min(widths[0], 32) + sum(widths[1:]) + len(widths) - 1


def _can_hold(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
