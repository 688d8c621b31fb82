"""How ports of recurrent layers go wrong: biases, directions, the functions of the gates."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from parity.checking.causes.emulated import is_a
from parity.checking.causes.suspect import Suspect
from parity.checking.teacher import Lesson, Step


def hidden_bias(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """A GRU without the bias inside its reset gate, or with it outside."""
    if not is_a(module, "GRU", "GRUCell") or not module.bias:
        return
    hidden = module.hidden_size

    keep = (np.arange(3 * hidden) < 2 * hidden).astype(np.float64)

    def emulation(moved: bool) -> Callable[[Any], Any]:
        def wrap(own: Callable[..., Any]) -> Callable[..., Any]:
            def run(inputs: Any, parameters: Any, buffers: Any) -> Any:
                held = {f"0.{n}": t for n, t in module.named_parameters(recurse=False)} | dict(parameters)
                for name in [n for n in held if "bias_hh" in n]:
                    inside = held[name] * held[name].new_tensor(1.0 - keep)
                    other = name.replace("bias_hh", "bias_ih")
                    held |= {name: held[name] - inside, other: held[other] + inside if moved else held[other]}
                return own(inputs, held, buffers)

            return run

        return wrap

    fix = "use linen.GRUCell, or add b_hn to a cell of your own; nnx.GRUCell has none"
    told = "torch has n = tanh(W_in x + b_in + r (W_hn h + b_hn))"
    for what, patched, moved in (
        ("the bias b_hn stands outside the reset gate", "With torch's b_hn outside too", True),
        ("no bias b_hn inside the reset gate", "Without torch's b_hn", False),
    ):
        yield Suspect(f"{what}, {told}", patched, fix, "flax#5594, flax#5595", torch=emulation(moved))


def kept_order(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """A reversed recurrence whose outputs are left in the order in which they were computed."""
    if layer.attributes.get("reverse") and layer.attributes.get("keep_order") is False:
        yield Suspect(
            "the reversed outputs stay in the order of computation, torch has them in the order of the input",
            "With keep_order = True",
            f"nnx.{layer.kind}(..., reverse=True, keep_order=True)",
            "flax#2170",
            {"keep_order": True},
        )


def direction(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """A recurrence that runs the other way than torch's."""
    if not hasattr(module, "bidirectional") or layer.attributes.get("reverse") is None:
        return
    names = {n for c in step.part.carried for n in c.names}
    backwards = any(n.endswith("_reverse") for n in names)
    if bool(layer.attributes["reverse"]) == backwards:
        return
    own, theirs = ("forwards", "backwards") if backwards else ("backwards", "forwards")
    attributes: dict[str, Any] = {"reverse": backwards} | ({"keep_order": True} if backwards else {})
    yield Suspect(
        f"the recurrence runs {own}, torch's runs {theirs}",
        f"With reverse = {backwards}",
        f"nnx.{layer.kind}(..., reverse={backwards}{', keep_order=True' if backwards else ''})",
        "flax#2170",
        attributes,
    )


def gate_functions(lesson: Lesson, step: Step, module: Any, layer: Any) -> Iterator[Suspect]:
    """The functions of an LSTM's gates and of its cell, of which torch has no choice."""
    if not is_a(module, "LSTM", "LSTMCell", "GRU", "GRUCell"):
        return
    from parity.sides.nnx_copies import activation

    for option, word, theirs in (("gate_fn", "gates", "sigmoid"), ("activation_fn", "activation", "tanh")):
        for name, own in layer.attributes.items():
            if name.rpartition(".")[2] != option or getattr(own, "__name__", "") == theirs:
                continue
            yield Suspect(
                f"{word} by {getattr(own, '__name__', 'another function')}, torch has {theirs}",
                f"With {option} = {theirs}",
                f"{option}=nnx.{theirs} in the cell",
                "torch.nn.LSTM",
                {name: activation(theirs)},
            )
