"""The fast loops: what their cases do not tell; that all agree, fast and readable, is told there."""

import numpy as np
import pytest
import torch

from parity.cases import loops as cases
from parity.cases.runner import run_case
from parity.numerics import Verdict
from torch_impl.loops import lenet as torch_lenet
from torch_impl.loops._repeat import repeat

pytestmark = pytest.mark.part(1)


def arrays(pair, tree):
    if isinstance(tree, dict):
        return {name: arrays(pair, value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [arrays(pair, value) for value in tree]
    return pair.array(tree) if isinstance(tree, np.ndarray) else tree


@pytest.fixture
def loops(pair):
    return pair.module("loops")


def test_the_linear_classifier_is_refused(pair, loops):
    given = cases.spiral(np.random.default_rng(0), steps=1)
    given["params"] = {name: given["params"][name] for name in ("W", "b")}
    with pytest.raises(ValueError, match="linear classifier's parameters, wanted a net's"):
        loops.train_spiral(**arrays(pair, given))


@pytest.mark.parametrize("name", ["spiral", "network", "lenet", "sweep"])
def test_training_leaves_what_it_was_given_and_goes_on_from_where_it_stopped(pair, loops, name):
    rng, options = np.random.default_rng(0), {"epochs": 2} if name == "network" else {"steps": 2}
    inputs = getattr(cases, name)(rng, **options)
    train = getattr(loops, "train_seeds" if name == "sweep" else f"train_{name}")
    given = arrays(pair, inputs)
    whole, curve = train(**given)
    first, rest = next(iter(inputs)), dict(given)
    for before, after in zip(flat(inputs[first]), flat(given[first]), strict=True):
        np.testing.assert_array_equal(pair.numpy(after), before)
    parts, state = [], given[first]
    for part in range(2):
        rest[first] = state
        rest |= {"order": given["order"][part : part + 1]} if "order" in given else {"steps": 1}
        state, told = train(**rest)
        parts.append(pair.numpy(told))
    # the same operations; XLA may fuse a loop of one step in another way: some roundings of numbers near 1
    np.testing.assert_allclose(np.concatenate(parts, axis=-1), pair.numpy(curve), rtol=0, atol=2**-48)
    for one, other in zip(flat(state), flat(whole), strict=True):
        np.testing.assert_allclose(pair.numpy(one), pair.numpy(other), rtol=0, atol=2**-48)


@pytest.mark.parametrize("kind", ["net", "linear"])
def test_lanes_in_turn_end_where_lanes_together_do(pair, loops, kind):
    given = cases.sweep(np.random.default_rng(0), lanes=3, steps=4)
    if kind == "linear":
        given["params"] = {"W": given["params"]["W"][:, :, :3], "b": given["params"]["b"][:, :3]}
    together, turns = (loops.train_seeds(**arrays(pair, given), together=how) for how in (True, False))
    swapped = loops.train_seeds(**arrays(pair, given | {"learning_rates": given["learning_rates"][::-1].copy()}))
    assert np.abs(pair.numpy(swapped[1]) - pair.numpy(together[1])).max() > 1e-6  # what a lane's own rate does
    # the same sums of 300 numbers near 1 in another order, over four steps
    np.testing.assert_allclose(pair.numpy(turns[1]), pair.numpy(together[1]), rtol=0, atol=2**-46)
    for name, value in together[0].items():
        np.testing.assert_allclose(pair.numpy(turns[0][name]), pair.numpy(value), rtol=0, atol=2**-46)


def flat(tree):
    if isinstance(tree, dict):
        return [leaf for value in tree.values() for leaf in flat(value)]
    return [leaf for value in tree for leaf in flat(value)] if isinstance(tree, list) else [tree]


def test_where_numbers_tie_the_first_of_the_window_gets_the_gradient_as_in_torch():
    import jax
    import jax.numpy as jnp

    from jax_impl.loops.lenet import _pooled

    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, size=(3, 5, 8, 8)).astype(np.float64)  # most windows tie
    given = torch.tensor(x, requires_grad=True)
    weights = rng.normal(size=(3, 5, 4, 4))
    (torch.nn.functional.max_pool2d(given, 2) * torch.tensor(weights)).sum().backward()
    with jax.enable_x64(True):
        ours = jax.grad(lambda x: (_pooled(x) * weights).sum())(jnp.asarray(x))
        shared = jax.grad(lambda x: (x.reshape(3, 5, 4, 2, 4, 2).max((3, 5)) * weights).sum())(jnp.asarray(x))
    np.testing.assert_array_equal(np.asarray(ours), given.grad.numpy())
    assert np.abs(np.asarray(shared) - given.grad.numpy()).max() > 0.1  # what `max` makes of ties


def test_a_fault_in_one_fast_loop_is_seen_against_the_readable_one(monkeypatch):
    import torch_impl.loops as loops

    right = loops.train_seeds
    faulty = lambda *a, learning_rates, **k: right(*a, learning_rates=learning_rates.flip(0), **k)
    monkeypatch.setattr(loops, "train_seeds", faulty)
    case = next(case for case in cases.CASES if case.name == "loops.train_seeds_in_torch")
    assert run_case(case).verdict is Verdict.SEMANTIC


def test_onednn_is_as_it_was_even_where_the_loop_raises():
    before, seen = torch.backends.mkldnn.enabled, []

    def stopped():
        with torch_lenet._own_convolutions():
            seen.append(torch.backends.mkldnn.enabled)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stopped()
    assert (seen, torch.backends.mkldnn.enabled) == ([False], before)


@pytest.mark.parametrize("times", [0, 1, 5])
def test_a_step_runs_as_often_as_asked_on_the_rows_of_its_batches_and_what_it_gives_is_kept(times):
    done, told = [], torch.full((times,), torch.nan)
    repeat(lambda: done.append(1), times)
    repeat(lambda a, b: a + b[0], times, (torch.arange(times), torch.ones(times, 2)), told)
    assert len(done) == times
    assert told.tolist() == [row + 1 for row in range(times)]
