"""The rules of a pair, read from syntax trees: neither framework is imported."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from parity.cases import CONCEPTS

ROOT = Path(__file__).resolve().parent.parent
TORCH, JAX = ROOT / "torch_impl", ROOT / "jax_impl"
LIBRARIES = ("functional", "nn")
"""What is held to torch's own table of samples, in tests/nn, and has no cases of its own."""
ARRAYS = {"Tensor": "Array", "torch.Tensor": "Array", "jax.Array": "Array"}


def modules(package: Path) -> list[str]:
    """The files of one side; one whose name starts with an underscore is that side's own and has no partner."""
    return sorted(str(p.relative_to(package)) for p in package.rglob("*.py") if not re.match(r"_(?!_)", p.name))


def tree(package: Path, module: str) -> ast.Module:
    return ast.parse((package / module).read_text())


def exported(module: ast.Module) -> list[str] | None:
    for node in module.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return ast.literal_eval(node.value)
    return None


def annotation(node: ast.expr | None) -> str:
    """The annotation as text, with the framework's array type under one name."""
    text = "" if node is None else ast.unparse(node)
    return re.sub(r"\b(torch\.Tensor|jax\.Array|Tensor)\b", lambda m: ARRAYS[m.group(0)], text)


def taken_over(module: ast.Module) -> set[str]:
    """Names that the torch side has from torch itself: torch's own is the implementation, one line a name."""
    found = [n for n in module.body if isinstance(n, ast.ImportFrom) and (n.module or "").partition(".")[0] == "torch"]
    names = {alias.asname or alias.name for node in found for alias in node.names}
    return names & set(exported(module) or ())


def arguments(function: ast.FunctionDef) -> list[str]:
    """Every argument as "kind name: annotation = default", in order; the one that NNX adds is left out."""
    args = function.args
    positional = args.posonlyargs + args.args
    defaults = [None] * (len(positional) - len(args.defaults)) + list(args.defaults)
    rows = [("positional", a, d) for a, d in zip(positional, defaults, strict=True)]
    rows += [("variadic", args.vararg, None)] if args.vararg else []
    rows += [("keyword", a, d) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    rows += [("keywords", args.kwarg, None)] if args.kwarg else []
    if rows and rows[-1][1].arg == "rngs":
        rows = rows[:-1]
    return [f"{k} {a.arg}: {annotation(a.annotation)} = {ast.unparse(d) if d else '-'}" for k, a, d in rows]


def public(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def methods(node: ast.ClassDef) -> list[ast.FunctionDef]:
    kept = ("__init__", "__call__")
    return [m for m in node.body if isinstance(m, ast.FunctionDef) and (not m.name.startswith("_") or m.name in kept)]


def fields(node: ast.ClassDef) -> list[str]:
    return [f"{ast.unparse(n.target)}: {annotation(n.annotation)}" for n in node.body if isinstance(n, ast.AnnAssign)]


def method_name(method: ast.FunctionDef) -> str:
    return "__call__" if method.name == "forward" else method.name


def signature(function: ast.FunctionDef) -> list[str]:
    return [*arguments(function), f"returns {annotation(function.returns)}", f"says {ast.get_docstring(function)}"]


def differences(torch: ast.Module, jax: ast.Module) -> list[str]:
    """What breaks the rules of a pair in two syntax trees, in words; nothing where the pair holds."""
    found = []
    if exported(torch) != exported(jax):
        found.append(f"__all__: torch {exported(torch)}, jax {exported(jax)}")
    if ast.get_docstring(torch) != ast.get_docstring(jax):
        found.append("the docstrings of the modules differ")
    own = taken_over(torch)
    both = [list(public(torch.body)), [n for n in public(jax.body) if n.name not in own]]
    names = [[n.name for n in side] for side in both]
    if names[0] != names[1]:
        return [*found, f"public names or their order: torch {names[0]}, jax {names[1]}"]
    for left, right in zip(*both, strict=True):
        if isinstance(left, ast.ClassDef) != isinstance(right, ast.ClassDef):
            found.append(f"{left.name}: a class on one side, a function on the other")
        elif isinstance(left, ast.ClassDef) and isinstance(right, ast.ClassDef):
            found += class_differences(left, right)
        elif signature(left) != signature(right):
            found.append(f"{left.name}: {first_difference(signature(left), signature(right))}")
    return found


def class_differences(left: ast.ClassDef, right: ast.ClassDef) -> list[str]:
    found = []
    if ast.get_docstring(left) != ast.get_docstring(right):
        found.append(f"{left.name}: the docstrings differ")
    if fields(left) != fields(right):
        found.append(f"{left.name}: fields differ: torch {fields(left)}, jax {fields(right)}")
    names = [[method_name(m) for m in methods(c)] for c in (left, right)]
    if names[0] != names[1]:
        return [*found, f"{left.name}: methods: torch {names[0]}, jax {names[1]}"]
    for a, b in zip(methods(left), methods(right), strict=True):
        if signature(a) != signature(b):
            found.append(f"{left.name}.{method_name(a)}: {first_difference(signature(a), signature(b))}")
    return found


def first_difference(left: list[str], right: list[str]) -> str:
    for a, b in zip(left, right, strict=False):
        if a != b:
            return f"torch {a!r}, jax {b!r}"
    return f"torch has {len(left)} arguments, jax {len(right)}"


def differs_lines(package: Path, module: str) -> list[str]:
    return sorted(re.findall(r"# differs: (.+)", (package / module).read_text()))


def test_both_packages_have_the_same_modules():
    assert modules(TORCH) == modules(JAX)


def test_every_concept_is_a_module_of_both_packages():
    found = {Path(m).parts[0].removesuffix(".py") for m in modules(TORCH)} - {"__init__"}
    assert found == {*CONCEPTS, *LIBRARIES}


@pytest.mark.parametrize("module", [m for m in modules(TORCH) if m != "__init__.py"])
def test_a_pair_has_the_same_names_arguments_and_docstrings(module):
    assert differences(tree(TORCH, module), tree(JAX, module)) == []


@pytest.mark.parametrize("module", modules(TORCH))
def test_a_forced_difference_is_said_in_the_same_words_on_both_sides(module):
    assert differs_lines(TORCH, module) == differs_lines(JAX, module)


@pytest.mark.parametrize("module", [m for m in modules(TORCH) if m != "__init__.py"])
def test_every_public_name_is_exported_and_has_an_example(module):
    for package in (TORCH, JAX):
        parsed = tree(package, module)
        names = exported(parsed)
        assert names is not None, f"{package.name}/{module} has no __all__"
        for node in public(parsed.body):
            assert node.name in names, f"{package.name}/{module}: {node.name} is public but not in __all__"
            docstring = ast.get_docstring(node) or ""
            assert ">>> " in docstring, f"{package.name}/{module}: {node.name} has no example"


PAIR = '''
"""A concept."""
__all__ = ["f"]
def f(x: Float[Tensor, "N"], *, n: int = 1) -> Tensor:
    """It."""
'''


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("n: int = 1", "n: int = 2"), "n: int = 2"),
        (("*, n", "n"), "positional n"),
        (("x:", "y:"), "positional y"),
        (('"N"', '"M"'), "M"),
        (('"""It."""', '"""It!"""'), "It!"),
        (("A concept", "Another concept"), "docstrings of the modules"),
        (('["f"]', '["f", "g"]'), "__all__"),
        (("def f", "def g"), "public names"),
    ],
)
def test_a_pair_that_breaks_a_rule_is_told(change, complaint):
    assert differences(ast.parse(PAIR), ast.parse(PAIR.replace("Tensor", "Array"))) == []
    found = differences(ast.parse(PAIR), ast.parse(PAIR.replace("Tensor", "Array").replace(*change)))
    assert complaint in " ".join(found)


def test_what_torch_has_itself_is_one_line_on_its_side_and_whole_on_jax_s():
    taken = '"""A concept."""\nfrom torch.nn import f\n__all__ = ["f"]\n'
    assert differences(ast.parse(taken), ast.parse(PAIR)) == []
    found = differences(ast.parse(taken.replace("torch", "torch_impl")), ast.parse(PAIR))
    assert "public names" in " ".join(found)
