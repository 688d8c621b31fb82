"""PKG.MOD:OBJ is found, made, or refused with the near names and the status that a script can act on."""

import os
import sys

import pytest

from parity.cli.child import Refused
from parity.cli.objects import find

MODULE = """
import functools

class Model:
    def __call__(self, x):
        return x

class Net:
    size = Model()
    def __init__(self, width=3):
        self.width = width
    def __call__(self, x):
        return x

def double(x):
    return 2 * x

def anything(*inputs):
    return inputs[0]

def made(width=4):
    return double

def by_itself():
    raise RuntimeError("no such\\nweather")

def nothing():
    return None

def calls_exit():
    raise SystemExit(7)

half = functools.partial(double)
whole = functools.partial(double, 3)
instance = Net()
number = 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder with a module, a package, and modules that cannot be imported; nothing of them stays."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    before = set(sys.modules)
    (tmp_path / "port.py").write_text(MODULE)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "layers.py").write_text(MODULE)
    (tmp_path / "raising.py").write_text("x = 1\nraise ValueError('two\\nlines')\n")
    (tmp_path / "exiting.py").write_text("import sys\nsys.exit(3)\n")
    (tmp_path / "wrong.py").write_text("x = (\n")
    (tmp_path / "hungry.py").write_text("import a_library_nobody_has\n")
    (tmp_path / "flaxen.py").write_text("import flax.a_part_nobody_has\n")
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("port", "package", "raising", "exiting", "wrong", "hungry", "flaxen"):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("port:double", "function"),
        ("port:anything", "function"),
        ("port:made", "function"),
        ("port:half", "partial"),
        ("port:Net", "Net"),
        ("port:instance", "Net"),
        ("port:Net.size", "Model"),
        ("package.layers:double", "function"),
    ],
)
def test_functions_models_and_what_makes_them_are_found(folder, name, kind):
    found = find(name, "torch")
    assert type(found.value).__name__ == kind
    assert found.module.__name__ == name.partition(":")[0]


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("port", 2, "'port' names no object; wanted PKG.MOD:OBJ, such as port:model"),
        ("port.py:double", 2, "'port.py:double' names no object; wanted PKG.MOD:OBJ, such as port:double"),
        ("package/layers.py:Net", 2, "such as package.layers:Net"),
        (":double", 2, "such as port:double"),
        ("prot:double", 2, "the torch side: there is no module 'prot' in the current folder .*; did you mean port"),
        ("package.layer:double", 2, "there is no module 'package.layer' .*; did you mean layers?"),
        ("port:duoble", 2, "port has no 'duoble'; did you mean double?"),
        ("port:Net.sise", 2, "port:Net has no 'sise'; did you mean size?"),
        ("port:zzz", 2, "port has no 'zzz'; there are Model, Net"),
        ("port:number", 2, "port:number is a int, wanted a function, a model, or what makes one"),
        ("port:nothing", 2, "port:nothing needs no argument, so it was called to make the side, and gave a NoneType"),
        ("port:whole", 2, "port:whole needs no argument, .* gave a int"),
        ("port:by_itself", 3, r"raised while port:by_itself\(\) made it: RuntimeError: no such \(port.py:25\)"),
        ("port:calls_exit", 3, r"made it: SystemExit: 7 \(port.py:31\)"),
        ("raising:x", 3, r"the torch side raised while raising was imported: ValueError: two \(raising.py:2\)"),
        ("exiting:x", 3, r"raised while exiting was imported: SystemExit: 3 \(exiting.py:2\)"),
        ("wrong:x", 3, r"raised while wrong was imported: SyntaxError: .* \(wrong.py:1\)"),
        (
            "hungry:x",
            3,
            r"hungry needs a_library_nobody_has, which is not installed \(hungry.py:1\); install a_library",
        ),
        ("flaxen:x", 3, r"needs flax.a_part_nobody_has, which is not installed .*; pip install 'parity\[jax\]'"),
    ],
)
def test_what_cannot_be_had_is_refused_with_its_status(folder, name, status, message):
    with pytest.raises(Refused, match=message) as told:
        find(name, "torch")
    assert told.value.status == status
    assert "\n" not in str(told.value)
    assert os.fspath(folder) not in str(told.value)
