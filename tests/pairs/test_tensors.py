"""Tensors, on each side alone."""

import math

import numpy as np
import pytest

from parity.sides import jax_backend

pytestmark = pytest.mark.part(1)

FLOATS = ("float64", "float32", "float16")


@pytest.fixture
def tensors(pair):
    return pair.module("tensors")


def column_of_zeros(pair):
    return pair.module("tensors").set_column(pair.array(np.ones((4, 4))), 1, 0.0)


# Making tensors


def test_nested_lists_become_a_tensor_of_integers(pair, tensors):
    made = pair.numpy(tensors.from_data([[1, 2], [3, 4]]))
    assert made.tolist() == [[1, 2], [3, 4]]
    assert made.dtype == np.int64


def test_one_float_among_the_integers_makes_floats_of_all(pair, tensors):
    made = pair.numpy(tensors.from_data([5.5, 3]))
    assert made.tolist() == [5.5, 3.0]
    assert made.dtype.kind == "f"


def test_no_data_is_a_tensor_too(tensors):
    assert tuple(tensors.from_data([]).shape) == (0,)


def test_ragged_lists_are_refused(tensors):
    with pytest.raises(ValueError):
        tensors.from_data([[1, 2], [3]])


@pytest.mark.parametrize("dtype", FLOATS)
def test_what_is_filled_takes_its_dtype_from_the_other_tensor(pair, tensors, dtype):
    made = {name: pair.numpy(t) for name, t in tensors.filled(pair.array([[1.0, 2.0]], dtype), (5, 3), 7.0).items()}
    assert made["ones_like"].tolist() == [[1.0, 1.0]]
    for name, value in (("zeros", 0.0), ("ones", 1.0), ("full", 7.0)):
        assert np.array_equal(made[name], np.full((5, 3), value)), name
        assert made[name].dtype == dtype, name
    assert np.array_equal(made["counts"], np.zeros((5, 3)))
    assert made["counts"].dtype == np.int64


@pytest.mark.parametrize("shape", [(), (0,), (0, 3)])
def test_nothing_and_a_single_number_can_be_filled(pair, tensors, shape):
    assert all(tuple(tensors.filled(pair.array(1.0), shape, 2.0)[name].shape) == shape for name in ("zeros", "full"))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_random_numbers_have_the_shape_and_dtype_of_the_other_tensor(pair, tensors, dtype):
    drawn = {name: pair.numpy(t) for name, t in tensors.random(pair.array(np.zeros((5, 3)), dtype), seed=1).items()}
    assert {name: (numbers.shape, str(numbers.dtype)) for name, numbers in drawn.items()} == {
        "uniform": ((5, 3), dtype),
        "normal": ((5, 3), dtype),
    }
    assert np.all((drawn["uniform"] >= 0) & (drawn["uniform"] < 1))


def test_a_seed_says_which_random_numbers(pair, tensors):
    x = pair.array(np.zeros(8))
    first, again, other = (pair.numpy(tensors.random(x, seed=seed)["normal"]) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


DRAWS = 20_000
FALSE_ALARM = 1e-6
DISTRIBUTIONS = {
    "uniform": lambda u: np.clip(u, 0, 1),
    "normal": np.vectorize(lambda x: (1 + math.erf(x / math.sqrt(2))) / 2, otypes=[float]),
}


def follows(distribution, numbers):
    """Whether the empirical distribution stays within the band that honest draws leave once in a million (Dvoretzky,
    Kiefer and Wolfowitz, with Massart's constant): P(sup |F_n - F| > e) <= 2 exp(-2 n e^2)."""
    expected = DISTRIBUTIONS[distribution](np.sort(numbers.astype(np.float64)))
    n = len(numbers)
    distance = max(np.max(np.arange(1, n + 1) / n - expected), np.max(expected - np.arange(n) / n))
    return distance <= math.sqrt(math.log(2 / FALSE_ALARM) / (2 * n))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_random_numbers_are_distributed_as_they_say(pair, tensors, distribution, dtype):
    drawn = tensors.random(pair.array(np.zeros(DRAWS), dtype), seed=0)
    assert follows(distribution, pair.numpy(drawn[distribution]))


def test_the_check_of_distributions_finds_a_wrong_one(pair, tensors):
    drawn = {n: pair.numpy(t) for n, t in tensors.random(pair.array(np.zeros(DRAWS)), seed=0).items()}
    assert not follows("uniform", 0.96 * drawn["uniform"])
    assert not follows("normal", drawn["normal"] + 0.07)
    assert not follows("normal", np.sqrt(12) * (drawn["uniform"] - 0.5))


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_attributes_of_a_tensor(pair, tensors, dtype):
    facts = tensors.attributes(pair.array(np.ones((3, 4)), dtype))
    assert facts.pop("device") in ("cpu", "cuda")  # JAX makes arrays on a GPU where there is one
    assert facts == {"shape": (3, 4), "dtype": dtype, "ndim": 2, "size": 12}


@pytest.mark.parametrize(("shape", "size"), [((), 1), ((0,), 0), ((2, 0), 0)])
def test_the_attributes_of_a_number_and_of_nothing(pair, tensors, shape, size):
    facts = tensors.attributes(pair.array(np.ones(shape)))
    assert (facts["shape"], facts["ndim"], facts["size"]) == (shape, len(shape), size)


# Working with them


@pytest.mark.parametrize("dtype", ["float64", "int32", "bool"])
def test_indexing_reads_what_numpy_reads(pair, tensors, dtype):
    a = np.arange(24).reshape(4, 6).astype(dtype)
    parts = {name: pair.numpy(part) for name, part in tensors.select(pair.array(a)).items()}
    wanted = {"row": a[0], "column": a[:, 1], "last_column": a[..., -1], "block": a[1:, ::2], "picked": a[[1, 0]]}
    assert parts.keys() == wanted.keys()
    for name, part in wanted.items():
        assert np.array_equal(parts[name], part), name


def test_past_the_end_torch_raises_and_jax_clamps(pair, tensors):
    one_column = pair.array([[1.0], [2.0]])
    if pair.name == "torch":
        with pytest.raises(IndexError):
            tensors.select(one_column)
    else:
        assert tensors.select(one_column)["column"].tolist() == [1.0, 2.0]


def test_four_ways_to_add_give_one_sum_and_leave_the_summands(pair, tensors):
    x, y = pair.array([1.5, -2.0]), pair.array([0.25, 4.0])
    assert [total.tolist() for total in tensors.add(x, y).values()] == 4 * [[1.75, 2.0]]
    assert (x.tolist(), y.tolist()) == ([1.5, -2.0], [0.25, 4.0])


def test_a_column_is_zeroed_in_the_result_alone(pair, tensors):
    x = pair.array(np.ones((4, 4)))
    assert pair.numpy(tensors.set_column(x, 1, 0.0)).tolist() == 4 * [[1.0, 0.0, 1.0, 1.0]]
    assert pair.numpy(x).tolist() == 4 * [4 * [1.0]]


def test_adding_five_to_it_gives_sixes_beside_a_column_of_fives(pair, tensors):
    added = tensors.add(pair.array(np.full((4, 4), 5.0)), column_of_zeros(pair))
    assert pair.numpy(added["in_place"]).tolist() == 4 * [[6.0, 5.0, 6.0, 6.0]]


def test_a_torch_tensor_can_be_written_through_its_views_and_a_jax_array_cannot(pair, tensors):
    windows = pair.name == "torch"
    assert tensors.aliases(pair.array([[1.0, 2.0], [3.0, 4.0]])) == {
        "name": windows,
        "view": windows,
        "slice": windows,
        "transpose": windows,
        "picked": False,
        "clone": False,
    }


@pytest.mark.parametrize("rows", [4, 1, 0])
def test_three_copies_are_joined_along_either_axis_or_a_new_one(pair, tensors, rows):
    a = np.arange(4.0 * rows).reshape(rows, 4)
    joined = {name: pair.numpy(t) for name, t in tensors.join(pair.array(a)).items()}
    assert joined["columns"].shape == (rows, 12)
    for name, wanted in (("rows", np.vstack([a] * 3)), ("columns", np.hstack([a] * 3)), ("stack", np.stack([a] * 3))):
        assert np.array_equal(joined[name], wanted), name


def test_ones_with_a_column_of_zeros_times_their_transpose_are_threes(pair, tensors):
    made = tensors.products(column_of_zeros(pair))
    assert pair.numpy(made["matmul"]).tolist() == 4 * [4 * [3.0]]
    assert pair.numpy(made["elementwise"]).tolist() == 4 * [[1.0, 0.0, 1.0, 1.0]]


def test_the_products_of_one_number_and_of_nothing(pair, tensors):
    assert [p.tolist() for p in tensors.products(pair.array([[-3.0]])).values()] == [[[9.0]], [[9.0]]]
    assert pair.numpy(tensors.products(pair.array(np.ones((2, 0))))["matmul"]).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_four_by_four_becomes_sixteen_becomes_two_by_eight(pair, tensors):
    shaped = {name: pair.numpy(t) for name, t in tensors.reshape(pair.array(np.arange(16.0).reshape(4, 4)), 8).items()}
    assert shaped["flat"].tolist() == list(range(16))
    assert shaped["rows"].tolist() == [list(range(8)), list(range(8, 16))]


def test_nothing_can_be_reshaped(pair, tensors):
    assert tuple(tensors.reshape(pair.array(np.ones((0, 3))), 8)["rows"].shape) == (0, 8)


@pytest.mark.parametrize("columns", [5, 0, -1, 32])
def test_rows_that_cannot_be_filled_are_refused(pair, tensors, columns):
    with pytest.raises(ValueError) as error:
        tensors.reshape(pair.array(np.ones((4, 4))), columns)
    assert str(error.value) == f"reshape: got columns={columns}, wanted a divisor of the 16 elements of x"


# Python, NumPy, memory


def test_the_sum_is_a_python_number(pair, tensors):
    left = tensors.to_python(column_of_zeros(pair))
    assert left == {"item": 12.0, "list": 4 * [[1.0, 0.0, 1.0, 1.0]]}
    assert type(left["item"]) is float
    assert type(tensors.to_python(pair.array([1, 2]))["item"]) is int


def test_numpy_and_back_keeps_values_shape_and_dtype(tensors):
    for dtype in ("bool", "uint8", "int32", "int64", "float16", "float32", "float64"):
        a = np.arange(6).reshape(2, 3).astype(dtype)
        back = tensors.to_numpy(tensors.from_numpy(a))
        assert back.dtype == a.dtype
        assert np.array_equal(back, a)


def test_torch_shares_the_memory_of_numpy_both_ways_and_jax_shows_its_own(pair, tensors):
    windows = pair.name == "torch"
    assert tensors.shared_memory(5) == {
        "array_to_tensor": windows,
        "tensor_to_array": windows,
        "to_numpy_shares": True,
        "to_numpy_writable": windows,
    }


def test_a_tensor_that_is_differentiated_can_be_shown_to_numpy(pair, tensors):
    x = pair.array([1.0, 2.0])
    if pair.name == "torch":
        x.requires_grad_()
    assert tensors.to_numpy(x).tolist() == [1.0, 2.0]


# Dtypes and devices


def sum_dtype(pair, name, other):
    """The dtype of a real sum, of tensors of one dimension or of one and a Python number."""
    numbers = {"Python bool": True, "Python int": 1, "Python float": 1.0}
    if pair.name == "torch":
        import torch

        left, right = (numbers[n] if n in numbers else torch.ones(1, dtype=getattr(torch, n)) for n in (name, other))
        return str((left + right).dtype).removeprefix("torch.")
    import jax
    import jax.numpy as jnp

    left, right = (numbers[n] if n in numbers else jnp.asarray(np.ones(1, jnp.dtype(n))) for n in (name, other))
    return str(jax.eval_shape(lambda: left + right).dtype)  # traced, not compiled: 170 compilations take 20 s


@pytest.mark.parametrize("default_float", ["float32", "float64"])
def test_every_row_of_the_promotion_table_is_what_a_sum_really_gives(pair, tensors, default_float, with_default):
    table = tensors.promotion_table(default_float=default_float)
    assert len(table) == 10 * 11 / 2 + 10 * 3
    with with_default(default_float):
        assert table == {row: sum_dtype(pair, *row.split(" + ")) for row in table}


@pytest.fixture
def with_default(pair):
    """The setting that decides what a Python float becomes, apart from the code that is tested."""
    import contextlib

    @contextlib.contextmanager
    def setting(name):
        if pair.name == "jax":
            import jax

            with jax.enable_x64(name == "float64"):
                yield
        else:
            import torch

            torch.set_default_dtype(getattr(torch, name))
            yield
            torch.set_default_dtype(torch.float32)

    return setting


@pytest.mark.parametrize(
    ("row", "dtype"),
    [
        ("uint8 + int8", "int16"),
        ("int64 + float16", "float16"),
        ("float16 + bfloat16", "float32"),
        ("float16 + Python float", "float16"),
        ("int8 + Python int", "int8"),
        ("bool + Python float", "float32"),
    ],
)
def test_rows_that_surprise(tensors, row, dtype):
    assert tensors.promotion_table(default_float="float32")[row] == dtype


@pytest.mark.parametrize("default_float", ["float32", "float64"])
def test_dtypes_that_nobody_asked_for(pair, tensors, default_float):
    integer = "int32" if (pair.name, default_float) == ("jax", "float32") else "int64"
    assert tensors.default_dtypes(default_float=default_float) == {
        "[1, 2]": integer,
        "[1.5]": default_float,
        "arange(3)": integer,
        "argmax": integer,
        "sum of bool": integer,
        "sum of int8": integer,
        "int / int": default_float,
        "int8 / int8": "float32" if pair.name == "jax" else default_float,
        "float16 + float32 without dimensions": {"torch": "float16", "jax": "float32"}[pair.name],
        "NumPy float64": "float32" if integer == "int32" else "float64",
    }


@pytest.mark.parametrize("table", ["promotion_table", "default_dtypes"])
def test_the_default_is_as_it_was_after_a_table(pair, tensors, table):
    before = pair.numpy(tensors.from_data([1.5])).dtype
    for default_float in ("float32", "float64"):
        getattr(tensors, table)(default_float=default_float)
        assert pair.numpy(tensors.from_data([1.5])).dtype == before
    with pytest.raises(ValueError) as error:
        getattr(tensors, table)(default_float="float16")
    assert str(error.value) == "default_float: got 'float16', wanted 'float32' or 'float64'"


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64"])
def test_a_move_to_integers_cuts_towards_zero(pair, tensors, dtype):
    moved = pair.numpy(tensors.move(pair.array([1.75, -1.75, 0.0, -0.5]), "cpu", dtype))
    assert moved.tolist() == [1, -1, 0, 0]
    assert moved.dtype == dtype


def test_a_move_to_half_precision_rounds_to_even(pair, tensors):
    moved = pair.numpy(tensors.move(pair.array([2049.0, 2051.0, 1 / 3]), "cpu", "float16"))
    assert moved.tolist() == [2048.0, 2052.0, float(np.float16(1 / 3))]


def test_a_move_to_where_it_is_copies_nothing(pair, tensors):
    x = pair.array([1.0, 2.0])
    address = (lambda t: t.data_ptr()) if pair.name == "torch" else (lambda t: t.unsafe_buffer_pointer())
    assert address(tensors.move(x, tensors.attributes(x)["device"], "float64")) == address(x)


def test_a_dtype_of_no_name_is_refused(pair, tensors):
    with pytest.raises(ValueError) as error:
        tensors.move(pair.array([1.0]), "cpu", "float23")
    assert str(error.value) == (
        "move: got dtype 'float23', wanted one of bool, uint8, int8, int16, int32, int64, float16, bfloat16, float32, "
        "float64"
    )


# What the docstrings warn of


def aligned(length, offset=0):
    """float32 ones whose memory starts `offset` bytes after a multiple of 64."""
    memory = np.zeros(4 * length + 128, np.uint8)
    start = -memory.ctypes.data % 64 + offset
    ones = memory[start : start + 4 * length].view(np.float32)
    ones[:] = 1
    return ones


@pytest.mark.parametrize(("offset", "aliased"), [(0, True), (4, False)])
def test_device_put_takes_the_memory_of_a_numpy_array_where_it_is_aligned(offset, aliased):
    jax = jax_backend.start()
    a = aligned(5, offset)
    x = jax.device_put(a, jax.devices("cpu")[0])
    x.block_until_ready()
    a += 1
    assert (float(x[0]) == 2.0) is aliased
