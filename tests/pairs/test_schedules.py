"""Schedules beside torch's own schedulers, over 300 steps, to the rounding of float64; and on each side alone."""

import itertools
import math

import numpy as np
import optax
import pytest
import torch
from schedulers import RATES, STEPS, TABLE, Entry, run, warmup

from parity.sides import jax_backend

pytestmark = pytest.mark.part(1)

UNIT = 2.0**-53
# those that torch computes from the count alone have no recursion
RECURSIVE = [name for name in TABLE if not any(word in name for word in ("restarts", "cycle", "cyclic"))]


@pytest.fixture(scope="module")
def theirs():
    """torch's own numbers for every entry of the table, run once."""
    torch.set_num_threads(1)
    return {name: run(entry) for name, entry in TABLE.items()}


def evaluated(pair, schedule, counts):
    """Every hyperparameter that a schedule moves, at all counts: (counts,), or (counts, 2) for betas."""
    found = {}
    for name, function in schedule.schedules.items():
        value = function(pair.array(counts))
        if isinstance(value, tuple):
            columns = [v if isinstance(v, float) else pair.numpy(v) for v in value]
            found[name] = np.stack(np.broadcast_arrays(*columns), axis=-1)
        else:
            found[name] = pair.numpy(value)
    return found


def excess(entry: Entry, wanted: np.ndarray, found: np.ndarray) -> float:
    """The largest difference as a share of what rounding may make of it; up to 1 is agreement.

    torch rounds once or twice at each step, the closed forms a handful of times: 8 + count units, of the value where
    torch multiplies, of the largest value where it adds, times what its recursion amplifies.
    """
    counts = np.arange(len(wanted)).reshape(-1, *[1] * (wanted.ndim - 1))
    scale = np.abs(wanted) + (np.abs(wanted).max() if entry.additive else 0.0)
    bound = (8 + counts) * UNIT * entry.amplified * scale
    difference = np.abs(found - wanted)
    if np.isnan(found).any():
        return math.inf
    return float(np.max(np.divide(difference, bound, out=np.where(difference > 0, np.inf, 0.0), where=bound > 0)))


@pytest.mark.part(5)
@pytest.mark.parametrize("name", TABLE)
def test_every_scheduler_moves_what_torch_s_moves_over_300_steps(pair, theirs, name):
    entry = TABLE[name]
    for rate, wanted in zip(RATES, theirs[name], strict=True):
        found = evaluated(pair, entry.ours(pair.module("schedules"), rate), np.arange(entry.counts))
        moved = {key for key, values in wanted.items() if key == "lr" or np.ptp(values, axis=0).max() > 0}
        assert moved == set(found)
        for key, values in found.items():
            assert values.dtype == np.float64
            assert excess(entry, wanted[key], values) <= 1, key


@pytest.mark.part(5)
@pytest.mark.parametrize("name", RECURSIVE)
def test_step_is_torch_s_recursion_bit_for_bit(pair, theirs, name):
    schedule = TABLE[name].ours(pair.module("schedules"), RATES[0])
    rates, rate = [], RATES[0]
    for count in range(TABLE[name].counts):
        rate = schedule.step(count, rate)
        rates.append(rate)
    assert rates == theirs[name][0]["lr"].tolist()


@pytest.mark.parametrize("name", ["restarts", "one cycle", "cyclic unequal"])
def test_a_schedule_of_the_count_alone_steps_to_what_it_is_whatever_the_rate_was(pair, name):
    schedule = TABLE[name].ours(pair.module("schedules"), RATES[0])
    for count in (0, 1, 50, 299):
        assert schedule.step(count, math.nan) == float(schedule(count))


def test_every_schedule_compiles_with_a_traced_count(theirs):
    """One compilation of all: a count that is traced, not known, and mapped over."""
    jax = jax_backend.start()
    import jax_impl.schedules as schedules

    names = [name for name, entry in TABLE.items() if entry.counts == STEPS]
    with jax.enable_x64(True):
        built = {name: TABLE[name].ours(schedules, RATES[1]).schedules for name in names}

        @jax.jit
        def at(count):
            return {name: {key: f(count) for key, f in moving.items()} for name, moving in built.items()}

        found = jax.vmap(at)(jax.numpy.arange(STEPS))
    for name in names:
        for key, values in found[name].items():
            stacked = np.stack(values, axis=-1) if isinstance(values, tuple) else np.asarray(values)
            assert excess(TABLE[name], theirs[name][1][key], stacked) <= 1, (name, key)


def test_without_x64_a_schedule_is_right_to_the_rounding_of_float32(theirs, whole):
    """No factor is rounded to float32 before it is raised to a power, no angle grows: 16 roundings at any count."""
    jax = jax_backend.start()
    import jax_impl.schedules as schedules

    with jax.enable_x64(False):
        for name, entry in TABLE.items() if whole else list(TABLE.items())[::3]:
            found = entry.ours(schedules, RATES[0])(jax.numpy.arange(entry.counts))
            wanted = theirs[name][0]["lr"]
            assert found.dtype == np.float32
            # a period that is no integer is itself rounded, and then multiplied by the number of cycles
            roundings = 16 * (STEPS / 7.3 if name == "cyclic fractions" else 1)
            # subnormals are flushed
            scale = np.maximum(
                np.abs(wanted) + entry.additive * np.abs(wanted).max(), np.finfo(np.float32).tiny * 2**20
            )
            assert np.max(np.abs(np.asarray(found, np.float64) - wanted) / scale) <= roundings * 2.0**-24, name
        slow = schedules.ExponentialLR(0.1, 0.99999)(100_000)
        assert abs(float(slow) / (0.1 * 0.99999**100_000) - 1) <= 16 * 2.0**-24
        naive = np.float32(0.1) * np.float32(0.99999) ** np.float32(100_000)
        assert abs(float(naive) / (0.1 * 0.99999**100_000) - 1) > 1e4 * 2.0**-24


COLLAPSED = {30: 0.3, 80: 0.3}
FAULTS = {
    "cosine climbing back": lambda lr: optax.cosine_decay_schedule(lr, 100),
    "milestones twice": lambda lr: optax.piecewise_constant_schedule(lr, COLLAPSED),
    "one cycle": lambda lr: optax.cosine_onecycle_schedule(300, 10 * lr, 0.3, 25.0, 25e4),
    "one cycle linear": lambda lr: optax.linear_onecycle_schedule(300, 10 * lr, 0.27, 1.0, 25.0, 1e4),
    "constant for ever": lambda lr: lambda count: lr * np.ones_like(count),
    "linear": lambda lr: optax.linear_schedule(lr / 3, lr, 6),
    "polynomial": lambda lr: optax.polynomial_schedule(lr, 1e-9 * lr, 1, 5),
    "exponential": lambda lr: lambda count: lr * (0.9 + 1e-12) ** count,
    "step": lambda lr: optax.exponential_decay(lr, 30, 0.1),
    "restarts longer": lambda lr: lambda count: lr * (1 + np.cos(np.pi * (count % 10) / 10)) / 2,
    "cyclic triangular2": lambda lr: lambda count: lr + 9 * lr * (1 - np.abs(count % 20 - 10) / 10),
    "multiplicative": lambda lr: lambda count: lr * np.cumprod([0.97 if n % 2 else 1.02 for n in count]),
    "multiplicative goes on": lambda lr: (
        lambda count: np.where(count < 40, lr * np.where(count < 7, 0.5, 1.0), lr * 0.98 ** np.maximum(count - 40, 0))
    ),
    "chain of a cosine past its end": lambda lr: (
        lambda count: (
            lr
            * (1 + np.cos(np.pi * count / 100))
            / 2
            * np.where(count < 7, 0.5, 1.0)
            * np.where(count > 150, 0.999, 1.0)
        )
    ),
    "nothing before the first milestone": lambda lr: lambda count: lr / 2 * 0.99**count,
}


@pytest.mark.part(5)
@pytest.mark.parametrize("name", FAULTS)
def test_what_optax_or_a_port_makes_of_it_is_told_apart(theirs, name):
    jax = jax_backend.start()
    with jax.enable_x64(True):
        schedule = FAULTS[name](RATES[0])
        counts = jax.numpy.arange(STEPS)
        plain = schedule.__module__ == __name__  # written here, for arrays; optax's take one count
        found = np.asarray(schedule(np.arange(STEPS)) if plain else jax.vmap(schedule)(counts), dtype=np.float64)
    assert excess(TABLE[name], theirs[name][0]["lr"], found) > 100


@pytest.mark.parametrize("name", ["LambdaLR", "MultiplicativeLR", "ChainedScheduler", "Tabulated", "OneCycleLR"])
def test_past_its_end_a_table_gives_no_number(pair, name):
    schedules = pair.module("schedules")
    arguments = {
        "LambdaLR": ((1.0, warmup), {"steps": 10}),
        "MultiplicativeLR": ((1.0, warmup), {"steps": 10}),
        "ChainedScheduler": (([schedules.ExponentialLR(1.0, 0.5)],), {"steps": 10}),
        "Tabulated": ((np.ones(10),), {}),
        "OneCycleLR": ((1.0, 9), {}),  # torch takes the count total_steps as well
    }
    positional, named = arguments[name]
    schedule = getattr(schedules, name)(*positional, **named)
    assert np.isfinite(pair.numpy(schedule(pair.array([0, 9])))).all()
    if pair.name == "jax":
        assert np.isnan(pair.numpy(schedule(pair.array([3, 10])))).tolist() == [False, True]
        return
    with pytest.raises(ValueError, match=r"count 10.* more steps"):
        schedule(pair.array([3, 10]))


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_a_rate_keeps_its_dtype(pair, dtype):
    schedules = pair.module("schedules")
    rate = pair.array(0.5).to(getattr(torch, dtype)) if pair.name == "torch" else pair.array(0.5).astype(dtype)
    for schedule in (
        schedules.StepLR(rate, 30),
        schedules.CosineAnnealingLR(rate, 300),
        schedules.LambdaLR(rate, warmup, steps=300),
        schedules.OneCycleLR(rate, 300),
        schedules.SequentialLR([schedules.LinearLR(rate), schedules.ExponentialLR(rate, 0.9)], [5]),
    ):
        assert schedule(pair.array([0, 299])).dtype == rate.dtype


def test_a_schedule_goes_straight_into_optax():
    jax = jax_backend.start()
    import jax_impl.schedules as schedules

    schedule = schedules.SequentialLR([schedules.LinearLR(1.0, 0.5, 1.0, 2), schedules.StepLR(1.0, 2, 0.5)], [2])
    optimizer = optax.sgd(schedule)
    params = jax.numpy.zeros(())
    state, moved = optimizer.init(params), []
    for _ in range(6):
        update, state = optimizer.update(jax.numpy.ones(()), state, params)
        moved.append(-float(update))
    assert moved == [0.5, 0.75, 1.0, 1.0, 0.5, 0.5]


REFUSED = {
    "StepLR": (lambda s: s.StepLR(1.0, 0), "step_size 0, wanted at least 1"),
    "ConstantLR": (lambda s: s.ConstantLR(1.0, 1.5), "factor 1.5"),
    "ConstantLR of nothing": (lambda s: s.ConstantLR(1.0, 0.0), "torch divides by it"),
    "LinearLR": (lambda s: s.LinearLR(1.0, 0.0), "start_factor 0.0"),
    "CosineAnnealingLR": (lambda s: s.CosineAnnealingLR(1.0, 0), "T_max 0"),
    "CosineAnnealingWarmRestarts": (lambda s: s.CosineAnnealingWarmRestarts(1.0, 10, 1.5), "T_mult 1.5"),
    "OneCycleLR": (lambda s: s.OneCycleLR(1.0, epochs=3), "total_steps None, epochs 3"),
    "OneCycleLR's way": (lambda s: s.OneCycleLR(1.0, 10, anneal_strategy="sin"), "'sin'"),
    "OneCycleLR's first phase": (lambda s: s.OneCycleLR(1.0, 10, pct_start=0.1), "a phase has no length"),
    "CyclicLR": (lambda s: s.CyclicLR(0.1, 1.0, mode="square"), "mode 'square'"),
    "CyclicLR's steps": (lambda s: s.CyclicLR(0.1, 1.0, 0), "0 steps up"),
    "CyclicLR's function": (lambda s: s.CyclicLR(0.1, 1.0, scale_fn=math.sin), "give steps"),
    "LambdaLR": (lambda s: s.LambdaLR(1.0, warmup, steps=0), "steps 0"),
    "SequentialLR": (lambda s: s.SequentialLR([s.StepLR(1.0, 3)], [4]), "1 schedulers and milestones"),
    "SequentialLR falling": (
        lambda s: s.SequentialLR([s.StepLR(1.0, 3)] * 3, [4, 2]),
        "in rising order",
    ),
    "SequentialLR nested": (
        lambda s: s.SequentialLR([s.ChainedScheduler([s.StepLR(1.0, 3)], steps=9), s.StepLR(1.0, 3)], [4]),
        "write its schedules out",
    ),
    "ChainedScheduler": (lambda s: s.ChainedScheduler([], steps=3), "0 schedulers"),
    "Tabulated": (lambda s: s.Tabulated([]), "no value"),
    "ReduceLROnPlateau": (lambda s: s.ReduceLROnPlateau(factor=1.0), "factor 1.0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_schedule_is_refused_with_the_reason(pair, name):
    build, reason = REFUSED[name]
    with pytest.raises(ValueError, match=reason):
        build(pair.module("schedules"))


# The plateau.

PLATEAUS = [
    dict(zip(("mode", "threshold_mode", "cooldown", "min_lr", "eps"), choice, strict=True))
    for choice in itertools.product(("min", "max"), ("rel", "abs"), (0, 3), (0.0, [0.02, 0.001]), (1e-8, 4e-4))
]


def metrics() -> np.ndarray:
    """Falls, stands still, gets better by less than the threshold, jumps, is not a number once."""
    rng = np.random.default_rng(3)
    values = np.concatenate([np.linspace(2, 1, 40), np.ones(30), 1 - 1e-6 * np.arange(40), rng.normal(size=90)])
    values[77] = np.nan
    return values


def torch_plateau(values: np.ndarray, **arguments) -> list[list[float]]:
    groups = [{"params": [torch.zeros(1)], "lr": rate} for rate in RATES]
    optimizer = torch.optim.SGD(groups)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **arguments)
    rows = []
    for value in values:
        scheduler.step(value)
        rows.append(
            [
                *(group["lr"] for group in optimizer.param_groups),
                scheduler.best,
                scheduler.num_bad_epochs,
                scheduler.cooldown_counter,
                scheduler.last_epoch,
            ]
        )
    return rows


def pair_plateau(pair, values: np.ndarray, **arguments) -> np.ndarray:
    plateau = pair.module("schedules").ReduceLROnPlateau(**arguments)
    state = plateau.init(pair.array(np.array(RATES)))
    if pair.name == "jax":
        import jax

        def step(state, value):
            state = plateau.update(state, value)
            return state, state

        _, states = jax.lax.scan(step, state, pair.array(values))
        states = {name: np.asarray(value) for name, value in states.items()}
    else:
        rows = []
        for value in pair.array(values):
            state = plateau.update(state, value)
            rows.append(state)
        states = {name: np.stack([pair.numpy(row[name]) for row in rows]) for name in state}
    rest = [states[name][:, None] for name in ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")]
    return np.concatenate([states["lr"], *rest], axis=1)


@pytest.mark.parametrize("arguments", PLATEAUS, ids=lambda a: "-".join(str(value) for value in a.values()))
def test_the_plateau_is_torch_s_state_machine_bit_for_bit(pair, arguments):
    options = {"factor": 0.5, "patience": 4, "threshold": 1e-4, **arguments}
    assert pair_plateau(pair, metrics(), **options).tolist() == torch_plateau(metrics(), **options)


@pytest.mark.parametrize(
    "fault", [{"patience": 5}, {"cooldown": 1}, {"mode": "max"}, {"threshold_mode": "abs"}, {"eps": 1e-2}]
)
def test_a_plateau_with_another_rule_is_told_apart(pair, fault):
    options = {"factor": 0.5, "patience": 4, "threshold": 0.1}
    assert pair_plateau(pair, 10 * metrics(), **options | fault).tolist() != torch_plateau(10 * metrics(), **options)
