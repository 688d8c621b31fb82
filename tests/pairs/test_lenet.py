"""MLP and LeNet: the blitz's shapes and counts, its first step by hand, the initial distributions, and the errors."""

import functools
import math
from dataclasses import replace

import numpy as np
import pytest

from parity.cases import cases_of
from parity.cases.classifier import on_digits
from parity.cases.lenet import lenet_inputs, lenet_state, mlp_state
from parity.cases.runner import run_case
from parity.report import Report

pytestmark = pytest.mark.part(1)

LAYERS = ("conv1", "conv2", "fc1", "fc2", "fc3")


@pytest.fixture
def networks(pair):
    return pair.module("lenet")


def arrays(pair, state):
    return {name: pair.array(value) for name, value in state.items()}


def numpy(pair, state):
    return {name: pair.numpy(value) for name, value in state.items()}


def lenet(pair, **sizes):
    return pair.module("lenet").LeNet.from_state(arrays(pair, lenet_state(np.random.default_rng(0), **sizes)))


def fresh(pair, network, *sizes, **options):
    """A network as its constructor starts it, from a fixed seed."""
    if pair.name == "torch":
        import torch

        torch.manual_seed(0)
    else:
        import jax
        from flax import nnx

        # the generator that compiles fastest: every one draws from the same distribution
        options["rngs"] = nnx.Rngs(jax.random.key(0, impl="rbg"))
    return getattr(pair.module("lenet"), network)(*sizes, **options)


@functools.cache
def compiled(function):
    from flax import nnx

    return nnx.jit(function)


def backward(pair, model, x, cotangent):
    function = pair.module("lenet").backward
    return (compiled(function) if pair.name == "jax" else function)(model, x, cotangent)


@pytest.mark.parametrize("batch", [0, 3])
def test_every_shape_on_lenets_way_is_the_published_one(pair, networks, batch):
    N = batch
    assert tuple(networks.shapes(lenet(pair), pair.array(np.zeros((N, 1, 32, 32)))).items()) == (
        ("conv1", (N, 6, 28, 28)),
        ("relu1", (N, 6, 28, 28)),
        ("pool1", (N, 6, 14, 14)),
        ("conv2", (N, 16, 10, 10)),
        ("relu2", (N, 16, 10, 10)),
        ("pool2", (N, 16, 5, 5)),
        ("flatten", (N, 400)),
        ("fc1", (N, 120)),
        ("relu3", (N, 120)),
        ("fc2", (N, 84)),
        ("relu4", (N, 84)),
        ("fc3", (N, 10)),
    )


@pytest.mark.parametrize(("channels", "scalars"), [(1, 61_706), (3, 62_006)])
def test_lenet_has_ten_parameters_of_the_published_sizes(pair, networks, channels, scalars):
    model = lenet(pair, channels=channels)
    shapes = networks.parameter_shapes(model)
    assert len(shapes) == 10
    assert shapes["conv1.weight"] == (6, channels, 5, 5)
    assert networks.parameter_count(model) == sum(math.prod(shape) for shape in shapes.values()) == scalars
    sizes = [math.prod(shapes[f"{layer}.weight"]) + math.prod(shapes[f"{layer}.bias"]) for layer in LAYERS]
    assert sizes == [{1: 156, 3: 456}[channels], 2416, 48120, 10164, 850]


def test_widening_changes_the_two_convolutions_alone(pair, networks):
    narrow, wide = (networks.parameter_shapes(lenet(pair, channels=3, width=width)) for width in (6, 11))
    changed = {name: shape for name, shape in wide.items() if shape != narrow[name]}
    assert changed == {"conv1.weight": (11, 3, 5, 5), "conv1.bias": (11,), "conv2.weight": (16, 11, 5, 5)}


def test_flatten_runs_over_channel_row_and_column(pair):
    inputs = lenet_inputs(np.random.default_rng(0))
    found = numpy(pair, lenet(pair).activations(pair.array(inputs["x"])))
    assert np.array_equal(found["flatten"], found["pool2"].reshape(4, 400))
    # the planted fault: the order in which Flax itself holds an image
    assert not np.array_equal(found["flatten"], found["pool2"].transpose(0, 2, 3, 1).reshape(4, 400))


def test_a_single_image_needs_a_batch_dimension(pair, networks):
    model, image = lenet(pair), pair.array(np.zeros((1, 32, 32)))
    with pytest.raises(ValueError, match=r"x has shape \(1, 32, 32\), wanted \(N, 1, 32, 32\).*as_batch\(image\)"):
        model(image)
    assert tuple(networks.as_batch(image).shape) == (1, 1, 32, 32)
    assert tuple(model(networks.as_batch(image)).shape) == (1, 10)
    with pytest.raises(ValueError, match=r"as_batch: image has shape \(1, 1, 32, 32\), wanted \(C, H, W\)"):
        networks.as_batch(networks.as_batch(image))


@pytest.mark.parametrize("shape", [(2, 3, 32, 32), (2, 1, 28, 28), (2, 32, 32, 1)])
def test_lenet_refuses_images_of_another_shape(pair, shape):
    with pytest.raises(ValueError, match=r"LeNet: x has shape .*, wanted \(N, 1, 32, 32\)"):
        lenet(pair)(pair.array(np.zeros(shape)))


def test_a_model_and_the_pure_function_of_its_state_are_the_same(pair, networks):
    inputs = lenet_inputs(np.random.default_rng(1))
    state, x = arrays(pair, inputs["state"]), pair.array(inputs["x"])
    assert np.array_equal(pair.numpy(networks.LeNet.from_state(state)(x)), pair.numpy(networks.lenet(state, x)))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_network_computes_in_the_states_dtype(pair, networks, dtype):
    inputs = lenet_inputs(np.random.default_rng(1), batch=1)
    state = {name: pair.array(value, dtype) for name, value in inputs["state"].items()}
    x = pair.array(inputs["x"], dtype)
    if pair.name == "torch":
        output = pair.numpy(networks.lenet(state, x))
    else:
        import jax

        output = jax.eval_shape(networks.lenet, state, x)  # the dtype, without the work
    assert output.dtype == dtype


# The step by hand.


def test_conv1s_bias_has_no_gradient_before_the_backward_pass_and_one_after(pair, networks):
    inputs = lenet_inputs(np.random.default_rng(2), batch=1)
    before, after = backward(pair, lenet(pair), pair.array(inputs["x"]), pair.array(np.ones((1, 10))))
    assert before["conv1.bias"].tolist() == [0.0] * 6
    assert all(value != 0.0 for value in after["conv1.bias"].tolist())
    assert sorted(before) == sorted(after) == sorted(inputs["state"])


def test_a_given_cotangent_is_the_gradient_of_the_last_bias(pair, networks):
    rng = np.random.default_rng(3)
    x, cotangent = rng.normal(size=(1, 1, 32, 32)), rng.normal(size=(1, 10))
    model = lenet(pair)
    for _ in range(2):  # a second pass starts from cleared gradients: it does not add to the first
        _, after = backward(pair, model, pair.array(x), pair.array(cotangent))
        assert np.array_equal(pair.numpy(after["fc3.bias"]), cotangent[0])


def test_the_way_back_is_the_published_chain(pair, networks):
    x, target = pair.array(np.ones((1, 1, 32, 32))), pair.array(np.ones((1, 10)))
    chain = networks.backward_chain(lenet(pair), x, target)
    assert chain[:4] == ("mse", "linear", "relu", "linear")
    assert chain[4:] == ("relu", "linear", "flatten", "max_pool", "relu", "conv", "max_pool", "relu", "conv")


def test_an_update_by_hand_takes_the_learning_rate_times_the_gradient(pair, networks):
    inputs = lenet_inputs(np.random.default_rng(4), batch=1)
    target = np.random.default_rng(5).normal(size=(1, 10))
    state, x = arrays(pair, inputs["state"]), pair.array(inputs["x"])
    output = pair.numpy(networks.lenet(state, x))
    after, loss = networks.manual_update(state, x, pair.array(target))
    assert abs(float(loss) - ((output - target) ** 2).mean()) <= 10 * 2**-53 * float(loss)  # a sum of ten squares
    _, gradients = backward(pair, networks.LeNet.from_state(state), x, pair.array(2 * (output - target) / 10))
    for name, value in inputs["state"].items():
        assert np.array_equal(pair.numpy(state[name]), value), "the caller's state changed"
        step = (value - pair.numpy(after[name])) / 0.01
        gradient = pair.numpy(gradients[name])
        # the weight, below one, is rounded to 2^-53, and the division makes that a hundred times as much; the two
        # gradients come of cotangents that differ in their last place
        bound = 101 * 2**-53 + 2**-40 * np.abs(gradient).max()
        assert np.abs(step - gradient).max() <= bound
        assert np.abs(step + gradient).max() > bound, "the planted fault, ascent, passes"
    assert float(networks.manual_update(after, x, pair.array(target))[1]) < float(loss)


# The initial distributions. Each bound below holds with probability 1 - ALARM for honest draws, whatever their number;
# twelve tensors a side, three such bounds each: a false alarm in 7e-8 of all seeds, and the seed is fixed.

ALARM = 1e-9


def looks_uniform(values, bound):
    """Whether values may come from U(-bound, bound): range, mean, variance, distribution."""
    n = values.size
    x = np.sort(values.astype("float64").reshape(-1)) / bound
    within = np.abs(x).max() <= 1 + 2**-23  # a float32 bound may be rounded up
    mean = abs(x.mean()) <= math.sqrt(2 * math.log(2 / ALARM) / n)  # Hoeffding, on [-1, 1]
    variance = abs((x**2).mean() - 1 / 3) <= math.sqrt(math.log(2 / ALARM) / (2 * n))  # Hoeffding, on [0, 1]
    steps = np.arange(n + 1) / n
    distance = max(np.abs(steps[1:] - (x + 1) / 2).max(), np.abs(steps[:-1] - (x + 1) / 2).max())
    same = distance <= math.sqrt(math.log(2 / ALARM) / (2 * n))  # Kolmogorov-Smirnov's statistic; DKW with Massart
    return within and mean and variance and same


@pytest.mark.parametrize(("network", "sizes", "options"), [("LeNet", (3,), {"width": 200}), ("MLP", ((40, 3000),), {})])
def test_every_layer_starts_as_torchs_layers_do(pair, network, sizes, options):
    state = numpy(pair, pair.module("checkpoint").state_dict(fresh(pair, network, *sizes, **options)))
    for name, value in state.items():
        bound = math.prod(state[name.replace("bias", "weight")].shape[1:]) ** -0.5
        assert looks_uniform(value, bound), name


def test_the_check_of_a_distribution_tells_flaxs_defaults_and_a_bound_off_by_three_per_cent():
    rng, n, bound = np.random.default_rng(0), 160_000, 0.04
    honest = rng.uniform(-bound, bound, size=n)
    truncated = np.clip(rng.normal(size=n), -2, 2) * bound / 0.87962566  # lecun_normal, nearly
    assert looks_uniform(honest, bound)
    assert not looks_uniform(truncated, bound)
    assert not looks_uniform(np.zeros(500), bound)
    assert not looks_uniform(honest * 1.03, bound)
    assert not looks_uniform(honest * 0.97, bound)


# The multilayer perceptron.


def test_an_mlp_puts_its_activation_between_layers_and_not_behind_the_last(pair, networks):
    state = arrays(
        pair,
        {
            "layers.0.weight": np.array([[1.0, 0.0], [0.0, -1.0]]),
            "layers.0.bias": np.array([0.0, 0.0]),
            "layers.1.weight": np.array([[-1.0, 1.0]]),
            "layers.1.bias": np.array([0.25]),
        },
    )
    assert networks.mlp(state, pair.array([[2.0, 3.0], [-2.0, -3.0]])).tolist() == [[-1.75], [3.25]]
    assert networks.mlp(state, pair.array([[0.0, 0.0]]), activation="sigmoid").tolist() == [[0.25]]
    assert networks.mlp(state, pair.array([[0.0, 0.0]]), activation="tanh").tolist() == [[0.25]]


def test_an_mlp_refuses_sizes_activations_and_inputs_that_make_no_sense(pair, networks):
    with pytest.raises(ValueError, match=r"MLP: sizes \(3,\) make no layer"):
        fresh(pair, "MLP", (3,))
    with pytest.raises(
        ValueError, match=r"MLP: activation 'swish' is unknown, wanted one of \['relu', 'sigmoid', 'tanh'\]"
    ):
        fresh(pair, "MLP", (3, 2), activation="swish")
    with pytest.raises(ValueError, match=r"MLP: x has shape \(3,\), wanted \(N, 3\)"):
        fresh(pair, "MLP", (3, 2))(pair.array(np.zeros(3)))


def test_a_state_that_is_no_state_of_the_network_is_refused(pair, networks):
    state = arrays(pair, lenet_state(np.random.default_rng(0)))
    x = pair.array(np.zeros((1, 1, 32, 32)))
    with pytest.raises(ValueError, match=r"the state lacks conv1.weight and has \[\]"):
        networks.lenet({}, x)
    with pytest.raises(ValueError, match=r"the state's conv1.weight has 1 axes, wanted 4"):
        networks.lenet(state | {"conv1.weight": state["conv1.bias"]}, x)
    with pytest.raises(ValueError, match=r"fc1.weight has shape \(84, 120\), the model wants \(120, 400\)"):
        networks.lenet(state | {"fc1.weight": state["fc2.weight"]}, x)
    layers = arrays(pair, mlp_state(np.random.default_rng(0), 3, 4, 2))
    with pytest.raises(ValueError, match=r"the state lacks layers.1.weight"):
        networks.mlp(
            {name.replace("layers.1", "layers.7"): value for name, value in layers.items()},
            pair.array(np.zeros((1, 3))),
        )


@pytest.mark.part(0)
@pytest.mark.parametrize("name", ["lenet.lenet", "classifier.digits"])
def test_a_lenet_written_with_jax_impl_nn_agrees_in_outputs_gradients_and_fifty_steps(monkeypatch, name):
    from jax_impl import classifier, lenet, nn
    from jax_impl import functional as F

    class LeNet(lenet.LeNet):
        def __init__(self, in_channels=1, num_classes=10, *, width=6, rngs):
            self.in_channels = in_channels
            self.conv1, self.conv2 = nn.Conv2d(in_channels, width, 5, rngs=rngs), nn.Conv2d(width, 16, 5, rngs=rngs)
            self.fc1, self.fc2 = nn.Linear(16 * 5 * 5, 120, rngs=rngs), nn.Linear(120, 84, rngs=rngs)
            self.fc3 = nn.Linear(84, num_classes, rngs=rngs)

        def __call__(self, x):
            x = F.max_pool2d(F.relu(self.conv1(x)), 2)
            x = F.max_pool2d(F.relu(self.conv2(x)), 2)
            return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.reshape(len(x), -1))))))

    for module in (lenet, classifier):
        monkeypatch.setattr(module, "LeNet", LeNet)
    case = next(case for case in cases_of(name.partition(".")[0]) if case.name == name)
    if case.stage == "curve":
        case = replace(case, inputs=lambda rng: (whole := on_digits(rng)) | {"order": whole["order"][:50]})
    result = run_case(case)
    assert result, f"\n{Report((result,), {}, ('float64', 'float32'))}"
    assert {*result.stages} >= ({"update", "curve"} if case.stage == "curve" else {"forward", "gradient"})
