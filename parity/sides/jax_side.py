"""The JAX side: runs a function of JAX arrays on NumPy inputs and captures outputs and gradients as a Trace."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from parity.sides import jax_backend
from parity.sides.inputs import cotangent, is_float, leaves, perturbed, rebuild
from parity.sides.rounding import longest_paths
from parity.trace import Trace

jax = jax_backend.start()


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
        self._compiled: dict[Any, _Program] = {}

    def run(
        self,
        inputs: dict[str, Any],
        *,
        dtype: str,
        device: str = "cpu",
        wrt: tuple[str, ...] | None = (),
        stage: str = "forward",
    ) -> Trace:
        """Run once and capture every output and, where asked for, the VJP under the shared random cotangent.

        float64 is switched on for this run alone. On a GPU matrix products are asked for at full precision.

        Args:
            inputs: Nests of NumPy arrays and plain values by argument name. Nothing in them is modified.
            dtype: What floating inputs are turned into.
            device: "cpu" or "cuda".
            wrt: Arguments to differentiate with respect to; None for every floating array, () for no gradient.
            stage: Prefix of the outputs' paths in the Trace.

        Returns:
            The Trace; gradients stand under "gradient/<argument path>". `rounding` counts the operations on the longest
            path to each tensor, as read from the jaxpr.
        """
        with _precision(dtype, device):
            arrays = {p: _array(leaf, dtype) for p, leaf in leaves(inputs) if isinstance(leaf, np.ndarray)}
            key = (dtype, device, wrt, _signature(inputs))
            program = self._compiled.get(key)
            if program is None:
                program = self._compiled[key] = _Program(self.function, inputs, arrays, dtype, wrt, self.jit)
            outputs, gradients = program(arrays)
            return _capture(outputs, gradients, program, stage, dtype, device)

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
        moved = perturbed(inputs, size, np.random.default_rng(seed))
        return self.run(moved, dtype="float64", device=device, wrt=wrt, stage=stage)


class _Program:
    """The function and its VJP for one signature of the inputs: traced once, compiled once."""

    def __init__(
        self,
        function: Callable[..., Any],
        inputs: dict[str, Any],
        arrays: dict[str, Any],
        dtype: str,
        wrt: tuple[str, ...] | None,
        jit: bool,
    ) -> None:
        self.function, self.inputs, self.dtype = function, inputs, dtype
        self.differentiable = [
            p for p, leaf in leaves(inputs) if is_float(leaf) and (wrt is None or p.partition(".")[0] in wrt)
        ]
        self.plain: dict[str, Any] = {}
        self.order: list[str] = []
        self.rounding: dict[str, float] = {}
        if jit:
            traced = jax.jit(self._evaluate).trace(arrays)
            self.call = traced.lower().compile()
            self._read_graph(traced.jaxpr, traced.out_info)
        else:
            self.call = self._evaluate
            with contextlib.suppress(jax.errors.JAXTypeError, TypeError):  # what cannot be traced has no graph to read
                jaxpr, shapes = jax.make_jaxpr(self._evaluate, return_shape=True)(arrays)
                self._read_graph(jaxpr, shapes)

    def __call__(self, arrays: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.call(arrays)

    def _read_graph(self, jaxpr: Any, shapes: tuple[dict[str, Any], dict[str, Any]]) -> None:
        outputs, gradients = shapes
        names = [f"output/{p}" for p in sorted(outputs)] + [
            f"gradient/{p}" for p in sorted(gradients)
        ]  # jax sorts the keys of a dict
        self.rounding = dict(zip(names, longest_paths(jaxpr), strict=True))

    def _evaluate(self, arrays: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        def forward(chosen: dict[str, Any]) -> dict[str, Any]:
            values = {**arrays, **chosen}
            result = self.function(**rebuild(self.inputs, lambda path, leaf: values.get(path, leaf)))
            named = dict(leaves(result))
            self.order = list(named)
            # Strings, shapes and other plain values are known while tracing; they do not pass through the program.
            self.plain = {p: leaf for p, leaf in named.items() if not isinstance(leaf, jax.Array)}
            return {p: leaf for p, leaf in named.items() if isinstance(leaf, jax.Array)}

        if not self.differentiable:
            return forward({}), {}
        outputs, pull_back = jax.vjp(forward, {p: arrays[p] for p in self.differentiable})
        (gradients,) = pull_back({p: self._cotangent(p, out) for p, out in outputs.items()})
        return outputs, gradients

    def _cotangent(self, path: str, output: Any) -> Any:
        if not jax.numpy.issubdtype(output.dtype, jax.numpy.floating):
            return np.zeros(output.shape, jax.dtypes.float0)
        return jax.numpy.asarray(cotangent(path, output.shape, self.dtype), output.dtype)


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
    return jax.numpy.asarray(leaf, dtype if leaf.dtype.kind == "f" else None)


def _signature(inputs: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(
        (p, (leaf.shape, leaf.dtype.str) if isinstance(leaf, np.ndarray) else repr(leaf)) for p, leaf in leaves(inputs)
    )


def _capture(
    outputs: dict[str, Any], gradients: dict[str, Any], program: _Program, stage: str, dtype: str, device: str
) -> Trace:
    tensors: dict[str, np.ndarray] = {}
    dtypes: dict[str, str] = {}
    facts: dict[str, str] = {}
    rounding: dict[str, float] = {}
    everything = outputs | program.plain
    named = [(f"{stage}/{p or 'output'}", f"output/{p}", everything[p]) for p in program.order]
    named += [(f"gradient/{p}", f"gradient/{p}", gradients[p]) for p in program.differentiable]
    for path, graph_name, leaf in named:
        if isinstance(leaf, jax.Array):
            dtypes[path] = leaf.dtype.name
            tensors[path] = _host(leaf)
            rounding[path] = program.rounding.get(graph_name, 1.0)
        elif isinstance(leaf, (bool, int, float, np.ndarray, np.generic)):
            tensors[path] = np.asarray(leaf)
        else:
            facts[path] = str(leaf)
    return Trace(
        tensors,
        dtypes,
        facts,
        rounding,
        {"framework": "jax", "version": jax.__version__, "dtype": dtype, "device": device},
    )


def _host(leaf: Any) -> np.ndarray:
    array = np.asarray(leaf)
    if array.dtype.kind == "c":
        return np.stack([array.real, array.imag], axis=-1)
    if array.dtype.name in ("bfloat16", "float16"):
        return array.astype(np.float32)
    return array
