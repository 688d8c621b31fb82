"""Gradient descent on each side alone: both surfaces, the best step, and descents whose end is known in closed form."""

import numpy as np
import pytest

pytestmark = pytest.mark.part(1)

CRITICAL = np.arccos(0.2)  # at v2 = -pi/2 the cost is -sin v1 + 0.2 v1, and turns where cos v1 = 0.2
DEEPEST = (CRITICAL - 2 * np.pi, -np.pi / 2)
LOCAL = (CRITICAL, -np.pi / 2)


def numbers(pair, descent):
    return [pair.numpy(part) for part in descent]


def depth(v):
    return np.sin(v[..., 0]) * np.sin(v[..., 1]) + 0.2 * v[..., 0]


# The surfaces.


def test_the_valley_is_drawn_over_the_books_grid(pair):
    descent, axis = pair.module("descent"), np.arange(-1, 1, 0.1)
    drawn = pair.numpy(descent.surface(descent.valley, pair.array(axis), pair.array(axis)))
    assert drawn.shape == (20, 20)
    np.testing.assert_allclose(drawn, axis[:, None] ** 2 + axis**2, rtol=1e-15)  # one sum of two rounded squares
    assert (drawn[0, 0], drawn[10, 10] < 1e-30) == (2, True)


def test_the_false_minima_are_drawn_over_the_books_grid(pair):
    descent, v1, v2 = pair.module("descent"), np.arange(-5, 5, 0.1), np.arange(-5, 5, 0.5)
    drawn = pair.numpy(descent.surface(descent.false_minima, pair.array(v1), pair.array(v2)))
    assert drawn.shape == (100, 20)
    # three roundings of numbers below 2, and a sine each
    np.testing.assert_allclose(drawn, np.sin(v1)[:, None] * np.sin(v2) + 0.2 * v1[:, None], atol=2e-15)


def test_a_grid_without_points_is_drawn_empty(pair):
    descent = pair.module("descent")
    assert tuple(descent.surface(descent.valley, pair.array(np.empty(0)), pair.array([1.0])).shape) == (0, 1)


def test_the_valleys_gradient_is_twice_the_point(pair):
    descent = pair.module("descent")
    value, gradient = descent.value_and_gradient(descent.valley, pair.array([[3.0, -4.0], [0.0, 0.5]]))
    assert pair.numpy(value).tolist() == [25, 0.25]
    assert pair.numpy(gradient).tolist() == [[6, -8], [0, 1]]


def test_the_minima_of_the_other_surface_are_where_its_gradient_vanishes(pair):
    descent = pair.module("descent")
    value, gradient = descent.value_and_gradient(descent.false_minima, pair.array([DEEPEST, LOCAL]))
    np.testing.assert_allclose(pair.numpy(gradient), 0, atol=1e-15)  # sines and cosines of rounded angles
    floor = -np.sqrt(1 - 0.2**2)  # -sin v1, where cos v1 = 0.2
    # the same, of numbers below one
    np.testing.assert_allclose(pair.numpy(value), [floor + 0.2 * v1 for v1, _ in (DEEPEST, LOCAL)], atol=1e-15)


# What a move does to the cost.


def test_the_change_in_cost_is_the_gradient_times_the_move_up_to_its_square(pair):
    descent, v, dv = pair.module("descent"), pair.array([3.0, -4.0]), pair.array([0.5, 0.25])
    assert float(descent.predicted_change(descent.valley, v, dv)) == 6 * 0.5 - 8 * 0.25
    assert float(descent.actual_change(descent.valley, v, dv)) == 1 + 0.5**2 + 0.25**2


def test_half_the_move_leaves_a_quarter_of_the_error(pair):
    descent, v = pair.module("descent"), pair.array([1.0, 0.5])
    gaps = []
    for size in (0.01, 0.005, 0.0025):
        move = (descent.false_minima, v, pair.array([size, -size]))
        gaps.append(float(descent.actual_change(*move)) - float(descent.predicted_change(*move)))
    np.testing.assert_allclose([gaps[0] / gaps[1], gaps[1] / gaps[2]], 4, rtol=0.02)  # the third order is what is left


def test_no_move_of_the_same_length_promises_more_than_the_optimal_one(pair):
    descent, size = pair.module("descent"), 0.1
    v = np.array([1.0, 0.5])
    step = descent.optimal_step(descent.false_minima, pair.array(v), size=size)
    angles = np.linspace(0, 2 * np.pi, 721)
    moves = size * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = pair.array(np.broadcast_to(v, moves.shape).copy())
    promises = pair.numpy(descent.predicted_change(descent.false_minima, points, pair.array(moves)))
    best = pair.numpy(step.predicted)
    assert (promises >= best - 1e-15).all()  # the best of the circle may round below it by a unit
    # half the angle between neighbours of the circle that was tried
    np.testing.assert_allclose(pair.numpy(step.dv), moves[np.argmin(promises)], atol=size * np.pi / 720)
    uphill = promises[np.argmax(promises)]
    np.testing.assert_allclose(
        [uphill, -best], size * np.linalg.norm([np.cos(1) * np.sin(0.5) + 0.2, np.sin(1) * np.cos(0.5)]), rtol=1e-4
    )


def test_the_optimal_step_has_the_length_and_the_learning_rate_of_the_exercise(pair):
    descent = pair.module("descent")
    dv, rate, predicted = numbers(pair, descent.optimal_step(descent.valley, pair.array([3.0, -4.0]), size=0.5))
    assert rate == 0.5 / 10  # eta = epsilon / ||grad C||
    # a norm, a quotient and a product: some roundings
    np.testing.assert_allclose(dv, [-0.3, 0.4], rtol=1e-15)
    np.testing.assert_allclose(predicted, -0.5 * 10, rtol=1e-15)


def test_at_a_minimum_there_is_no_best_direction_and_the_step_is_zero(pair):
    descent = pair.module("descent")
    step = descent.optimal_step(descent.valley, pair.array([[0.0, 0.0], [4.0, 0.0]]), size=2.0)
    assert pair.numpy(step.dv).tolist() == [[0, 0], [-2, 0]]
    assert pair.numpy(step.learning_rate).tolist() == [0, 0.25]


def test_in_one_dimension_the_optimal_step_is_a_sign(pair):
    step = pair.module("descent").optimal_step(lambda v: (v**4).sum(-1), pair.array([[2.0], [-1.0]]), size=0.5)
    assert pair.numpy(step.dv).tolist() == [[-0.5], [0.5]]


# Descents.


def test_a_quarter_as_the_learning_rate_halves_the_way_to_the_valleys_floor_exactly(pair):
    descent = pair.module("descent")
    v, costs, path = numbers(
        pair, descent.descend(pair.array([1.0, -0.5]), descent.valley, learning_rate=0.25, steps=6)
    )
    halves = 0.5 ** np.arange(6)
    assert v.tolist() == [1 / 64, -1 / 128]
    assert costs.tolist() == (1.25 * halves**2).tolist()
    assert path.tolist() == [[half, -half / 2] for half in halves]


@pytest.mark.parametrize(
    ("learning_rate", "factor"), [(0.125, 0.75), (0.5, 0.0), (0.75, -0.5), (1.0, -1.0), (1.5, -2.0)]
)
def test_a_step_in_the_valley_multiplies_the_point_by_one_minus_twice_the_rate(pair, learning_rate, factor):
    """Slow, at once, to and fro, for ever, and away."""
    descent = pair.module("descent")
    run = descent.descend(pair.array([1.0, 2.0]), descent.valley, learning_rate=learning_rate, steps=4)
    assert pair.numpy(run.v).tolist() == [factor**4, 2 * factor**4]
    assert pair.numpy(run.costs).tolist() == [5 * factor ** (2 * step) for step in range(4)]


def test_a_sweep_is_a_descent_at_each_learning_rate(pair):
    descent, rates = pair.module("descent"), [0.125, 0.5, 0.75, 1.5]
    v, costs, path = numbers(
        pair, descent.sweep(pair.array([[1.0, 2.0]] * 4), descent.valley, pair.array(rates), steps=4)
    )
    assert (v.shape, costs.shape, path.shape) == ((4, 2), (4, 4), (4, 4, 2))
    for i, rate in enumerate(rates):
        alone = descent.descend(pair.array([1.0, 2.0]), descent.valley, learning_rate=rate, steps=4)
        for whole, one in zip((v[i], costs[:, i], path[:, i]), numbers(pair, alone), strict=True):
            np.testing.assert_array_equal(whole, one)


def test_where_a_ball_starts_decides_which_minimum_it_ends_in(pair):
    descent = pair.module("descent")
    starts = pair.array([[-4.0, -0.5], [0.5, -0.5]])
    v, costs, _ = numbers(pair, descent.descend(starts, descent.false_minima, learning_rate=0.5, steps=200))
    np.testing.assert_allclose(v, [DEEPEST, LOCAL], atol=1e-8)  # the cost is flat there to its square, 1e-16
    np.testing.assert_allclose(depth(v), costs[-1], atol=1e-15)
    assert (np.diff(costs, axis=0) <= 1e-15).all()  # downhill all the way, but for rounding at the end


def test_the_cost_may_be_any_function_of_any_number_of_variables(pair):
    run = pair.module("descent").descend(
        pair.array([4.0, 2.0, -8.0]), lambda v: 0.5 * (v**2).sum(-1), learning_rate=0.5, steps=2
    )
    assert pair.numpy(run.v).tolist() == [1, 0.5, -2]


def test_fixed_steps_go_straight_down_and_then_to_and_fro(pair):
    descent = pair.module("descent")
    run = descent.descend_by_fixed_steps(pair.array([1.0, 0.0]), descent.valley, size=0.75, steps=4)
    assert pair.numpy(run.path).tolist() == [[1, 0], [0.25, 0], [-0.5, 0], [0.25, 0]]
    assert pair.numpy(run.v).tolist() == [-0.5, 0]


def test_descents_may_be_cut_in_two_anywhere(pair):
    descent, start = pair.module("descent"), pair.array([0.9, -0.7])

    def run(v, steps):
        return descent.descend(v, descent.false_minima, learning_rate=0.1, steps=steps)

    whole, first = run(start, 10), run(start, 4)
    rest = run(first.v, 6)
    np.testing.assert_array_equal(pair.numpy(whole.v), pair.numpy(rest.v))
    for part in ("costs", "path"):
        halves = [pair.numpy(getattr(half, part)) for half in (first, rest)]
        np.testing.assert_array_equal(pair.numpy(getattr(whole, part)), np.concatenate(halves))
    assert pair.numpy(start).tolist() == [0.9, -0.7]


def test_no_steps_change_nothing(pair):
    descent = pair.module("descent")
    run = descent.descend(pair.array([[0.5, 1.0]]), descent.valley, learning_rate=0.1, steps=0)
    assert pair.numpy(run.v).tolist() == [[0.5, 1.0]]
    assert (tuple(run.costs.shape), tuple(run.path.shape)) == ((0, 1), (0, 1, 2))


def test_a_descent_that_climbs_is_told_from_one_that_descends(pair):
    descent, start = pair.module("descent"), pair.array([0.5, -0.5])
    for rate, way in ((0.1, -1), (-0.1, 1)):
        run = descent.descend(start, descent.false_minima, learning_rate=rate, steps=5)
        assert (np.sign(np.diff(pair.numpy(run.costs))) == way).all()


def test_a_descent_keeps_the_dtype_of_its_start(pair):
    descent = pair.module("descent")
    start, rates = pair.array([[0.5, 1.0]], "float32"), pair.array([0.1], "float32")
    runs = [
        descent.descend(start, descent.valley, learning_rate=0.1, steps=2),
        descent.sweep(start, descent.valley, rates, steps=2),
        descent.descend_by_fixed_steps(start, descent.valley, size=0.1, steps=2),
    ]
    assert {str(part.dtype) for run in runs for part in numbers(pair, run)} == {"float32"}


# What is refused.


def test_what_makes_no_descent_is_refused(pair):
    descent, v = pair.module("descent"), pair.array([[0.5, 1.0]])
    with pytest.raises(ValueError, match="got -1 steps, wanted 0 or more"):
        descent.descend(v, descent.valley, learning_rate=0.1, steps=-1)
    for size in (0.0, -0.5):
        with pytest.raises(ValueError, match=f"got size {size}, wanted a positive length"):
            descent.optimal_step(descent.valley, v, size=size)
        with pytest.raises(ValueError, match=f"got size {size}, wanted a positive length"):
            descent.descend_by_fixed_steps(v, descent.valley, size=size, steps=1)
    with pytest.raises(ValueError, match=r"got starts \(1, 2\) and learning rates \(2,\)"):
        descent.sweep(v, descent.valley, pair.array([0.1, 0.2]), steps=1)
    with pytest.raises(ValueError, match=r"cost: got \(\) for points \(1, 2\), wanted \(1,\), one number a point"):
        descent.value_and_gradient(lambda v: (v**2).sum(), v)
