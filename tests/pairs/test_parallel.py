"""A batch split over two devices gives the gradient of one device, even or uneven, or says why it cannot."""

import itertools
import multiprocessing
import subprocess
import sys

import numpy as np
import pytest

from parity.cases.parallel import BATCH, ROWS, SPLITS

pytestmark = pytest.mark.part(1)

BATCHES = [(10, 5, 2), (7, 5, 2), (7, 5, 6, 2), (1, 5, 6, 2)]  # rows, then layers


@pytest.fixture
def parallel(pair):
    return pair.module("parallel")


def make_job(pair, rows, *sizes, seed=0, dtype="float64"):
    rng = np.random.default_rng(seed)
    layers = list(itertools.pairwise(sizes))
    params = {
        "weights": [pair.array(rng.normal(size=(outputs, inputs)), dtype) for inputs, outputs in layers],
        "biases": [pair.array(rng.normal(size=outputs), dtype) for _, outputs in layers],
    }
    X, Y = (pair.array(rng.normal(size=(rows, width)), dtype) for width in (sizes[0], sizes[-1]))
    return params, X, Y


def flat(pair, result):
    """A loss and its gradients as one vector."""
    value, gradients = result
    parts = [value, *gradients["weights"], *gradients["biases"]]
    return np.concatenate([pair.numpy(part).reshape(-1) for part in parts])


def agree(parallel_result, single_result, dtype="float64"):
    # at most 30 rows are added up in another order: a few units of rounding of numbers of this size
    slack = 30 * np.finfo(dtype).eps * np.abs(single_result).max()
    return parallel_result.dtype == single_result.dtype and np.abs(parallel_result - single_result).max() <= slack


def mean_of_means(pair, job, devices):
    """The planted fault: the mean over devices of each device's own mean."""
    params, X, Y = job
    module, start, parts = pair.module("parallel"), 0, []
    for size in module.chunk_sizes(len(X), devices):
        parts.append(flat(pair, module.loss_and_gradients(params, X[start : start + size], Y[start : start + size])))
        start += size
    return np.mean(parts, axis=0)


def test_two_devices_give_the_gradients_of_one_and_a_mean_of_means_does_not(pair, parallel):
    jobs = [make_job(pair, *batch, seed=seed) for seed, batch in enumerate(BATCHES)]
    results = parallel.parallel_loss_and_gradients([*jobs, make_job(pair, 7, 5, 2, dtype="float32")])
    for job, result in zip(jobs, results, strict=False):
        single = flat(pair, parallel.loss_and_gradients(*job))
        assert agree(flat(pair, result), single)
        splits_evenly = len(set(parallel.chunk_sizes(len(job[1]), 2))) == 1
        assert agree(mean_of_means(pair, job, 2), single) == splits_evenly
    in_float32 = parallel.loss_and_gradients(*make_job(pair, 7, 5, 2, dtype="float32"))
    assert agree(flat(pair, results[-1]), flat(pair, in_float32), "float32")
    assert multiprocessing.active_children() == []


def test_more_devices_than_parts_leave_some_without_rows(parallel):
    assert parallel.chunk_sizes(1, 2) == (1,)
    assert parallel.chunk_sizes(10, 8) == (2, 2, 2, 2, 2)


@pytest.mark.parametrize("devices", SPLITS)
def test_the_rows_of_each_device_are_those_that_the_tutorial_prints(parallel, devices):
    assert parallel.batch_sizes(ROWS, BATCH) == (30, 30, 30, 10)
    assert (parallel.chunk_sizes(30, devices), parallel.chunk_sizes(10, devices)) == SPLITS[devices]


def test_every_split_holds_every_row_and_is_the_one_of_torch_chunk(parallel):
    import torch

    for rows in range(1, 40):
        for devices in range(1, 12):
            sizes = parallel.chunk_sizes(rows, devices)
            assert sum(sizes) == rows
            assert sizes == tuple(map(len, torch.arange(rows).chunk(devices)))
            assert parallel.batch_sizes(rows, devices) == tuple(map(len, torch.arange(rows).split(devices)))


@pytest.mark.parametrize(("rows", "parts"), [(0, 2), (3, 0), (3, -1)])
def test_nothing_to_split_or_nothing_to_split_over_is_refused(parallel, rows, parts):
    for split in (parallel.chunk_sizes, parallel.batch_sizes):
        with pytest.raises(ValueError, match=f"parallel: got {rows} rows to split by {parts}; wanted 1 or more"):
            split(rows, parts)


def test_an_empty_batch_and_a_batch_without_its_outputs_are_refused_before_any_work(pair, parallel):
    params, X, Y = make_job(pair, 4, 5, 2)
    with pytest.raises(ValueError, match="parallel: got 0 rows to split by 2"):
        parallel.parallel_loss_and_gradients([(params, X[:0], Y[:0])])
    with pytest.raises(ValueError, match="parallel: got 4 rows and 3 wanted outputs; wanted as many of both"):
        parallel.parallel_loss_and_gradients([(params, X, Y[:3])])


def test_the_gradients_are_those_of_the_formula(pair, parallel):
    params, X, Y = make_job(pair, 6, 5, 2)
    error = pair.numpy(X) @ pair.numpy(params["weights"][0]).T + pair.numpy(params["biases"][0]) - pair.numpy(Y)
    value, gradients = parallel.loss_and_gradients(params, X, Y)
    expected = [(error**2).sum() / 6, 2 / 6 * error.T @ pair.numpy(X), 2 / 6 * error.sum(axis=0)]
    for ours, theirs in zip([value, gradients["weights"][0], gradients["biases"][0]], expected, strict=True):
        # six terms of the largest error times inputs below ten, added up in two orders
        np.testing.assert_allclose(pair.numpy(ours), theirs, rtol=0, atol=6 * 2**-52 * np.abs(error).max() * 10)


# --- torch: processes ------------------------------------------------------------------------------------------------


def torch_job(dtype_of_params="float64"):
    import torch

    kind = getattr(torch, dtype_of_params)
    params = {"weights": [torch.ones(1, 1, dtype=kind)], "biases": [torch.ones(1, dtype=kind)]}
    return params, torch.ones(2, 1, dtype=torch.float64), torch.ones(2, 1, dtype=torch.float64)


def test_the_error_of_a_failing_process_is_told_and_none_is_left_running():
    from torch_impl import parallel

    with pytest.raises(RuntimeError, match=r"(?s)parallel: a process failed; mend what it says.*same dtype"):
        parallel.parallel_loss_and_gradients([torch_job("float32")])
    assert multiprocessing.active_children() == []


def test_processes_that_take_too_long_are_ended(monkeypatch):
    from torch_impl import parallel

    monkeypatch.setattr(parallel, "_TIME_LIMIT_S", 0.0)
    with pytest.raises(RuntimeError, match="parallel: 2 processes were not done within 0 s"):
        parallel.parallel_loss_and_gradients([torch_job()])
    assert multiprocessing.active_children() == []


# --- JAX: shards -----------------------------------------------------------------------------------------------------


def test_in_jax_the_real_rows_of_each_device_are_those_of_the_split():
    import jax.numpy as jnp

    from jax_impl import parallel

    for rows in (30, 10, 7, 1):
        params = {"weights": [jnp.ones((2, 5))], "biases": [jnp.ones(2)]}
        _, X, _, real = parallel._shard(parallel._mesh(2), params, jnp.ones((rows, 5)), jnp.ones((rows, 2)))
        on_devices = [int(shard.data.sum()) for shard in real.addressable_shards]
        assert len({shard.device for shard in X.addressable_shards}) == 2
        assert tuple(count for count in on_devices if count) == parallel.chunk_sizes(rows, 2)


def test_what_is_wanted_of_a_padded_row_does_not_count():
    import jax.numpy as jnp

    from jax_impl import parallel

    params = {"weights": [jnp.ones((1, 1))], "biases": [jnp.array([1e30])]}  # a padded row would give 1e60, so infinity
    ((value, gradients),) = parallel.parallel_loss_and_gradients([(params, jnp.zeros((1, 1)), jnp.full((1, 1), 1e30))])
    assert float(value) == 0.0
    assert float(gradients["biases"][0][0]) == 0.0


def test_where_jax_has_too_few_devices_the_next_step_is_told():
    program = (
        "import os; os.environ.pop('JAX_NUM_CPU_DEVICES', None)\n"
        "import jax.numpy as jnp\n"
        "from jax_impl import parallel\n"
        "params = {'weights': [jnp.ones((1, 1))], 'biases': [jnp.ones(1)]}\n"
        "parallel.parallel_loss_and_gradients([(params, jnp.ones((2, 1)), jnp.ones((2, 1)))])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert 'JAX has 1 CPU devices; wanted 2: call jax.config.update("jax_num_cpu_devices", 2)' in done.stderr
