"""The losses: the sources' numbers, the factors that names hide, large scores, and the errors."""

import math

import numpy as np
import pytest

pytestmark = pytest.mark.part(1)


@pytest.fixture
def losses(pair):
    return pair.module("losses")


def gradient(pair, loss, values):
    """The gradient of a loss in its first argument."""
    if pair.name == "torch":
        x = pair.array(values).requires_grad_()
        loss(x).backward()
        return pair.numpy(x.grad)
    import jax

    return pair.numpy(jax.jit(jax.grad(loss))(pair.array(values)))


def narrowed(pair, values, dtype):
    """An array of a dtype that NumPy may not have."""
    if pair.name == "torch":
        import torch

        return pair.array(values).to(getattr(torch, dtype))
    return pair.array(values).astype(dtype)


def test_the_quadratic_cost_halves_the_squared_length_and_averages_over_examples(pair, losses):
    a, y = pair.array([[1.0, 0.0], [0.0, 3.0]]), pair.array([[0.0, 0.0], [0.0, 1.0]])
    assert float(losses.quadratic_cost(a, y)) == (1 + 4) / (2 * 2)


def test_the_mean_squared_error_averages_over_every_number(pair, losses):
    a, y = pair.array([[1.0, 0.0], [0.0, 3.0]]), pair.array([[0.0, 0.0], [0.0, 1.0]])
    assert float(losses.mse(a, y)) == float(losses.framework_mse(a, y)) == (1 + 4) / 4


def test_half_the_squared_error_is_half_and_its_gradient_is_the_error(pair, losses):
    a, y = pair.array([3.0, -1.0]), pair.array([1.0, 1.0])
    assert losses.squared_error(a, y).tolist() == [4.0, 4.0]
    assert losses.half_squared_error(a, y).tolist() == [2.0, 2.0]
    assert gradient(pair, lambda a: losses.half_squared_error(a, y).sum(), [3.0, -1.0]).tolist() == [2.0, -2.0]
    assert gradient(pair, lambda a: losses.squared_error(a, y).sum(), [3.0, -1.0]).tolist() == [4.0, -4.0]


def test_the_older_blitz_compares_with_one_to_ten(pair, losses):
    outputs = pair.array(np.zeros((1, 10)))
    target = losses.counting_target(outputs)
    assert target.tolist() == [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]]
    assert float(losses.framework_mse(outputs, target)) == 38.5


def test_a_first_spiral_loss_is_minus_the_logarithm_of_a_third(pair, losses):
    assert losses.chance_loss(3) == -math.log(1 / 3)
    assert f"{losses.chance_loss(3):.1f}" == "1.1"
    logits, targets = pair.array(np.zeros((6, 3))), pair.array([0, 1, 2, 0, 1, 2])
    # the same logarithm by another path: a unit in the last place, 2^-52, of a number between one and two
    assert abs(float(losses.cross_entropy(logits, targets)) - losses.chance_loss(3)) <= 2**-52


def test_the_softmax_gradient_is_the_probabilities_less_one_at_the_right_class(pair, losses):
    logits, targets = pair.array(np.log([[0.2, 0.3, 0.5]])), pair.array([1])
    by_hand = pair.numpy(losses.cross_entropy_gradient(logits, targets))
    assert [f"{value:.1f}" for value in by_hand[0]] == ["0.2", "-0.7", "0.5"]


@pytest.mark.parametrize("loss", ["cross_entropy", "framework_cross_entropy"])
def test_the_gradient_by_hand_is_the_gradient_of_the_loss(pair, losses, loss):
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(8, 5)), pair.array(rng.integers(0, 5, size=8))
    by_hand = pair.numpy(losses.cross_entropy_gradient(pair.array(logits), targets))
    found = gradient(pair, lambda f: getattr(losses, loss)(f, targets), logits)
    # ten roundings of numbers below 1/8: each probability is a quotient of a five-term sum of exponentials
    bound = 10 * 2**-53 / 8
    assert np.abs(by_hand - found).max() <= bound
    forgotten = by_hand * 8  # the planted fault: the division by N left out
    assert np.abs(forgotten - found).max() > bound


def test_the_gradient_by_hand_leaves_the_logits_as_they_were(pair, losses):
    logits = pair.array([[1.0, 2.0]])
    losses.cross_entropy_gradient(logits, pair.array([1]))
    assert logits.tolist() == [[1.0, 2.0]]


def test_large_scores_overflow_the_softmax_as_written_and_not_the_stable_one(pair, losses):
    logits = pair.array([[1000.0, 0.0], [-1000.0, -1000.0]])
    assert np.isnan(pair.numpy(losses.naive_log_softmax(logits))).tolist() == [[True, False], [True, True]]
    stable = pair.numpy(losses.log_softmax(logits))
    assert stable[0].tolist() == [0.0, -1000.0]
    # the sum's logarithm, -1000 + log 2, is rounded to a multiple of 2^-43 before the score is taken from it
    assert np.abs(stable[1] + math.log(2)).max() <= 2**-43
    assert losses.softmax(logits).tolist() == [[1.0, 0.0], [0.5, 0.5]]
    assert float(losses.cross_entropy(logits[:1], pair.array([1]))) == 1000.0


def test_a_large_score_has_a_finite_gradient(pair, losses):
    targets = pair.array([1])
    found = gradient(pair, lambda f: losses.cross_entropy(f, targets), [[1000.0, 0.0]])
    assert found.tolist() == [[1.0, -1.0]]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_every_loss_keeps_the_dtype(pair, losses, dtype):
    a = narrowed(pair, [[0.5, 1.5]], dtype)
    targets = pair.array([1])
    regression = ("quadratic_cost", "squared_error", "half_squared_error", "mse", "framework_mse")
    classification = ("cross_entropy", "framework_cross_entropy", "cross_entropy_gradient")
    scores = ("softmax", "log_softmax", "naive_log_softmax", "counting_target")
    calls = [(getattr(losses, name), a, a) for name in regression]
    calls += [(getattr(losses, name), a, targets) for name in classification]
    calls += [(getattr(losses, name), a) for name in scores]
    if pair.name == "torch":
        found = [function(*arguments) for function, *arguments in calls]
    else:
        import jax

        found = [jax.eval_shape(*call) for call in calls]  # the dtype, without the work
    assert {str(value.dtype).removeprefix("torch.") for value in found} == {dtype}


def test_no_examples_have_no_mean(pair, losses):
    none, no_class = pair.array(np.zeros((0, 3))), pair.array(np.zeros(0, dtype=np.int64))
    for name in ("quadratic_cost", "mse", "framework_mse"):
        assert math.isnan(float(getattr(losses, name)(none, none)))
    for name in ("cross_entropy", "framework_cross_entropy"):
        assert math.isnan(float(getattr(losses, name)(none, no_class)))


@pytest.mark.parametrize("name", ["quadratic_cost", "squared_error", "half_squared_error", "mse", "framework_mse"])
def test_shapes_that_would_broadcast_are_refused(pair, losses, name):
    column, row = pair.array([[1.0], [2.0]]), pair.array([1.0, 2.0])
    with pytest.raises(ValueError, match=rf"{name}: outputs are \(2, 1\) and targets \(2,\), wanted one shape"):
        getattr(losses, name)(column, row)


@pytest.mark.parametrize("name", ["cross_entropy", "framework_cross_entropy", "cross_entropy_gradient"])
def test_classes_that_do_not_fit_the_scores_are_refused(pair, losses, name):
    loss = getattr(losses, name)
    scores = pair.array([[1.0, 2.0]])
    with pytest.raises(
        ValueError, match=rf"{name}: logits are \(1, 2\) and targets \(2,\), wanted \(N, K\) and \(N,\)"
    ):
        loss(scores, pair.array([0, 1]))
    with pytest.raises(ValueError, match=rf"{name}: logits are \(2,\)"):
        loss(scores[0], pair.array([0, 1]))
    with pytest.raises(TypeError, match=rf"{name}: targets are .*float64, wanted integers"):
        loss(scores, pair.array([1.0]))
    with pytest.raises(TypeError, match=rf"{name}: targets are .*bool, wanted integers"):
        loss(scores, pair.array([True]))


@pytest.mark.parametrize("outside", [-1, 2, -100])
def test_a_class_outside_the_scores_never_gives_a_number_by_hand(pair, losses, outside):
    scores, targets = pair.array([[1.0, 2.0], [3.0, 4.0]]), pair.array([0, outside])
    if pair.name == "torch":
        with pytest.raises(RuntimeError, match="out of bounds"):
            losses.cross_entropy(scores, targets)
    else:
        assert math.isnan(float(losses.cross_entropy(scores, targets)))


def test_the_frameworks_read_classes_outside_the_scores_in_their_own_way(pair, losses):
    scores = pair.array([[1.0, 2.0], [3.0, 4.0]])

    def loss(*classes):
        return float(losses.framework_cross_entropy(scores, pair.array(classes)))

    if pair.name == "torch":
        assert loss(0, -100) == float(losses.framework_cross_entropy(scores[:1], pair.array([0])))
        with pytest.raises(IndexError, match="out of bounds"):
            loss(0, -1)
    else:
        assert math.isnan(loss(0, -100))
        assert loss(0, -1) == loss(0, 1)


def test_a_counting_target_wants_one_row(pair, losses):
    with pytest.raises(ValueError, match=r"counting_target: outputs are \(2, 3\), wanted \(1, K\)"):
        losses.counting_target(pair.array(np.zeros((2, 3))))


def test_chance_needs_a_class(losses):
    assert losses.chance_loss(1) == 0.0
    with pytest.raises(ValueError, match="chance_loss: 0 classes, wanted at least 1"):
        losses.chance_loss(0)
