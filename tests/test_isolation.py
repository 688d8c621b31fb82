"""Each part runs without what it must not need; each test asks a fresh interpreter in which that is blocked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
JAX_FAMILY = ("jax", "jaxlib", "flax", "optax")

BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}} (blocked)", name=name)
sys.meta_path.insert(0, Blocked())
"""

WALK = """
import importlib, pkgutil
package = importlib.import_module({package!r})
names = [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def python(code: str, *, blocked: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", BLOCK.format(blocked=blocked) + code],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(("package", "blocked"), [("torch_impl", JAX_FAMILY), ("jax_impl", ("torch",))])
def test_each_implementation_imports_and_works_without_the_other_framework(package, blocked):
    use = """
import numpy as np
array = {array}
losses = importlib.import_module({package!r} + ".losses")
assert abs(float(losses.quadratic_cost(array([[1.0, 0.0]]), array([[0.5, 0.5]]))) - 0.25) < 1e-6
""".format(
        package=package,
        array="importlib.import_module('torch').tensor"
        if package == "torch_impl"
        else "importlib.import_module('jax.numpy').asarray",
    )
    result = python(WALK.format(package=package) + use, blocked=(*blocked, "parity"))
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) >= 14


def test_the_block_works():
    result = python("import torch_impl.losses", blocked=("torch",))
    assert result.returncode != 0
    assert "blocked" in result.stderr


ROOMS = (
    "parity",
    "parity.cli",
    "parity.cases",
    "parity.report",
    "parity.numerics",
    "parity.trace",
    "parity.pytest_plugin",
)


@pytest.mark.parametrize("module", ROOMS)
def test_importing_parity_imports_no_framework(module):
    heavy = {"torch", *JAX_FAMILY, "matplotlib", "sklearn", "numba"}
    result = python(f"import {module}\nprint(sorted({heavy!r} & set(sys.modules)))")
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"


def test_the_comparator_loads_numba_for_large_arrays_alone_and_does_without_it():
    compare = """
import numpy as np
from parity.numerics import errors
left = np.arange({elements}, dtype=np.float32)
right = left.copy()
right[{elements} // 2] += 1
found = errors(left, right)
assert (found.bit_equal, found.max_abs) == ({elements} - 1, 1.0)
print("numba" in sys.modules)
"""
    for elements, blocked, loaded in ((1000, (), False), (1 << 20, (), True), (1 << 20, ("numba",), False)):
        result = python(compare.format(elements=elements), blocked=blocked)
        assert (result.stdout.strip(), result.stderr) == (str(loaded), "")


def test_help_needs_no_framework_at_all():
    code = "sys.argv = ['parity', '--help']\nfrom parity.cli import main\nmain()"
    result = python(code, blocked=("torch", *JAX_FAMILY, "matplotlib", "sklearn", "numpy"))
    assert result.returncode == 0, result.stderr
    assert "run" in result.stdout


@pytest.mark.parametrize(("blocked", "extra"), [(("torch",), "parity[torch]"), (JAX_FAMILY, "parity[jax]")])
def test_a_missing_framework_gives_exit_3_and_says_what_to_install(blocked, extra):
    # find_spec must say "not there", as it does where a package is not installed.
    hide = f"""
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in {blocked!r} else real(name, package)
sys.argv = ['parity', 'run', 'gates']
from parity.cli import main
main()
"""
    result = python(hide, blocked=blocked)
    assert result.returncode == 3, result.stdout + result.stderr
    assert f"pip install '{extra}'" in result.stdout + result.stderr
