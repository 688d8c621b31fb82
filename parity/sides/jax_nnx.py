"""A Flax NNX module as a function of its parameters, its state and its inputs."""

from typing import Any

from flax import nnx

from parity.sides.given import JaxSide
from parity.sides.jax_model import JaxModel, State, mode_argument
from parity.sides.jax_tree import Hosts, filled, flat


def nnx_model(given: JaxSide, *, mode: bool | None, forced: bool) -> JaxModel:
    """Split the module; each run merges a new one from the values that it is given.

    Trained are the Params. State are all other Variables but those of random streams, which start each run where the
    user's stand. Plain arrays are constants of the module.

    Args:
        given: The module and its call.
        mode: Whether to train, for a call that takes an argument.
        forced: Whether to set `deterministic` and `use_running_average` of every module to the mode.

    Returns:
        The JaxModel.
    """
    graph, (parameters, streams, state, rest) = _split(given.module)
    options = mode_argument(type(given.module).__call__, mode) if given.call is None else {}
    call = given.call or (lambda module, *inputs: module(*inputs, **options))

    def run(own: State, other: State, inputs: tuple[Any, ...]) -> tuple[Any, dict[str, Any]]:
        # Filled trees hold new Variables, which belong to the trace that they are made in.
        module = nnx.merge(graph, filled(parameters, own), filled(streams, {}), filled(state, other), filled(rest, {}))
        if forced and mode is not None:
            module.set_attributes(deterministic=not mode, use_running_average=not mode, raise_if_not_found=False)
        output = call(module, *inputs)
        _, (_, _, after, _) = _split(module)
        return output, flat(after)

    return JaxModel(Hosts(flat(parameters)), Hosts(flat(state)), run, parameters, _modes(given.module))


def _split(module: Any) -> tuple[Any, tuple[Any, ...]]:
    """The graph; and Params, random streams, all other Variables, what is no Variable."""
    graph, *states = nnx.split(module, nnx.Param, nnx.RngState, nnx.Variable, ...)
    return graph, tuple(states)


def _modes(module: Any) -> dict[str, bool]:
    found = {}
    for path, part in nnx.iter_modules(module):
        name = ".".join(map(str, path)) or type(part).__name__
        rates = (getattr(part, name, None) for name in ("rate", "dropout_rate", "p", "dropout"))  # torch's names too
        rate = next((rate for rate in rates if isinstance(rate, float)), 0.0)
        training = getattr(part, "training", None)
        if isinstance(training, bool):  # a layer written as torch's are
            if rate > 0.0 or getattr(part, "running_mean", None) is not None:
                found[f"{name}.training={training}"] = training
            continue
        deterministic = getattr(part, "deterministic", None)
        running = getattr(part, "use_running_average", None)
        if isinstance(deterministic, bool) and isinstance(rate, float) and rate > 0.0:
            found[f"{name}.deterministic={deterministic}"] = not deterministic
        if isinstance(running, bool):
            found[f"{name}.use_running_average={running}"] = not running
    return found
