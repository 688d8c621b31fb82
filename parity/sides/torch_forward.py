"""What a check runs of a torch model: outputs, the loss and the state after the call, by name."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

from parity.sides.single import named_outputs
from parity.sides.torch_loss import named_loss
from parity.sides.torch_model import TorchModel

Loss = Callable[[Any, Any], torch.Tensor]


def forward(model: TorchModel, *, loss: Any = None, state: Iterable[str] = ()) -> Callable[..., dict[str, Any]]:
    """The model as a function of what `MappedSide` hands to both sides.

    Args:
        model: The model.
        loss: A loss's name or a function of (output, targets); with one, only the loss is differentiated.
        state: Buffers whose values after the call are outputs; they are not differentiated.

    Returns:
        A function that gives "output", "loss" and "state".
    """
    measured = torch_loss(loss)

    def run(
        parameters: dict[str, Any],
        fixed: dict[str, Any],
        state_before: dict[str, Any],
        inputs: dict[str, Any],
        targets: Any = None,
    ) -> dict[str, Any]:
        output, after = model({**parameters, **fixed}, state_before, tuple(inputs.values()))
        named = named_outputs(output)
        if measured is None:
            result: dict[str, Any] = {"output": named}
        else:
            outputs = {p: t.detach() if isinstance(t, torch.Tensor) else t for p, t in named.items()}
            result = {"output": outputs, "loss": measured(output, targets)}
        return result | {"state": {name: after[name] for name in state}}

    return lambda parameters, fixed, state, own, inputs, targets=None: run(parameters, fixed, state, inputs, targets)


def torch_loss(loss: Any) -> Loss | None:
    """A loss by name, or the user's own function, as one that is checked to give a scalar."""
    if loss is None:
        return None
    function = named_loss(loss) if isinstance(loss, str) else loss

    def scalar(output: Any, targets: Any) -> torch.Tensor:
        value = function(output, targets)
        if not isinstance(value, torch.Tensor) or value.ndim:
            got = f"shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else f"a {type(value).__name__}"
            raise TypeError(f"the loss gave {got}, wanted a scalar tensor; reduce it with .mean()")
        return value

    return scalar
