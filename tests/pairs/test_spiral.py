"""The spiral's classifiers: the page's printed numbers, gradients by hand against the framework's, and the errors."""

import numpy as np
import pytest

from parity.cases.spiral import LINEAR_LOSSES, TWO_LAYER_LOSSES
from parity.data import case_study

pytestmark = pytest.mark.part(1)

SETTINGS = {"learning_rate": 1.0, "reg": 1e-3}


@pytest.fixture
def spiral(pair):
    return pair.module("spiral")


def arrays(pair, tree, dtype=None):
    return {name: pair.array(value, dtype) for name, value in tree.items()}


def train(pair, which, *, steps, by_hand=False, dtype=None):
    """Train one of the page's classifiers; its parameters and losses as NumPy arrays, and its accuracy."""
    study, impl = case_study(), pair.module("spiral")
    X, y = pair.array(study.X, dtype), pair.array(study.y)
    descend = impl.train_by_hand if by_hand else impl.train
    params, losses = descend(arrays(pair, getattr(study, which), dtype), X, y, **SETTINGS, steps=steps)
    accuracy = float(impl.accuracy(params, X, y))
    return {name: pair.numpy(value) for name, value in params.items()}, pair.numpy(losses), accuracy


@pytest.mark.parametrize("by_hand", [False, True])
def test_the_linear_classifier_prints_the_pages_twenty_losses_and_its_accuracy(pair, by_hand):
    _, losses, accuracy = train(pair, "linear", steps=200, by_hand=by_hand)
    assert [f"{value:.6f}" for value in losses[::10]] == [f"{value:.6f}" for value in LINEAR_LOSSES]
    assert f"{accuracy:.2f}" == "0.49"


@pytest.mark.part(0)
def test_the_net_prints_the_pages_first_six_losses_and_its_accuracy(pair):
    # the last four, at 6,000 to 9,000, are beyond the horizon of a comparison digit by digit: the case judges them
    _, losses, accuracy = train(pair, "two_layer", steps=5001)
    assert [f"{value:.6f}" for value in losses[::1000]] == [f"{value:.6f}" for value in TWO_LAYER_LOSSES[:6]]
    assert f"{accuracy:.2f}" == "0.98"


@pytest.mark.part(0)
def test_at_float32_the_net_learns_the_spiral_along_its_own_path(pair):
    _, losses, accuracy = train(pair, "two_layer", steps=1000, dtype="float32")
    assert losses.dtype == np.float32
    assert losses[-1] < losses[0] / 2
    assert accuracy > 0.9


def test_gradients_by_hand_are_the_frameworks_gradients(pair, spiral):
    # one step of size 1 from the same place: the difference of the parameters is the gradient
    study = case_study()
    X, y = pair.array(study.X), pair.array(study.y)
    for which in ("linear", "two_layer"):
        params = getattr(study, which)
        by_hand = spiral.gradients_by_hand(arrays(pair, params), X, y, reg=1e-3)
        after, _ = train(pair, which, steps=1)[:2]
        for name, before in params.items():
            # sums of 300 numbers that come to at most 2/3 in size, in two orders: a few units of float64 at 1
            np.testing.assert_allclose(before - after[name], pair.numpy(by_hand[name]), rtol=0, atol=4 * 2**-53)


def test_a_forgotten_relu_mask_is_seen(pair, spiral):
    study = case_study()
    X, y, params = pair.array(study.X), pair.array(study.y), arrays(pair, study.two_layer)
    by_hand = spiral.gradients_by_hand(params, X, y, reg=1e-3)
    df = spiral.score_gradient(spiral.probabilities(spiral.scores(params, X)), y)
    without_mask = pair.numpy(X).T @ (pair.numpy(df) @ study.two_layer["W2"].T) + 1e-3 * study.two_layer["W"]
    assert abs(without_mask - pair.numpy(by_hand["W"])).max() > 1e-4


def test_the_score_gradient_is_the_pages_example(pair, spiral):
    gradient = pair.numpy(spiral.score_gradient(pair.array([[0.2, 0.3, 0.5]]), pair.array([1])))
    np.testing.assert_array_equal(gradient, [[0.2, 0.3 - 1, 0.5]])


def test_the_gradient_of_one_points_scores_sums_to_zero_so_a_tie_at_the_relu_moves_no_bias(pair, spiral):
    study = case_study()
    X, y, params = pair.array(study.X), pair.array(study.y), arrays(pair, study.two_layer)
    df = pair.numpy(spiral.score_gradient(spiral.probabilities(spiral.scores(params, X)), y))
    ties = np.flatnonzero((study.X == 0).all(axis=1))
    assert len(ties) == 3
    # probabilities of a third, less one and added up: one rounding of a number below one
    np.testing.assert_allclose(df[ties].sum(axis=0), 0, atol=2**-53)


def test_the_first_loss_of_small_weights_is_that_of_guessing(pair, spiral):
    study = case_study()
    params = {"W": np.zeros((2, 3)), "b": np.zeros(3)}
    value = spiral.loss(arrays(pair, params), pair.array(study.X), pair.array(study.y), reg=1e-3)
    assert float(value) == pytest.approx(np.log(3), abs=1e-15)  # the mean of 300 equal numbers rounds


def test_the_penalty_is_half_of_reg_times_the_squared_weights_and_leaves_the_biases_out(pair, spiral):
    X, y = pair.array([[1.0, 1.0]]), pair.array([0])
    params = arrays(pair, {"W": [[3.0], [4.0]], "b": [100.0]})  # one class: the cross-entropy is zero
    assert float(spiral.loss(params, X, y, reg=0.5)) == 0.25 * 25
    net = arrays(pair, {"W": [[3.0], [0.0]], "b": [100.0], "W2": [[4.0]], "b2": [7.0]})
    assert float(spiral.loss(net, X, y, reg=0.5)) == 0.25 * 25


def test_training_leaves_what_it_was_given_as_it_was(pair, spiral):
    study = case_study()
    X, y = pair.array(study.X), pair.array(study.y)
    for descend in (spiral.train, spiral.train_by_hand):
        params = arrays(pair, study.two_layer)
        descend(params, X, y, **SETTINGS, steps=2)
        for name, value in study.two_layer.items():
            np.testing.assert_array_equal(pair.numpy(params[name]), value)


def test_training_can_be_taken_up_where_it_stopped(pair, spiral):
    study = case_study()
    X, y = pair.array(study.X), pair.array(study.y)
    whole, losses = spiral.train(arrays(pair, study.two_layer), X, y, **SETTINGS, steps=4)
    half, first = spiral.train(arrays(pair, study.two_layer), X, y, **SETTINGS, steps=2)
    again, second = spiral.train(half, X, y, **SETTINGS, steps=2)
    np.testing.assert_array_equal(np.concatenate([pair.numpy(first), pair.numpy(second)]), pair.numpy(losses))
    np.testing.assert_array_equal(pair.numpy(again["W"]), pair.numpy(whole["W"]))


@pytest.mark.parametrize("by_hand", [False, True])
def test_no_steps_give_no_losses_and_the_same_parameters(pair, by_hand):
    params, losses, _ = train(pair, "linear", steps=0, by_hand=by_hand)
    assert losses.shape == (0,)
    np.testing.assert_array_equal(params["W"], case_study().linear["W"])


def test_float32_stays_float32(pair, spiral):
    study, dtype = case_study(), "float32"
    X, y, params = pair.array(study.X, dtype), pair.array(study.y), arrays(pair, study.two_layer, dtype)
    f = spiral.scores(params, X)
    results = [f, spiral.probabilities(f), spiral.loss(params, X, y, reg=1e-3), spiral.accuracy(params, X, y)]
    results += [
        spiral.decision_values(params, X[:3, 0], X[:2, 1]),
        *spiral.gradients_by_hand(params, X, y, reg=1e-3).values(),
    ]
    assert {str(pair.numpy(value).dtype) for value in results} == {dtype}


def test_the_grid_holds_the_scores_of_its_points_row_by_row(pair, spiral):
    params = arrays(pair, case_study().two_layer)
    across, up = np.array([-1.0, 0.5, 2.0]), np.array([0.0, 1.0])
    values = pair.numpy(spiral.decision_values(params, pair.array(across), pair.array(up)))
    assert values.shape == (2, 3, 3)
    for v in range(2):
        for u in range(3):
            here = pair.numpy(spiral.scores(params, pair.array([[across[u], up[v]]])))[0]
            np.testing.assert_allclose(values[v, u], here, rtol=0, atol=1e-17)  # sums of 1e-2 in another order


def test_one_point_of_one_class_has_nothing_to_learn(pair, spiral):
    params = arrays(pair, {"W": [[1.0], [1.0]], "b": [0.0]})
    gradients = spiral.gradients_by_hand(params, pair.array([[1.0, 2.0]]), pair.array([0]), reg=0.0)
    assert not any(pair.numpy(gradient).any() for gradient in gradients.values())


@pytest.mark.parametrize("shape", [(5, 3), (2,), (2, 2, 2)])
def test_points_that_do_not_fit_the_weights_are_refused(pair, spiral, shape):
    with pytest.raises(ValueError, match=r"spiral: got points of shape \(.*\); wanted \(N, 2\), as W has 2 rows"):
        spiral.scores(arrays(pair, case_study().linear), pair.array(np.zeros(shape)))
