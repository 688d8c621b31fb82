"""Trainings with random streams of their own: the same ones are shown to be, slower ones never pass."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from parity.checking.seeds import check_seeds, final_loss, steps_to
from parity.data import case_study
from parity.numerics import Verdict

pytestmark = pytest.mark.part(2)

STEPS, BATCH, FEATURES = 60, 16, 6
TEACHER = np.linspace(-1.0, 1.0, FEATURES)
RATE = 0.05


def torch_train(learning_rate=RATE):
    """Noisy regression by SGD, with batches and noise from torch's generator."""

    def train(seed):
        generator = torch.Generator().manual_seed(seed)
        w, losses = torch.zeros(FEATURES), []
        for _ in range(STEPS):
            X = torch.randn(BATCH, FEATURES, generator=generator)
            y = X @ torch.tensor(TEACHER, dtype=torch.float32) + 0.3 * torch.randn(BATCH, generator=generator)
            error = X @ w - y
            losses.append((error * error).mean())
            w = w - learning_rate * 2 * X.T @ error / BATCH
        return torch.stack(losses)

    return train


def jax_train(learning_rate=RATE):
    """The same with JAX's keys."""

    @jax.jit
    def run(key):
        def step(w, key):
            one, other = jax.random.split(key)
            X = jax.random.normal(one, (BATCH, FEATURES))
            error = X @ w - X @ jnp.asarray(TEACHER, jnp.float32) - 0.3 * jax.random.normal(other, (BATCH,))
            return w - learning_rate * 2 * X.T @ error / BATCH, (error * error).mean()

        return jax.lax.scan(step, jnp.zeros(FEATURES), jax.random.split(key, STEPS))[1]

    return lambda seed: run(jax.random.key(seed))


def spiral_nets(side, learning_rate):
    """Nets that start from their framework's own random numbers: by one seed, and by many together."""
    study, settings = case_study(), {"reg": 1e-3, "steps": 20}
    shapes = {"W": (2, 8), "b": (8,), "W2": (8, 3), "b2": (3,)}
    if side == "torch":
        from torch_impl import loops, spiral

        X, y, stack = torch.tensor(study.X[::10], dtype=torch.float32), torch.tensor(study.y[::10]), torch.stack

        def start(seed):
            generator = torch.Generator().manual_seed(seed)
            return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}

    else:
        from jax_impl import loops, spiral

        X, y, stack = jnp.asarray(study.X[::10], jnp.float32), jnp.asarray(study.y[::10]), jnp.stack

        def start(seed):
            keys = jax.random.split(jax.random.key(seed), len(shapes))
            draws = zip(shapes.items(), keys, strict=True)
            return {name: jax.random.normal(key, shape) for (name, shape), key in draws}

    def single(seed):
        return spiral.train(start(seed), X, y, learning_rate=learning_rate, **settings)[1]

    def many(seeds):
        starts = [start(seed) for seed in seeds]
        lanes = {name: stack([one[name] for one in starts]) for name in shapes}
        rates = stack([X[0, 0] * 0 + learning_rate] * len(seeds))
        return loops.train_seeds(lanes, X, y, learning_rates=rates, **settings)[1]

    return single, many


def noise(offset, mean=1.0, spread=0.1):
    return lambda seed: np.random.default_rng((offset, seed)).normal(mean, spread, size=50)


def finding(report, path):
    return next(f for f in report.findings if f.torch_path == path)


def test_the_same_training_with_other_streams_is_shown_to_be_the_same():
    report = check_seeds(torch_train(), jax_train(), target=0.5)
    assert report, str(report)
    assert report.dtypes == ("float32",)
    assert [f.torch_path for f in report.findings] == ["", "final loss", "mean loss", "steps to 0.5"]
    assert "equivalent over 23 seeds" in finding(report, "final loss").message


@pytest.mark.parametrize("slower", ["torch", "jax"])
def test_a_learning_rate_of_seven_tenths_never_passes_on_either_side(slower):
    sides = {"torch": (torch_train(0.7 * RATE), jax_train()), "jax": (torch_train(), jax_train(0.7 * RATE))}
    report = check_seeds(*sides[slower], target=0.5)
    assert finding(report, "final loss")  # which ends as low, and alone would let it pass
    assert finding(report, "mean loss").verdict is Verdict.SEMANTIC
    assert finding(report, "steps to 0.5").verdict is Verdict.SEMANTIC
    # the spread of three seeds hides it, where a test for a difference would let it pass
    assert check_seeds(*sides[slower], seeds=3).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(("rate", "verdict"), [(1.0, Verdict.AGREE), (0.1, Verdict.SEMANTIC)])
def test_trained_together_seeds_get_the_verdict_that_they_get_one_by_one(rate, verdict):
    sides = zip(spiral_nets("torch", 1.0), spiral_nets("jax", rate), strict=True)
    single, many = (check_seeds(*pair, seeds=40, together=how) for pair, how in zip(sides, (False, True), strict=True))
    assert single.verdict is verdict, str(single)
    assert [(f.torch_path, f.verdict) for f in many.findings] == [(f.torch_path, f.verdict) for f in single.findings]
    assert many.dtypes == single.dtypes == ("float32",)


@pytest.mark.parametrize(
    ("train", "said"),
    [
        (lambda seeds: np.ones((3, 3)), r"shape \(3, 3\) for 4 seeds, wanted \(4, steps\), a row"),
        (lambda seeds: 1 / 0, "the jax side raised with 4 seeds together: ZeroDivisionError"),
    ],
)
def test_a_side_that_trains_all_seeds_at_once_and_cannot_be_read_is_reported(train, said):
    report = check_seeds(lambda seeds: np.stack([noise(1)(seed) for seed in seeds]), train, seeds=4, together=True)
    assert report.exit_status == 3
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(report.results[0].error)


def test_a_training_that_ends_far_higher_is_different():
    report = check_seeds(noise(1), noise(2, mean=1.5))
    assert report.verdict is Verdict.SEMANTIC
    assert "different over 23 seeds: difference -0.497" in report.first.message


def test_few_seeds_of_the_same_training_are_undecided_and_say_how_many_it_takes():
    report = check_seeds(noise(1), noise(2), seeds=4)
    assert not report
    assert report.verdict is Verdict.UNDECIDED
    assert "undecided: 4 seeds cannot tell, needs about" in report.first.message


def test_seeds_that_fail_are_counted():
    def failing(train, seeds):
        return lambda seed: np.full(50, np.nan) if seed in seeds else train(seed)

    report = check_seeds(failing(noise(1), range(20)), noise(2))
    share = finding(report, "seeds with a loss at every step")
    assert share.verdict is Verdict.SEMANTIC
    assert "torch 3 of 23, jax 23 of 23" in share.message
    few = check_seeds(noise(1), failing(noise(2), {3, 4, 5}))
    assert finding(few, "seeds with a loss at every step").verdict is Verdict.UNDECIDED
    assert not few
    alike = check_seeds(failing(noise(1), {3}), failing(noise(2), {9}))
    assert finding(alike, "seeds with a loss at every step").verdict is Verdict.AGREE
    none = check_seeds(failing(noise(1), range(23)), failing(noise(2), range(23)))
    assert none.verdict is Verdict.UNDECIDED


def test_a_target_that_one_side_does_not_reach_is_found_though_the_ends_agree():
    def dipping(seed):
        curve = noise(1)(seed)
        curve[20:30] -= 0.5
        curve[:10] += 0.5
        return curve

    report = check_seeds(dipping, noise(2), target=0.7)
    assert finding(report, "final loss")
    assert finding(report, "mean loss")
    assert "torch 23 of 23, jax 0 of 23" in finding(report, "seeds that reach 0.7").message
    assert report.verdict is Verdict.SEMANTIC


def test_a_training_that_does_not_depend_on_its_seed_shows_nothing():
    report = check_seeds(lambda seed: np.ones(50), noise(2))
    assert report.verdict is Verdict.UNDECIDED
    assert "every seed gives torch the same, so" in report.first.message


def test_curves_of_other_lengths_are_a_matter_of_structure():
    report = check_seeds(noise(1), lambda seed: noise(2)(seed)[:40])
    assert report.verdict is Verdict.STRUCTURE
    assert "torch 50 steps, jax 40" in report.first.message


@pytest.mark.parametrize(
    ("train", "said"),
    [
        (lambda seed: np.ones((3, 3)), r"shape \(3, 3\) at seed 0, wanted \(steps,\)"),
        (lambda seed: 1 / 0, "the jax side raised at seed 0: ZeroDivisionError"),
    ],
)
def test_a_side_that_cannot_be_read_is_reported_with_its_name(train, said):
    report = check_seeds(noise(1), train)
    assert report.exit_status == 3
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(report.results[0].error)


def test_calls_that_make_no_sense_are_refused_before_anything_is_trained():
    def never(seed):
        raise AssertionError("trained")

    with pytest.raises(TypeError, match="jax side is a int"):
        check_seeds(never, 3)
    with pytest.raises(ValueError, match="got 1 seeds"):
        check_seeds(never, never, seeds=1)
    with pytest.raises(ValueError, match="margin is -1"):
        check_seeds(never, never, margin=-1)


def test_a_bfloat16_curve_of_torch_is_read():
    report = check_seeds(lambda seed: torch.tensor(noise(1)(seed), dtype=torch.bfloat16), noise(2))
    assert report.dtypes == ("bfloat16",)


def test_the_end_of_a_curve_and_the_steps_to_a_target_are_means_over_a_tenth():
    curve = np.concatenate([np.full(50, 4.0), np.full(50, 1.0)])
    assert final_loss(curve) == 1.0
    assert steps_to(curve, 2.5) == 55
    assert steps_to(curve, 0.5) == np.inf
    assert steps_to(np.full(20, np.nan), 1.0) == np.inf
