"""What a check runs of a JAX model: outputs, the loss and the state after the call, by name."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from parity.sides import jax_backend
from parity.sides.jax_loss import named_loss
from parity.sides.jax_model import JaxModel
from parity.sides.single import named_outputs

jax = jax_backend.start()


def forward(
    model: JaxModel, *, loss: Any = None, state: Iterable[str] = (), renamed: Mapping[str, str] | None = None
) -> Callable[..., dict[str, Any]]:
    """The model as a function of what `MappedSide` hands to it.

    Args:
        model: The model.
        loss: A loss's name or a function of (output, targets); with one, only the loss is differentiated.
        state: Paths whose values after the call are outputs; they are not differentiated.
        renamed: Outputs that are called as torch's in their place are.

    Returns:
        A function that gives "output", "loss" and "state".
    """
    measured = jax_loss(loss)

    def run(
        parameters: dict[str, Any],
        state_before: dict[str, Any],
        inputs: dict[str, Any],
        targets: Any = None,
    ) -> dict[str, Any]:
        output, after = model(parameters, state_before, tuple(inputs.values()))
        named = {(renamed or {}).get(p, p): leaf for p, leaf in named_outputs(output).items()}
        if measured is None:
            result: dict[str, Any] = {"output": named}
        else:
            outputs = {p: _stopped(leaf) for p, leaf in named.items()}
            result = {"output": outputs, "loss": measured(output, targets)}
        return result | {"state": {path: _stopped(after[path]) for path in state}}

    return lambda parameters, state, inputs, targets=None: run(parameters, state, inputs, targets)


def jax_loss(loss: Any) -> Callable[[Any, Any], Any] | None:
    """A loss by name, or the user's own function, as one that is checked to give a scalar."""
    if loss is None:
        return None
    function = named_loss(loss) if isinstance(loss, str) else loss

    def scalar(output: Any, targets: Any) -> Any:
        value = function(output, targets)
        if not isinstance(value, jax.Array) or value.ndim:
            got = f"shape {value.shape}" if isinstance(value, jax.Array) else f"a {type(value).__name__}"
            raise TypeError(f"the loss gave {got}, wanted a scalar array; reduce it with .mean()")
        return value

    return scalar


def outline(function: Callable[..., dict[str, Any]], inputs: dict[str, Any]) -> list[str]:
    """The names of the outputs, from a trace alone: nothing is computed and nothing compiled.

    Args:
        function: From `forward`.
        inputs: What it is called with: NumPy arrays, floats float64.

    Returns:
        Paths of "output", in order.
    """
    from parity.sides.inputs import is_float, leaves, rebuild

    arrays = {p: leaf for p, leaf in leaves(inputs) if hasattr(leaf, "dtype")}
    specs = {
        p: jax.ShapeDtypeStruct(a.shape, _float32(a) if is_float(a) else jax.dtypes.canonicalize_dtype(a.dtype))
        for p, a in arrays.items()
    }
    names: list[str] = []

    def traced(given: dict[str, Any]) -> None:
        result = function(**rebuild(inputs, lambda path, leaf: given.get(path, leaf)))
        names.extend(result["output"])

    jax.eval_shape(traced, specs)
    return names


def _float32(array: Any) -> str:
    return "complex64" if array.dtype.kind == "c" else "float32"


def _stopped(leaf: Any) -> Any:
    return jax.lax.stop_gradient(leaf) if isinstance(leaf, jax.Array) else leaf
