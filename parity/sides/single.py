"""What a model gave, by name, which of it is whose on the other side, and the one that a named loss is taken of."""

from typing import Any

from parity.sides.inputs import leaves

LOGITS = "logits"
WHOLE = "output"


def named_outputs(output: Any) -> dict[str, Any]:
    """The leaves of an output by path; one that is no nest is called "output".

    Examples:
        >>> named_outputs(3.0), named_outputs({"logits": 1.0, "hidden": (2.0, 3.0)})
        ({'output': 3.0}, {'logits': 1.0, 'hidden.0': 2.0, 'hidden.1': 3.0})
    """
    return {path or WHOLE: leaf for path, leaf in leaves(output)}


def paired_outputs(torch: list[str], jax: list[str]) -> dict[str, str]:
    """Torch's outputs without a namesake, each with the JAX output in its place among those.

    Examples:
        >>> paired_outputs(["logits", "0", "1"], ["logits", "hidden"])
        {'0': 'hidden'}
    """
    return dict(zip([n for n in torch if n not in jax], [n for n in jax if n not in torch], strict=False))


def common_outputs(torch: list[str], jax: list[str]) -> list[tuple[str, str]]:
    """The outputs that both give, by name, then by position: (torch's name, JAX's), in torch's order.

    Examples:
        >>> common_outputs(["logits", "0", "1"], ["hidden", "logits"])
        [('logits', 'logits'), ('0', 'hidden')]
    """
    beside = paired_outputs(torch, jax)
    return [(n, beside.get(n, n)) for n in torch if n in jax or n in beside]


def single_output(output: Any) -> Any:
    """The output of which a loss with a name is taken: the one there is, or "logits".

    Args:
        output: What the model gave.

    Returns:
        An array.

    Raises:
        TypeError: If there are several and none is called logits.

    Examples:
        >>> single_output((1.5,)), single_output({"hidden": 2.0, "logits": 1.0})
        (1.5, 1.0)
    """
    named = named_outputs(output)
    if len(named) == 1:
        return next(iter(named.values()))
    if LOGITS in named:
        return named[LOGITS]
    raise TypeError(
        f"a loss by name is taken of one output or of 'logits', got {', '.join(named) or 'none'}; "
        "wanted loss=(torch_fn, jax_fn) of fn(output, targets)"
    )
