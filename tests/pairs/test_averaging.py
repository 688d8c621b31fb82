"""EMA and SWA beside torch.optim.swa_utils, and on each side alone."""

import warnings

import numpy as np
import pytest
import torch
from torch.optim import swa_utils

from parity.sides import jax_backend

pytestmark = pytest.mark.part(1)

UNIT = {"float64": 2.0**-53, "float32": 2.0**-24}
UPDATES = 8


class Model(torch.nn.Module):
    """A weight in two dtypes, a floating buffer and a count."""

    def __init__(self):
        super().__init__()
        self.wide = torch.nn.Parameter(torch.zeros(3, 2, dtype=torch.float64))
        self.narrow = torch.nn.Parameter(torch.zeros(4))
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("tracked", torch.tensor(0))

    def become(self, values):
        with torch.no_grad():
            for name, value in {**values["params"], **values["buffers"]}.items():
                getattr(self, name).copy_(torch.tensor(value))


def models():
    """A model at each of its updates; the count is of no multiple of the number of updates."""
    rng = np.random.default_rng(1)
    return [
        {
            "params": {"wide": rng.normal(size=(3, 2)), "narrow": rng.normal(size=4).astype(np.float32)},
            "buffers": {"mean": rng.normal(size=4).astype(np.float32), "tracked": np.array(3 + 7 * i)},
        }
        for i in range(UPDATES)
    ]


RULES = {
    "equal": ({}, {}),
    "equal, buffers": ({"use_buffers": True}, {"use_buffers": True}),
    "equal function": ({"avg_fn": ("get_swa_avg_fn",)}, {"use_buffers": True}),
    "equal for lists": ({"multi_avg_fn": ("get_swa_multi_avg_fn",)}, {}),
    "fading": ({"avg_fn": ("get_ema_avg_fn", 0.9)}, {}),
    "fading, buffers": ({"avg_fn": ("get_ema_avg_fn", 0.7), "use_buffers": True}, {}),
    "fading for lists": ({"multi_avg_fn": ("get_ema_multi_avg_fn", 0.9)}, {}),
    "fading for lists, buffers": ({"multi_avg_fn": ("get_ema_multi_avg_fn", 0.9), "use_buffers": True}, {}),
    "fading fast for lists": ({"multi_avg_fn": ("get_ema_multi_avg_fn", 0.1)}, {}),
    "all of the old": ({"multi_avg_fn": ("get_ema_multi_avg_fn", 1.0)}, {}),
    "all of the new": ({"avg_fn": ("get_ema_avg_fn", 0.0)}, {}),
}


def options(name, source):
    """The options of a rule, its functions made by one of the three modules."""
    chosen = {**RULES[name][0], **RULES[name][1]}
    return {
        key: getattr(source, value[0])(*value[1:]) if isinstance(value, tuple) else value
        for key, value in chosen.items()
    }


def theirs(**arguments):
    model = Model()
    average = swa_utils.AveragedModel(model, **arguments)
    states = []
    for values in models():
        model.become(values)
        average.update_parameters(model)
        states.append({name: tensor.numpy().copy() for name, tensor in average.module.state_dict().items()})
    return states


def ours(pair, rule):
    def arrays(values):
        return [{name: pair.array(a) for name, a in values[kind].items()} for kind in ("params", "buffers")]

    average = rule.init(*arrays(models()[3]))
    states = []
    for number, values in enumerate(models(), start=1):
        average = rule.update_parameters(average, *arrays(values))
        assert int(average["n_averaged"]) == number
        states.append({n: pair.numpy(a).copy() for n, a in {**average["params"], **average["buffers"]}.items()})
    return states


def roundings(wanted, found):
    """The largest difference in units of the largest value, as averages cancel; integers count as infinitely far."""
    worst = 0.0
    for want, got in zip(wanted, found, strict=True):
        assert want.keys() == got.keys()
        for name, value in want.items():
            assert value.dtype == got[name].dtype
            if value.dtype.kind == "i":
                worst = worst if np.array_equal(value, got[name]) else np.inf
            else:
                difference = np.max(np.abs(value.astype(float) - got[name]))
                worst = max(worst, float(difference / np.max(np.abs(value)) / UNIT[value.dtype.name]))
    return worst


@pytest.mark.parametrize("name", RULES)
def test_the_average_is_torch_s_at_every_update(pair, name):
    averaging = pair.module("averaging")
    found = ours(pair, averaging.AveragedModel(**options(name, averaging)))
    # three operations an update, fused or not, and what earlier ones have left
    assert roundings(theirs(**options(name, swa_utils)), found) <= 4 * UPDATES


FAULTS = {
    "the first update averages with the start": lambda a, w, n: a * (n + 1) / (n + 2) + w / (n + 2),
    "the count begins at 1": lambda a, w, n: a + (w - a) / (n + 2),
    "the weights swapped": lambda a, w, n: w + (a - w) / (n + 1),
    "1 / (n + 1) in float32": lambda a, w, n: a + (w - a) * np.float64(np.float32(1) / np.float32(int(n) + 1)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_another_average_is_told_apart(fault):
    import torch_impl.averaging as averaging

    class Torch:
        name = "torch"
        array = staticmethod(torch.tensor)
        numpy = staticmethod(lambda a: a.numpy())

    found = ours(Torch, averaging.AveragedModel(avg_fn=FAULTS[fault]))
    assert roundings(theirs(), found) > 1e4


def test_a_fading_average_of_another_decay_is_told_apart(pair):
    averaging = pair.module("averaging")
    rule = averaging.AveragedModel(avg_fn=averaging.get_ema_avg_fn(0.9 + 1e-9))
    assert roundings(theirs(avg_fn=swa_utils.get_ema_avg_fn(0.9)), ours(pair, rule)) > 1e4


def test_the_average_holds_no_array_of_the_model(pair):
    averaging = pair.module("averaging")
    weight = pair.array([1.0, 2.0])
    average = averaging.AveragedModel().init({"w": weight})
    if pair.name == "torch":
        weight.mul_(3.0)
    assert average["params"]["w"].tolist() == [1.0, 2.0]


def test_it_compiles_and_goes_into_a_scan():
    jax = jax_backend.start()
    from jax_impl.averaging import AveragedModel, get_ema_multi_avg_fn

    with jax.enable_x64(True):
        rule = AveragedModel(multi_avg_fn=get_ema_multi_avg_fn(0.9))
        weights = jax.numpy.asarray(np.random.default_rng(0).normal(size=(20, 3)))

        def step(average, w):
            return rule.update_parameters(average, {"w": w}), None

        average, _ = jax.lax.scan(step, rule.init({"w": weights[0]}), weights)
        unrolled = rule.init({"w": weights[0]})
        for w in weights:
            unrolled = rule.update_parameters(unrolled, {"w": w})
    assert int(average["n_averaged"]) == 20
    assert np.max(np.abs(average["params"]["w"] - unrolled["params"]["w"])) <= 20 * UNIT["float64"]


def test_what_does_not_fit_is_refused(pair):
    averaging = pair.module("averaging")
    with pytest.raises(ValueError, match="wanted one of them"):
        averaging.AveragedModel(avg_fn=averaging.get_swa_avg_fn(), multi_avg_fn=averaging.get_swa_multi_avg_fn())
    for make in (averaging.get_ema_avg_fn, averaging.get_ema_multi_avg_fn):
        with pytest.raises(ValueError, match=r"decay 1\.5, wanted it in"):
            make(1.5)
    rule = averaging.AveragedModel()
    average = rule.init({"w": pair.array([1.0])})
    with pytest.raises(ValueError, match=r"params \['w'\], the model \['v'\]"):
        rule.update_parameters(average, {"v": pair.array([1.0])})
    for arguments, reason in (((0.1, 0.2, -1), "anneal_epochs -1"), ((0.1, 0.2, 3, "sin"), "'sin'")):
        with pytest.raises(ValueError, match=reason):
            averaging.SWALR(*arguments)


def test_an_equal_average_of_integers_for_lists_is_refused_as_torch_refuses_it(pair):
    averaging = pair.module("averaging")
    multi = averaging.get_swa_multi_avg_fn()
    with pytest.raises(TypeError, match="torch has no such average of integers"):
        multi([pair.array(3)], [pair.array(4)], pair.array(1))
    with pytest.raises(RuntimeError, match="addcdiv"):
        theirs(multi_avg_fn=swa_utils.get_swa_multi_avg_fn(), use_buffers=True)


# The rate.

ANNEALING = [(epochs, strategy) for epochs in (10, 1, 0, 290) for strategy in ("cos", "linear")]


def torch_rates(epochs, strategy, *, steps=300):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    scheduler = swa_utils.SWALR(optimizer, 0.03, epochs, strategy)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            scheduler.step()
    return np.array(rates)


@pytest.mark.parametrize(("epochs", "strategy"), ANNEALING)
def test_the_rate_for_averaging_is_torch_s_over_300_steps(pair, epochs, strategy):
    schedule = pair.module("averaging").SWALR(0.1, 0.03, epochs, strategy)
    wanted, found = torch_rates(epochs, strategy), pair.numpy(schedule(pair.array(np.arange(300))))
    # torch takes the start out of each rate and puts it back: some roundings of the rate at each step
    assert np.all(np.abs(found - wanted) <= (8 + 4 * np.arange(300)) * UNIT["float64"] * 0.1)
    rates, rate = [], 0.1
    for count in range(300):
        rate = schedule.step(count, rate)
        rates.append(rate)
    assert rates == wanted.tolist()


def test_a_sequence_enters_the_rate_for_averaging_from_where_it_is(pair):
    schedules, averaging = pair.module("schedules"), pair.module("averaging")
    decay, flat = schedules.ExponentialLR(0.1, 0.9), averaging.SWALR(0.1, 0.03, 5)
    found = pair.numpy(schedules.SequentialLR([decay, flat], [10])(pair.array(np.arange(40))))
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    lr = torch.optim.lr_scheduler
    scheduler = lr.SequentialLR(
        optimizer, [lr.ExponentialLR(optimizer, 0.9), swa_utils.SWALR(optimizer, 0.03, 5)], [10]
    )
    wanted = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(40):
            wanted.append(optimizer.param_groups[0]["lr"])
            scheduler.step()
    assert np.all(np.abs(found - wanted) <= (8 + 4 * np.arange(40)) * UNIT["float64"] * 0.1)
    faulty = pair.numpy(
        schedules.SequentialLR([decay, schedules.ConstantLR(0.03, 1.0)], [10])(pair.array(np.arange(40)))
    )
    assert np.max(np.abs(faulty - wanted)) > 1e-3
