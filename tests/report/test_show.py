"""Two implementations next to each other in the terminal, without importing either framework."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from parity.report import show, sources

TORCH = '''"""One concept.

More of it.
"""

import torch

__all__ = ["SIZE", "double", "Net"]

SIZE = 3


def _half(x):
    return x / 2


# differs: torch works in place
@torch.no_grad()
def double(x):
    """Twice x."""
    return x.mul_(2)


class Net(torch.nn.Module):
    """A network."""

    width: int

    def __init__(self):
        self.torch_only = 1

    def forward(self, x):
        """From x to y."""
        return x

    alias = forward


if SIZE:
    LAST = "torch's last word"
'''

JAX = '''"""One concept.

More of it.
"""

import jax

__all__ = ["SIZE", "double", "Net"]

SIZE = 3


# differs: torch works in place
def double(x):
    """Twice x."""
    return 2 * x


class Net:
    """A network."""

    width: int

    def __init__(self):
        self.jax_only = 1

    def __call__(self, x):
        """From x to y."""
        return x
'''


@pytest.fixture
def pairs(tmp_path, monkeypatch):
    """Two packages with one pair, one module on the torch side alone, a private one, and a nested pair."""
    for package, source in (("torch_impl", TORCH), ("jax_impl", JAX)):
        folder = tmp_path / package
        (folder / "nn").mkdir(parents=True)
        (folder / "__init__.py").write_text('raise ImportError("must not be imported")')
        for name in ("concept", "_private", "nn/linear", "nn/attention"):
            (folder / f"{name}.py").write_text(source)
        gathers = (
            f"from {package}.nn.{part} import {name}" for part, name in (("attention", "double"), ("linear", "Net"))
        )
        (folder / "nn" / "__init__.py").write_text(
            "\n".join(['"""Layers."""', *gathers, '__all__ = ["Net", "double"]'])
        )
    (tmp_path / "torch_impl" / "alone.py").write_text("")
    monkeypatch.setattr(sources, "folder", lambda package: tmp_path / package)


def code_lines(source):
    """Lines of a source outside its docstrings and `__all__`."""
    bare = re.sub(r'"""(?:.|\n)*?"""|__all__ = \[(?:.|\n)*?\]', "", source)
    return [line.strip() for line in bare.splitlines() if line.strip()]


def missing(text, source):
    return [line for line in code_lines(source) if line not in text]


@pytest.mark.usefixtures("pairs")
@pytest.mark.parametrize("width", [80, 149, 150, 220])
def test_no_line_of_either_side_is_lost(width):
    text = show.render("concept", width=width)
    assert missing(text, TORCH) == []
    assert missing(text, JAX) == []


@pytest.mark.usefixtures("pairs")
def test_a_line_that_is_lost_is_noticed():
    text = show.render("concept", width=80)
    assert missing(text.replace("self.jax_only = 1", ""), JAX) == ["self.jax_only = 1"]


@pytest.mark.usefixtures("pairs")
@pytest.mark.parametrize("width", [80, 180])
def test_a_shared_docstring_stands_once(width):
    text = show.render("concept", width=width)
    for docstring in ("One concept.", "More of it.", "Twice x.", "A network."):
        assert text.count(docstring) == 1


@pytest.mark.usefixtures("pairs")
def test_wide_terminals_get_the_sides_next_to_each_other_aligned_by_name():
    text = show.render("concept", width=180)
    assert re.search(r"^torch_impl/concept\.py +jax_impl/concept\.py$", text, re.MULTILINE)
    assert re.search(r"^class Net\(torch\.nn\.Module\): +class Net:$", text, re.MULTILINE)
    assert re.search(r"^    self\.torch_only = 1 +self\.jax_only = 1$", text, re.MULTILINE)
    assert re.search(r"^def forward\(self, x\): +\(not on this side\)$", text, re.MULTILINE)


@pytest.mark.usefixtures("pairs")
def test_narrow_terminals_get_one_above_the_other():
    text = show.render("concept", width=80)
    assert text.startswith("torch_impl/concept.py\njax_impl/concept.py\n")
    above, below = text.index("return x.mul_(2)"), text.index("return 2 * x")
    assert above < below
    assert text[above:below].count("\n\njax_impl:\n") == 1
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.usefixtures("pairs")
def test_what_both_sides_write_alike_stands_once():
    assert show.render("concept", width=180).count("SIZE = 3") == 1


@pytest.mark.usefixtures("pairs")
def test_names_stand_in_the_order_of_the_file():
    headings = re.findall(r"^([\w.]+) ─", show.render("concept", width=180), re.MULTILINE)
    methods = ["Net.__init__", "Net.__call__", "Net.forward"]
    assert headings == ["SIZE", "double", "Net", *methods]


@pytest.mark.usefixtures("pairs")
def test_a_pair_is_a_module_that_stands_in_both_packages():
    assert show.concepts() == ["concept", "nn"]


@pytest.mark.usefixtures("pairs")
def test_a_package_is_shown_with_its_modules_in_the_order_of_its_names():
    text = show.render("nn", width=180)
    files = re.findall(r"^torch_impl/(\S+) +jax_impl/\1$", text, re.MULTILINE)
    assert files == ["nn/__init__.py", "nn/linear.py", "nn/attention.py"]
    assert "Layers." in text
    assert "import Net" not in text
    assert show.render("nn.attention", width=180) in text


@pytest.mark.usefixtures("pairs")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("concpt", "show: got 'concpt', wanted the name of a pair; did you mean concept?"),
        ("zzzzzz", "show: got 'zzzzzz', wanted the name of a pair; the pairs are concept, nn"),
        ("alone", "wanted the name of a pair"),
        ("../etc/passwd", "wanted the name of a pair"),
        ("", "wanted the name of a pair"),
    ],
)
def test_an_unknown_pair_is_refused_with_near_names(name, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        show.render(name)


def test_packages_that_are_not_there_are_named(monkeypatch):
    monkeypatch.setattr(sources, "folder", lambda package: None)
    assert show.concepts() == []
    with pytest.raises(ValueError, match="torch_impl and jax_impl are not installed; next: pip install parity"):
        show.render("losses")


@pytest.mark.usefixtures("pairs")
def test_colour_comes_when_asked_for_and_not_otherwise():
    assert "\x1b" not in show.render("concept", width=180)
    coloured = show.render("concept", width=180, color=True)
    assert "\x1b[" in coloured
    assert "Twice x." in coloured


@pytest.mark.usefixtures("pairs")
def test_an_encoding_without_a_letter_gets_an_escape(tmp_path):
    for package in sources.SIDES:
        (tmp_path / package / "concept.py").write_text('"""λ of it."""\n\nETA = "η"\n', encoding="utf-8")
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    show.print_pair("concept", Console(file=stream, width=80))
    stream.flush()
    text = stream.buffer.getvalue().decode("ascii")
    assert "\\u03bb of it." in text
    assert 'ETA = "\\u03b7"' in text


@pytest.mark.part(6)
@pytest.mark.parametrize("concept", show.concepts())
def test_every_built_in_pair_is_shown_whole(concept):
    text = re.sub(r"\s+", "", show.render(concept, width=100))
    for package in sources.SIDES:
        folder = Path(__file__).parents[2] / package
        for source in (folder / f"{concept}.py", *(folder / concept).glob("[!_]*.py")):
            lines = code_lines(source.read_text()) if source.exists() else []
            assert [line for line in lines if re.sub(r"\s+", "", line) not in text] == []


def test_showing_imports_no_framework():
    program = (
        "import sys\nfrom parity.report import show\n"
        "text = [show.render(name, width=180) for name in show.concepts()[:2]]\n"
        "assert text, 'no pairs'\n"
        "loaded = {'torch', 'jax', 'flax', 'torch_impl', 'jax_impl', 'matplotlib'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_a_long_line_of_a_docstring_goes_on_further_in_and_a_pipe_gets_no_space_at_a_line_s_end():
    stream = io.StringIO()
    show.print_pair("spiral", Console(file=stream, width=80))
    text = stream.getvalue()
    assert '(D, K) and "b" (K,); with a hidden layer "W" (D, H), "b" (H,),\n          "W2" (H, K)' in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_in_a_narrow_terminal_a_sentence_goes_on_and_no_line_of_it_is_a_stump():
    text = show.render("spiral", width=80)
    whole = (
        '  The parameters say which: {"W", "b"} is the linear classifier, {"W", "b",\n'
        '  "W2", "b2"} the net. Both are trained by gradient descent on all points at\n'
        "  once, with gradients written out by hand or taken by the framework.\n"
    )
    assert whole in text
    assert '"W2" (H, K) and "b2" (K,).\n      X: points (N, D), floating.\n' in text
    assert ">>> params = {" in text
    assert whole not in show.render("spiral", width=140)
