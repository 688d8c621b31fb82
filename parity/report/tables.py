"""Tables of a report in the terminal: as many columns as fit, in signs that the stream can hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parity.markup import printable
from parity.numerics import Finding, Verdict, worst
from parity.report.phrases import COLUMNS, MISSING, NOT_RUN, column, columns, figure, outcome, seconds, share
from parity.report.result import STAGES, CaseResult, PublishedNumber

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

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


class Tables:
    """What prints tables on one console.

    Args:
        console: Where to print; decides width and encoding.
    """

    def __init__(self, console: "Console") -> None:
        self.console = console
        self.marks = UNICODE if _can_hold(console.encoding, "✓✗─") else ASCII

    def fit(self, text: str) -> str:
        """The text with what the console's encoding lacks, and what could command the terminal, written out."""
        return printable(text).encode(self.console.encoding, "backslashreplace").decode(self.console.encoding)

    def print(self, title: str, groups: Sequence[tuple[str, Sequence[CaseResult]]]) -> None:
        """Print a line a group of cases, such as a pair.

        Args:
            title: What a group is: "pair", or the name of a pair whose cases are the groups.
            groups: Names and cases.
        """
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
        self.console.print(self.built(titles, [[row[name] for name in header] for row in rows]), highlight=False)

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

    def built(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> "Table":
        """A table with a rule below its heads, and one space or two between columns, as fits.

        Args:
            header: Names of the C columns.
            rows: Each of C cells, which are text and no markup.
        """
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
            table.add_column(self.fit(name), justify=side, no_wrap=i > 0, overflow="fold")  # type: ignore[arg-type]
        for row in rows:
            table.add_row(*(Text(self.fit(cell), style=self._style(cell)) for cell in row))
        return table

    def _style(self, cell: str) -> str:
        marked = {self.marks.agree: STYLES[Verdict.AGREE], self.marks.differ: STYLES[Verdict.SEMANTIC]}
        return STYLES.get(cell, marked.get(cell.partition(" ")[0], ""))


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
