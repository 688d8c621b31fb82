"""A live scheduler of torch, translated: its own numbers to the last bit, from wherever it is, and untouched by it."""

import copy
import math
import warnings

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as S
from torch.optim.swa_utils import SWALR

from parity.convert.schedules import plateau, schedules, tabulate
from parity.sides import jax_backend

pytestmark = pytest.mark.part(2)


@pytest.fixture(autouse=True)
def _quiet():
    """torch warns where an optimizer is not stepped, which no test here does."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
        yield


def sgd(**options):
    groups = [{"params": [torch.zeros(2, requires_grad=True)], "lr": 0.1}, {"params": [torch.ones(1)], "lr": 0.003}]
    return torch.optim.SGD(groups, momentum=0.9, **options)


def adam():
    return torch.optim.Adam([{"params": [torch.zeros(1)], "lr": rate} for rate in (0.1, 0.003)], betas=(0.7, 0.99))


def tensor_rates():
    groups = [{"params": [torch.zeros(1)], "lr": torch.tensor(rate)} for rate in (0.1, 0.003)]
    return torch.optim.Adam(groups, foreach=False)


class Sawtooth(S.LRScheduler):
    """A user's own: it keeps state, and moves the weight decay too."""

    def __init__(self, optimizer, period):
        self.period, self.history = period, []
        super().__init__(optimizer)

    def get_lr(self):
        self.history.append(self.last_epoch)
        for group in self.optimizer.param_groups:
            group["weight_decay"] = 0.01 * (self.last_epoch % self.period)
        return [lr * (1 + len(self.history) % self.period) for lr in self.base_lrs]


class Toggling:
    """No LRScheduler at all, and it moves what is no number."""

    def __init__(self, optimizer):
        self.optimizer = optimizer

    def step(self):
        self.optimizer.param_groups[0]["nesterov"] = True


class Growing:
    """A callable with a state."""

    def __init__(self):
        self.calls = 0

    def __call__(self, epoch):
        self.calls += 1
        return 1.0 + 0.01 * self.calls


def nested(optimizer):
    warmup = S.LinearLR(optimizer, 0.1, total_iters=5)
    annealing = S.CosineAnnealingLR(optimizer, 10)
    return S.ChainedScheduler([S.SequentialLR(optimizer, [warmup, annealing], [5]), S.ExponentialLR(optimizer, 0.99)])


def chain_first(optimizer):
    """torch starts a chain within a sequence one step too late: whatever it does, it is followed."""
    chain = S.ChainedScheduler([S.ExponentialLR(optimizer, 0.9), S.StepLR(optimizer, 3)])
    return S.SequentialLR(optimizer, [chain, S.CosineAnnealingWarmRestarts(optimizer, 7)], [8])


def warmed_cycle(optimizer):
    """OneCycleLR overwrites the initial rate that LinearLR then starts from."""
    warmup = S.LinearLR(optimizer, 0.1, total_iters=5)
    return S.SequentialLR(optimizer, [warmup, S.OneCycleLR(optimizer, 1.0, 40)], [5])


LIVE = {
    "step": lambda: S.StepLR(sgd(), 7),
    "milestones": lambda: S.MultiStepLR(sgd(), [3, 3, 20]),
    "polynomial of tensors": lambda: S.PolynomialLR(tensor_rates(), 40, 2.0),
    "cosine": lambda: S.CosineAnnealingLR(sgd(), 11, 1e-3),
    "restarts": lambda: S.CosineAnnealingWarmRestarts(sgd(), 5, 2),
    "lambda": lambda: S.LambdaLR(sgd(), [lambda n: 0.9**n, lambda n: math.sin(n)]),
    "callable": lambda: S.LambdaLR(sgd(), Growing()),
    "multiplicative": lambda: S.MultiplicativeLR(sgd(), lambda n: 0.95),
    "one cycle": lambda: S.OneCycleLR(sgd(), 1.0, 60),
    "one cycle betas": lambda: S.OneCycleLR(adam(), [1.0, 0.1], 60, three_phase=True),
    "cyclic": lambda: S.CyclicLR(adam(), 0.1, 1.0, 6, mode="exp_range", gamma=0.97),
    "cyclic function": lambda: S.CyclicLR(sgd(), 0.1, 1.0, 6, scale_fn=lambda x: 1 / x, scale_mode="cycle"),
    "nested": lambda: nested(sgd()),
    "chain first": lambda: chain_first(sgd()),
    "warmed cycle": lambda: warmed_cycle(adam()),
    "swa": lambda: SWALR(sgd(), 0.05, anneal_epochs=7),
    "own": lambda: Sawtooth(sgd(), 4),
}
TAKEN, AHEAD = 6, 30


def values(optimizer):
    named = ("lr", "momentum", "betas", "weight_decay")
    return [
        {name: list(group[name]) if name == "betas" else float(group[name]) for name in named if name in group}
        for group in optimizer.param_groups
    ]


def present(scheduler):
    """All that the scheduler and its optimizer hold, to be compared with what they hold later."""
    kept = {name: value for name, value in vars(scheduler).items() if name not in ("optimizer", "_schedulers")}
    inner = [present(s) for s in getattr(scheduler, "_schedulers", [])]
    calls = [getattr(f, "calls", None) for f in getattr(scheduler, "lr_lambdas", [])]
    return repr((copy.deepcopy({k: v for k, v in kept.items() if "fn" not in k and "lambda" not in k}), inner, calls))


@pytest.fixture(params=LIVE)
def moved(request):
    """A scheduler that has taken some steps already, and its equal, which goes on and so says what is right."""
    both = [LIVE[request.param](), LIVE[request.param]()]
    for scheduler in both:
        for _ in range(TAKEN):
            scheduler.step()
    return both


def test_the_table_is_what_the_live_scheduler_then_does(moved):
    scheduler, going_on = moved
    table = tabulate(scheduler, AHEAD)
    assert set(table) == {0, 1}
    for row in range(AHEAD):
        for group, truth in enumerate(values(going_on.optimizer)):
            for name, column in table[group].items():
                assert column[row].tolist() == truth[name], (group, name, row)
        going_on.step()
    start, end = values(scheduler.optimizer), values(going_on.optimizer)
    for group in (0, 1):
        still = [name for name in start[group] if name not in table[group]]
        assert all(start[group][name] == end[group][name] for name in still)


def test_the_live_scheduler_and_its_optimizer_are_untouched(moved):
    scheduler, _ = moved
    optimizer = scheduler.optimizer
    before = present(scheduler), values(optimizer), repr(optimizer)
    tabulate(scheduler, AHEAD)
    assert (present(scheduler), values(optimizer), repr(optimizer)) == before
    assert scheduler.optimizer is optimizer
    scheduler.step()  # and a step would have been seen
    assert (present(scheduler), values(optimizer), repr(optimizer)) != before


def test_the_parameters_are_not_copied(monkeypatch):
    scheduler = LIVE["nested"]()
    monkeypatch.setattr(torch.Tensor, "__deepcopy__", lambda self, memo: pytest.fail("a tensor was copied"))
    assert tabulate(scheduler, 3)[0]["lr"].shape == (3,)


def test_a_table_of_the_wrong_moment_is_told_apart(moved):
    """The planted fault: a table from the scheduler's start, not from where it is."""
    scheduler, _ = moved
    ahead = tabulate(scheduler, AHEAD)[0]["lr"]
    scheduler.step()
    assert not np.array_equal(tabulate(scheduler, AHEAD)[0]["lr"], ahead)


def test_schedules_of_a_count_give_the_table_traced_and_compiled():
    jax = jax_backend.start()
    scheduler = LIVE["one cycle betas"]()
    with jax.enable_x64(True):
        moving = schedules(scheduler, 60)
        table = tabulate(scheduler, 60)
        for group in (0, 1):
            assert set(moving[group]) == {"lr", "betas"}
            found = jax.jit(jax.vmap(moving[group]["lr"]))(jax.numpy.arange(61))
            assert np.array_equal(found[:60], table[group]["lr"])
            assert np.isnan(found[60])
            first, second = moving[group]["betas"](jax.numpy.arange(60))
            assert np.array_equal(first, table[group]["betas"][:, 0])
            assert second == 0.99
            assert isinstance(second, float)  # 1 - b2 of a plain number is not rounded to float32


def test_a_scheduler_of_epochs_holds_its_rate_for_every_step_of_one():
    jax = jax_backend.start()
    rate = schedules(S.ExponentialLR(sgd(), 0.5), 7, every=3)[0]["lr"]
    found = np.asarray(rate(jax.numpy.arange(8))).astype(float)
    # the rates are float32, and so is their quotient: a rounding each
    assert np.allclose(found[:7] / found[0], [1, 1, 1, 0.5, 0.5, 0.5, 0.25], rtol=2.0**-22, atol=0)
    assert np.isnan(found[7])


def test_an_entry_restored_from_a_checkpoint_is_followed_from_there():
    first = S.CosineAnnealingLR(sgd(), 20)
    for _ in range(13):
        first.step()
    optimizer = sgd()
    optimizer.load_state_dict(first.optimizer.state_dict())
    resumed = S.CosineAnnealingLR(optimizer, 20, last_epoch=12)
    optimizer.load_state_dict(first.optimizer.state_dict())
    resumed.load_state_dict(first.state_dict())
    assert np.array_equal(tabulate(resumed, 50)[1]["lr"], tabulate(first, 50)[1]["lr"])


PLATEAU = {"factor": 0.5, "patience": 2, "cooldown": 2, "threshold": 0.01, "min_lr": [0.02, 1e-4], "mode": "max"}


def test_a_plateau_goes_on_from_the_state_that_it_is_in():
    jax = jax_backend.start()
    metrics = np.random.default_rng(0).normal(size=60)
    with jax.enable_x64(True):
        scheduler = S.ReduceLROnPlateau(sgd(), **PLATEAU)
        for metric in metrics[:17]:
            scheduler.step(metric)
        rule, state = plateau(scheduler)
        update = jax.jit(rule.update)
        for metric in metrics[17:]:
            scheduler.step(metric)
            state = update(state, metric)
            assert state["lr"].tolist() == [group["lr"] for group in scheduler.optimizer.param_groups]
            assert float(state["best"]) == scheduler.best
            for name in ("num_bad_epochs", "cooldown_counter", "last_epoch"):
                assert int(state[name]) == getattr(scheduler, name)
        assert float(state["lr"][0]) < 0.1


def test_a_plateau_from_its_start_is_told_apart():
    """The planted fault: the state left behind."""
    scheduler = S.ReduceLROnPlateau(sgd(), **PLATEAU)
    for metric in (3.0, 1.0, 1.0):
        scheduler.step(metric)
    rule, state = plateau(scheduler)
    fresh = rule.init(np.array([0.1, 0.003]))
    assert float(rule.update(state, 1.0)["lr"][0]) < float(rule.update(fresh, 1.0)["lr"][0])


def test_what_cannot_be_tabulated_is_refused_with_the_reason():
    with pytest.raises(TypeError, match=r"follows a metric, no count; plateau\(scheduler\)"):
        tabulate(S.ReduceLROnPlateau(sgd()), 3)
    with pytest.raises(TypeError, match="got a StepLR, wanted torch's ReduceLROnPlateau"):
        plateau(S.StepLR(sgd(), 3))

    class Impatient(S.ReduceLROnPlateau):
        def step(self, metrics, epoch=None):
            super().step(metrics)

    with pytest.raises(TypeError, match="got a Impatient"):
        plateau(Impatient(sgd()))
    with pytest.raises(ValueError, match=r"takes 20 more steps and then refuses .*ask for steps up to 21"):
        tabulate(S.OneCycleLR(sgd(), 1.0, 20), 30)
    with pytest.raises(TypeError, match="moves nesterov from False to True, which is no number"):
        tabulate(Toggling(sgd()), 3)
    with pytest.raises(ValueError, match="got steps 0"):
        tabulate(S.StepLR(sgd(), 3), 0)
    with pytest.raises(ValueError, match="got every 0"):
        schedules(S.StepLR(sgd(), 3), 3, every=0)
