"""The two implementations of a pair next to each other in the terminal; neither framework is imported."""

import io
import re
import shutil
from textwrap import wrap
from typing import TYPE_CHECKING

from parity.report.sources import SIDES, Part, concepts, file_of, merged, modules_of, parts

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

__all__ = ["concepts", "print_pair", "render"]

SIDE_BY_SIDE = 150
"""Columns from which on two sources fit next to each other."""

FULL = 112
"""Columns that a docstring has at least where its sentences are broken: 120, less the indentation of a method's."""

CODE_OR_COLUMNS = re.compile(r"\s*(>>>|\.\.\.)|.*\S {3,}\S")
"""A line that does not go on in the next: an example, or a formula in columns."""

ARGUMENT = re.compile(r"\s*[*\w]+(, [*\w]+)*: ")
"""A line that begins anew: of one argument or several."""


def render(concept: str, *, width: int | None = None, color: bool = False) -> str:
    """Both implementations of a pair as text.

    Args:
        concept: The pair's name, such as "losses".
        width: Columns; as many as the terminal has where not given. From 150 on the sides stand next to each other.
        color: Whether to highlight the syntax with terminal codes.

    Returns:
        The text, without a newline at its end.

    Raises:
        ValueError: If there is no such pair.
    """
    from rich.console import Console

    stream = io.StringIO()
    columns = width or shutil.get_terminal_size((100, 24)).columns
    # force_jupyter: in a notebook rich would write past the stream, to the cell
    console = Console(
        file=stream,
        width=columns,
        force_terminal=color,
        force_jupyter=False,
        no_color=not color,
        legacy_windows=False,
    )
    print_pair(concept, console)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def print_pair(concept: str, console: "Console") -> None:
    """Print both implementations of a pair, aligned by name, each shared docstring once.

    Args:
        concept: The pair's name, such as "losses"; a package is shown with its modules, in the order of its names, and
            one of them alone by its dotted name.
        console: Where to print; decides colour, width and encoding.

    Raises:
        ValueError: If there is no such pair.
    """
    modules = modules_of(concept)
    if console.is_terminal:
        _print(modules, console)
        return
    with console.capture() as captured:  # rich fills every line up with spaces, which a file has no need of
        _print(modules, console)
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _print(modules: list[str], console: "Console") -> None:
    for number, module in enumerate(modules):
        if number:
            console.print()
        _Printer(console).print(module)


class _Printer:
    """One module of both sides on its way to a console."""

    def __init__(self, console: "Console") -> None:
        self.console = console
        self.wide = console.width >= SIDE_BY_SIDE

    def print(self, module: str) -> None:
        files = [file_of(side, module) for side in SIDES]
        ends = ["/__init__.py" if file and file.name == "__init__.py" else ".py" for file in files]
        paths = [f"{side}/{module.replace('.', '/')}{end}" for side, end in zip(SIDES, ends, strict=True)]
        titles = [self._text(path, "bold") for path in paths]
        self.console.print(*[_columns(*titles)] if self.wide else titles, sep="\n")
        torch, jax = (parts(file.read_text(encoding="utf-8")) if file else {} for file in files)
        for name in merged(list(torch), list(jax)):
            if name:
                self.console.print()
                self.console.rule(self._text(name, "bold"), align="left", style="dim")
            self._part(torch.get(name, Part()), jax.get(name, Part()))

    def _part(self, torch: Part, jax: Part) -> None:
        docs = list(dict.fromkeys(part.doc for part in (torch, jax) if part.doc))
        for doc in docs:
            self.console.print(_indented(self._text(_hanging(doc, self.console.width - 2), "italic")), highlight=False)
        if docs and (torch.code or jax.code):
            self.console.print()
        if torch.code == jax.code:
            if torch.code:
                self.console.print(_indented(self._source(torch.code)))
        elif self.wide:
            self.console.print(_columns(*(self._source(part.code) for part in (torch, jax))))
        else:
            for number, (side, part) in enumerate(zip(SIDES, (torch, jax), strict=True)):
                if number:
                    self.console.print()
                self.console.print(self._text(f"{side}:", "dim"))
                self.console.print(_indented(self._source(part.code)))

    def _text(self, text: str, style: str) -> "Text":
        from rich.text import Text

        return Text(self._fit(text), style=style, overflow="fold")

    def _fit(self, text: str) -> str:
        return text.encode(self.console.encoding, "backslashreplace").decode(self.console.encoding)

    def _source(self, code: str) -> "RenderableType":
        """The code with the terminal's own colours, which are legible on light and on dark."""
        from pygments.token import Comment, Keyword, Name, Number, Operator, String
        from rich.style import Style
        from rich.syntax import ANSISyntaxTheme, Syntax

        if not code:
            return self._text("(not on this side)", "dim")
        styles = {
            Comment: "italic green",
            Keyword: "magenta",
            Operator.Word: "magenta",
            Name.Function: "bold",
            Name.Class: "bold",
            Name.Decorator: "cyan",
            Number: "cyan",
            String: "yellow",
        }
        theme = ANSISyntaxTheme({token: Style.parse(style) for token, style in styles.items()})
        return Syntax(self._fit(code), "python", theme=theme, background_color="default", word_wrap=True)


def _columns(left: "RenderableType", right: "RenderableType") -> "RenderableType":
    from rich.table import Table

    grid = Table.grid(expand=True, padding=(0, 2, 0, 0))
    grid.add_column(ratio=1)
    grid.add_column(ratio=1)
    grid.add_row(left, right)
    return grid


def _hanging(doc: str, width: int) -> str:
    """A docstring whose long lines go on under themselves, and further in where they are indented."""
    if max(map(len, doc.splitlines())) <= width:
        return doc
    lines = []
    for line in _sentences(doc):
        indent = _indent(line)
        inside = " " * (indent + 4 if indent else 0)
        lines += wrap(line.lstrip(), max(width, 40), initial_indent=" " * indent, subsequent_indent=inside) or [""]
    return "\n".join(lines)


def _sentences(doc: str) -> list[str]:
    """Its lines, each with those in which its sentence goes on: a source breaks it where the next word did not fit."""
    found: list[str] = []
    last = ""
    for line in doc.splitlines():
        word = line.split(maxsplit=1)[0] if line.strip() else ""
        full = len(last) + 1 + len(word) > FULL and not CODE_OR_COLUMNS.match(last)
        further = found and _indent(line) - _indent(found[-1])
        argument = further == 0 and _indent(line) and ARGUMENT.match(line)
        if word not in ("", "-") and full and not argument and further in (0, 2, 4):
            found[-1] += f" {line.lstrip()}"
        else:
            found.append(line)
        last = line
    return found


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _indented(body: "RenderableType") -> "RenderableType":
    from rich.padding import Padding

    return Padding(body, (0, 0, 0, 2))
