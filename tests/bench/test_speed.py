"""`parity bench` of concepts and of two functions: what is in the table, and what is refused; no time is judged."""

import contextlib
import json
import shutil
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from rich.console import Console
from typer.testing import CliRunner

import parity
from parity.bench import speed as bench
from parity.bench import speed_text, variants
from parity.bench.floors import Rates, Work
from parity.bench.rounds import Spread, spread
from parity.cases import CONCEPTS, Case, cases_of
from parity.cli import app

QUICK = {"seconds": 0.001, "rounds": 3}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No rates are measured, and what XLA has compiled for an earlier test is taken from disk."""
    monkeypatch.setattr(bench.floors, "measured", lambda dtype, device: Rates(1e10, {1 << 20: 1e10}))
    monkeypatch.setattr(bench, "compiled_anew", contextlib.nullcontext)


def table(rows, floor=1e-9, bound="bytes"):
    least = bench.Floor("a.b", floor, bound, Work(2e6, "by hand", 100))
    return bench.Speed(tuple(rows), (least,), Rates(1e9, {1 << 20: 1e10}), "float32", "cpu", 1, {})


def printed(speed, width=80):
    console = Console(width=width, force_terminal=False, color_system=None)
    with console.capture() as captured:
        speed_text.print_speed(speed, console)
    return captured.get()


def test_a_concept_is_timed_on_its_own_cases_in_every_way_that_applies(monkeypatch):
    right = bench.worth_timing
    monkeypatch.setattr(variants.shutil, "which", lambda name: None)
    monkeypatch.setattr(bench, "worth_timing", lambda cases: right(cases)[:1])
    seen = []
    found = bench.concepts(["clipping"], **QUICK, progress=lambda what, *_: seen.append(what))
    assert {row.case for row in found.rows} <= {case.name for case in cases_of("clipping")}
    first = [row for row in found.rows if row.case == found.floors[0].case]
    assert [row.variant for row in first] == ["torch eager", "torch.compile", "jax eager", "jax jit"]
    assert "there is no C++ compiler" in first[1].missing
    assert all(row.spread.rounds == 3 for row in first if not row.missing)
    assert all(0 < row.dispatch <= 1 for row in first if not row.missing)
    assert seen[0] == "the machine's own rates"
    told = json.loads(found.to_json())
    assert [row["variant"] for row in told["rows"][:2]] == ["torch eager", "torch.compile"]
    assert (told["threads"], told["floors"][0]["work"]["flops_by"]) == (1, "JAX's cost_analysis")


@pytest.mark.parametrize("concept", CONCEPTS)
def test_of_each_stage_the_case_with_the_most_numbers_is_timed(concept):
    chosen = bench.worth_timing(cases_of(concept))
    assert 1 <= len(chosen) == len({case.stage for case in chosen}) <= 4


def test_a_training_loop_is_a_scan_and_not_left_to_torch_compile():
    case = Case(
        "spiral.linear",
        lambda rng: {
            "params": {"W": rng.normal(size=(2, 3)), "b": np.zeros(3)},
            "X": rng.normal(size=(6, 2)),
            "y": np.arange(6) % 3,
        },
        call=lambda impl, params, X, y: impl.train(params, X, y, learning_rate=1.0, reg=0.0, steps=4),
        stage="curve",
    )
    sides = case.function("torch_impl"), case.function("jax_impl")
    found = bench._measured([(case, sides)], "float64", "cpu", 1, 3, 0.001, True, lambda *_: None)
    assert [row.variant for row in found.rows] == ["torch eager", "torch.compile", "jax eager", "jax jit, scan"]
    assert "a loop of steps in Python" in found.rows[1].missing
    assert "times its length" in found.floors[0].work.flops_by


def test_models_are_timed_as_they_are_and_counted_by_torch_where_jax_does_not():
    x = np.ones((2, 3))
    speed = parity.speed(torch.nn.Linear(3, 4), nnx.Linear(3, 4, rngs=nnx.Rngs(0)), x, compile=False, **QUICK)
    assert [row.variant for row in speed.rows] == ["torch eager", "jax eager", "jax jit"]
    assert "your functions: float32, cpu, 1 thread a side" in str(speed)
    untraced = Case("gates.untraced", lambda rng: {"x": np.ones((4, 4))}, jit=False)
    sides = (lambda x: x @ x), (lambda x: x @ x)
    found = bench._measured([(untraced, sides)], "float32", "cpu", 1, 3, 0.001, False, lambda *_: None)
    assert found.rows[-1].missing == "what it does cannot be traced"
    assert found.floors[0].work.flops == 2 * 4**3


def test_a_side_that_raises_is_named():
    with pytest.raises(bench.SideRaised, match=r"mine: the jax side raised: ValueError: no"):
        parity.speed(torch.tanh, raises, np.ones(3), compile=False, name="mine", **QUICK)
    with pytest.raises(bench.SideRaised, match=r"mine: the torch side raised: ValueError: no"):
        parity.speed(raises, jnp.tanh, np.ones(3), compile=False, name="mine", **QUICK)
    with pytest.raises(TypeError, match="the torch side is a int"):
        parity.speed(3, jnp.tanh, np.ones(3))


def raises(x):
    raise ValueError("no")


def test_compilers_ask_no_cache_on_disk_and_do_again_afterwards():
    import jax
    import torch._inductor.config as inductor

    before = jax.config.jax_enable_compilation_cache, inductor.force_disable_caches
    with variants.compiled_anew():
        assert (jax.config.jax_enable_compilation_cache, inductor.force_disable_caches) == (False, True)
    assert (jax.config.jax_enable_compilation_cache, inductor.force_disable_caches) == before


def test_the_threads_of_torch_are_the_users_again():
    before = torch.get_num_threads()
    parity.speed(torch.tanh, jnp.tanh, np.ones(3), threads=before + 1, compile=False, **QUICK)
    assert torch.get_num_threads() == before


def test_what_torch_compile_cannot_have_gets_a_line_and_the_others_their_times(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function: raises)
    monkeypatch.setattr(variants, "_no_compiler", lambda device: "")
    found = parity.speed(torch.tanh, jnp.tanh, np.ones(3), **QUICK)
    assert (
        found.rows[1].missing
        == "your functions: the torch side raised: TypeError: " + found.rows[1].missing.split("TypeError: ")[-1]
    )
    assert all(row.spread for row in found.rows if row.variant != "torch.compile")


def test_the_compiler_that_is_asked_for_is_the_one_that_the_environment_names(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(variants.shutil, "which", lambda name: None)
    assert variants._no_compiler("cpu") == "there is no C++ compiler (no-such-compiler nor clang++) to compile with"
    monkeypatch.setattr(variants.shutil, "which", lambda name: "/bin/c++")
    assert variants._no_compiler("cpu") == ""


def test_the_table_says_what_is_mostly_dispatch_in_80_columns():
    rows = [
        bench.Row("a.b", "torch eager", Spread(2e-5, 1.9e-5, 2.3e-5, 15, 50, 3e-4), 0.9, 2e4),
        bench.Row("a.b", "jax jit, scan", Spread(2e-2, 1.9e-4, 2.3e-2, 15, 1, 1.5), 0.01, 2e4),
        bench.Row("a.b", "torch.compile", missing="there is no C++ compiler"),
    ]
    text = printed(table(rows))
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "Mostly dispatch, not arithmetic: torch eager." in text
    assert "torch.compile did not run: there is no C++ compiler" in text
    assert "floor 1 ns: 100B of inputs and outputs at 100 GB/s of a copy" in text
    assert "19 - 23 us" in text
    assert "190 us - 23 ms" in text
    assert "1.48 s" in text
    assert "2 MFLOP (by hand) at 1 GFLOP/s" in printed(table(rows, 2e-3, "flops"))
    assert "Mostly dispatch" not in printed(table(rows[1:]))
    assert "what is timed is overhead" not in text
    small = replace(table(rows), floors=(replace(table(rows).floors[0], entry=2e-6),))
    assert "All of its arithmetic takes less than entering a framework once, 2 us" in printed(small)


def test_the_picture_is_an_svg_with_a_bar_for_each(tmp_path):
    rows = [bench.Row("a.b", name, spread([1e-3, 2e-3, 3e-3])) for name in ("torch eager", "jax jit")]
    speed_text.picture(table(rows), tmp_path / "speed.svg")
    text = (tmp_path / "speed.svg").read_text()
    assert text.count("<svg") == 1
    assert "<!-- 1 ns -->" in text  # from the decade of the floor on
    for told in ("torch eager", "jax jit", "a.b", "floor", " 2 ms"):
        assert f"<!-- {told} -->" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sprial"], "nothing to measure is called 'sprial'; did you mean spiral"),
        (["optimisers"], "did you mean optimizers"),
        (["spiral", "comparator"], "comparator stands alone"),
        (["spiral", "port:f"], "wanted names of concepts, or PKG.MOD:TORCH PKG.MOD:JAX"),
        (["comparator", "--picture", "a.svg"], "--picture draws concepts, training, layers, models; comparator has"),
        (["spiral", "--picture", "none/a.svg"], "the folder of none/a.svg does not exist"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_the_near_names(words, message):
    result = CliRunner().invoke(app, ["bench", *words])
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr


PORT = """
import jax.numpy as jnp, numpy as np, torch
def torch_tanh(x): return torch.tanh(x)
def jax_tanh(x): return jnp.tanh(x)
def broken(x): raise RuntimeError("out of order")
INPUTS = np.ones((8, 8))
"""


def test_two_functions_are_timed_from_the_command_line(monkeypatch, tmp_path):
    from parity.cli.work import Timing, timed

    (tmp_path / "own_speed.py").write_text(PORT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    np.savez("x.npz", np.ones((4, 4)))
    work = Timing(("own_speed:torch_tanh", "own_speed:jax_tanh"), "x.npz", {"device": "cpu", "compile": False, **QUICK})
    found = timed(work, lambda what: None)
    assert {row.case for row in found.rows} == {"torch_tanh / jax_tanh"}
    assert found.floors[0].work.moved == 2 * 16 * 4


def test_a_side_that_raises_leaves_with_3_and_threads_are_set_before_it_starts(monkeypatch, tmp_path):
    from parity.cli import child

    (tmp_path / "own_speed3.py").write_text(PORT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    seen = {}

    def here(do, work, *, runs):
        seen.update({name: variants.os.environ[name] for name in ("NPROC", "OMP_NUM_THREADS")})
        return do(work, lambda what: None)

    monkeypatch.setattr(child, "supervised", here)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC"):
        monkeypatch.setenv(name, "1")  # so that what the command sets is undone
    command = ["bench", "own_speed3:torch_tanh", "own_speed3:broken", "--threads", "2", "--no-compile"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 3, result.stderr
    assert "the jax side raised: RuntimeError: out of order" in result.stderr
    assert seen == {"NPROC": "2", "OMP_NUM_THREADS": "2"}


@pytest.mark.part(0)
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
def test_torch_compile_compiles_and_its_time_is_told_apart():
    found = parity.speed(torch.tanh, jnp.tanh, np.ones((8, 8)), **QUICK)
    row = found.rows[1]
    assert row.missing == ""
    assert row.spread.compile > row.spread.median
