"""Stochastic gradient descent, by hand and by the framework's optimizer, on each side alone."""

import numpy as np
import pytest

from parity.cases.sgd import VARIANTS, in_numpy, training
from parity.data import digits

pytestmark = pytest.mark.part(1)

LOOPS = (
    ("train", "dampening"),
    ("train_in_place", "plain"),
    ("train_with_optimizer", "plain"),
    ("train_with_optimizer", "dampening"),
)


def arrays(pair, nest):
    if isinstance(nest, dict):
        return {name: arrays(pair, value) for name, value in nest.items()}
    return pair.array(nest) if isinstance(nest, np.ndarray) else nest


def numpy(pair, nest):
    return {name: numpy(pair, value) if isinstance(value, dict) else pair.numpy(value) for name, value in nest.items()}


def same(left, right):
    """Bit for bit, through nested dicts."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    return left.dtype == right.dtype and np.array_equal(left, right)


def one_weight(pair, weight=1.0, **slots):
    return {"params": {"w": pair.array([weight])}, **{name: arrays(pair, value) for name, value in slots.items()}}


def stepped(pair, state, gradient, **hyperparameters):
    state = pair.module("sgd").sgd_step(state, {"w": pair.array([gradient])}, **hyperparameters)
    return numpy(pair, state)


def buffer(value):
    return {"w": np.array([value])}


# The rule. The numbers are powers of two, so that every result is exact.


def test_plain_descent_takes_the_learning_rate_times_the_gradient(pair):
    assert stepped(pair, one_weight(pair), 0.5, learning_rate=0.25) == {"params": {"w": [0.875]}}


def test_momentum_adds_the_gradient_to_what_is_left_of_the_velocity(pair):
    state = one_weight(pair, momentum_buffer=buffer(2.0))
    after = stepped(pair, state, 0.5, learning_rate=0.25, momentum=0.5)
    assert after == {"params": {"w": [0.625]}, "momentum_buffer": {"w": [1.5]}}


def test_nesterov_adds_the_gradient_once_more(pair):
    state = one_weight(pair, momentum_buffer=buffer(2.0))
    after = stepped(pair, state, 0.5, learning_rate=0.25, momentum=0.5, nesterov=True)
    assert after == {"params": {"w": [0.6875]}, "momentum_buffer": {"w": [1.5]}}


def test_weight_decay_enters_the_velocity(pair):
    state = one_weight(pair, 4.0, momentum_buffer=buffer(2.0))
    after = stepped(pair, state, 0.5, learning_rate=0.25, momentum=0.5, weight_decay=0.125)
    assert after == {"params": {"w": [3.5]}, "momentum_buffer": {"w": [2.0]}}


def test_dampening_spares_the_first_gradient_alone(pair):
    hyperparameters = {"learning_rate": 0.25, "momentum": 0.5, "dampening": 0.75}
    first = one_weight(pair, momentum_buffer=buffer(0.0), step=np.array(0))
    after = stepped(pair, first, 0.5, **hyperparameters)
    assert after == {"params": {"w": [0.875]}, "momentum_buffer": {"w": [0.5]}, "step": 1}
    second = one_weight(pair, 0.875, momentum_buffer=buffer(0.5), step=np.array(1))
    after = stepped(pair, second, 0.5, **hyperparameters)
    assert after == {"params": {"w": [0.78125]}, "momentum_buffer": {"w": [0.375]}, "step": 2}


def test_dampening_without_momentum_has_no_effect(pair):
    assert stepped(pair, one_weight(pair), 0.5, learning_rate=0.25, dampening=0.5) == {"params": {"w": [0.875]}}


def test_the_slots_are_those_of_the_framework_s_own_optimizer(pair):
    sgd = pair.module("sgd")
    params = {"w": pair.array([1.0, 2.0])}
    for momentum in (0.0, 0.9):
        state = sgd.initial_state(params, momentum=momentum)
        assert tuple(name for name in state if name != "params") == sgd.slots(momentum=momentum)


# Minibatches.


def test_a_minibatch_of_10_in_60_000_is_6000_times_cheaper(pair):
    assert pair.module("sgd").updates_per_epoch(60_000, 10) == 6000


def test_online_learning_updates_20_times_as_often_as_minibatches_of_20(pair):
    updates = pair.module("sgd").updates_per_epoch
    assert updates(50_000, 1) == 20 * updates(50_000, 20)


def test_the_order_is_the_permutation_cut_into_rows(pair):
    permutations = np.stack([np.random.default_rng(seed).permutation(12) for seed in range(3)])
    order = pair.numpy(pair.module("sgd").minibatches(pair.array(permutations), 4))
    assert order.shape == (9, 4)
    assert np.array_equal(order.reshape(3, 12), permutations)


@pytest.mark.parametrize("batch_size", [0, 5])
def test_minibatches_that_do_not_divide_the_examples_are_refused(pair, batch_size):
    with pytest.raises(ValueError, match=f"batch_size {batch_size} does not divide 12 examples"):
        pair.module("sgd").minibatches(pair.array(np.arange(12)[None]), batch_size)


def test_equations_20_and_21_are_the_step_along_the_mean_gradient(pair):
    sgd = pair.module("sgd")
    inputs = arrays(pair, training(np.random.default_rng(0), epochs=1))
    state, X, Y, order = (inputs[name] for name in ("state", "X", "Y", "order"))
    rows = order[0]
    summed = numpy(pair, sgd.minibatch_step(state["params"], X[rows], Y[rows], learning_rate=3.0))
    mean, _ = sgd.train(state, X, Y, order[:1], learning_rate=3.0)
    for name, value in numpy(pair, mean["params"]).items():
        # ten gradients summed in another order: a few units of rounding on values of about one
        np.testing.assert_allclose(summed[name], value, rtol=0, atol=1e-14)


# Training.


@pytest.mark.parametrize("variant", VARIANTS)
def test_by_hand_and_by_optimizer_the_curve_is_numpy_s(pair, variant):
    sgd = pair.module("sgd")
    inputs = training(np.random.default_rng(0), **VARIANTS[variant])
    by_hand, losses = sgd.train(**arrays(pair, inputs))
    by_optimizer, optimizer_losses = sgd.train_with_optimizer(**arrays(pair, inputs))
    expected = in_numpy(inputs)["losses"]
    # float64, 150 contracting steps, losses below one: what rounding leaves is some 1e-16; a wrong formula leaves 1e-3
    np.testing.assert_allclose(pair.numpy(losses), expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(pair.numpy(optimizer_losses), expected, rtol=0, atol=1e-13)
    assert expected[-1] < expected[0]
    by_hand, by_optimizer = numpy(pair, by_hand), numpy(pair, by_optimizer)
    assert by_hand.keys() == by_optimizer.keys()
    for part in by_hand.keys() - {"step"}:
        for name, value in by_hand[part].items():
            # as of the losses
            np.testing.assert_allclose(by_optimizer[part][name], value, rtol=0, atol=1e-13)
    assert by_hand.get("step") == by_optimizer.get("step")


@pytest.mark.parametrize("fault", [{"weight_decay": 0.0100001}, {"momentum": 0.9000001}])
def test_that_comparison_sees_a_hyperparameter_off_by_a_millionth(pair, fault):
    inputs = training(np.random.default_rng(0), **VARIANTS["dampening"])
    _, losses = pair.module("sgd").train_with_optimizer(**arrays(pair, inputs | fault))
    assert np.abs(pair.numpy(losses) - in_numpy(inputs)["losses"]).max() > 1e-10


def test_that_comparison_sees_a_first_gradient_that_was_dampened(pair):
    inputs = training(np.random.default_rng(0), **VARIANTS["dampening"])
    inputs["state"]["step"] = np.array(1)
    for loop in ("train", "train_with_optimizer"):
        _, losses = getattr(pair.module("sgd"), loop)(**arrays(pair, inputs))
        assert np.abs(pair.numpy(losses) - in_numpy(inputs)["losses"]).max() > 1e-4


def test_overwriting_in_place_is_plain_descent(pair):
    sgd = pair.module("sgd")
    inputs = arrays(pair, training(np.random.default_rng(0)))
    state, losses = sgd.train_in_place(**inputs)
    by_hand, by_hand_losses = sgd.train(**inputs)
    assert same(numpy(pair, state), numpy(pair, by_hand))
    assert same(pair.numpy(losses), pair.numpy(by_hand_losses))


@pytest.mark.parametrize(("loop", "variant"), LOOPS)
def test_a_run_stopped_and_resumed_is_the_run_in_one_go(pair, loop, variant):
    inputs = arrays(pair, training(np.random.default_rng(0), **VARIANTS[variant]))
    state, order = inputs.pop("state"), inputs.pop("order")
    run = getattr(pair.module("sgd"), loop)
    whole, losses = run(state=state, order=order, **inputs)
    half, first = run(state=state, order=order[:75], **inputs)
    resumed, second = run(state=half, order=order[75:], **inputs)
    assert same(numpy(pair, resumed), numpy(pair, whole))
    assert same(np.concatenate([pair.numpy(first), pair.numpy(second)]), pair.numpy(losses))


@pytest.mark.parametrize(("loop", "variant"), LOOPS)
def test_the_caller_s_arrays_keep_their_values(pair, loop, variant):
    inputs = training(np.random.default_rng(0), **VARIANTS[variant])
    given = arrays(pair, inputs)
    getattr(pair.module("sgd"), loop)(**given)
    assert same(numpy(pair, given["state"]), inputs["state"])


@pytest.mark.parametrize(("loop", "variant"), LOOPS)
def test_no_steps_leave_the_state_as_it_was(pair, loop, variant):
    inputs = training(np.random.default_rng(0), **VARIANTS[variant])
    state, losses = getattr(pair.module("sgd"), loop)(**arrays(pair, inputs | {"order": np.empty((0, 10), int)}))
    assert same(numpy(pair, state), inputs["state"])
    assert tuple(losses.shape) == (0,)


@pytest.mark.parametrize(("loop", "variant"), [LOOPS[0], LOOPS[1], LOOPS[-1]])
def test_float32_stays_float32(pair, loop, variant):
    inputs = training(np.random.default_rng(0), **VARIANTS[variant])

    def narrow(nest):
        if isinstance(nest, dict):
            return {name: narrow(value) for name, value in nest.items()}
        is_floating = isinstance(nest, np.ndarray) and nest.dtype.kind == "f"
        return nest.astype(np.float32) if is_floating else nest

    state, losses = getattr(pair.module("sgd"), loop)(**arrays(pair, narrow(inputs)))
    state = numpy(pair, state)
    floats = [pair.numpy(losses), *state["params"].values(), *state.get("momentum_buffer", {}).values()]
    assert {array.dtype.name for array in floats} == {"float32"}


@pytest.mark.part(0)
def test_ten_sigmoid_neurons_read_287_of_297_digits(pair):
    """Nielsen's exercise without a hidden layer, eta 3.0, minibatches of 10, 30 epochs."""
    sgd, data = pair.module("sgd"), digits()
    start = np.random.RandomState(0)
    params = {"bias": start.randn(10, 1)[:, 0], "weight": start.randn(10, 64)}
    shuffle, rows = np.random.RandomState(1), np.arange(1500)
    permutations = []
    for _ in range(30):
        rows = rows[shuffle.permutation(1500)]
        permutations.append(rows)
    order = sgd.minibatches(pair.array(np.array(permutations)), 10)
    state, _ = sgd.train_with_optimizer(
        sgd.initial_state(arrays(pair, params)),
        pair.array(data.train_images),
        pair.array(np.eye(10)[data.train_labels]),
        order,
        learning_rate=3.0,
    )
    trained = numpy(pair, state["params"])
    predicted = np.argmax(data.test_images @ trained["weight"].T + trained["bias"], axis=1)
    assert int((predicted == data.test_labels).sum()) == 287


# Errors.


@pytest.mark.parametrize("loop", ["train", "train_in_place", "train_with_optimizer"])
def test_an_order_without_batches_is_refused(pair, loop):
    inputs = training(np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"order has shape \(150,\), wanted \(steps, batch\)"):
        getattr(pair.module("sgd"), loop)(**arrays(pair, inputs | {"order": inputs["order"][:, 0]}))


@pytest.mark.parametrize("loop", ["train", "train_with_optimizer"])
def test_a_state_without_its_slots_is_refused(pair, loop):
    inputs = training(np.random.default_rng(0))
    with pytest.raises(
        ValueError, match=r"the state holds \['params'\], but momentum 0.9 .* initial_state\(\) makes it"
    ):
        getattr(pair.module("sgd"), loop)(**arrays(pair, inputs), momentum=0.9)


@pytest.mark.parametrize("hyperparameters", [{}, {"momentum": 0.9, "dampening": 0.1}])
@pytest.mark.parametrize("loop", ["train", "train_with_optimizer"])
def test_nesterov_without_momentum_or_with_dampening_is_refused(pair, loop, hyperparameters):
    inputs = training(np.random.default_rng(0), **hyperparameters)
    with pytest.raises(ValueError, match="nesterov needs momentum and no dampening"):
        getattr(pair.module("sgd"), loop)(**arrays(pair, inputs), nesterov=True)
