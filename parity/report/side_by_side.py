"""`parity.show`: a pair's two implementations side by side, as a notebook's cell and as text."""

from dataclasses import dataclass

from parity.markup import Markup, joined, tag
from parity.report.show import render
from parity.report.sources import SIDES, Part, file_of, merged, modules_of, parts, unknown_name

# Colours that are legible on white paper and on a dark page: a notebook does not say which of the two it has.
INK = {"comment": "#6a8759", "keyword": "#a4508b", "name": "#2f7fc1", "number": "#b5651d", "string": "#3d8b62"}


@dataclass(frozen=True)
class SideBySide:
    """A pair's source, torch left and JAX right. It shows itself in a notebook; `print` gives the terminal's form.

    Attributes:
        concept: The pair's name, such as "spiral"; the dotted name of a module in it is as good.
        names: The functions and classes to show, in this order; all where empty.
    """

    concept: str
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._parts()

    def __str__(self) -> str:
        if not self.names:
            return render(self.concept)
        told = []
        for name, sides in self._parts().items():
            code = "\n\n".join(f"{side}:\n{_indented(part.code)}" for side, part in zip(SIDES, sides, strict=True))
            told.append(f"{name}\n\n{code}")
        return "\n\n".join(told)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = tag("tr", *(tag("th", f"{side}/", scope="col", style="text-align: left; width: 50%") for side in SIDES))
        rows = []
        for name, (torch, jax) in self._parts().items():
            line = next((part.doc.splitlines()[0] for part in (torch, jax) if part.doc), "")
            told = tag("td", tag("strong", name), f"  {line}", colspan=2, style="text-align: left")
            style = "text-align: left; vertical-align: top"
            cells = (tag("td", _highlighted(part.code), style=style) for part in (torch, jax))
            rows += [tag("tr", told), tag("tr", *cells)]
        caption = tag("caption", f"{self.concept}: PyTorch left, JAX right", style="text-align: left")
        return tag("table", caption, tag("thead", head), tag("tbody", joined(rows)), style="width: 100%")

    def _parts(self) -> dict[str, tuple[Part, Part]]:
        """Both sides of every name to show."""
        found: dict[str, tuple[Part, Part]] = {}
        for module in modules_of(self.concept):
            files = [file_of(side, module) for side in SIDES]
            torch, jax = (parts(file.read_text(encoding="utf-8")) if file else {} for file in files)
            for name in merged(list(torch), list(jax)):
                if name and name not in found:
                    found[name] = (torch.get(name, Part()), jax.get(name, Part()))
        for name in self.names:
            if name not in found:
                raise ValueError(unknown_name(self.concept, name, list(found)))
        return {name: found[name] for name in self.names or found}


def show(concept: str, *names: str) -> SideBySide:
    """The two implementations of a concept next to each other; neither framework is imported.

    Args:
        concept: The pair's name, such as "spiral"; the dotted name of a module in it is as good.
        names: The functions and classes to show; all where none is named.

    Returns:
        What a notebook shows in two highlighted columns, and `print` as the terminal's text.

    Raises:
        ValueError: If there is no such pair, or no such name in it; the message suggests the nearest.

    Examples:
        >>> print(show("spiral", "probabilities"))
        probabilities
        <BLANKLINE>
        torch_impl:
          def probabilities(scores: Float[Tensor, "N K"]) -> Float[Tensor, "N K"]:
              return torch.softmax(scores, dim=1)
        <BLANKLINE>
        jax_impl:
          def probabilities(scores: Float[Array, "N K"]) -> Float[Array, "N K"]:
              return jax.nn.softmax(scores, axis=1)
    """
    return SideBySide(concept, names)


def _indented(code: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in (code or "(not on this side)").splitlines())


def _highlighted(code: str) -> Markup:
    """Python with the colours written into it, since code hosts drop style sheets from a notebook's cells."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer
    from pygments.style import Style
    from pygments.token import Comment, Keyword, Name, Number, Operator, String, Token

    class Ink(Style):
        background_color = "transparent"
        styles = {  # noqa: RUF012 pygments wants a plain dict here
            Token: "",
            Comment: INK["comment"],
            Keyword: INK["keyword"],
            Operator.Word: INK["keyword"],
            Name.Function: f"bold {INK['name']}",
            Name.Class: f"bold {INK['name']}",
            Name.Decorator: INK["name"],
            Number: INK["number"],
            String: INK["string"],
        }

    if not code:
        return tag("em", "(not on this side)")
    styles = "background: transparent; white-space: pre-wrap; margin: 0"
    formatter = HtmlFormatter(style=Ink, noclasses=True, nobackground=True, prestyles=styles)
    return Markup(highlight(code, PythonLexer(), formatter))
