"""The source files of a pair, taken apart by name; they are read as text, and neither framework is imported."""

import ast
import difflib
import importlib.util
import textwrap
from dataclasses import dataclass
from pathlib import Path

SIDES = ("torch_impl", "jax_impl")

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Part:
    """A piece of a module: its source without the docstring, and the docstring."""

    code: str = ""
    doc: str = ""


def concepts() -> list[str]:
    """The names of all pairs: modules and packages that stand in both `torch_impl` and `jax_impl`, by the alphabet."""
    return sorted(name for name in _shared() if "." not in name)


def modules_of(concept: str) -> list[str]:
    """A pair's module; of a package its modules too, in the order of its public names.

    Args:
        concept: The pair's name; the dotted name of a module in it is as good.

    Returns:
        Dotted names within either package.

    Raises:
        ValueError: If there is no such pair; the message suggests the nearest.
    """
    shared = _shared()
    if concept not in shared:
        missing = [side for side in SIDES if folder(side) is None]
        if missing:
            are = "is" if len(missing) == 1 else "are"
            raise ValueError(f"show: {' and '.join(missing)} {are} not installed; next: pip install parity")
        near = difflib.get_close_matches(concept, sorted(shared), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"the pairs are {', '.join(concepts())}"
        raise ValueError(f"show: got {concept!r}, wanted the name of a pair; {hint}")
    both = [_modules(side) for side in SIDES]
    inner = {name for modules in both for name in modules if name.startswith(f"{concept}.")}
    order = _reading_order(both[0][concept]) if inner else []
    return [concept, *sorted(inner, key=lambda name: (order.index(name) if name in order else len(order), name))]


def unknown_name(concept: str, name: str, known: list[str]) -> str:
    """What to say where a pair has no such name."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"its names are {', '.join(known)}"
    return f"show: got {name!r}, wanted a name of the pair {concept}; {hint}"


def file_of(side: str, module: str) -> Path | None:
    """Where a module of one side stands, or None."""
    return _modules(side).get(module)


def folder(package: str) -> Path | None:
    """Where a package lies; finding it runs none of its code."""
    spec = importlib.util.find_spec(package)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def parts(source: str) -> dict[str, Part]:
    """A module's pieces by name: "" for what stands above the first public name, then each function, class and method.

    Private definitions and statements go with the public name that follows them, so that nothing is left out.

    Args:
        source: The module's text.

    Returns:
        The pieces in the order of the file.

    Examples:
        >>> found = parts('\"\"\"Module.\"\"\"\\nimport os\\ndef f():\\n    \"\"\"Does.\"\"\"\\n    return 1')
        >>> found["f"]
        Part(code='def f():\\n    return 1', doc='Does.')
    """
    lines, tree = source.splitlines(), ast.parse(source)
    found: dict[str, Part] = {}
    doc = ast.get_docstring(tree) or ""
    start = tree.body[0].end_lineno or 0 if doc else 0
    public = [node for node in tree.body if _public_name(node)]
    top = _first_line(public[0], lines) if public else len(lines)
    found[""] = Part(_code(_head(tree, lines, start, top)), doc)
    start = top
    for node in public:
        name, end = _public_name(node) or "", node.end_lineno or start
        if isinstance(node, ast.ClassDef):
            _add_class(node, name, lines, start, found)
        else:
            found[name] = Part(_code(_without_docstring(node, lines, start, end)), _docstring(node))
        start = end
    if _code(lines[start:]):
        found["the rest"] = Part(_code(lines[start:]))
    return found


def merged(left: list[str], right: list[str]) -> list[str]:
    """Both lists in one order: the left one's, with the right one's own names after the one that they follow there.

    Examples:
        >>> merged(["a", "c", "d"], ["a", "b", "d"])
        ['a', 'b', 'c', 'd']
    """
    both = list(left)
    for at, name in enumerate(right):
        if name not in both:
            before = both.index(right[at - 1]) if at else -1
            both.insert(before + 1, name)
    return both


def _modules(side: str) -> dict[str, Path]:
    """Every module's dotted name inside its package, but for private ones."""
    found: dict[str, Path] = {}
    base = folder(side)
    for path in base.rglob("*.py") if base else ():
        names = path.relative_to(base).with_suffix("").parts if base else ()
        names = names[:-1] if names[-1] == "__init__" else names
        if names and not any(name.startswith("_") for name in names):
            found[".".join(names)] = path
    return found


def _shared() -> set[str]:
    return set.intersection(*(set(_modules(side)) for side in SIDES))


def _reading_order(init: Path) -> list[str]:
    """The modules of a package as its `__all__` comes to their names."""
    tree = ast.parse(init.read_text(encoding="utf-8"))
    home = {
        alias.name: (node.module or "").partition(".")[2]
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    public = [ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign) and _assigns_all(n)]
    return list(dict.fromkeys(home[name] for names in public for name in names if name in home))


def _add_class(node: ast.ClassDef, name: str, lines: list[str], start: int, found: dict[str, Part]) -> None:
    """Adds a class's head and each of its methods, with what stands in the class after it."""
    methods = [m for m in node.body if isinstance(m, FUNCTIONS)]
    starts = [_first_line(m, lines) for m in methods] + [node.end_lineno or start]
    found[name] = Part(_code(_without_docstring(node, lines, start, starts[0])), _docstring(node))
    for method, first, end in zip(methods, starts, starts[1:], strict=False):
        before = found.get(f"{name}.{method.name}", Part())  # a property and its setter share a name
        code = _code(_without_docstring(method, lines, first, end))
        both = "\n\n".join(filter(None, (before.code, code)))
        found[f"{name}.{method.name}"] = Part(both, _docstring(method) or before.doc)


def _public_name(node: ast.stmt) -> str | None:
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        name = node.name
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        name = node.targets[0].id
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        name = node.target.id
    else:
        return None
    return None if name.startswith("_") else name


def _first_line(node: ast.stmt, lines: list[str]) -> int:
    """Where a definition starts, with its decorators and the comments right above them; counted from 0."""
    decorators = getattr(node, "decorator_list", [])
    line = min(n.lineno for n in (*decorators, node)) - 1
    while line > 0 and lines[line - 1].lstrip().startswith("#"):
        line -= 1
    return line


def _docstring(node: ast.stmt) -> str:
    return ast.get_docstring(node) or "" if isinstance(node, (*FUNCTIONS, ast.ClassDef)) else ""


def _without_docstring(node: ast.stmt, lines: list[str], start: int, end: int) -> list[str]:
    if not _docstring(node):
        return lines[start:end]
    docstring = node.body[0]  # type: ignore[attr-defined]  # what has a docstring has a body
    below = docstring.end_lineno or end
    while below < end and not lines[below].strip():
        below += 1
    return lines[start : docstring.lineno - 1] + lines[below:end]


def _assigns_all(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def _head(tree: ast.Module, lines: list[str], start: int, end: int) -> list[str]:
    """A module's lines above its first public name, but for `__all__`: its names are the headings below.

    Where nothing is defined, as in a package that gathers its modules, the imports say nothing either.
    """
    if all(_gathers(n) or isinstance(n, ast.Expr) or _assigns_all(n) for n in tree.body):
        return []
    for node in tree.body:
        if _assigns_all(node) and start < node.lineno <= end:
            return lines[start : node.lineno - 1] + lines[node.end_lineno : end]
    return lines[start:end]


def _gathers(node: ast.stmt) -> bool:
    """Whether it imports from the pair's own packages; an import from torch says that torch's own serves."""
    return isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in SIDES


def _code(lines: list[str]) -> str:
    return textwrap.dedent("\n".join(lines)).strip("\n")
