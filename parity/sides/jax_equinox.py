"""An Equinox module as a function of its parameters and its inputs."""

from typing import Any

import equinox

from parity.sides import jax_backend
from parity.sides.given import JaxSide
from parity.sides.jax_model import JaxModel, State, mode_argument
from parity.sides.jax_tree import Hosts, dotted, filled, flat

jax = jax_backend.start()


def equinox_model(given: JaxSide, *, mode: bool | None, forced: bool) -> JaxModel:
    """Fill the module's floating arrays anew for each run; they are what Equinox differentiates and trains.

    Args:
        given: The module and its call, such as one that maps it over a batch.
        mode: Whether to train, for a call that takes an argument.
        forced: Whether to set `inference` of every module by the mode.

    Returns:
        The JaxModel.
    """
    trained, fixed = equinox.partition(given.module, equinox.is_inexact_array)
    options = mode_argument(type(given.module).__call__, mode) if given.call is None else {}
    call = given.call or (lambda module, *inputs: module(*inputs, **options))

    def run(own: State, other: State, inputs: tuple[Any, ...]) -> tuple[Any, dict[str, Any]]:
        module = equinox.combine(filled(trained, own), fixed)
        if forced and mode is not None:
            module = equinox.nn.inference_mode(module, value=not mode)
        return call(module, *inputs), {}

    return JaxModel(Hosts(flat(trained)), {}, run, trained, _modes(given.module))


def _modes(module: Any) -> dict[str, bool]:
    found = jax.tree_util.tree_flatten_with_path(module, is_leaf=lambda part: hasattr(part, "inference"))[0]
    return {
        f"{dotted(path)}.inference={part.inference}": not part.inference
        for path, part in found
        if isinstance(getattr(part, "inference", None), bool)
    }
