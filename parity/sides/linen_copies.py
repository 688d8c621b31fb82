"""A Linen module's call with another configuration of its parts; the user's own module is never written to."""

from dataclasses import replace
from typing import Any

from flax import linen

from parity.sides import jax_backend
from parity.sides.given import JaxSide
from parity.sides.jax_model import mode_argument

jax = jax_backend.start()


def without_dropout(given: JaxSide, mode: bool | None, inputs: tuple[Any, ...]) -> tuple[JaxSide, dict[str, float]]:
    """The module called without the dropout that is on; Linen's parts are made in the call, so it is traced once.

    Args:
        given: The Linen module, its variables and its call.
        mode: Whether to train, for a module that takes an argument.
        inputs: NumPy pytrees.

    Returns:
        (the same with another call, the rate of each dropout that was on by the path of its module).
    """
    found: dict[str, float] = {}

    def interceptor(next_call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        module = context.module
        layer = isinstance(module, linen.Dropout)
        rate = getattr(module, "rate" if layer else "dropout_rate", 0.0)
        said = kwargs.get("deterministic", args[1] if layer and len(args) > 1 else None)
        off = (module.deterministic if said is None else said) if hasattr(module, "deterministic") else True
        if context.method_name != "__call__" or off or not isinstance(rate, float) or rate == 0.0:
            return next_call(*args, **kwargs)
        if not layer and module.deterministic is not None:
            return next_call(*args, **kwargs)  # Linen takes no second word on it
        found[".".join(module.path)] = rate
        return args[0] if layer else next_call(*args, **{**kwargs, "deterministic": True})

    options = mode_argument(type(given.module).__call__, mode) if given.call is None else {}
    own = given.call or (lambda apply, *inputs: apply(*inputs, **options))

    def call(apply: Any, *inputs: Any) -> Any:
        with linen.intercept_methods(interceptor):
            return own(apply, *inputs)

    def apply(*args: Any, **kwargs: Any) -> Any:
        rngs = {name: jax.random.key(0) for name in ("params", "dropout")} | (kwargs.pop("rngs", None) or {})
        mutable = [name for name in given.variables if name != "params"]
        output, _ = given.module.apply(given.variables, *args, rngs=rngs, mutable=mutable, **kwargs)
        return output

    jax.eval_shape(lambda: call(apply, *inputs))
    return replace(given, call=call), found
