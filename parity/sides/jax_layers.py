"""A Flax model layer by layer: the calls of its modules intercepted, answered from outside, or one run alone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from parity.sides import jax_backend
from parity.sides.inputs import leaves

jax = jax_backend.start()

Reached = Callable[[str, int, tuple[Any, ...], dict[str, Any], Callable[..., Any]], Any]
"""reached(path, number of the call, args, kwargs, the layer itself) -> what the call gives."""


class JaxLayer(Protocol):
    """One module apart from its model.

    Attributes:
        key: Equal for layers that one compiled function serves: the same class, shapes and configuration.
        kind: The class's name.
        attributes: Its configuration, by name; that of a part, such as the cell of an RNN, as "cell.gate_fn".
        names: Leaves, by their path inside the module; Linen's begin with the collection.
        values: Their values.
    """

    key: Any
    kind: str
    attributes: dict[str, Any]
    names: tuple[str, ...]
    values: dict[str, Any]

    def call(
        self, values: Mapping[str, Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Run on these leaves: (output, every leaf after the call)."""
        ...

    def patched(self, **attributes: Any) -> "JaxLayer":
        """The same layer with another configuration."""
        ...


class JaxLayers(Protocol):
    """A model's layers.

    Attributes:
        values: Every array leaf by dotted path, as a WeightMap names it.
    """

    values: dict[str, Any]

    def owner(self, leaf: str) -> str:
        """The module that a leaf belongs to."""
        ...

    def layer(self, path: str) -> JaxLayer:
        """One module, apart."""
        ...

    def run(self, values: Mapping[str, Any], inputs: Sequence[Any], paths: set[str], reached: Reached) -> Any:
        """Run the model with the calls of these modules answered by `reached`; calls inside of such a call are not."""
        ...


def jax_layers(
    module: Any, variables: Any = None, call: Callable[..., Any] | None = None, *, held: bool = False
) -> JaxLayers:
    """The layers of an NNX module, or of a Linen module with its variables.

    Args:
        module: The module.
        variables: Of a Linen module.
        call: As for `parity.JaxSide`.
        held: Whether the module is a layer itself, which is then held in a model of nothing else.

    Returns:
        Its JaxLayers.
    """
    if variables is None:
        from parity.sides.nnx_layers import NnxLayers, held_alone

        return NnxLayers(*held_alone(module, call)) if held else NnxLayers(module, call)
    from parity.sides import linen_layers

    given = linen_layers.held_alone(module, variables) if held else (module, variables)
    return linen_layers.LinenLayers(*given, call)


class ForcedCalls:
    """Counts the calls of each module and hands them on; what runs inside of one is its own business.

    Args:
        paths: The modules.
        reached: See Reached.
    """

    def __init__(self, paths: set[str], reached: Reached) -> None:
        self.paths, self.reached = paths, reached
        self._numbers: dict[str, int] = {}
        self._inside = False

    def __call__(self, path: str | None, original: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if path is None or path not in self.paths or self._inside:
            return original(*args, **kwargs)
        number = self._numbers.get(path, 0)
        self._numbers[path] = number + 1
        self._inside = True
        try:
            return self.reached(path, number, args, kwargs, original)
        finally:
            self._inside = False


def traced(*trees: Any) -> bool:
    """Whether any array in these nests belongs to a trace, as inside of a scan: it has no numbers then."""
    return any(isinstance(leaf, jax.core.Tracer) for tree in trees for _, leaf in leaves(tree))
