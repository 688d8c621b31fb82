"""Backpropagation on each side alone: the equations, and one gradient by hand, autograd, differences and paths."""

import itertools

import numpy as np
import pytest

from parity.cases.backprop import WIDTHS, network

pytestmark = pytest.mark.part(1)


def start(pair, *, examples=1, widths=WIDTHS, seed=0):
    """The module, and a network's parameters, inputs and targets as its arrays."""
    backprop, inputs = pair.module("backprop"), network(np.random.default_rng(seed), examples=examples, widths=widths)
    params = backprop.Parameters(*([pair.array(p) for p in group] for group in inputs["params"].values()))
    return backprop, params, pair.array(inputs["x"]), pair.array(inputs["y"])


def arrays(pair, gradients):
    return [pair.numpy(array) for array in (*gradients.weights, *gradients.biases)]


def vector(pair, gradients):
    return np.concatenate([array.ravel() for array in arrays(pair, gradients)])


def assert_same(left, right):
    # both are honest float64: a few roundings of numbers below 1, added up in another order
    np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-15)


def column(*numbers):
    return np.array(numbers, dtype=float)[:, None]


# The pieces.


def test_a_function_of_a_vector_works_elementwise(pair):
    square = pair.module("backprop").SQUARE
    assert pair.numpy(square.f(pair.array(column(2, 3)))).tolist() == [[4], [9]]


def test_the_hadamard_product_of_the_book(pair):
    product = pair.module("backprop").hadamard(pair.array(column(1, 2)), pair.array(column(3, 4)))
    assert pair.numpy(product).tolist() == [[3], [8]]


@pytest.mark.parametrize("name", ["SIGMOID", "LINEAR", "SQUARE"])
def test_an_activation_brings_its_own_derivative(pair, name):
    activation, z, h = getattr(pair.module("backprop"), name), np.linspace(-3, 3, 13)[:, None], 2.0**-17
    sides = [pair.numpy(activation.f(pair.array(z + sign * h))) for sign in (1, -1)]
    # a central difference is off by h^2 f''' / 6 < 1e-10, and by about u / h in rounding
    np.testing.assert_allclose(
        pair.numpy(activation.derivative(pair.array(z))), (sides[0] - sides[1]) / (2 * h), atol=1e-9
    )


def test_a_layer_weighs_adds_its_bias_and_squashes(pair):
    backprop, params, x, _ = start(pair, examples=4)
    layers = backprop.feedforward(params, x)
    a = pair.numpy(x)
    for w, b, z, a_next in zip(*params, layers.z, layers.a[1:], strict=True):
        z_wanted = pair.numpy(w) @ a + pair.numpy(b)
        assert_same(pair.numpy(z), z_wanted)
        a = 1 / (1 + np.exp(-z_wanted))
        assert_same(pair.numpy(a_next), a)
    np.testing.assert_array_equal(pair.numpy(layers.a[0]), pair.numpy(x))


def test_the_cost_is_the_mean_of_the_costs_of_single_examples(pair):
    backprop, params, x, y = start(pair, examples=4)
    single = [float(backprop.cost(params, x[:, i : i + 1], y[:, i : i + 1])) for i in range(4)]
    assert_same(float(backprop.cost(params, x, y)), np.mean(single))


def test_the_cost_is_half_the_squared_distance(pair):
    backprop = pair.module("backprop")
    params = backprop.Parameters([pair.array(np.eye(2))], [pair.array(np.zeros((2, 1)))])
    cost = backprop.cost(params, pair.array(column(3, 4)), pair.array(np.zeros((2, 1))), activations=(backprop.LINEAR,))
    assert float(cost) == 12.5


# The four equations.


def test_bp1_is_the_costs_gradient_times_the_slope(pair):
    backprop = pair.module("backprop")
    error = backprop.output_error(pair.array(column(0.5, -1)), pair.array(column(0, 0)))
    assert pair.numpy(error).tolist() == [[0.125], [-0.25]]


def test_equation_30_is_bp1_under_the_quadratic_cost(pair):
    backprop, params, x, y = start(pair)
    layers = backprop.feedforward(params, x)
    z, a = pair.numpy(layers.z[-1]), pair.numpy(layers.a[-1])
    slope = np.exp(-z) / (1 + np.exp(-z)) ** 2
    error = backprop.output_error(backprop.cost_gradient(layers.a[-1], y), layers.z[-1])
    assert_same(pair.numpy(error), (a - pair.numpy(y)) * slope)


def test_bp2_carries_an_error_back_through_the_transposed_weights(pair):
    backprop = pair.module("backprop")
    error = backprop.hidden_error(pair.array([[2.0, -4.0]]), pair.array([[1.0]]), pair.array(column(0, 0)))
    assert pair.numpy(error).tolist() == [[0.5], [-1.0]]


def test_bp3_the_gradient_of_a_bias_is_the_error(pair):
    error = pair.array(column(0.25, -3))
    assert pair.numpy(pair.module("backprop").bias_gradient(error)).tolist() == [[0.25], [-3]]


def test_bp4_the_gradient_of_a_weight_is_activation_in_times_error_out(pair):
    gradient = pair.module("backprop").weight_gradient(pair.array(column(2, 5)), pair.array(column(3, -1)))
    assert pair.numpy(gradient).tolist() == [[6, 15], [-2, -5]]


def test_the_matrix_form_gives_every_layers_error(pair):
    backprop, params, x, y = start(pair)
    layers = backprop.feedforward(params, x)
    towards_cost = backprop.cost_gradient(layers.a[-1], y)
    by_equations = backprop.backprop(params, x, y).biases
    for layer, error in enumerate(by_equations):
        matrix = backprop.error_matrix(params.weights, layers.z, layer=layer)
        assert_same(pair.numpy(matrix @ towards_cost), pair.numpy(error))


def test_equation_33_is_a_diagonal_matrix(pair):
    backprop, params, x, _ = start(pair)
    z = backprop.feedforward(params, x).z
    matrix = pair.numpy(backprop.error_matrix(params.weights, z, layer=len(z) - 1))
    np.testing.assert_array_equal(matrix, np.diag(pair.numpy(backprop.SIGMOID.derivative(z[-1]))[:, 0]))


# One gradient, four ways.


@pytest.mark.parametrize("examples", [1, 4])
def test_by_hand_and_autograd_give_one_gradient(pair, examples):
    backprop, params, x, y = start(pair, examples=examples)
    assert_same(vector(pair, backprop.backprop(params, x, y)), vector(pair, backprop.autograd(params, x, y)))


def test_a_network_of_one_layer_has_no_errors_to_carry_back(pair):
    backprop, params, x, y = start(pair, widths=(3, 2))
    assert_same(vector(pair, backprop.backprop(params, x, y)), vector(pair, backprop.autograd(params, x, y)))


def test_the_mini_batch_as_one_matrix_is_the_mean_over_single_examples(pair):
    backprop, params, x, y = start(pair, examples=4)
    singles = [vector(pair, backprop.backprop(params, x[:, i : i + 1], y[:, i : i + 1])) for i in range(4)]
    assert_same(vector(pair, backprop.backprop(params, x, y)), np.mean(singles, axis=0))


def test_a_missing_slope_is_told_from_autograd(pair):
    """BP1 without sigma': what `backprop` would give were its derivative forgotten."""
    backprop, params, x, y = start(pair)
    forgotten = backprop.Activation(backprop.SIGMOID.f, backprop.LINEAR.derivative)
    by_hand = vector(pair, backprop.backprop(params, x, y, activations=(forgotten,) * 3))
    with pytest.raises(AssertionError):
        assert_same(by_hand, vector(pair, backprop.autograd(params, x, y)))


def test_linear_neurons_make_backpropagation_a_product_of_matrices(pair):
    backprop, params, x, y = start(pair)
    linear = (backprop.LINEAR,) * 3
    gradients = backprop.backprop(params, x, y, activations=linear)
    assert_same(vector(pair, gradients), vector(pair, backprop.autograd(params, x, y, activations=linear)))
    _, w1, w2 = (pair.numpy(w) for w in params.weights)
    last = pair.numpy(backprop.feedforward(params, x, activations=linear).a[-1]) - pair.numpy(y)
    assert_same(pair.numpy(gradients.biases[0]), w1.T @ w2.T @ last)


@pytest.mark.parametrize("layer", [0, 2])
def test_a_modified_neuron_puts_its_own_slope_in_place_of_sigmas(pair, layer):
    backprop, params, x, y = start(pair, examples=4)
    modified = backprop.modify_neuron(backprop.SIGMOID, 1, backprop.SQUARE)
    activations = tuple(modified if i == layer else backprop.SIGMOID for i in range(3))
    by_hand = vector(pair, backprop.backprop(params, x, y, activations=activations))
    assert_same(by_hand, vector(pair, backprop.autograd(params, x, y, activations=activations)))
    assert not np.allclose(by_hand, vector(pair, backprop.backprop(params, x, y)))


def test_a_modified_neuron_is_the_only_one_that_changes(pair):
    backprop, z = pair.module("backprop"), pair.array(column(2, 3, 4))
    mixed = backprop.modify_neuron(backprop.LINEAR, 1, backprop.SQUARE)
    assert pair.numpy(mixed.f(z)).tolist() == [[2], [9], [4]]
    assert pair.numpy(mixed.derivative(z)).tolist() == [[1], [6], [1]]
    assert pair.numpy(z).tolist() == [[2], [3], [4]]


# Finite differences.


def test_finite_differences_of_a_quadratic_are_off_by_half_the_step(pair):
    """C = w^2 / 2 at w = 1: the gradient is 1, equation 46 gives 1 + step / 2."""
    backprop = pair.module("backprop")
    params = backprop.Parameters([pair.array([[1.0]])], [pair.array([[0.0]])])
    x, y = pair.array([[1.0]]), pair.array([[0.0]])
    for step in (0.5, 0.25, 2.0**-10):
        gradient = backprop.finite_differences(params, x, y, step=step, activations=(backprop.LINEAR,))
        assert pair.numpy(gradient.weights[0]).item() == 1 + step / 2


def test_finite_differences_agree_with_backpropagation_up_to_the_step(pair):
    backprop, params, x, y = start(pair, examples=4)
    exact = vector(pair, backprop.backprop(params, x, y))
    estimate = vector(pair, backprop.finite_differences(params, x, y, step=1e-6))
    # off by at most step |C''| / 2; no second derivative of this small network's cost is above 2
    np.testing.assert_allclose(estimate, exact, atol=1e-6)


def test_the_error_of_finite_differences_falls_with_the_step_and_then_rises(pair):
    backprop, params, x, y = start(pair, examples=4)
    steps = 10.0 ** -np.arange(1.0, 15.0)
    errors = pair.numpy(backprop.finite_difference_errors(params, x, y, pair.array(steps)))
    best = np.argmin(errors)
    # The two errors are alike where step ~ sqrt(u) = 1e-8: a decade or two about it.
    assert 1e-10 < steps[best] < 1e-6
    np.testing.assert_allclose(errors[1:5] / errors[:4], 0.1, rtol=0.1)  # first order: ten times less a decade
    assert errors[-1] > 1e4 * errors[best]


def test_the_errors_are_those_of_finite_differences_against_autograd(pair):
    backprop, params, x, y = start(pair, examples=4)
    exact = vector(pair, backprop.autograd(params, x, y))
    errors = pair.numpy(backprop.finite_difference_errors(params, x, y, pair.array([0.5, 0.01])))
    for error, step in zip(errors, (0.5, 0.01), strict=True):
        estimate = vector(pair, backprop.finite_differences(params, x, y, step=step))
        assert_same(error, np.abs(estimate - exact).max())


# The sum over paths.


def test_a_weights_gradient_in_any_layer_is_a_sum_over_paths(pair):
    backprop, params, x, y = start(pair)
    gradients = [pair.numpy(w) for w in backprop.backprop(params, x, y).weights]
    for layer, gradient in enumerate(gradients):
        paths = backprop.path_sum(params, x, y, layer=layer, j=1, k=2)
        assert_same(pair.numpy(paths.gradient), gradient[1, 2])
        assert_same(pair.numpy(paths.rates).sum(), gradient[1, 2])


def test_a_path_for_every_choice_of_a_neuron_in_each_later_layer(pair):
    backprop, params, x, y = start(pair)
    neurons = pair.numpy(backprop.path_sum(params, x, y, layer=0, j=1, k=2).neurons)
    assert neurons.tolist() == [[1, *later] for later in itertools.product(range(3), range(2))]
    assert pair.numpy(backprop.path_sum(params, x, y, layer=2, j=1, k=2).neurons).tolist() == [[1]]


def test_a_path_left_out_is_seen(pair):
    backprop, params, x, y = start(pair)
    gradient = pair.numpy(backprop.backprop(params, x, y).weights[0])[1, 2]
    with pytest.raises(AssertionError):
        assert_same(pair.numpy(backprop.path_sum(params, x, y, layer=0, j=1, k=2).rates)[1:].sum(), gradient)


# What it costs.


def test_a_million_weights_cost_a_million_and_one_passes_against_two(pair):
    assert pair.module("backprop").passes(1_000_000) == {"finite_differences": 1_000_001, "backpropagation": 2}


def test_a_network_without_weights_still_costs_the_pass_that_gives_its_cost(pair):
    assert pair.module("backprop").passes(0)["finite_differences"] == 1
    with pytest.raises(ValueError, match="got -1 parameters, wanted 0 or more"):
        pair.module("backprop").passes(-1)


# Dtypes, and what is refused.


def test_a_gradient_has_the_dtype_of_the_parameters(pair):
    backprop, params, x, y = start(pair)
    params = backprop.Parameters(*([pair.array(pair.numpy(p), "float32") for p in group] for group in params))
    x, y = pair.array(pair.numpy(x), "float32"), pair.array(pair.numpy(y), "float32")
    for gradients in (backprop.backprop(params, x, y), backprop.autograd(params, x, y)):
        assert {str(array.dtype) for array in arrays(pair, gradients)} == {"float32"}


def test_the_parameters_and_inputs_keep_their_values(pair):
    backprop, params, x, y = start(pair, examples=4)
    before = [vector(pair, params), pair.numpy(x).copy(), pair.numpy(y).copy()]
    backprop.backprop(params, x, y)
    backprop.autograd(params, x, y)
    backprop.finite_differences(params, x, y, step=0.1)
    for left, right in zip(before, [vector(pair, params), pair.numpy(x), pair.numpy(y)], strict=True):
        np.testing.assert_array_equal(left, right)


def test_weights_laid_out_by_columns_do_as_well(pair):
    backprop, params, x, y = start(pair, examples=4)
    by_columns = backprop.Parameters([pair.array(pair.numpy(w).T).T for w in params.weights], params.biases)
    for way in (backprop.autograd, lambda *a: backprop.finite_differences(*a, step=0.5)):
        assert_same(vector(pair, way(by_columns, x, y)), vector(pair, way(params, x, y)))
    steps = pair.array([0.5, 0.25])
    errors = [pair.numpy(backprop.finite_difference_errors(p, x, y, steps)) for p in (by_columns, params)]
    assert_same(*errors)


def test_layers_that_do_not_fit_are_refused(pair):
    backprop, params, x, y = start(pair)
    transposed = backprop.Parameters([w.T for w in params.weights], params.biases)
    flat = backprop.Parameters(params.weights, [b[:, 0] for b in params.biases])
    short = backprop.Parameters(params.weights, params.biases[:2])
    for way in (backprop.backprop, backprop.autograd, backprop.cost):
        with pytest.raises(ValueError, match=r"layer 0: got weights \(3, 4\) .* wanted \(n, 3\)"):
            way(transposed, x, y)
        with pytest.raises(ValueError, match=r"biases \(4,\), wanted \(n, 3\) and \(n, 1\)"):
            way(flat, x, y)
        with pytest.raises(ValueError, match="got 3 weights, 2 biases, 3 activations"):
            way(short, x, y)
        with pytest.raises(ValueError, match=r"got y \(1, 2\), wanted \(2, 1\)"):
            way(params, x, y.T)
        with pytest.raises(ValueError, match="3 biases, 1 activations"):
            way(params, x, y, activations=(backprop.LINEAR,))


def test_what_does_not_exist_is_refused(pair):
    backprop, params, x, y = start(pair)
    with pytest.raises(ValueError, match=r"got layer 3, j 0, k 0; wanted a weight between the layers \[3, 4, 3, 2\]"):
        backprop.path_sum(params, x, y, layer=3, j=0, k=0)
    with pytest.raises(ValueError, match="got layer 0, j 4, k 0"):
        backprop.path_sum(params, x, y, layer=0, j=4, k=0)
    _, _, two, targets = start(pair, examples=2)
    with pytest.raises(ValueError, match="got 2 examples, wanted 1"):
        backprop.path_sum(params, two, targets, layer=0, j=0, k=0)
    with pytest.raises(ValueError, match="got layer -1, wanted 0 to 2"):
        backprop.error_matrix(params.weights, backprop.feedforward(params, x).z, layer=-1)
    mixed = backprop.modify_neuron(backprop.SIGMOID, 4, backprop.SQUARE)
    with pytest.raises(ValueError, match="got index 4, wanted 0 to 3"):
        backprop.feedforward(params, x, activations=(mixed, backprop.SIGMOID, backprop.SIGMOID))
    with pytest.raises(ValueError, match=r"hadamard: got \(2, 1\) and \(1, 2\)"):
        backprop.hadamard(y, y.T)
