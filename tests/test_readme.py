"""The README tells the truth: its pairs, its counts, its commands and its first check are those of the project."""

import ast
import importlib
import io
import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command

from parity.bench.training import FLOOR, JAX, JAX_FAST, NUMPY, TORCH, TORCH_FAST
from parity.cases import CONCEPTS, cases_of, run
from parity.cli import app
from parity.cli.work import Checking, checked
from parity.numerics import Finding, Verdict
from parity.report import CaseResult, Report
from parity.report.text import render

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def title(concept):
    module = ROOT / "torch_impl" / f"{concept}.py"
    file = module if module.is_file() else ROOT / "torch_impl" / concept / "__init__.py"
    return ast.get_docstring(ast.parse(file.read_text())).splitlines()[0]


def test_the_table_of_pairs_has_every_pair_with_its_title():
    assert re.findall(r"^\| `(\w+)` \| (.+) \|$", README, re.M) == [(c, title(c)) for c in CONCEPTS]


def test_the_table_that_one_sees_counts_the_cases_there_are():
    rows = dict(re.findall(r"^(\w+) +(\d+) +(?:CONVENTION|✓|-)", README, re.M))
    assert rows == {concept: str(len(cases_of(concept))) for concept in CONCEPTS}
    total = sum(len(cases_of(concept)) for concept in CONCEPTS)
    assert f"{len(CONCEPTS)} pairs, {total} cases" in README


COLUMNS = ("cases", "forward", "gradient", "update", "curve", "printed", "x bound", "verdict")
CELLS = r"(\d+) +" + r"(✓ [\d,]+|-|[A-Z]+) +" * 5 + r"([\d.]+) +([A-Z]+)"


def shown_row(concept):
    """A pair's cells in the table that one sees, without its share of the bound, which another machine moves."""
    row = dict(zip(COLUMNS, re.search(rf"^{concept} +{CELLS}$", README, re.M).groups(), strict=True))
    assert 0.0 <= float(row.pop("x bound")) <= 1.0
    return row


def printed_row(report):
    """The same cells as a wide terminal shows them for a run of that pair alone."""
    head, _, row, *_ = render(report, width=200, detail=False).splitlines()
    cells = dict(zip(re.split(r" {2,}", head), re.split(r" {2,}", row), strict=True))
    return {name: cells.get(name, "-") for name in COLUMNS if name != "x bound"}


@pytest.mark.part(1)
@pytest.mark.parametrize("concept", sorted(CONCEPTS, key=lambda name: name != "averaging"))
def test_a_pair_s_line_in_the_table_that_one_sees_is_what_a_run_prints(concept):
    assert printed_row(run([concept])) == shown_row(concept)


def test_a_line_that_went_stale_is_noticed():
    finding = Finding("forward", "y", "y", Verdict.AGREE, "equal", ratio=0.1)
    results = tuple(CaseResult(f"averaging.{name}", (finding,)) for name in "abc")
    row = printed_row(Report(results))
    assert (row["cases"], row["forward"], row["gradient"], row["verdict"]) == ("3", "✓ 3", "-", "AGREE")
    assert row != shown_row("averaging")


def trained():
    """Microseconds a step in the run of `parity bench training` that the README tells of."""
    run = json.loads((ROOT / "docs" / "training.json").read_text())
    timed = [row for row in run["rows"] if row["spread"]]
    return {
        (row["loop"], row["dtype"], row["name"]): 1e6 * row["spread"]["median"] / run["steps"][row["loop"]]
        for row in timed
    }


def test_the_table_of_whole_trainings_is_that_of_the_run_on_record():
    took, names = trained(), (NUMPY, TORCH, TORCH_FAST, JAX, JAX_FAST, FLOOR)
    rows = re.findall(r"^\| (\w+), (float\d+) \|(.*)\|$", README, re.M)
    assert {(loop.lower(), dtype) for loop, dtype, _ in rows} == {key[:2] for key in took if key[0] != "seeds"}
    for loop, dtype, cells in rows:
        values = [took.get((loop.lower(), dtype, name)) for name in names]
        wanted = ["-" if value is None else f"{float(f'{value:.3g}'):,.0f}" for value in values]
        assert [cell.strip() for cell in cells.split("|")] == wanted
    for name, words in ((JAX_FAST, r"fast loop in JAX is"), (JAX, r"readable loop is")):
        said = re.search(words + r" ([\d.]+) (?:times as fast as the script at float32 )?and ([\d.]+) times", README)
        shares = [f"{took['spiral', d, NUMPY] / took['spiral', d, name]:.1f}" for d in ("float32", "float64")]
        assert list(said.groups()) == shares
    assert "Sixteen seeds take less than half as long in turn as together by vmap, on a CPU." in README
    for side in ("torch", "jax"):
        assert took["seeds", "float32", f"{side} in turn"] < 0.5 * took["seeds", "float32", f"{side} vmap"]


def test_torch_s_fast_spiral_step_enters_its_library_as_often_as_is_said():
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    from parity.cases import loops
    from parity.sides.inputs import rebuild
    from torch_impl.loops import train_spiral

    class Counted(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.count += not func.is_view
            return func(*args, **(kwargs or {}))

    def entered(steps: int) -> int:
        given = rebuild(
            loops.spiral(np.random.default_rng(0), steps=steps),
            lambda _, leaf: torch.from_numpy(leaf) if isinstance(leaf, np.ndarray) else leaf,
        )
        with Counted() as counted:
            train_spiral(**given)
        return counted.count

    assert entered(6) - entered(5) == 14
    assert "Torch enters its library fourteen times a step" in README


def test_every_verdict_is_explained():
    assert set(re.findall(r"^\| ([A-Z]+) \|", README, re.M)) == set(Verdict)


def test_the_first_check_runs_and_says_what_the_readme_says():
    first, second, *_ = re.findall(r"```python\n(.*?)```", README, re.S)
    said: list[str] = []
    names = {"print": lambda report: said.append(str(report))}
    exec(first, names)
    exec(second, names)
    shown = re.search(r"```text\n(SEMANTIC.*?)```", README, re.S)[1]
    # Words and digits; a terminal of another width breaks the lines elsewhere.
    assert shown.split()[:20] == said[0][said[0].index("SEMANTIC  check") :].split()[:20]


def test_the_model_written_as_in_torch_takes_a_torch_file_learns_and_goes_back(tmp_path, monkeypatch):
    import jax
    import safetensors.torch
    import torch

    t = torch.nn
    twin = t.Module()
    twin.conv, twin.norm = t.Conv2d(3, 8, 3, padding=1), t.BatchNorm2d(8)
    twin.head = t.Sequential(t.Flatten(), t.Linear(8 * 4 * 4, 10))
    twin.forward = lambda x: twin.head(torch.nn.functional.max_pool2d(torch.relu(twin.norm(twin.conv(x))), 2))
    monkeypatch.chdir(tmp_path)
    safetensors.torch.save_file(twin.state_dict(), "net.safetensors")
    code, shown = re.search(r"```python\n(from flax.*?)```\n\n```text\n(.*?)```", README, re.S).groups()
    told: list[str] = []
    names = {"print": lambda what: told.append(f"{what}\n")}
    exec(code, names)
    assert "".join(told) == shown
    model, rng = names["model"], np.random.default_rng(0)
    images, labels = rng.standard_normal((4, 3, 8, 8), dtype=np.float32), np.arange(4)
    first = torch.nn.functional.cross_entropy(twin(torch.from_numpy(images)), torch.from_numpy(labels)).item()
    losses = [
        float(names["train_step"](model, names["optimizer"], images, jax.numpy.asarray(labels))) for _ in range(3)
    ]
    assert abs(losses[0] - first) < 1e-5  # float32: a loss of 2 from sums of 128 products
    assert losses[2] < losses[1] < losses[0]
    back = twin.load_state_dict({name: torch.from_numpy(np.array(v)) for name, v in model.state_dict().items()})
    assert (str(back), int(twin.norm.num_batches_tracked)) == (told[0].strip(), 3)


def said(text):
    """Words alone: a terminal of another width breaks the lines elsewhere, another machine rounds anew."""
    return [word for word in re.sub(r"[-\d.]+(e[-+]\d+)?|[─\s]+", " ", text).split() if word not in ("s", "min")]


def drawn(report):
    """The picture of a report as the README shows it: its text is text."""
    from matplotlib import rc_context

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "parity"}):
        stream = io.StringIO()
        report.plot().savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def legends(picture):
    """What a picture says, but for the numbers of its axes, which another machine's rounding may move."""
    return [text for text in re.findall(r"<text[^>]*>([^<]*)</text>", picture) if not re.match(r"\d", text)]


def test_the_session_goes_from_the_first_line_to_the_fix_as_it_says(tmp_path, monkeypatch):
    port = re.search(r"```python\n(import jax, numpy as np, torch\nfrom flax.*?)```", README, re.S)[1]
    sessions = re.findall(r"```text\n\$ (parity check port:TorchNet port:JaxNet)\n(.*?)```", README, re.S)
    assert len(sessions) == 2
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    reports = []
    for command, shown in sessions:
        monkeypatch.delitem(sys.modules, "port", raising=False)
        (tmp_path / "port.py").write_text(port)
        importlib.invalidate_caches()
        report = checked(Checking("port:TorchNet", "port:JaxNet", None, {"device": "cpu"}), lambda what: None)
        timed = tuple(replace(result, seconds=3.1) for result in report.results)
        report = replace(report, results=timed, environment={"command": command})
        reports.append(report)
        assert said(render(report, width=80)) == said(shown)
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
        # What the report says to write.
        port = (
            port.replace("nnx.LayerNorm(16,", report.cause.fix.replace("...", "16").rstrip(")") + ",")
            if report.cause
            else ""
        )
    first, second = reports
    assert f"fix: {first.cause.fix}" in README
    assert not first
    assert second
    picture, committed = drawn(first), ROOT / "docs" / "port.svg"
    (tmp_path / "port.svg").write_text(picture)
    assert "](docs/port.svg)" in README
    assert "differs: norm" in legends(picture)
    assert legends(picture) == legends(committed.read_text()), f"copy {tmp_path / 'port.svg'} to {committed}"


def test_the_commands_it_names_exist():
    commands = get_command(app).commands
    for command, option in re.findall(r"parity (\w+)(?: \w+)?(?: (--\w+))?", README):
        if command in commands:
            assert not option or option in {o for p in commands[command].params for o in p.opts}
    assert {"run", "show", "doctor"} <= set(re.findall(r"bin/parity (\w+)", README))
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"^make (\w+)", README, re.M)) <= targets
