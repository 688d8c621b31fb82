"""Gates and their circuits, on each side alone: the page's numbers, ties, and what a wrong backward would show."""

import numpy as np
import pytest

pytestmark = pytest.mark.part(1)

NEURON = {"w0": 2, "x0": -1, "w1": -3, "x1": -2, "w2": -3}
CIRCUIT_INPUTS = {
    "product": "xy",
    "sum": "xy",
    "max": "xy",
    "sum_times": "xyz",
    "neuron": tuple(NEURON),
    "sigmoid_neuron": tuple(NEURON),
    "staged": "xy",
    "patterns": "xyzw",
}
WAYS = ("backpropagate", "autograd")


def flow(pair, circuit, way="backpropagate", **inputs):
    """Values and gradients by name, as Python floats."""
    gates = pair.module("gates")
    arrays = {name: pair.array(float(value)) for name, value in inputs.items()}
    return tuple(floats(pair, part) for part in getattr(gates, way)(gates.CIRCUITS[circuit], arrays))


def floats(pair, named):
    return {name: pair.numpy(array).item() for name, array in named.items()}


def random_flow(pair, circuit, way):
    gates, rng = pair.module("gates"), np.random.default_rng(0)
    inputs = {name: pair.array(rng.normal(size=(3, 5))) for name in CIRCUIT_INPUTS[circuit]}
    return [
        {n: pair.numpy(a) for n, a in part.items()} for part in getattr(gates, way)(gates.CIRCUITS[circuit], inputs)
    ]


def rounded(named, decimals):
    return {name: round(value, decimals) for name, value in named.items()}


def assert_to_the_last_digits(found, wanted):
    """Within four units in the last place: an exp is good to about one (e^-1 is not the same), and is built upon."""
    np.testing.assert_array_max_ulp(np.array([found[name] for name in wanted]), np.array([*wanted.values()], float), 4)


# The page's circuits, each by hand and by autograd.


@pytest.mark.parametrize("way", WAYS)
def test_a_product_gives_each_input_the_other_one(pair, way):
    values, gradients = flow(pair, "product", way, x=4, y=-3)
    assert values["f"] == -12
    assert gradients == {"x": -3, "y": 4, "f": 1}


@pytest.mark.parametrize("way", WAYS)
def test_a_sum_gives_both_inputs_one(pair, way):
    assert flow(pair, "sum", way, x=4, y=-3) == ({"x": 4, "y": -3, "f": 1}, {"x": 1, "y": 1, "f": 1})


@pytest.mark.parametrize("way", WAYS)
def test_a_maximum_routes_the_gradient_to_the_larger_input(pair, way):
    assert flow(pair, "max", way, x=4, y=2)[1] == {"x": 1, "y": 0, "f": 1}
    assert flow(pair, "max", way, x=2, y=4)[1] == {"x": 0, "y": 1, "f": 1}


def test_at_a_tie_the_formula_gives_both_inputs_all_and_autograd_gives_each_half(pair):
    for number in (3, 0, -2):
        assert flow(pair, "max", "backpropagate", x=number, y=number)[1] == {"x": 1, "y": 1, "f": 1}
        assert flow(pair, "max", "autograd", x=number, y=number)[1] == {"x": 0.5, "y": 0.5, "f": 1}


def test_a_tie_in_the_middle_of_a_circuit_is_met_in_the_same_two_ways(pair):
    assert flow(pair, "patterns", "backpropagate", x=3, y=-4, z=2, w=2)[1]["w"] == 2
    assert flow(pair, "patterns", "autograd", x=3, y=-4, z=2, w=2)[1]["w"] == 1


def test_zero_and_minus_zero_tie(pair):
    assert flow(pair, "max", x=0.0, y=-0.0)[1] == {"x": 1, "y": 1, "f": 1}


@pytest.mark.parametrize("way", WAYS)
def test_the_sum_times_z_gives_the_published_gradients(pair, way):
    values, gradients = flow(pair, "sum_times", way, x=-2, y=5, z=-4)
    assert values == {"x": -2, "y": 5, "z": -4, "q": 3, "f": -12}
    assert gradients == {"x": -4, "y": -4, "z": 3, "q": -4, "f": 1}


@pytest.mark.parametrize("way", WAYS)
def test_the_neuron_gives_the_published_values_and_gradients(pair, way):
    values, gradients = flow(pair, "neuron", way, **NEURON)
    sums = {"w0x0": -2, "w1x1": 6, "sum": 4, "dot": 1, "negated": -1}
    assert rounded(values, 2) == NEURON | sums | {"exponential": 0.37, "denominator": 1.37, "f": 0.73}
    gates = {"f": 1.0, "denominator": -0.53, "exponential": -0.53, "negated": -0.2, "dot": 0.2, "sum": 0.2}
    products = {"w0x0": 0.2, "w1x1": 0.2}
    inputs = {"w0": -0.2, "x0": 0.39, "w1": -0.39, "x1": -0.59, "w2": 0.2}
    assert rounded(gradients, 2) == gates | products | inputs


@pytest.mark.parametrize("way", WAYS)
def test_the_neuron_is_right_to_the_last_digits(pair, way):
    values, gradients = flow(pair, "neuron", way, **NEURON)
    assert_to_the_last_digits(values, {"exponential": 0.36787944117144233, "f": 0.7310585786300049})
    assert_to_the_last_digits(gradients, {"exponential": -0.534446645388523})


@pytest.mark.parametrize("way", WAYS)
def test_one_sigmoid_gate_in_place_of_four_gives_the_exact_gradients(pair, way):
    values, gradients = flow(pair, "sigmoid_neuron", way, **NEURON)
    assert_to_the_last_digits(values, {"f": 0.7310585786300049})
    dx = {"x0": 0.3932238664829637, "x1": -0.5898357997244456}
    dw = {"w0": -0.19661193324148185, "w1": -0.3932238664829637, "w2": 0.19661193324148185}
    assert_to_the_last_digits(gradients, {"dot": 0.19661193324148185} | dx | dw)


@pytest.mark.parametrize("way", WAYS)
def test_the_staged_computation_gives_every_intermediate_and_its_gradient(pair, way):
    values, gradients = flow(pair, "staged", way, x=3, y=-4)
    numerator = {"sigy": 0.01798620996209156, "num": 3.0179862099620918}
    denominator = {"sigx": 0.9525741268224334, "xpy": -1, "xpysqr": 1, "den": 1.9525741268224333}
    assert_to_the_last_digits(values, numerator | denominator | {"invden": 0.5121444488396316, "f": 1.5456448841066441})
    stages = {"num": 0.5121444488396316, "invden": 3.0179862099620918, "den": -0.7915934472725935}
    inputs = {"xpy": 1.583186894545187, "x": 2.0595697955721652, "y": 1.5922327514838093}
    assert_to_the_last_digits(gradients, stages | inputs)


def test_the_last_digits_are_looked_at():
    with pytest.raises(AssertionError):
        assert_to_the_last_digits({"f": 0.7310585786300059}, {"f": 0.7310585786300049})


@pytest.mark.parametrize("way", WAYS)
def test_the_patterns_circuit_shows_add_max_and_multiply(pair, way):
    values, gradients = flow(pair, "patterns", way, x=3, y=-4, z=2, w=-1)
    assert [values[name] for name in ("xy", "max", "sum", "f")] == [-12, 2, -10, -20]
    assert gradients == {"x": -8, "y": 6, "z": 2, "w": 0, "xy": 2, "max": 2, "sum": 2, "f": 1}


# By hand against autograd.


@pytest.mark.parametrize("circuit", ["max", "neuron", "staged", "patterns"])
def test_by_hand_and_autograd_agree_at_random_inputs(pair, circuit):
    (values, gradients), (values_too, gradients_too) = (random_flow(pair, circuit, way) for way in WAYS)
    for name in values:
        np.testing.assert_array_equal(values[name], values_too[name])
        # a gate and autograd may round a product in another order: some units in the last place
        np.testing.assert_allclose(gradients[name], gradients_too[name], rtol=1e-14, atol=1e-15)


def test_a_gate_with_a_wrong_backward_is_told_from_autograd(pair):
    gates = pair.module("gates")

    def wrong(x, y):
        value, _ = gates.multiply(x, y)
        return value, lambda upstream: (x * upstream, y * upstream)

    circuit, inputs = [gates.Node("f", wrong, ("x", "y"))], {"x": pair.array(4.0), "y": pair.array(-3.0)}
    by_hand, autograd = gates.backpropagate(circuit, inputs), gates.autograd(circuit, inputs)
    assert floats(pair, by_hand.values) == floats(pair, autograd.values)
    assert floats(pair, by_hand.gradients)["x"] == 4
    assert floats(pair, autograd.gradients)["x"] == -3


def test_gradients_add_up_at_a_fork(pair):
    gates = pair.module("gates")
    circuit = [gates.Node("square", gates.multiply, ("x", "x")), gates.Node("f", gates.add, ("square", "x"))]
    for way in WAYS:
        found = getattr(gates, way)(circuit, {"x": pair.array(3.0)})
        assert floats(pair, found.gradients) == {"x": 7, "square": 1, "f": 1}


def test_an_input_that_nothing_reads_has_no_gradient(pair):
    for way in WAYS:
        assert flow(pair, "product", way, x=4, y=-3, unused=5)[1]["unused"] == 0


# The gates alone.


@pytest.mark.parametrize(
    ("gate", "x", "value", "slope"),
    [
        (lambda gates: gates.reciprocal, 2.0, 0.5, -0.25),
        (lambda gates: gates.shift(1.5), 2.0, 3.5, 1.0),
        (lambda gates: gates.scale(-2.5), 2.0, -5.0, -2.5),
        (lambda gates: gates.exponential, 0.0, 1.0, 1.0),
        (lambda gates: gates.sigmoid, 0.0, 0.5, 0.25),
    ],
    ids=["reciprocal", "shift", "scale", "exponential", "sigmoid"],
)
def test_a_gate_of_one_input_has_its_derivative(pair, gate, x, value, slope):
    result, backward = gate(pair.module("gates"))(pair.array(x))
    assert pair.numpy(result) == value
    assert [pair.numpy(gradient) for gradient in backward(pair.array(1.0))] == [slope]
    assert [pair.numpy(gradient) for gradient in backward(pair.array(-2.0))] == [-2 * slope]


def test_the_sigmoid_gate_is_flat_and_finite_far_out(pair):
    value, backward = pair.module("gates").sigmoid(pair.array([-1000.0, 1000.0]))
    np.testing.assert_array_equal(pair.numpy(value), [0, 1])
    np.testing.assert_array_equal(pair.numpy(*backward(pair.array([1.0, 1.0]))), [0, 0])


def test_matrices_find_their_transposes_by_their_shapes(pair):
    rng, gates = np.random.default_rng(0), pair.module("gates")
    W, X, dD = (rng.integers(-9, 9, size=shape).astype(float) for shape in ((5, 10), (10, 3), (5, 3)))
    inputs = {"W": pair.array(W), "X": pair.array(X)}
    for way in WAYS:
        found = getattr(gates, way)(gates.CIRCUITS["matmul"], inputs, pair.array(dD))
        np.testing.assert_array_equal(pair.numpy(found.values["D"]), W @ X)
        np.testing.assert_array_equal(pair.numpy(found.gradients["W"]), dD @ X.T)
        np.testing.assert_array_equal(pair.numpy(found.gradients["X"]), W.T @ dD)


def test_data_times_1000_makes_the_gradient_of_the_weights_1000_times_larger(pair):
    rng, gates = np.random.default_rng(0), pair.module("gates")
    W, X, dD = (rng.integers(-9, 9, size=shape).astype(float) for shape in ((3, 4), (4, 20), (3, 20)))

    def gradients(data):
        inputs = {"W": pair.array(W), "X": pair.array(data)}
        return gates.backpropagate(gates.CIRCUITS["matmul"], inputs, pair.array(dD)).gradients

    np.testing.assert_array_equal(pair.numpy(gradients(1000 * X)["W"]), 1000 * pair.numpy(gradients(X)["W"]))
    np.testing.assert_array_equal(pair.numpy(gradients(1000 * X)["X"]), pair.numpy(gradients(X)["X"]))


# Dtypes, empty arrays, and what is refused.


@pytest.mark.parametrize("circuit", ["staged", "patterns"])
def test_a_circuit_keeps_the_dtype_of_its_inputs(pair, circuit):
    gates = pair.module("gates")
    inputs = {name: pair.array(0.5, "float32") for name in CIRCUIT_INPUTS[circuit]}
    for way in WAYS:
        for part in getattr(gates, way)(gates.CIRCUITS[circuit], inputs):
            assert {str(pair.numpy(array).dtype) for array in part.values()} == {"float32"}


def test_an_empty_array_goes_through(pair):
    gates = pair.module("gates")
    inputs = {name: pair.array(np.empty((0, 2))) for name in CIRCUIT_INPUTS["product"]}
    for way in WAYS:
        assert tuple(getattr(gates, way)(gates.CIRCUITS["product"], inputs).gradients["x"].shape) == (0, 2)


def test_the_inputs_keep_their_values(pair):
    gates = pair.module("gates")
    inputs = {name: pair.array(float(value)) for name, value in NEURON.items()}
    for way in WAYS:
        getattr(gates, way)(gates.CIRCUITS["neuron"], inputs)
        assert floats(pair, inputs) == NEURON


@pytest.mark.parametrize("way", WAYS)
def test_a_circuit_that_makes_no_sense_is_refused(pair, way):
    gates, x = pair.module("gates"), pair.array(1.0)
    run = getattr(gates, way)
    with pytest.raises(ValueError, match="got no nodes, wanted at least one"):
        run([], {"x": x})
    with pytest.raises(ValueError, match=r"node 'f': got only \['x'\], wanted \['y'\] too"):
        run(gates.CIRCUITS["product"], {"x": x})
    with pytest.raises(ValueError, match="node 'x': the name is taken"):
        run([gates.Node("x", gates.scale(2.0), ("x",))], {"x": x})
    with pytest.raises(ValueError, match=r"upstream: got shape \(2,\), wanted the output's, \(\)"):
        run(gates.CIRCUITS["product"], {"x": x, "y": x}, pair.array([1.0, 2.0]))


def test_gates_do_not_broadcast_in_silence(pair):
    gates = pair.module("gates")
    inputs = {"x": pair.array([1.0, 2.0]), "y": pair.array(3.0)}
    with pytest.raises(ValueError, match=r"node 'f': got a gradient of shape \(2,\) for 'y', wanted \(\)"):
        gates.backpropagate(gates.CIRCUITS["product"], inputs)


def test_matrices_that_do_not_fit_are_refused(pair):
    with pytest.raises(ValueError, match=r"got W \(2, 3\) and X \(2, 3\), wanted \(M, K\) and \(K, N\)"):
        pair.module("gates").matmul(pair.array(np.ones((2, 3))), pair.array(np.ones((2, 3))))
