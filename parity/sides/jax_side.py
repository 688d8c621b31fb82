"""The JAX side: runs a function of JAX arrays on NumPy inputs and captures outputs and gradients as a Trace."""

import contextlib
import gc
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from parity.sides import NoFloat64, jax_backend, lacks_float64
from parity.sides.inputs import element_dtype, is_float, laid_out, leaves, perturbed, signature
from parity.sides.jax_program import Program
from parity.sides.replay import active
from parity.trace import Trace

jax = jax_backend.start()


HANDED = 1 << 16
"""Elements from which a floating array is laid out for XLA to take it over: what NumPy has copied, XLA need not."""


class JaxSide:
    """A function of JAX arrays, run at any precision on any device; what is compiled for one shape is kept.

    Args:
        function: Called with the inputs by name; NumPy arrays arrive as JAX arrays, all else as it is.
        jit: Whether the whole function is compiled. False for what cannot be traced.
    """

    framework = "jax"

    def __init__(self, function: Callable[..., Any], *, jit: bool = True) -> None:
        self.function = function
        self.jit = jit
        self._compiled: dict[Any, Program] = {}
        self._as_it_is: set[Any] = set()  # what tells of dtypes and computes nothing; to lift it would change the tale

    def run(
        self,
        inputs: dict[str, Any],
        *,
        dtype: str,
        device: str = "cpu",
        wrt: tuple[str, ...] | None = (),
        stage: str = "forward",
        constants: Mapping[str, np.ndarray] | None = None,
        lift: bool = True,
    ) -> Trace:
        """Run once and capture every output and, where asked for, the VJP under the shared random cotangent.

        float64 is switched on for this run alone, and holds all through: casts to less inside the function are lifted.
        On a GPU matrix products are asked for at full precision. A complex gradient is the one that torch would give,
        dL/dRe z + i dL/dIm z, the conjugate of JAX's own.

        Args:
            inputs: Nests of NumPy arrays and plain values by argument name. Nothing in them is modified.
            dtype: What floating inputs are turned into.
            device: "cpu" or "cuda".
            wrt: Arguments to differentiate with respect to; None for every floating array, () for no gradient.
            stage: Prefix of the outputs' paths in the Trace.
            constants: The other side's captured constants; at float64 they stand in for those of this function that
                are the same but for rounding, as the Trace's origin says.
            lift: Whether a float64 run is float64 all through; without, it is the function as its user has it.

        Returns:
            The Trace; gradients stand under "gradient/<argument path>". `rounding` counts the operations on the longest
            path to each tensor, as read from the jaxpr.

        Raises:
            NoFloat64: If the run was to be float64 and an operation has no kernel of it.
        """
        with _precision(dtype, device):
            arrays = {p: _array(leaf, dtype) for p, leaf in leaves(inputs) if isinstance(leaf, np.ndarray)}
            quick = dtype == "float64" and lift and device == "cpu" and stage != "curve"
            key = (dtype, device, wrt, quick, lift, active(), signature(inputs))
            program = self._compiled.get(key)
            try:
                if program is None:
                    options: dict[str, Any] = {"dtype": dtype, "wrt": wrt, "jit": self.jit, "quick": quick}
                    options["lift"] = lift and key not in self._as_it_is
                    program = self._compiled[key] = Program(self.function, inputs, arrays, **options)
                same = program.matched(constants or {})
                used = program.constants | {own: (constants or {})[other] for own, other in same.items()}
                outputs, gradients = program(arrays, used)
                del arrays
            except Exception as error:
                operation = lacks_float64(error) if dtype == "float64" else None
                if operation is None:
                    raise
                raise NoFloat64(f"{operation} is not implemented for float64") from error
            origin = {"framework": "jax", "version": jax.__version__, "dtype": dtype, "device": device}
            if same:
                origin["constants"] = ", ".join(f"{own} is the other side's {other}" for own, other in same.items())
            trace = _capture(outputs, gradients, program, stage, used, origin)
            gc.collect(0)  # XLA lets go of the memory of the inputs, which is NumPy's, only where Python tidies up
            if dtype != "float64" or not lift or key in self._as_it_is or not trace.names_only:
                return trace
            self._as_it_is.add(key)
            del self._compiled[key]
        return self.run(inputs, dtype=dtype, device=device, wrt=wrt, stage=stage)

    def disturbed(
        self,
        inputs: dict[str, Any],
        size: float,
        seed: int,
        *,
        device: str = "cpu",
        wrt: tuple[str, ...] | None = (),
        stage: str = "forward",
    ) -> Trace:
        """Run once at float64 with a relative error of the given size in every input, by the program compiled already.

        Args:
            inputs: As for `run`.
            size: The relative size of one rounding.
            seed: Of its signs.
            device, wrt, stage: As for `run`.

        Returns:
            The Trace of the disturbed run.
        """
        moved = perturbed(inputs, size, seed)
        return self.run(moved, dtype="float64", device=device, wrt=wrt, stage=stage)


@contextlib.contextmanager
def _precision(dtype: str, device: str) -> Iterator[None]:
    platform = "gpu" if device == "cuda" else "cpu"
    with (
        jax.enable_x64(dtype == "float64"),
        jax.default_device(jax.devices(platform)[0]),
        jax.default_matmul_precision("highest" if device == "cuda" else None),
    ):
        yield


def _array(leaf: np.ndarray, dtype: str) -> Any:
    if leaf.size >= HANDED and leaf.dtype.kind == "f" and dtype in ("float32", "float64"):
        return jax.device_put(laid_out(leaf, dtype))
    return jax.numpy.asarray(leaf, element_dtype(leaf, dtype) if is_float(leaf) else None)


def _capture(
    outputs: dict[str, Any],
    gradients: dict[str, Any],
    program: Program,
    stage: str,
    constants: Mapping[str, np.ndarray],
    origin: dict[str, str],
) -> Trace:
    tensors: dict[str, np.ndarray] = {}
    dtypes: dict[str, str] = {}
    facts: dict[str, str] = {}
    rounding: dict[str, float] = {}
    narrow: dict[str, str] = {}
    everything = outputs | program.plain
    named = [(f"{stage}/{p or 'output'}", f"output/{p}", everything[p]) for p in program.order]
    named += [(f"gradient/{p}", f"gradient/{p}", gradients[p]) for p in program.differentiable]
    for path, graph_name, leaf in named:
        if isinstance(leaf, jax.Array):
            dtypes[path] = leaf.dtype.name
            tensors[path] = _host(leaf)
            rounding[path] = program.rounding.get(graph_name, 1.0)
            if program.narrow.get(graph_name):
                narrow[path] = program.narrow[graph_name]
        elif isinstance(leaf, (bool, int, float, np.ndarray, np.generic)):
            tensors[path] = np.asarray(leaf)
        else:
            facts[path] = str(leaf)
    return Trace(tensors, dtypes, facts, rounding, narrow, dict(constants), program.unreached, origin)


def _host(leaf: Any) -> np.ndarray:
    array = np.asarray(leaf)
    if array.dtype.kind == "c":
        return np.stack([array.real, array.imag], axis=-1)
    if array.dtype.name in ("bfloat16", "float16"):
        return array.astype(np.float32)
    return array
