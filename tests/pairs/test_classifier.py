"""The classifier on each side alone: what a step does, what an epoch teaches, and what a file keeps."""

import pickle

import numpy as np
import pytest

from parity.cases.classifier import BATCH, STEPS, cifar10_cases, on_digits, pictures, trained
from parity.cases.lenet import lenet_state
from parity.data import digits

pytestmark = pytest.mark.part(1)


def arrays(pair, nest, dtype=None):
    """NumPy's arrays as the side's; floating ones in the dtype."""
    if isinstance(nest, dict):
        return {name: arrays(pair, value, dtype) for name, value in nest.items()}
    if not isinstance(nest, np.ndarray):
        return nest
    return pair.array(nest, dtype if nest.dtype.kind == "f" else None)


def numpy(pair, nest):
    return {name: numpy(pair, value) if isinstance(value, dict) else pair.numpy(value) for name, value in nest.items()}


def same(left, right):
    """Bit for bit, through nested dicts."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    return left.dtype == right.dtype and np.array_equal(left, right)


def constant_net(answer):
    """Parameters that give one class to every picture."""
    params = {name: np.zeros_like(value) for name, value in lenet_state(np.random.default_rng(0)).items()}
    params["fc3.bias"] = np.eye(10)[answer]
    return params


def short_run(steps=2):
    """The first steps on digits, as arguments of train."""
    inputs = on_digits(np.random.default_rng(0))
    run = {name: inputs[name] for name in ("state", "images", "labels", "order")}
    return run | {"order": run["order"][:steps], "images": run["images"] * 2 - 1, "learning_rate": 0.5}


# Pictures.


def test_pixels_from_0_to_1_become_minus_1_to_1(pair):
    images = pair.module("classifier").normalise(pair.array([0.0, 0.25, 0.5, 1.0]))
    assert pair.numpy(images).tolist() == [-1.0, -0.5, 0.0, 1.0]


def test_bytes_are_refused(pair):
    with pytest.raises(TypeError, match=r"wanted floating in \[0, 1\]; divide bytes by 255"):
        pair.module("classifier").normalise(pair.array(np.array([0, 255], dtype=np.uint8)))


# Training.


def test_a_net_that_knows_nothing_starts_from_the_logarithm_of_ten(pair):
    run = short_run()
    run["state"]["params"] = {name: np.zeros_like(value) for name, value in run["state"]["params"].items()}
    _, losses = pair.module("classifier").train(**arrays(pair, run))
    np.testing.assert_array_max_ulp(pair.numpy(losses)[:1], np.log([10.0]), maxulp=2)


def test_the_velocity_gathers_gradients_and_the_parameters_follow_it(pair):
    classifier = pair.module("classifier")
    run = short_run()
    run["order"] = run["order"][[0, 0]]
    start = run.pop("state")["params"]

    def trained_from(params, learning_rate):
        state = classifier.initial_state(arrays(pair, params))
        state, _ = classifier.train(state=state, **arrays(pair, run | {"learning_rate": learning_rate}))
        return numpy(pair, state)

    def gradients(params):
        """Two steps at a rate of zero leave the parameters where they are, and gather g, and then 0.9 g + g."""
        still = trained_from(params, 0.0)
        assert same(still["params"], params)
        return {name: v / 1.9 for name, v in still["momentum_buffer"].items()}

    first = gradients(start)
    after_one = {name: w - 0.5 * first[name] for name, w in start.items()}
    second = gradients(after_one)
    after_two = trained_from(start, 0.5)
    for name, w in after_one.items():
        velocity = 0.9 * first[name] + second[name]
        # numbers of a tenth or so, each rounded a few times on the way
        np.testing.assert_allclose(after_two["momentum_buffer"][name], velocity, rtol=0, atol=1e-15)
        np.testing.assert_allclose(after_two["params"][name], w - 0.5 * velocity, rtol=0, atol=1e-15)


def test_a_run_stopped_and_resumed_is_the_run_in_one_go(pair):
    classifier = pair.module("classifier")
    run = arrays(pair, short_run(4))
    state, order = run.pop("state"), run.pop("order")
    whole, losses = classifier.train(state=state, order=order, **run)
    half, first = classifier.train(state=state, order=order[:2], **run)
    resumed, second = classifier.train(state=half, order=order[2:], **run)
    # a loop of one step would not do: XLA unrolls it, and then rounds otherwise
    assert same(numpy(pair, resumed), numpy(pair, whole))
    assert same(np.concatenate([pair.numpy(first), pair.numpy(second)]), pair.numpy(losses))
    forgetful, _ = classifier.train(state=classifier.initial_state(half["params"]), order=order[2:], **run)
    assert not same(numpy(pair, forgetful), numpy(pair, whole))


def test_the_caller_s_arrays_keep_their_values(pair):
    run = short_run()
    given = arrays(pair, run)
    pair.module("classifier").train(**given)
    del given["learning_rate"], run["learning_rate"]
    assert same(numpy(pair, given), run)


def test_no_steps_leave_the_state_as_it_was(pair):
    run = short_run(0)
    state, losses = pair.module("classifier").train(**arrays(pair, run))
    assert same(numpy(pair, state), run["state"])
    assert tuple(losses.shape) == (0,)


def test_float32_stays_float32(pair):
    classifier = pair.module("classifier")
    run = arrays(pair, short_run(), "float32")
    state, losses = classifier.train(**run)
    params, images, labels = state["params"], run["images"][:10], run["labels"][:10]
    results = {
        **{f"{part} {name}": value for part in state for name, value in state[part].items()},
        "losses": losses,
        "means": classifier.running_means(losses, 1),
        "accuracy": classifier.evaluate(params, images, labels),
        "per class": classifier.per_class_accuracy(params, images, labels),
    }
    assert {array.dtype.name for array in numpy(pair, results).values()} == {"float32"}


@pytest.mark.part(0)
def test_one_epoch_of_digits_teaches_it_261_of_297(pair):
    inputs = on_digits(np.random.default_rng(0))
    results = numpy(pair, trained(pair.module("classifier"), **arrays(pair, inputs)))
    labels = digits().test_labels
    right = results["predictions"] == labels
    assert right.sum() == 261
    assert results["accuracy"] == 261 / 297
    assert results["per_class_accuracy"].tolist() == [right[labels == digit].mean() for digit in range(10)]
    assert results["losses"].shape == (STEPS,)
    assert len(results["running_means"]) == STEPS // 20
    assert results["running_means"][0] > 2.2
    assert results["running_means"][-1] < 0.5
    assert inputs["order"].shape == (STEPS, BATCH)


def test_running_means_leave_out_a_stretch_that_is_not_full(pair):
    running_means = pair.module("classifier").running_means
    losses = pair.array([4.0, 2.0, 1.0, 3.0, 8.0])
    assert pair.numpy(running_means(losses, 2)).tolist() == [3.0, 2.0]
    assert pair.numpy(running_means(losses)).tolist() == []
    with pytest.raises(ValueError, match="every is 0, wanted 1 or more"):
        running_means(losses, 0)


# What it has learnt.


def test_a_net_that_always_says_the_same_is_right_one_time_in_ten(pair):
    classifier = pair.module("classifier")
    params, images = arrays(pair, constant_net(7)), pair.array(np.zeros((10, 1, 32, 32)))
    labels = pair.array(np.arange(10))
    assert float(classifier.evaluate(params, images, labels)) == 0.1
    per_class = classifier.per_class_accuracy(params, images, labels)
    assert pair.numpy(per_class).tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 0, 0]


def test_a_class_that_no_picture_has_gets_no_accuracy(pair):
    classifier = pair.module("classifier")
    params, images = arrays(pair, constant_net(1)), pair.array(np.zeros((10, 1, 32, 32)))
    per_class = classifier.per_class_accuracy(params, images, pair.array(np.arange(10) % 2), classes=3)
    np.testing.assert_array_equal(pair.numpy(per_class), [0, 1, np.nan])


def test_of_classes_that_tie_the_first_is_predicted(pair):
    params = constant_net(3)
    params["fc3.bias"][8] = 1.0
    predictions = pair.module("classifier").predict(arrays(pair, params), pair.array(np.zeros((10, 1, 32, 32))))
    assert pair.numpy(predictions).tolist() == [3] * 10


@pytest.mark.parametrize("batch_size", [1, 4, 1000])
def test_predictions_do_not_depend_on_how_many_pictures_go_through_at_once(pair, batch_size):
    inputs = arrays(pair, pictures(np.random.default_rng(0), channels=1, count=10))
    predict = pair.module("classifier").predict
    predictions = pair.numpy(predict(**inputs, batch_size=batch_size))
    images = inputs["images"]
    one_by_one = [pair.numpy(predict(inputs["params"], images[row : row + 1])).item() for row in range(10)]
    assert predictions.tolist() == one_by_one
    assert len(set(one_by_one)) > 1


def test_no_pictures_have_no_predictions(pair):
    predictions = pair.module("classifier").predict(arrays(pair, constant_net(0)), pair.array(np.zeros((0, 1, 32, 32))))
    assert tuple(predictions.shape) == (0,)


# Files.


def test_a_fresh_net_loads_what_was_saved_bit_for_bit(pair, tmp_path):
    classifier = pair.module("classifier")
    params = lenet_state(np.random.default_rng(0), channels=3)
    classifier.save(arrays(pair, params), tmp_path / "cifar_net.safetensors")
    assert same(numpy(pair, classifier.load(tmp_path / "cifar_net.safetensors", in_channels=3)), params)


def test_a_fresh_net_of_another_shape_refuses_the_file(pair, tmp_path):
    classifier = pair.module("classifier")
    classifier.save(arrays(pair, lenet_state(np.random.default_rng(0), channels=3)), tmp_path / "net.safetensors")
    with pytest.raises(ValueError, match=r"conv1.weight has shape \(6, 3, 5, 5\), the model wants \(6, 1, 5, 5\)"):
        classifier.load(tmp_path / "net.safetensors")


def test_without_a_folder_there_is_no_case_of_cifar10():
    assert cifar10_cases(None) == cifar10_cases("") == ()


def test_cifar10_is_read_from_its_folder_and_trains_a_net_of_62_006_parameters(pair, tmp_path):
    rng = np.random.default_rng(0)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        batch = {
            b"data": rng.integers(0, 256, size=(10, 3072), dtype=np.uint8),
            b"labels": rng.integers(0, 10, size=10).tolist(),
        }
        (tmp_path / name).write_bytes(pickle.dumps(batch, protocol=4))
    names = [f"kind {number}".encode() for number in range(10)]
    (tmp_path / "batches.meta").write_bytes(pickle.dumps({b"label_names": names}, protocol=4))

    (case,) = cifar10_cases(tmp_path)
    inputs = case.inputs(np.random.default_rng(0))
    assert inputs["order"].shape == (12, 4)  # of fifty pictures, two are left over
    assert sum(value.size for value in inputs["state"]["params"].values()) == 62_006
    results = numpy(pair, trained(pair.module("classifier"), **arrays(pair, inputs)))
    assert results["losses"].shape == (12,)
    assert results["accuracy"] == np.mean(results["predictions"] == inputs["test_labels"])
    assert not same(results["state"], inputs["state"])


# Errors.


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"order": np.arange(8)}, r"order has shape \(8,\), wanted \(steps, batch\)"),
        ({"labels": np.arange(3)}, r"1500 images have labels of shape \(3,\), wanted \(1500,\)"),
        ({"momentum": 0.0}, "momentum is 0.0, wanted between 0 and 1"),
        ({"momentum": 1.0}, "momentum is 1.0, wanted between 0 and 1"),
        ({"images": np.zeros((1500, 1, 28, 28))}, r"LeNet: x has shape \(8, 1, 28, 28\), wanted \(N, 1, 32, 32\)"),
    ],
)
def test_what_does_not_fit_is_refused(pair, fault, message):
    with pytest.raises(ValueError, match=message):
        pair.module("classifier").train(**arrays(pair, short_run() | fault))


@pytest.mark.parametrize("function", ["evaluate", "per_class_accuracy"])
def test_labels_that_are_not_one_a_picture_are_refused(pair, function):
    params, images = arrays(pair, constant_net(0)), pair.array(np.zeros((4, 1, 32, 32)))
    with pytest.raises(ValueError, match=r"4 images have labels of shape \(1,\), wanted \(4,\)"):
        getattr(pair.module("classifier"), function)(params, images, pair.array(np.array([0])))
