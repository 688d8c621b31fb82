"""Perceptrons and sigmoid neurons on each side alone: the chapter's decisions, circuits and exercises."""

import itertools

import numpy as np
import pytest

from parity.cases.perceptron import BITS, FACTORS, network

pytestmark = pytest.mark.part(1)

WEATHER = [6.0, 2.0, 2.0]


def layers_of(pair, layers):
    return [(pair.array(w), pair.array(b)) for w, b in layers]


def decisions(pair, function, x, *arguments, **keywords):
    return pair.numpy(function(pair.array(x), *arguments, **keywords)).tolist()


# The festival.


def test_with_threshold_5_the_weather_alone_decides(pair):
    going = decisions(pair, pair.module("perceptron").decide, FACTORS, pair.array(WEATHER), threshold=5)
    assert going == FACTORS[:, 0].tolist()


def test_with_threshold_3_company_and_a_near_station_together_do_as_well(pair):
    going = decisions(pair, pair.module("perceptron").decide, FACTORS, pair.array(WEATHER), threshold=3)
    assert going == [float(weather or (company and station)) for weather, company, station in FACTORS]


@pytest.mark.parametrize("threshold", [5, 3, 4, -1])
def test_a_bias_is_a_threshold_with_its_sign_turned(pair, threshold):
    perceptron, w = pair.module("perceptron"), pair.array(WEATHER)
    by_threshold = decisions(pair, perceptron.decide, FACTORS, w, threshold=threshold)
    assert by_threshold == decisions(pair, perceptron.perceptron, FACTORS, w, -threshold)


def test_evidence_equal_to_the_threshold_is_not_enough(pair):
    perceptron, w = pair.module("perceptron"), pair.array(WEATHER)
    assert decisions(pair, perceptron.decide, [0, 1.0, 1.0], w, threshold=4) == 0
    assert decisions(pair, perceptron.step, [0.0, -0.0, 1e-300, -1e-300]) == [0, 0, 1, 0]


# NAND and what is built of it.


def test_the_nand_gate_weighs_3_at_00_and_minus_1_at_11(pair):
    perceptron, w = pair.module("perceptron"), pair.array([-2.0, -2.0])
    assert decisions(pair, perceptron.weighted_input, BITS, w, 3.0) == [3, 1, 1, -1]
    assert decisions(pair, perceptron.nand, BITS) == [1, 1, 1, 0]


@pytest.mark.parametrize("merged", [False, True])
def test_nand_gates_add_two_bits(pair, merged):
    result = pair.module("perceptron").half_adder(pair.array(BITS), merged=merged)
    bit, carry = (pair.numpy(part).tolist() for part in result)
    assert [2 * c + b for b, c in zip(bit, carry, strict=True)] == BITS.sum(axis=1).tolist()
    assert (bit, carry) == ([0, 1, 1, 0], [0, 0, 0, 1])


def test_two_weights_of_minus_2_from_one_gate_are_one_of_minus_4(pair):
    perceptron, bits = pair.module("perceptron"), [[0.0], [1.0]]
    twice = [[bit, bit] for (bit,) in bits]
    merged = decisions(pair, perceptron.perceptron, bits, pair.array([-4.0]), 3.0)
    assert merged == decisions(pair, perceptron.nand, twice) == [1, 0]


def test_an_adder_with_a_wrong_weight_is_seen(pair):
    """A bias of 5 in place of 3: the gate no longer turns off."""
    perceptron = pair.module("perceptron")
    assert decisions(pair, perceptron.perceptron, BITS, pair.array([-2.0, -2.0]), 5.0) != [1, 1, 1, 0]


def test_half_adders_chained_add_whole_numbers(pair):
    half_adder = pair.module("perceptron").half_adder

    def add(left, right, carry):
        first = half_adder(pair.array([float(left), float(right)]))
        second = half_adder(pair.array([float(first.bit), float(carry)]))
        return int(second.bit), int(first.carry) or int(second.carry)

    for left, right in itertools.product((0, 3, 5), repeat=2):
        total, carry = 0, 0
        for place in range(4):
            bit, carry = add((left >> place) & 1, (right >> place) & 1, carry)
            total += bit << place
        assert total == left + right


# Sigmoid neurons.


def test_a_sigmoid_neuron_says_one_half_where_a_perceptron_changes_its_mind(pair):
    perceptron = pair.module("perceptron")
    assert decisions(pair, perceptron.sigmoid_neuron, [[1.0, 1.0]], pair.array([1.0, 1.0]), -2.0) == [0.5]


def test_a_sigmoid_neuron_is_its_formula(pair):
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(6, 3)), rng.normal(size=3), 0.3
    found = decisions(pair, pair.module("perceptron").sigmoid_neuron, x, pair.array(w), b)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-(x @ w + b))), rtol=1e-14)  # sums of three, in another order


def test_a_small_change_in_weights_and_bias_changes_the_output_linearly(pair):
    """Equation 5: what is left over is of second order, a quarter for half the change."""
    perceptron, gaps = pair.module("perceptron"), []
    x, w, b = (pair.array(values) for values in ([0.7, -0.4], [1.5, 2.0], 0.3))
    for size in (0.01, 0.005, 0.0025):
        dw, db = pair.array([size, -2 * size]), pair.array(0.5 * size)
        change = perceptron.output_change(x, w, b, dw=dw, db=db)
        gaps.append(float(change.actual) - float(change.predicted))
        assert abs(gaps[-1]) < 0.1 * abs(float(change.actual))
    np.testing.assert_allclose([gaps[0] / gaps[1], gaps[1] / gaps[2]], 4, rtol=0.02)  # the third order is what is left


def test_the_predicted_change_is_the_slope_times_the_change(pair):
    one, zero = pair.array([2.0]), pair.array(0.0)
    change = pair.module("perceptron").output_change(
        one, pair.array([0.0]), zero, dw=pair.array([0.5]), db=pair.array(-0.25)
    )
    assert float(change.predicted) == 0.25 * (2 * 0.5 - 0.25)


# The exercises.


@pytest.mark.parametrize("c", [2.0**-20, 0.1, 7.0, 1e6])
def test_a_network_of_perceptrons_does_not_notice_a_positive_factor(pair, c):
    perceptron, inputs = pair.module("perceptron"), network(np.random.default_rng(0))
    x, layers = pair.array(inputs["x"]), layers_of(pair, inputs["layers"])
    before, after = (pair.numpy(perceptron.perceptron_network(x, n)) for n in (layers, perceptron.scaled(layers, c)))
    np.testing.assert_array_equal(before, after)
    assert {0.0, 1.0} == set(before.ravel())


def test_a_negative_factor_is_noticed(pair):
    perceptron, layers = pair.module("perceptron"), layers_of(pair, [(np.array([[1.0]]), np.array([-0.5]))])
    x = pair.array([[0.0], [1.0]])
    assert pair.numpy(perceptron.perceptron_network(x, layers)).tolist() == [[0], [1]]
    assert pair.numpy(perceptron.perceptron_network(x, perceptron.scaled(layers, -1.0))).tolist() == [[1], [0]]


def test_a_large_factor_turns_sigmoid_neurons_into_perceptrons(pair):
    perceptron, inputs = pair.module("perceptron"), network(np.random.default_rng(0))
    x, layers = pair.array(inputs["x"]), layers_of(pair, inputs["layers"])
    limit = pair.numpy(perceptron.perceptron_network(x, layers))
    outputs = pair.numpy(perceptron.sharpened(x, layers, pair.array([1.0, 100.0, 1e4, 1e6])))
    assert outputs.shape == (4, 6, 2)
    distances = np.abs(outputs - limit).max(axis=(1, 2))
    assert (distances[:2] > 0.1).all()  # a hidden neuron near 0 makes the way there no straight one
    assert distances[2] < 1e-100
    assert distances[3] == 0  # at 1e6 every sigmoid has rounded to 0 or 1


def test_where_the_weighted_input_is_0_no_factor_turns_one_half_into_a_decision(pair):
    perceptron, layers = pair.module("perceptron"), layers_of(pair, [(np.array([[1.0]]), np.array([0.0]))])
    x = pair.array([[0.5], [0.0], [-0.5]])
    outputs = pair.numpy(perceptron.sharpened(x, layers, pair.array([1.0, 1e3, 1e300])))[:, :, 0]
    assert outputs[:, 1].tolist() == [0.5, 0.5, 0.5]
    assert outputs[2].tolist() == [1, 0.5, 0]
    assert pair.numpy(perceptron.perceptron_network(x, layers)).tolist() == [[1], [0], [0]]


def test_each_scale_of_a_sweep_is_a_scaled_network(pair):
    perceptron, inputs = pair.module("perceptron"), network(np.random.default_rng(0))
    x, layers = pair.array(inputs["x"]), layers_of(pair, inputs["layers"])
    outputs = pair.numpy(perceptron.sharpened(x, layers, pair.array([1.0, 4.0])))
    for output, c in zip(outputs, (1.0, 4.0), strict=True):
        alone = pair.numpy(perceptron.sigmoid_network(x, perceptron.scaled(layers, c)))
        np.testing.assert_allclose(output, alone, rtol=1e-14)  # one product more or fewer fused


def test_a_network_without_layers_hands_its_input_on(pair):
    x = pair.array([[0.5]])
    assert pair.numpy(pair.module("perceptron").sigmoid_network(x, [])).tolist() == [[0.5]]


@pytest.mark.parametrize("others", [0.0, 0.01])
def test_ten_outputs_become_four_bits(pair, others):
    a = np.where(np.eye(10) == 1, 0.99, others)
    bits = pair.numpy(pair.module("perceptron").bitwise_output(pair.array(a)))
    wanted = np.array([[(digit >> place) & 1 for place in range(4)] for digit in range(10)])
    np.testing.assert_array_equal(bits > 0.5, wanted == 1)
    assert (np.abs(bits - wanted) < 0.001).all()  # sigma(-0.45 * 20) = 0.00012 at worst


def test_the_bits_are_right_as_far_as_the_docstring_says_and_not_much_further(pair):
    """Five odd digits share the lowest bit: at 0.1 each they weigh as much as the threshold, 0.5."""
    a = np.full((1, 10), 0.12)
    a[0, 0] = 0.99
    assert pair.numpy(pair.module("perceptron").bitwise_output(pair.array(a)))[0, 0] > 0.5
    a[0, 1:] = 0.09
    assert pair.numpy(pair.module("perceptron").bitwise_output(pair.array(a)))[0, 0] < 0.5


# Dtypes, and what is refused.


def test_the_outputs_have_the_dtype_of_the_inputs(pair):
    perceptron, x = pair.module("perceptron"), pair.array(BITS, "float32")
    w, layers = pair.array([1.0, 2.0], "float32"), [(pair.array([[1.0, 2.0]], "float32"), pair.array([0.5], "float32"))]
    found = [
        perceptron.perceptron(x, w, 1.0),
        *perceptron.half_adder(x, merged=True),
        perceptron.sigmoid_neuron(x, w, 1.0),
        perceptron.perceptron_network(x, layers),
        perceptron.bitwise_output(pair.array(np.eye(10), "float32")),
    ]
    assert {str(pair.numpy(output).dtype) for output in found} == {"float32"}


def test_an_empty_batch_gives_no_decisions(pair):
    assert decisions(pair, pair.module("perceptron").nand, np.empty((0, 2))) == []


def test_what_does_not_fit_is_refused(pair):
    perceptron = pair.module("perceptron")
    x, w = pair.array(BITS), pair.array([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"got x \(4, 2\) and w \(3,\), wanted \(\.\.\., inputs\) and \(inputs,\)"):
        perceptron.perceptron(x, w, 0.0)
    layers = [
        (pair.array(np.ones((3, 2))), pair.array(np.ones(3))),
        (pair.array(np.ones((3, 2))), pair.array(np.ones(3))),
    ]
    for network_of in (perceptron.perceptron_network, perceptron.sigmoid_network):
        with pytest.raises(ValueError, match=r"layer 1: got weights \(3, 2\) .* for 3 inputs, wanted \(n, 3\)"):
            network_of(x, layers)
    with pytest.raises(ValueError, match=r"got \(4, 2\), wanted \(\.\.\., 10\)"):
        perceptron.bitwise_output(x)
