"""A Flax Linen module and its variables as a function of its parameters, its state and its inputs."""

from typing import Any

from flax import linen

from parity.sides import jax_backend
from parity.sides.given import JaxSide
from parity.sides.jax_model import JaxModel, State, mode_argument
from parity.sides.jax_tree import Hosts, filled, flat

jax = jax_backend.start()

TRAINED = "params"
STREAMS = ("params", "dropout")
"""Random streams that every apply is given; a module that asks for another is served from the first."""


def linen_model(given: JaxSide, *, mode: bool | None) -> JaxModel:
    """Apply the module to the variables of each run.

    Trained is the collection "params"; every other collection is state and mutable. Paths begin with the collection.

    Args:
        given: The module, its variables and its call.
        mode: Whether to train, for a module that takes an argument.

    Returns:
        The JaxModel.
    """
    variables = linen.meta.unbox({name: given.variables[name] for name in given.variables})
    everything = Hosts(flat(variables))
    parameters = everything.only(lambda path, _: path.partition(".")[0] == TRAINED)
    state = everything.only(lambda path, _: path not in parameters)
    mutable = [name for name in variables if name != TRAINED]
    options = mode_argument(type(given.module).__call__, mode) if given.call is None else {}
    call = given.call or (lambda apply, *inputs: apply(*inputs, **options))

    def run(own: State, other: State, inputs: tuple[Any, ...]) -> tuple[Any, dict[str, Any]]:
        now = filled(variables, {**own, **other})

        def apply(*args: Any, **kwargs: Any) -> Any:
            rngs = {name: jax.random.key(0) for name in STREAMS} | (kwargs.pop("rngs", None) or {})
            asked = kwargs.pop("mutable", False)  # what the user asks for besides, such as intermediates
            more = [asked] if isinstance(asked, str) else list(asked or ())
            result = given.module.apply(now, *args, rngs=rngs, mutable=list({*mutable, *more}), **kwargs)
            output, changed = result
            now.update({name: changed[name] for name in mutable if name in changed})
            return (output, changed) if asked else output

        output = call(apply, *inputs)
        return output, flat({name: now[name] for name in mutable})

    return JaxModel(parameters, state, run, {TRAINED: variables.get(TRAINED, {})})
