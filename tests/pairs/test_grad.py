"""Autograd, on each side alone."""

import importlib

import numpy as np
import pytest

pytestmark = pytest.mark.part(1)

FLOATS = ("float64", "float32")


@pytest.fixture
def grad(pair):
    return pair.module("grad")


def tree(pair, nest):
    """The same nest of dicts, with framework arrays in place of NumPy's."""
    return {k: tree(pair, v) for k, v in nest.items()} if isinstance(nest, dict) else pair.array(nest)


def host(pair, nest):
    """The same nest of dicts, with NumPy arrays in place of the framework's."""
    return {k: host(pair, v) for k, v in nest.items()} if isinstance(nest, dict) else pair.numpy(nest)


def gradient(pair, function, x, order=1):
    """d/dx of the sum of function(x), or of the sum of that again."""
    if pair.name == "jax":
        import jax

        for _ in range(order):
            function = jax.grad(lambda x, f=function: f(x).sum())
        return pair.numpy(function(x))
    import torch

    x.requires_grad_()
    result = function(x)
    for _ in range(order):
        (result,) = torch.autograd.grad(result.sum(), x, create_graph=True)
    return pair.numpy(result)


# Going backward


def test_the_chain_of_ones_gives_twenty_seven_and_a_gradient_of_four_and_a_half(pair, grad):
    x = pair.array(np.ones((2, 2)))
    steps = host(pair, grad.chain(x))
    assert (steps["y"].tolist(), steps["z"].tolist(), float(steps["out"])) == (2 * [2 * [3.0]], 2 * [2 * [27.0]], 27.0)
    assert pair.numpy(grad.chain_gradient(x)).tolist() == [[4.5, 4.5], [4.5, 4.5]]


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_gradient_of_the_chain_is_its_formula(pair, grad, dtype):
    x = np.array([[-2.0, 0.0, 1.5, 4.0]], dtype)  # numbers that every step holds exactly
    found = pair.numpy(grad.chain_gradient(pair.array(x)))
    assert np.array_equal(found, 6 * (x + 2) / 4)
    assert found.dtype == dtype


def test_the_chain_of_one_number_has_its_gradient(pair, grad):
    assert float(grad.chain_gradient(pair.array(1.0))) == 18.0


def test_backward_twice_adds_and_after_zeroing_does_not(pair, grad):
    x = pair.array(np.ones((2, 2)))
    found = {name: np.unique(g).tolist() for name, g in host(pair, grad.accumulate(x)).items()}
    assert found == {"once": [4.5], "twice": [9.0], "zeroed": [4.5]}


def test_nothing_is_left_behind_in_the_input(pair, grad):
    x = pair.array(np.ones(3))
    for function in (grad.chain_gradient, grad.accumulate, grad.detached_gradient):
        function(x)
        assert x.tolist() == [1.0, 1.0, 1.0]
        assert not getattr(x, "requires_grad", False)
        assert getattr(x, "grad", None) is None


def test_a_detached_factor_is_a_constant(pair, grad):
    found = host(pair, grad.detached_gradient(pair.array([1.0, -3.0, 0.0])))
    assert found["attached"].tolist() == [2.0, -6.0, 0.0]
    assert found["detached"].tolist() == [1.0, -3.0, 0.0]


# Vectors times Jacobians

A, B = [2.0, 3.0], [6.0, 4.0]


def test_the_error_q_of_the_tutorial(pair, grad):
    assert grad.cubic(pair.array(A), pair.array(B)).tolist() == [-12.0, 65.0]


def test_backward_from_q_along_ones_is_backward_from_its_sum(pair, grad):
    a, b = pair.array(A), pair.array(B)
    for found in (grad.cubic_vjp(a, b, pair.array([1.0, 1.0])), grad.cubic_sum_gradient(a, b)):
        assert [g.tolist() for g in found] == [[36.0, 81.0], [-12.0, -8.0]]


def test_backward_along_a_vector_is_the_transposed_jacobian_times_it(pair, grad):
    rng = np.random.default_rng(0)
    a, b, v = (rng.integers(-8, 8, size=5).astype(float) for _ in range(3))  # integers, so that nothing rounds
    jacobians = [pair.numpy(J) for J in grad.jacobian(pair.array(a), pair.array(b))]
    assert np.array_equal(jacobians[0], np.diag(9 * a**2))
    assert np.array_equal(jacobians[1], np.diag(-2 * b))
    products = grad.cubic_vjp(pair.array(a), pair.array(b), pair.array(v))
    assert [pair.numpy(g).tolist() for g in products] == [(J.T @ v).tolist() for J in jacobians]


def test_the_second_derivatives_of_the_sum_of_q(pair, grad):
    blocks = host(pair, grad.hessian(pair.array(A), pair.array(B)))
    wanted = {"aa": np.diag([36.0, 54.0]), "ab": np.zeros((2, 2)), "ba": np.zeros((2, 2)), "bb": np.diag([-2.0, -2.0])}
    assert blocks.keys() == wanted.keys()
    assert all(np.array_equal(blocks[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("length", [0, 1])
def test_short_vectors_have_derivatives_too(pair, grad, length):
    a = pair.array(np.ones(length))
    assert [pair.numpy(g).tolist() for g in grad.cubic_vjp(a, a, a)] == [[9.0] * length, [-2.0] * length]


@pytest.mark.parametrize("name", ["cubic", "cubic_sum_gradient", "jacobian", "hessian"])
def test_vectors_of_two_lengths_are_refused(pair, grad, name):
    with pytest.raises(ValueError) as error:
        getattr(grad, name)(pair.array([1.0]), pair.array([1.0, 2.0]))
    assert str(error.value) == "cubic: got a (1,) and b (2,), wanted one shape; broadcast them first"


def test_an_upstream_gradient_of_another_length_is_refused(pair, grad):
    one, two = pair.array([1.0]), pair.array([1.0, 2.0])
    with pytest.raises(ValueError) as error:
        grad.cubic_vjp(two, two, one)
    assert str(error.value) == "cubic_vjp: got v (1,), wanted the shape of Q, (2,)"
    with pytest.raises(ValueError) as error:
        grad.doubling_vjp(two, one)
    assert str(error.value) == "doubling_vjp: got v (1,), wanted the shape of x, (2,)"


# The loop

X, V = np.array([0.3, -0.2, 0.5]), np.array([0.1, 1.0, 0.0001])


@pytest.mark.parametrize("dtype", FLOATS)
def test_eleven_doublings_give_the_published_gradient(pair, grad, dtype):
    x, v = X.astype(dtype), V.astype(dtype)
    end = host(pair, grad.doubling(pair.array(x)))
    assert int(end["doublings"]) == 11
    assert np.array_equal(end["y"], 2**11 * x)  # doubling never rounds
    found = pair.numpy(grad.doubling_vjp(pair.array(x), pair.array(v)))
    assert np.array_equal(found, 2**11 * v)
    assert [round(float(g), 4) for g in found] == [204.8, 2048.0, 0.2048]
    assert end["y"].dtype == found.dtype == dtype


@pytest.mark.parametrize(
    ("x", "threshold", "doublings"),
    [
        ([0.0, 0.0], 1000.0, 1),  # never gets longer
        ([np.nan], 1000.0, 1),
        ([np.inf], 1000.0, 1),
        ([2000.0], 1000.0, 1),  # once, whatever its length
        ([500.0], 1000.0, 1),  # at the threshold is not below it
        ([499.0], 1000.0, 2),
        ([0.5], 1.5, 2),
    ],
)
def test_the_loop_stops(pair, grad, x, threshold, doublings):
    end = host(pair, grad.doubling(pair.array(x), threshold=threshold))
    assert int(end["doublings"]) == doublings
    assert np.array_equal(end["y"], 2**doublings * np.array(x), equal_nan=True)


# The graph


@pytest.mark.parametrize("shape", [(), (5, 5), (0,)])
def test_only_what_depends_on_the_differentiated_tensor_is_followed(pair, grad, shape):
    flags = grad.tracked(*(pair.array(np.ones(shape)) for _ in range(3)))
    assert flags == {
        "z before": False,
        "z": True,
        "x + y": False,
        "x + z": True,
        "z^2": True,
        "z^2 under no_grad": False,
        "z detached": False,
    }


def test_what_is_followed_has_a_derivative_and_what_is_not_has_none(pair, grad):
    def cut(t):
        return t.detach() if pair.name == "torch" else importlib.import_module("jax.lax").stop_gradient(t)

    z = pair.array([1.0, 2.0])
    assert gradient(pair, lambda z: z**2 + 0 * z, z).tolist() == [2.0, 4.0]
    assert gradient(pair, lambda z: cut(z**2) + 0 * z, z).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("dtype", FLOATS)
def test_both_graphs_hold_the_same_operations_in_the_same_order(pair, grad, dtype):
    x, a, b = (pair.array(values, dtype) for values in (np.ones((2, 2)), A, B))
    assert grad.operations(lambda x: grad.chain(x)["out"], x) == ("add", "mul", "mul", "sum", "div")
    assert grad.operations(grad.cubic, a, b) == ("pow", "mul", "pow", "sub")
    assert grad.operations(lambda a: (a * a).sum(), a) == ("mul", "sum")


def test_another_formula_has_another_graph(pair, grad):
    a, b = pair.array(A), pair.array(B)
    assert grad.operations(lambda a, b: 3 * a * a**2 - b**2, a, b) != grad.operations(grad.cubic, a, b)


def test_a_value_that_is_used_twice_is_computed_once(pair, grad):
    def twice(x):
        y = x + 2
        return y * y

    assert grad.operations(twice, pair.array([1.0])) == ("add", "mul")


def test_nothing_between_input_and_result_is_no_operation(pair, grad):
    assert grad.operations(lambda x: x, pair.array([1.0])) == ()


def test_torch_records_every_turn_of_the_loop_and_jax_the_loop(pair, grad):
    names = grad.operations(lambda x: grad.doubling(x)["y"], pair.array(X))
    if pair.name == "torch":
        assert names == 11 * ("mul",)
    else:
        assert names.count("while") == 1
        assert names[-1] == "mul"


# A gradient of one's own


@pytest.mark.parametrize(
    ("x", "value", "slope"),
    [(0.0, np.log(2.0), 0.5), (1000.0, 1000.0, 1.0), (-1000.0, 0.0, 0.0), (np.inf, np.inf, 1.0), (-np.inf, 0.0, 0.0)],
)
def test_the_smooth_relu_never_overflows_and_has_its_derivative_at_zero(pair, grad, x, value, slope):
    assert float(grad.softplus(pair.array(x))) == value
    assert float(gradient(pair, grad.softplus, pair.array(x))) == slope


def test_without_a_gradient_of_its_own_its_derivative_at_zero_is_wrong(pair):
    if pair.name == "torch":
        import torch

        def plain(x):
            return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))
    else:
        import jax.numpy as jnp

        def plain(x):
            return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))

    assert float(gradient(pair, plain, pair.array(0.0))) == {"torch": 1.0, "jax": 0.0}[pair.name]


def test_the_smooth_relu_can_be_differentiated_twice(pair, grad):
    assert float(gradient(pair, grad.softplus, pair.array(0.0), order=2)) == 0.25


# Freezing


def fine_tuning(pair, dtype="float64"):
    rng = np.random.default_rng(0)
    params = {  # a backbone of positive numbers, so that no unit is dead and every parameter has a gradient
        "backbone": {"weight": rng.uniform(size=(4, 3)).astype(dtype), "bias": rng.uniform(size=3).astype(dtype)},
        "fc": {"weight": rng.normal(size=(3, 2)).astype(dtype), "bias": np.zeros(2, dtype)},
    }
    empty = {layer: {name: np.zeros_like(p) for name, p in layers.items()} for layer, layers in params.items()}
    x, labels = rng.uniform(size=(6, 4)).astype(dtype), rng.uniform(size=(6, 2)).astype(dtype)
    return tree(pair, {"params": params, "momentum": empty}), pair.array(x), pair.array(labels)


def equal(left, right):
    """Bit for bit, through nested dicts."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(left[k], right[k]) for k in left)
    return left.dtype == right.dtype and np.array_equal(left, right)


def test_a_new_head_on_resnet_18_leaves_5130_numbers_to_train(pair, grad):
    def network(classes):
        fc = {"weight": np.zeros((classes, 512), np.int8), "bias": np.zeros(classes, np.int8)}
        return tree(pair, {"backbone": {"all": np.zeros(11_689_512 - 513_000, np.int8)}, "fc": fc})

    assert grad.parameter_counts(network(1000), trainable=()) == {"total": 11_689_512, "trainable": 0}
    wanted = {"total": 11_689_512 - 513_000 + 5_130, "trainable": 5_130}
    assert grad.parameter_counts(network(10), trainable=("fc",)) == wanted


@pytest.mark.parametrize("dtype", FLOATS)
def test_only_the_head_moves_though_the_optimizer_is_given_everything(pair, grad, dtype):
    state, x, labels = fine_tuning(pair, dtype)
    before = host(pair, state)
    after, losses = grad.fine_tune(state, x, labels, trainable=("fc",), steps=3)
    after = host(pair, after)
    assert equal(after["params"]["backbone"], before["params"]["backbone"])
    assert equal(after["momentum"]["backbone"], before["momentum"]["backbone"])
    for name in ("weight", "bias"):
        assert not np.any(after["params"]["fc"][name] == before["params"]["fc"][name])
    assert pair.numpy(losses).dtype == after["params"]["fc"]["weight"].dtype == dtype
    assert equal(host(pair, state), before)  # what the caller holds


def test_unfrozen_the_backbone_moves_too(pair, grad):
    state, x, labels = fine_tuning(pair)
    after, _ = grad.fine_tune(state, x, labels, trainable=("backbone", "fc"))
    before, after = (host(pair, s)["params"]["backbone"] for s in (state, after))
    assert not any(np.any(after[name] == before[name]) for name in ("weight", "bias"))


def test_the_loss_is_the_sum_of_the_differences_and_a_bias_falls_by_the_learning_rate_for_each_example(pair, grad):
    state, x, labels = fine_tuning(pair)
    after, losses = grad.fine_tune(state, x, labels, learning_rate=0.125, momentum=0.5, steps=2)
    params = host(pair, state)["params"]
    hidden = np.maximum(pair.numpy(x) @ params["backbone"]["weight"] + params["backbone"]["bias"], 0)
    loss = (hidden @ params["fc"]["weight"] + params["fc"]["bias"] - pair.numpy(labels)).sum()
    assert abs(float(losses[0]) - loss) < 1e-13  # sums of some tens of numbers near 1, in another order
    # The gradient of a bias is the 6 examples: buffers 6, then .5 x 6 + 6 = 9; steps 6 / 8 and 9 / 8. All exact.
    assert pair.numpy(after["params"]["fc"]["bias"]).tolist() == [-1.875, -1.875]
    assert pair.numpy(after["momentum"]["fc"]["bias"]).tolist() == [9.0, 9.0]


def test_training_goes_on_from_a_state_as_if_it_had_not_stopped(pair, grad):
    state, x, labels = fine_tuning(pair)
    whole, losses = grad.fine_tune(state, x, labels, trainable=("backbone", "fc"), steps=4)
    half, first = grad.fine_tune(state, x, labels, trainable=("backbone", "fc"), steps=2)
    rest, second = grad.fine_tune(half, x, labels, trainable=("backbone", "fc"), steps=2)
    assert equal(host(pair, rest), host(pair, whole))
    assert [*first.tolist(), *second.tolist()] == losses.tolist()
    lost = {"params": half["params"], "momentum": state["momentum"]}  # the buffers forgotten: the check must see it
    forgetful, _ = grad.fine_tune(lost, x, labels, trainable=("backbone", "fc"), steps=2)
    assert not equal(host(pair, forgetful), host(pair, whole))


def test_no_step_changes_nothing(pair, grad):
    state, x, labels = fine_tuning(pair)
    after, losses = grad.fine_tune(state, x, labels, steps=0)
    assert equal(host(pair, after), host(pair, state))
    assert tuple(losses.shape) == (0,)


def test_a_layer_that_is_not_there_is_refused(pair, grad):
    state, x, labels = fine_tuning(pair)
    with pytest.raises(ValueError) as error:
        grad.fine_tune(state, x, labels, trainable=("head",))
    assert str(error.value) == "fine_tune: got trainable ['head'], wanted names of layers, of ['backbone', 'fc']"
    with pytest.raises(ValueError) as error:
        grad.parameter_counts(state["params"], trainable=("fc", "head"))
    assert str(error.value) == "parameter_counts: got trainable ['head'], wanted names of layers, of ['backbone', 'fc']"


def test_training_nothing_is_refused(pair, grad):
    state, x, labels = fine_tuning(pair)
    with pytest.raises(ValueError) as error:
        grad.fine_tune(state, x, labels, trainable=())
    assert str(error.value) == "fine_tune: got trainable (), wanted at least one layer, of ['backbone', 'fc']"
