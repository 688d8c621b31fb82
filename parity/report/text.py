"""A Report in the terminal: a table, every divergence, and one line to close."""

import io
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from parity.numerics import Finding, Verdict
from parity.report.closing import (
    NOTHING,
    closing,
    headline,
    install,
)
from parity.report.phrases import (
    WHOLE,
    beside,
    both_values,
    counted,
    curve_notes,
    failure,
    full_name,
    gap,
    power,
    remarks,
    sentence,
    short_name,
    statistics,
    unmet,
)
from parity.report.result import CaseResult, PublishedNumber, Report
from parity.report.tables import STYLES, Tables
from parity.report.told import (
    Told,
    accepted,
    divergences,
    failures,
    folded,
    told,
)

if TYPE_CHECKING:
    from rich.console import Console

BLOCKS = 20
"""Divergences told in full; every further one gets a line."""


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
        self.tables = Tables(console)

    def print(self, detail: bool) -> None:
        if detail:
            for concept, results in self.report.concepts.items():
                self.tables.print(concept, [(short_name(r), (r,)) for r in results])
                self.console.print()
            for result in self.report.results:
                self._more(result)
        elif self.report.results:
            self.tables.print("pair", list(self.report.concepts.items()))
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

        line = Text.assemble((f"{label}  ", STYLES.get(label, "")) if label else "", (self.tables.fit(text), style))
        for wrapped in line.wrap(self.console, max(self.console.width - indent, 20), overflow="fold"):
            wrapped.rstrip()
            self.console.print(Text(" " * indent).append_text(wrapped), highlight=False, soft_wrap=True)

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
        met = {True: self.tables.marks.agree, False: self.tables.marks.differ}
        rows = [[p.label, p.printed, beside(p.torch, p), beside(p.jax, p), met[bool(p)]] for p in numbers]
        table = self.tables.built(["number", "printed", "torch", "jax", ""], rows)
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
