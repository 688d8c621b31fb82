"""Cases of checkpoints: a state as a pure function's argument, and its way through a model and through files."""

import importlib
import tempfile
from pathlib import Path
from typing import Any

from parity.cases.case import Case
from parity.cases.lenet import lenet_inputs, mlp_inputs


def lenet(impl: Any) -> Any:
    """The LeNet of the same side."""
    return importlib.import_module(f"{impl.__package__}.lenet").LeNet


def applied(impl: Any, *, state: Any, x: Any) -> Any:
    """A state applied to the skeleton that fits it."""
    return impl.apply(lenet(impl).skeleton(state), state, x)


def applied_mlp(impl: Any, *, state: Any, x: Any) -> Any:
    """The same of an MLP, whose layers stand in a list."""
    MLP = importlib.import_module(f"{impl.__package__}.lenet").MLP
    return impl.apply(MLP.skeleton(state), state, x)


def loaded(impl: Any, *, state: Any, other: Any, x: Any) -> dict[str, Any]:
    """A model that held another state, after this one was loaded into it."""
    model = lenet(impl).from_state(other)
    impl.load_state_dict(model, state)
    return {"state": impl.state_dict(model), "names": impl.parameter_names(model), "output": model(x)}


def through_a_file(save: str, load: str) -> Any:
    """The same by way of a file."""

    def call(impl: Any, *, state: Any, other: Any, x: Any) -> dict[str, Any]:
        model = lenet(impl).from_state(other)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "net"
            getattr(impl, save)(lenet(impl).from_state(state), path)
            getattr(impl, load)(model, path)
        return {"state": impl.state_dict(model), "output": model(x)}

    return call


def two_states(rng: Any) -> dict[str, Any]:
    """Two states of one shape, and images."""
    return {**lenet_inputs(rng, batch=2), "other": lenet_inputs(rng)["state"]}


CASES = (
    Case(name="checkpoint.apply", inputs=lenet_inputs, call=applied),
    Case(
        name="checkpoint.apply_mlp",
        inputs=lambda rng: mlp_inputs(rng, 6, 9, 3),
        call=applied_mlp,
        covers=("apply",),
    ),
    Case(
        name="checkpoint.load_state_dict",
        inputs=two_states,
        call=loaded,
        covers=("state_dict", "load_state_dict", "parameter_names"),
        wrt=(),
        jit=False,
    ),
    Case(
        name="checkpoint.file",
        inputs=two_states,
        call=through_a_file("save", "load"),
        covers=("save", "load"),
        wrt=(),
        jit=False,
    ),
    Case(
        name="checkpoint.native_file",
        inputs=two_states,
        call=through_a_file("save_native", "load_native"),
        covers=("save_native", "load_native"),
        wrt=(),
        jit=False,
    ),
)
