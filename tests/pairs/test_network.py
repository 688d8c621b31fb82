"""Nielsen's network: the same digits recognised after every epoch in NumPy, torch and JAX; the baselines to beat."""

import struct

import numpy as np
import pytest

from parity.cases.network import COUNTS, mnist_cases, support_vectors, train_in_numpy, training
from parity.data import digits, random_orders, read_idx

pytestmark = pytest.mark.part(1)


@pytest.fixture
def network(pair):
    return pair.module("network")


def arrays(pair, tree, dtype=None):
    """The inputs of a case as one side's arrays; plain numbers stay."""
    if isinstance(tree, dict):
        return {name: arrays(pair, value, dtype) for name, value in tree.items()}
    if isinstance(tree, list):
        return [arrays(pair, value, dtype) for value in tree]
    if isinstance(tree, np.ndarray):
        return pair.array(tree, dtype if tree.dtype == np.float64 else None)
    return tree


def counts_of(pair, inputs, dtype=None):
    _, counts = pair.module("network").train_epochs(**arrays(pair, inputs, dtype))
    return pair.numpy(counts).tolist()


def test_thirty_epochs_recognise_the_same_digits_as_numpy_after_each(pair):
    assert tuple(counts_of(pair, training(digits()))) == COUNTS


@pytest.mark.parametrize(
    ("sizes", "learning_rate", "expected"),
    [((64, 100, 10), 3.0, [176, 190]), ((64, 30, 10), 100.0, [29, 29]), ((64, 30, 10), 0.001, [27, 27])],
)
def test_other_sizes_and_learning_rates_go_as_in_numpy(pair, sizes, learning_rate, expected):
    inputs = training(digits(), sizes, learning_rate=learning_rate, epochs=2)
    assert counts_of(pair, inputs) == train_in_numpy(inputs)["counts"].tolist() == expected


def test_the_numpy_witness_gives_all_thirty_counts():
    assert tuple(train_in_numpy(training(digits()))["counts"]) == COUNTS


def test_the_numpy_witness_gives_the_best_count_without_a_hidden_layer():
    assert train_in_numpy(training(digits(), (64, 10)))["best"] == 287


def test_the_counts_notice_a_step_that_is_not_averaged_over_the_minibatch(pair):
    inputs = training(digits(), epochs=2)
    assert counts_of(pair, inputs | {"learning_rate": 10 * inputs["learning_rate"]}) != list(COUNTS[:2])


def test_at_float32_the_first_epochs_are_the_same(pair):
    assert counts_of(pair, training(digits(), epochs=2), "float32") == list(COUNTS[:2])


def test_an_update_is_the_books_rule_on_each_weight_and_bias(pair, network):
    # one neuron, worked out: dC/dz = (a - y) a (1 - a), averaged over the minibatch
    params = {"weights": [np.array([[0.5, -0.25]])], "biases": [np.array([0.1])]}
    X, Y = np.array([[1.0, 2.0], [0.0, -1.0]]), np.array([[1.0], [0.0]])
    a = 1 / (1 + np.exp(-(X @ params["weights"][0].T + params["biases"][0])))
    dz = (a - Y) * a * (1 - a)
    order = np.array([[0, 1]])
    after, costs = network.train(**arrays(pair, {"params": params, "X": X, "Y": Y, "order": order}), learning_rate=2.0)
    # a handful of roundings of numbers below one
    np.testing.assert_allclose(pair.numpy(after["weights"][0]), params["weights"][0] - dz.T @ X, rtol=0, atol=2**-52)
    np.testing.assert_allclose(
        pair.numpy(after["biases"][0]), params["biases"][0] - dz.sum(axis=0), rtol=0, atol=2**-52
    )
    np.testing.assert_allclose(pair.numpy(costs), [((a - Y) ** 2).sum() / 4], rtol=0, atol=2**-52)


def test_training_leaves_what_it_was_given_as_it_was(pair, network):
    inputs = training(digits(), epochs=2)
    given = arrays(pair, inputs)
    network.train_epochs(**given)
    for kind, layers in inputs["params"].items():
        for before, after in zip(layers, given["params"][kind], strict=True):
            np.testing.assert_array_equal(pair.numpy(after), before)


def test_no_epochs_give_no_counts(pair):
    assert counts_of(pair, training(digits(), epochs=0)) == []


def test_everything_keeps_the_inputs_dtype(pair, network):
    given = arrays(pair, training(digits(), epochs=1), "float32")
    params, costs = network.train(
        given["params"], given["X"], given["Y"], given["order"][0, :3], learning_rate=given["learning_rate"]
    )
    results = [network.feedforward(params, given["X"]), network.cost(params, given["X"], given["Y"]), costs]
    results += [*params["weights"], *params["biases"], network.average_darkness(given["test_X"], given["test_y"])]
    assert {str(pair.numpy(value).dtype) for value in results} == {"float32"}


def test_darkness_alone_recognises_40_of_297_digits(pair, network):
    data = digits()
    averages = network.average_darkness(pair.array(data.train_images), pair.array(data.train_labels))
    guesses = pair.numpy(network.guess_by_darkness(averages, pair.array(data.test_images)))
    assert (guesses == data.test_labels).sum() == 40


def test_of_two_digits_equally_near_the_first_is_guessed(pair, network):
    guesses = network.guess_by_darkness(pair.array([1.0, 3.0]), pair.array([[2.0], [2.5]]))
    assert pair.numpy(guesses).tolist() == [0, 1]


def test_a_support_vector_machine_recognises_293():
    data = digits()
    inputs = {"X": data.train_images, "y": data.train_labels, "test_X": data.test_images, "test_y": data.test_labels}
    assert support_vectors(inputs) == {"recognised by a support vector machine": 293}


def test_without_scikit_learn_the_missing_baseline_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.svm", None)
    assert support_vectors({}) == {"recognised by a support vector machine": "scikit-learn is not installed"}


@pytest.mark.parametrize("shape", [(5, 63), (64,), (5, 8, 8)])
def test_images_that_do_not_fit_the_first_layer_are_refused(pair, network, shape):
    params = arrays(pair, training(digits(), epochs=0)["params"])
    with pytest.raises(ValueError, match=r"network: got images of shape \(.*\); wanted \(N, 64\), as the first layer"):
        network.feedforward(params, pair.array(np.zeros(shape)))


def write_idx(path, array):
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())


def test_the_network_learns_from_idx_files_as_it_learns_from_the_digits(pair, network, tmp_path):
    rng = np.random.default_rng(0)
    write_idx(tmp_path / "images", rng.integers(0, 256, (20, 28, 28)).astype(np.uint8))
    write_idx(tmp_path / "labels", (np.arange(20) % 10).astype(np.uint8))
    images, labels = (
        read_idx(tmp_path / "images").reshape(20, 784) / 255,
        read_idx(tmp_path / "labels").astype(np.int64),
    )
    first = training(digits(), (784, 30, 10), epochs=0)
    inputs = first | {"X": images, "Y": np.eye(10)[labels], "test_X": images, "test_y": labels}
    inputs["order"] = random_orders(20, 10, 3, rng=rng)
    assert counts_of(pair, inputs) == train_in_numpy(inputs)["counts"].tolist()


def test_a_folder_of_mnist_files_adds_the_books_own_network(pair, tmp_path):
    assert mnist_cases(None) == mnist_cases("") == ()
    rng = np.random.default_rng(0)
    for part, many in {"train": 10_020, "t10k": 30}.items():
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", rng.integers(0, 256, (many, 28, 28)).astype(np.uint8))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", (np.arange(many) % 10).astype(np.uint8))
    (case,) = mnist_cases(tmp_path)
    inputs = case.inputs(rng)
    assert inputs["X"].shape == (20, 784)
    assert inputs["order"].shape == (3, 2, 10)
    assert counts_of(pair, inputs) == train_in_numpy(inputs)["counts"].tolist()
