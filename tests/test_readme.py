"""The README tells the truth: its pairs, commands, programs and what they print are those of the project."""

import ast
import importlib
import io
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command

from parity.cases import CONCEPTS
from parity.cli import app
from parity.cli.work import Checking, checked
from parity.numerics import Verdict
from parity.report.text import render

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def title(concept):
    module = ROOT / "torch_impl" / f"{concept}.py"
    file = module if module.is_file() else ROOT / "torch_impl" / concept / "__init__.py"
    return ast.get_docstring(ast.parse(file.read_text())).splitlines()[0]


def test_the_table_of_pairs_has_every_pair_with_its_title():
    assert re.findall(r"^\| `(\w+)` \| (.+) \|$", README, re.M) == [(c, title(c)) for c in CONCEPTS]


def test_every_verdict_is_explained():
    assert set(re.findall(r"^\| ([A-Z]+) \|", README, re.M)) == set(Verdict)


def said(text):
    """Words alone: a terminal of another width breaks the lines elsewhere, another machine rounds anew."""
    return [word for word in re.sub(r"[-\d.]+(e[-+]\d+)?|[─\s]+", " ", text).split() if word not in ("s", "min")]


def test_the_first_check_runs_and_says_what_the_readme_says():
    first, second, *_ = re.findall(r"```python\n(.*?)```", README, re.S)
    told: list[str] = []
    names = {"print": lambda report: told.append(str(report))}
    exec(first, names)
    exec(second, names)
    shown = re.search(r"```text\n(SEMANTIC.*?)```", README, re.S)[1]
    divergence = re.search(r"^SEMANTIC  check.*?(?=\n\n)", told[0], re.M | re.S)[0]
    assert said(shown) == said(divergence)
    # Its numbers are of one digit or two, but for the values themselves, whose last digits are another machine's.
    few = [
        re.findall(r"0\.\d+ at \(.*?\)|\d+ of \d+|by up to [\d.e+]+", " ".join(t.split())) for t in (shown, divergence)
    ]
    assert len(few[0]) == 6
    assert few[0] == few[1]


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


FRAGMENTS = re.findall(r"^```\w+\n((?:tx|weights|report|parity)\b.*?)^(?:```|\.venv)", README, re.M | re.S)


@pytest.mark.part(1)
@pytest.mark.parametrize("fragment", sorted(FRAGMENTS, key=lambda lines: not lines.startswith("tx")))
def test_the_lines_between_run_on_the_models_of_the_session(fragment, monkeypatch):
    import optax
    import torch

    import parity

    reports = []
    for name in ("check", "check_seeds"):
        real = getattr(parity, name)
        monkeypatch.setattr(parity, name, lambda *a, real=real, **k: reports.append(real(*a, **k)) or reports[-1])
    port = re.search(r"```python\n(import jax, numpy as np, torch\nfrom flax.*?)```", README, re.S)[1]
    names: dict = {"parity": parity} | {name: getattr(parity.optim, name) for name in parity.optim.__all__}
    exec(port.replace("nnx.LayerNorm(16,", "nnx.LayerNorm(16, epsilon=1e-05,"), names)
    x, y = names["inputs"](), np.arange(6) % 4
    losses = optax.softmax_cross_entropy_with_integer_labels
    model = names["TorchNet"]()
    exec(
        fragment,
        names
        | {"x": x, "y": y, "torch_model": model, "jax_model": names["JaxNet"]()}
        | {"torch_loader": [(x, y)] * 100, "jax_loader": [(x, y)] * 100}
        | {"torch_loss": torch.nn.functional.cross_entropy, "jax_loss": lambda out, y: losses(out, y).mean()}
        | {"torch_factory": lambda p: torch.optim.SGD(p, lr=0.1), "optax_transform": optax.sgd(0.1)}
        | {"torch_optimizer": torch.optim.Adam(model.parameters())}
        | {f"{side}_train": lambda seed: np.exp(-np.arange(50) / (10 + seed % 7)) for side in ("torch", "jax")},
    )
    assert len(reports) == fragment.count("parity.check")
    assert all(reports)


def test_the_commands_it_names_exist():
    commands = get_command(app).commands
    asked = re.findall(r"parity (\w+)\b([^#`\n]*)", README)
    for command, rest in asked:
        if command in commands:
            known = {o for p in commands[command].params for o in p.opts}
            assert set(re.findall(r"(?<!\S)--[\w-]+", rest)) <= known, (command, rest)
    assert len([rest for command, rest in asked if command in commands and "--" in rest]) > 5
    assert {"run", "show", "doctor"} <= set(re.findall(r"bin/parity (\w+)", README))
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"^make (\w+)", README, re.M)) <= targets
