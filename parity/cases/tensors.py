"""Tensors: the cases."""

import numpy as np

from parity.cases.case import Case, Published

BLITZ = "PyTorch 60 minute blitz, Tensors"
WINDOW = "a torch tensor is a window on memory, a JAX array is a value: nothing can be written through it"
NARROW = "without x64, JAX has no 64-bit types: it takes the 32-bit ones"


def _matrix(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {"x": rng.normal(size=(4, 6))}


def _column_of_zeros() -> np.ndarray:
    ones = np.ones((4, 4))
    ones[:, 1] = 0
    return ones


def _narrowed() -> dict[str, str]:
    """The rows of the promotion table that are 64 bits wide in torch, its default float being float32."""
    integers = ("bool", "uint8", "int8", "int16", "int32", "int64")
    floats = ("float16", "bfloat16", "float32")
    wide = [f"{name} + float64" for name in (*integers, *floats, "float64")]
    wide += [f"{name} + int64" for name in integers]
    wide += [f"float64 + Python {number}" for number in ("bool", "int", "float")]
    wide += ["bool + Python int", "int64 + Python bool", "int64 + Python int"]
    return dict.fromkeys(wide, NARROW)


CASES = (
    Case(
        name="tensors.from_data",
        inputs=lambda rng: {"rows": ((1, 2), (3, 4))},
        jit=False,
        published=(Published("output", (1, 2, 3, 4), 0, f"{BLITZ}, initialising from data"),),
    ),
    Case(name="tensors.filled", inputs=lambda rng: _matrix(rng) | {"shape": (5, 3), "value": 7.0}, wrt=()),
    Case(
        name="tensors.random",
        inputs=_matrix,
        call=lambda impl, x: {
            name: {"shape": tuple(drawn.shape), "same_dtype": drawn.dtype == x.dtype}
            for name, drawn in impl.random(x, seed=0).items()
        },
        jit=False,
        wrt=(),
    ),
    Case(name="tensors.attributes", inputs=lambda rng: {"x": rng.uniform(size=(3, 4))}, jit=False, wrt=()),
    Case(name="tensors.select", inputs=_matrix),
    Case(name="tensors.add", inputs=lambda rng: {"x": rng.uniform(size=(5, 3)), "y": rng.uniform(size=(5, 3))}, wrt=()),
    Case(
        name="tensors.set_column",
        inputs=lambda rng: {"x": np.ones((4, 4)), "column": 1, "value": 0.0},
        published=(Published("output", (1, 0, 1, 1), 0, f"{BLITZ}, indexing and slicing", at=slice(0, 1)),),
    ),
    Case(
        name="tensors.aliases",
        inputs=_matrix,
        jit=False,
        wrt=(),
        conventions=dict.fromkeys(("name", "view", "slice", "transpose"), WINDOW),
    ),
    Case(name="tensors.join", inputs=lambda rng: {"x": rng.normal(size=(4, 4))}),
    Case(name="tensors.products", inputs=_matrix),
    Case(
        name="tensors.ones_products",
        inputs=lambda rng: {"x": _column_of_zeros()},
        call=lambda impl, x: impl.products(x),
        covers=("products",),
        published=(
            Published("matmul", (3, 3, 3, 3), 0, f"{BLITZ}, tensor @ tensor.T", at=slice(0, 1)),
            Published("elementwise", (1, 0, 1, 1), 0, f"{BLITZ}, tensor * tensor", at=slice(0, 1)),
        ),
    ),
    Case(name="tensors.reshape", inputs=lambda rng: {"x": rng.normal(size=(4, 4)), "columns": 8}),
    Case(
        name="tensors.to_python",
        inputs=lambda rng: {"x": _column_of_zeros()},
        jit=False,
        wrt=(),
        published=(Published("item", (12,), 0, f"{BLITZ}, single-element tensors"),),
    ),
    Case(
        name="tensors.numpy_and_back",
        inputs=lambda rng: {"size": 5},
        call=lambda impl, size: {"array": impl.to_numpy(impl.from_numpy(np.arange(size, dtype=np.int32)))},
        covers=("from_numpy", "to_numpy"),
        jit=False,
    ),
    Case(
        name="tensors.shared_memory",
        inputs=lambda rng: {"size": 5},
        jit=False,
        conventions={
            "array_to_tensor": "torch.from_numpy takes the array's memory, jnp.asarray copies it",
            "tensor_to_array": "torch.from_numpy takes the array's memory, and a JAX array cannot be written to",
            "to_numpy_writable": "both show NumPy the tensor's own memory; a JAX array's is shown read-only",
        },
    ),
    Case(
        name="tensors.promotion_float64",
        inputs=lambda rng: {"default_float": "float64"},
        call=lambda impl, default_float: impl.promotion_table(default_float=default_float),
        covers=("DTYPES", "promotion_table"),
        jit=False,
    ),
    Case(
        name="tensors.promotion_float32",
        inputs=lambda rng: {"default_float": "float32"},
        call=lambda impl, default_float: impl.promotion_table(default_float=default_float),
        covers=("DTYPES", "promotion_table"),
        jit=False,
        conventions=_narrowed(),
    ),
    Case(
        name="tensors.defaults_float64",
        inputs=lambda rng: {"default_float": "float64"},
        call=lambda impl, default_float: impl.default_dtypes(default_float=default_float),
        covers=("default_dtypes",),
        jit=False,
        conventions={
            "int8 / int8": "JAX divides small integers in float32, torch in the default float",
            "float16 + float32 without dimensions": "in torch a tensor without dimensions does not widen others",
        },
    ),
    Case(
        name="tensors.defaults_float32",
        inputs=lambda rng: {"default_float": "float32"},
        call=lambda impl, default_float: impl.default_dtypes(default_float=default_float),
        covers=("default_dtypes",),
        jit=False,
        conventions={
            **dict.fromkeys(("[1, 2]", "arange(3)", "argmax", "sum of bool", "sum of int8", "NumPy float64"), NARROW),
            "float16 + float32 without dimensions": "in torch a tensor without dimensions does not widen others",
        },
    ),
    Case(
        name="tensors.move",
        inputs=lambda rng: {"x": 10 * rng.normal(size=(3, 4)), "device": "cpu", "dtype": "int32"},
        jit=False,
        wrt=(),
    ),
)
