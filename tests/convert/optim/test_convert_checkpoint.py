"""`parity convert`: what it takes and writes, exit codes, and what stands on stderr."""

import json

import pytest
import safetensors.torch
import torch
from convert.optim.moves import SHAPES, Held, TorchRun, jax_part, same, start
from typer.testing import CliRunner

import parity
from parity.cli import app
from parity.convert.optim.record import TrainingRecord

pytestmark = pytest.mark.part(2)

L = torch.optim.lr_scheduler


@pytest.fixture
def typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: CliRunner().invoke(app, ["convert", *words])


@pytest.fixture
def run():
    def trained(make=torch.optim.AdamW):
        held = TorchRun(make, start(SHAPES), "float32").steps(1, 4)
        names = {name: name.replace(".", "_") for name in held.parameters}
        for group in held.optimizer.param_groups:
            group["param_names"] = [names[name] for name in group["param_names"]]
        return Held(held), held.optimizer

    return trained


def test_a_torch_checkpoint_becomes_a_run_of_jax_and_comes_back(typed, tmp_path, run):
    model, optimizer = run()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 17}, tmp_path / "a.pt")
    result = typed("a.pt", "--to", "jax", "-o", "a.run")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "taken for AdamW, which alone has its hyperparameters" in result.stderr
    assert "AdamW of 4 parameters, step 17" in result.stderr
    there = parity.optim.load_jax(tmp_path / "a.run")
    params, state = jax_part(there, 4, 6)
    parity.optim.save_jax(tmp_path / "b.run", there.optimizer, params, state, step=19, others=there.others)
    assert typed("b.run", "--to", "torch", "-o", "b.pt").exit_code == 0
    back = torch.load(tmp_path / "b.pt", weights_only=True)
    assert back["step"] == 19
    assert float(back["optimizer"]["state"][0]["step"]) == 5.0
    optimizer.load_state_dict(back["optimizer"])
    model.load_state_dict(back["model"])


def test_a_round_trip_without_a_step_is_bit_for_bit(typed, tmp_path, run):
    model, optimizer = run()
    before = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(before, tmp_path / "a.pt")
    assert typed("a.pt", "--to", "jax", "-o", "a.run", "--optimizer", "AdamW").exit_code == 0
    assert typed("a.run", "--to", "torch", "-o", "b.pt").exit_code == 0
    after = torch.load(tmp_path / "b.pt", weights_only=True)
    assert after.pop("step") == 3
    assert same(after, {key: dict(value) for key, value in before.items()})


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, momentum=0.9),
        torch.optim.Adam,
        torch.optim.Adamax,
        torch.optim.NAdam,
        torch.optim.RAdam,
        torch.optim.RMSprop,
        torch.optim.Adagrad,
        torch.optim.Adadelta,
        torch.optim.ASGD,
        torch.optim.Rprop,
        torch.optim.Adafactor,
        torch.optim.SparseAdam,
    ],
)
def test_the_class_is_told_by_the_hyperparameters(typed, tmp_path, run, make):
    model, optimizer = run(make)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "a.pt")
    assert f"taken for {type(optimizer).__name__}," in typed("a.pt", "--to", "jax", "-o", "a.run").stderr
    assert TrainingRecord.load(tmp_path / "a.run").optimizer.kind == type(optimizer).__name__


def test_parameters_alone_and_ties(typed, tmp_path):
    weight = torch.nn.Parameter(torch.arange(4.0))
    torch.save({"a": weight, "b": weight}, tmp_path / "a.pt")
    assert typed("a.pt", "--to", "jax", "-o", "a.run").exit_code == 0
    assert dict(TrainingRecord.load(tmp_path / "a.run").ties) == {"b": "a"}
    assert typed("a.run", "--to", "torch", "-o", "b.pt").exit_code == 0
    assert list(torch.load(tmp_path / "b.pt")["model"]) == ["a", "b"]
    safetensors.torch.save_file({"w": torch.ones(2, dtype=torch.bfloat16)}, tmp_path / "w.safetensors")
    assert typed("w.safetensors", "--to", "torch", "-o", "w.pt").exit_code == 0
    assert torch.load(tmp_path / "w.pt")["model"]["w"].dtype == torch.bfloat16


def test_the_scheduler_that_jax_moved_is_in_torchs_checkpoint(typed, tmp_path, run):
    model, optimizer = run()
    scheduler = L.OneCycleLR(optimizer, max_lr=0.1, total_steps=20)
    parity.optim.save_torch(tmp_path / "a.run", model, optimizer, scheduler, step=3, steps=4)
    there = parity.optim.load_jax(tmp_path / "a.run")
    params, state = jax_part(there, 4, 6)
    parity.optim.save_jax(tmp_path / "b.run", there.optimizer, params, state, step=5, others=there.others)
    result = typed("b.run", "--to", "torch", "-o", "b.pt")
    assert result.exit_code == 0, result.output
    for _ in range(2):
        optimizer.step()
        scheduler.step()
    back = torch.load(tmp_path / "b.pt")
    assert {k: v for k, v in back["scheduler"].items() if k in scheduler.state_dict()} == scheduler.state_dict()
    assert back["optimizer"]["param_groups"][0]["lr"] == scheduler.get_last_lr()[0]


def test_a_scheduler_of_functions_cannot_be_made_of_its_state(typed, tmp_path, run):
    model, optimizer = run()
    scheduler = L.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    parity.optim.save_torch(tmp_path / "a.run", model, optimizer, scheduler, step=3, steps=4)
    result = typed("a.run", "--to", "torch", "-o", "b.pt")
    assert result.exit_code == 3
    assert "a LambdaLR cannot be made of its state_dict alone" in result.stderr
    assert not (tmp_path / "b.pt").exists()


class Code:
    """An object that a checkpoint must not bring to life."""

    def __reduce__(self):
        return (pytest.fail, ("a checkpoint was run",))


def broken(tmp_path, run):
    model, optimizer = run()
    whole = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(whole | {"more": Code()}, tmp_path / "code.pt")
    torch.save(whole | {"scheduler": {"last_epoch": 3}}, tmp_path / "scheduler.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"epoch": 3}, tmp_path / "other.pt")
    for group in whole["optimizer"]["param_groups"]:
        del group["param_names"]
    torch.save(whole, tmp_path / "nameless.pt")
    whole["optimizer"]["param_groups"][0].pop("eps")
    torch.save(whole, tmp_path / "strange.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "code.pt").read_bytes()[:500])
    (tmp_path / "text").write_text("hello")
    parity.Trace({}).save(tmp_path / "trace")


@pytest.mark.parametrize(
    ("file", "status", "told"),
    [
        ("none.pt", 2, "there is no file none.pt"),
        ("code.pt", 3, "holds objects that would run code"),
        ("cut.pt", 3, "cut.pt cannot be read"),
        ("text", 3, "truncated or no safetensors file"),
        ("trace", 3, "is a Trace"),
        ("list.pt", 3, "holds a list, wanted a dict"),
        ("other.pt", 3, "has the entries ['epoch']; wanted a state_dict"),
        ("scheduler.pt", 3, "leave the scheduler out with --without-scheduler"),
        ("nameless.pt", 3, "does not name its 4 parameters as the model does"),
        ("strange.pt", 3, "do not tell which of torch.optim's classes"),
    ],
)
def test_what_cannot_be_converted_is_refused_and_nothing_is_written(typed, tmp_path, run, file, status, told):
    broken(tmp_path, run)
    result = typed(file, "--to", "jax", "-o", "out")
    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr.startswith("parity: ")
    assert told in result.stderr
    assert not (tmp_path / "out").exists()


def test_options_that_fit_and_that_do_not(typed, tmp_path, run):
    broken(tmp_path, run)
    result = typed("scheduler.pt", "--to", "jax", "-o", "out", "--without-scheduler")
    assert (result.exit_code, "the scheduler is left out" in result.stderr) == (0, True)
    assert "not of SGD" in typed("out", "--to", "torch", "-o", "b.pt", "--optimizer", "SGD").stderr
    assert "has not the hyperparameters of SGD" in (
        typed("scheduler.pt", "--to", "jax", "-o", "o", "--without-scheduler", "--optimizer", "SGD").stderr
    )
    assert typed("out", "--to", "numpy", "-o", "b.pt").exit_code == 2
    assert typed("out", "--to", "torch").exit_code == 2
    assert typed("out", "--to", "torch", "-o", "none/b.pt").exit_code == 2
    assert "torch.save file" in typed("--help").stdout


def test_the_header_of_a_run_is_json_that_a_person_can_read(typed, tmp_path, run):
    model, optimizer = run()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "a.pt")
    typed("a.pt", "--to", "jax", "-o", "a.run")
    with safetensors.safe_open(tmp_path / "a.run", "pt") as file:
        header = json.loads(file.metadata()["parity.training"])
        assert header["format"] == 1
        assert "model/fc_weight" in file.keys()  # noqa: SIM118 - it is no mapping
        assert "optimizer/state/0/exp_avg" in file.keys()  # noqa: SIM118
