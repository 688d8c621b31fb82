"""A run that goes on in the other framework: the curve unbroken, the scheduler where it was, other runs refused."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from convert.optim.moves import SHAPES, Held, TorchRun, apart, jax_part, start
from convert.optim.runs import STEPS, Torch, gone_over, switched

import parity
from parity.convert.optim.record import TrainingRecord
from parity.convert.optim.translated import Translated

pytestmark = pytest.mark.part(2)

L = torch.optim.lr_scheduler
SEEDS = range(1, 9)  # starts one unit in the last place away: torch's distance from itself is a matter of chance


def distance(one, other):
    return float(np.abs(np.array(one) - np.array(other)).max())


@functools.cache
def one_ulp_away(dtype):
    """How far torch gets from itself in a run whose start is one unit in the last place away in every weight."""
    unbroken = Torch(dtype).train(0, STEPS)
    return max(distance(Torch(dtype, seed).train(0, STEPS), unbroken) for seed in SEEDS)


def rebuilt(run, record, schedule):
    tx = Translated(record, schedule, None, run.optimizer.whole)
    return replace(run, optimizer=tx, state=tx.init(run.params))


def without_state(run):
    return rebuilt(run, replace(run.optimizer.record, state={}), run.optimizer.schedule)


def one_schedule_step_ahead(run):
    return rebuilt(run, run.optimizer.record, replace(run.optimizer.schedule, position=1))


@pytest.fixture(scope="module")
def unbroken():
    torch.set_num_threads(1)
    return Torch("float32").train(0, STEPS)


@pytest.mark.part(0)
def test_two_switches_in_float32_differ_by_no_more_than_one_ulp_in_the_start(tmp_path, unbroken):
    assert distance(switched(tmp_path / "run", "float32"), unbroken) <= one_ulp_away("float32")


@pytest.mark.part(0)
def test_two_switches_in_float64(wide, tmp_path):
    unbroken = Torch("float64").train(0, STEPS)
    assert distance(switched(tmp_path / "run", "float64"), unbroken) <= one_ulp_away("float64")


@pytest.mark.parametrize("fault", [None, without_state, one_schedule_step_ahead])
def test_a_fault_at_the_switch_is_seen(tmp_path, unbroken, fault):
    *_, losses = gone_over(tmp_path / "run", "float32", fault or (lambda run: run))
    assert (distance(losses, unbroken[:200]) > one_ulp_away("float32")) is (fault is not None)


def two_groups(parameters):
    return torch.optim.AdamW([{"params": parameters[:2]}, {"params": parameters[2:], "lr": 0.02}], lr=0.01)


def with_momentum(parameters):
    return torch.optim.SGD(parameters, lr=0.01, momentum=0.9)


SCHEDULERS = {
    "OneCycleLR": (two_groups, lambda o: L.OneCycleLR(o, max_lr=[0.05, 0.1], total_steps=40)),
    "CyclicLR": (with_momentum, lambda o: L.CyclicLR(o, 0.01, 0.05, step_size_up=7)),
    "SequentialLR": (two_groups, lambda o: L.SequentialLR(o, [L.LinearLR(o), L.CosineAnnealingLR(o, 9)], [7])),
    "ChainedScheduler": (two_groups, lambda o: L.ChainedScheduler([L.ExponentialLR(o, 0.9), L.StepLR(o, 4)])),
    "LambdaLR": (two_groups, lambda o: L.LambdaLR(o, [lambda e: 1 / (1 + e), lambda e: 1.0])),
}


def begun(make, schedule, arrays=None):
    run = TorchRun(make, start(SHAPES) if arrays is None else arrays)
    return run, schedule(run.optimizer)


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("every", [1, 3])
def test_a_scheduler_goes_on_where_it_was(wide, tmp_path, name, every):
    make, schedule = SCHEDULERS[name]

    def go(run, scheduler, first, last):
        for step in range(first, last):
            run.steps(step, step + 1)
            if (step + 1) % every == 0:
                scheduler.step()

    unbroken, theirs = begun(make, schedule)
    go(unbroken, theirs, 0, 24)
    first, scheduler = begun(make, schedule)
    go(first, scheduler, 0, 9)
    parity.optim.save_torch(tmp_path / "run", Held(first), first.optimizer, scheduler, step=9, steps=12, every=every)
    run = parity.optim.load_jax(tmp_path / "run")
    params, state = jax_part(run, 9, 18)
    parity.optim.save_jax(tmp_path / "run", run.optimizer, params, state, step=18, others=run.others)
    last, scheduler = begun(make, schedule, start(SHAPES, seed=3))
    assert parity.optim.load_torch(tmp_path / "run", Held(last), last.optimizer, scheduler) == 18
    go(last, scheduler, 18, 24)
    assert apart(last.arrays(), unbroken.arrays()) <= 1e-12
    assert scheduler.get_last_lr() == theirs.get_last_lr()
    keys = ("lr", "betas", "momentum")
    assert [[g.get(k) for k in keys] for g in last.optimizer.param_groups] == [
        [g.get(k) for k in keys] for g in unbroken.optimizer.param_groups
    ]


def test_a_plateau_goes_on_where_it_was(wide, tmp_path):
    losses = [3.0, 2.0, 2.0, 2.0, 2.0, 1.9, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    make, schedule = two_groups, lambda o: L.ReduceLROnPlateau(o, patience=1, factor=0.3, cooldown=1, min_lr=[1e-3, 0])

    def go(run, scheduler, first, last):
        for step in range(first, last):
            run.steps(step, step + 1)
            scheduler.step(losses[step])

    unbroken, theirs = begun(make, schedule)
    go(unbroken, theirs, 0, 18)
    first, scheduler = begun(make, schedule)
    go(first, scheduler, 0, 6)
    parity.optim.save_torch(tmp_path / "run", Held(first), first.optimizer, scheduler, step=6)
    run = parity.optim.load_jax(tmp_path / "run")
    with pytest.raises(ValueError, match="ReduceLROnPlateau follows a metric; give update"):
        jax_part(run, 6, 7)
    params, state = jax_part(run, 6, 12, metrics=losses)
    parity.optim.save_jax(tmp_path / "run", run.optimizer, params, state, step=12, others=run.others)
    last, scheduler = begun(make, schedule)
    parity.optim.load_torch(tmp_path / "run", Held(last), last.optimizer, scheduler)
    go(last, scheduler, 12, 18)
    assert apart(last.arrays(), unbroken.arrays()) <= 1e-12
    assert scheduler.state_dict() == theirs.state_dict()
    assert unbroken.optimizer.param_groups[0]["lr"] < 0.01 * 0.3


def test_past_the_tables_end_the_updates_are_nan_and_a_save_says_so(tmp_path):
    make, schedule = SCHEDULERS["SequentialLR"]
    first = TorchRun(make, start(SHAPES), "float32")
    parity.optim.save_torch(tmp_path / "run", Held(first), first.optimizer, schedule(first.optimizer), step=0, steps=2)
    run = parity.optim.load_jax(tmp_path / "run")
    params, _ = jax_part(run, 1, 3)
    assert np.isfinite(params["fc_weight"]).all()
    params, state = jax_part(run, 1, 5)
    assert np.isnan(params["fc_weight"]).all()
    with pytest.raises(IndexError, match="has 3 rows, no row 4; tabulate more steps"):
        parity.optim.save_jax(tmp_path / "run", run.optimizer, params, state, step=4, others=run.others)


def saved(path, **options):
    run = TorchRun(torch.optim.Adam, start(SHAPES), "float32").steps(1, 3)
    model = Held(run)
    parity.optim.save_torch(path, model, run.optimizer, step=2, **options)
    return model


def test_buffers_must_be_given_and_come_back(tmp_path):
    saved(tmp_path / "run")
    run = parity.optim.load_jax(tmp_path / "run")
    assert list(run.others) == ["mean"]
    with pytest.raises(ValueError, match="has mean that neither params nor others hold"):
        parity.optim.save_jax(tmp_path / "run", run.optimizer, run.params, run.state, step=2)
    others = {"mean": run.others["mean"] + 1}
    parity.optim.save_jax(tmp_path / "run", run.optimizer, run.params, run.state, step=2, others=others)
    assert TrainingRecord.load(tmp_path / "run").model["mean"].bits.tolist() == [1.25, 1.25]


class Smaller(torch.nn.Module):
    def __init__(self, model, changed):
        super().__init__()
        for name, p in model.named_parameters():
            if name != changed:
                self.register_parameter(name, torch.nn.Parameter(p.detach().clone()))
        self.register_buffer("mean", torch.zeros(2))


@pytest.mark.parametrize(
    ("optimizer", "change", "told"),
    [
        (torch.optim.AdamW, None, "holds the state of Adam, the optimizer here is AdamW"),
        (torch.optim.Adam, "scale", r"lacks nothing, and has \['scale'\] that the optimizer here has not"),
    ],
)
def test_a_file_of_another_run_is_refused_and_nothing_is_written(tmp_path, optimizer, change, told):
    model = Smaller(saved(tmp_path / "run"), change)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(parity.optim.FileError, match=told):
        parity.optim.load_torch(tmp_path / "run", model, optimizer(model.parameters()))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_model_of_another_dtype_or_shape_is_refused(tmp_path):
    model = Smaller(saved(tmp_path / "run"), None)
    model.mean = torch.zeros(2, dtype=torch.float64)
    with pytest.raises(parity.optim.FileError, match=r"has mean as float32 \(2,\), the model here as float64 \(2,\)"):
        parity.optim.load_torch(tmp_path / "run", model, torch.optim.Adam(model.parameters()))
    model.scale = torch.nn.Parameter(torch.ones(5))
    with pytest.raises(parity.optim.FileError, match=r"scale of shape \(\), the optimizer here of \(5,\)"):
        parity.optim.load_torch(tmp_path / "run", model, torch.optim.Adam(model.parameters()))


def test_a_schedule_and_its_scheduler_come_together(tmp_path):
    model = saved(tmp_path / "run")
    optimizer = torch.optim.Adam(model.parameters())
    with pytest.raises(parity.optim.FileError, match="holds no schedule, and a StepLR was given"):
        parity.optim.load_torch(tmp_path / "run", model, optimizer, L.StepLR(optimizer, 2))
    with pytest.raises(ValueError, match="a StepLR wants steps"):
        parity.optim.save_torch(tmp_path / "run", model, optimizer, L.StepLR(optimizer, 2), step=0)


def test_a_scheduler_of_other_arguments_is_seen(tmp_path):
    run = TorchRun(torch.optim.Adam, start(SHAPES), "float32")
    model, decay = Held(run), lambda epoch: 1 / (1 + epoch)
    scheduler = L.LambdaLR(run.optimizer, decay)
    parity.optim.save_torch(tmp_path / "run", model, run.optimizer, scheduler, step=0, steps=4)
    there = parity.optim.load_jax(tmp_path / "run")
    params, state = jax_part(there, 1, 3)
    parity.optim.save_jax(tmp_path / "run", there.optimizer, params, state, step=2, others=there.others)
    other = L.LambdaLR(run.optimizer, lambda epoch: 1 / (2 + epoch))
    with pytest.raises(parity.optim.FileError, match="build it with the run's arguments and functions"):
        parity.optim.load_torch(tmp_path / "run", model, run.optimizer, other)


def test_a_scalar_slot_comes_back_in_its_own_dtype(tmp_path):
    """torch's own loading would round NAdam's mu_product to the parameters' bfloat16."""
    run = TorchRun(torch.optim.NAdam, {"w": np.ones(3)}, "bfloat16").steps(1, 4)
    parity.optim.save_torch(tmp_path / "run", Held(run), run.optimizer, step=3)
    kept = run.optimizer.state_dict()["state"][0]["mu_product"].clone()
    assert parity.optim.load_torch(tmp_path / "run", Held(run), run.optimizer) == 3
    assert torch.equal(run.optimizer.state_dict()["state"][0]["mu_product"], kept)
    assert kept.dtype == torch.float32
