"""Why two models draw other random numbers: dropout that one side has on and the other has off, or at another rate."""

from dataclasses import dataclass, replace
from typing import Any

from parity.numerics import Finding
from parity.sides.given import JaxSide, TorchSide

SOURCE = "AlgoPerf PR#884, #886"


@dataclass(frozen=True)
class WithoutDropout:
    """Copies of both models in which every dropout that is on is off.

    Attributes:
        torch, jax: The copies.
        places: Of the dropouts that were on, by framework: path and rate.
    """

    torch: TorchSide
    jax: JaxSide
    places: dict[str, dict[str, float]]

    def told(self, finding: Finding, remaining: int) -> Finding:
        """The finding of the draws with its cause: without the dropouts nothing is drawn, or both draw alike.

        Args:
            finding: Of the draws that differ.
            remaining: Comparisons of the copies that differ.
        """
        sides = {name: found for name, found in self.places.items() if found}
        words = {
            name: f"{name} (p = {', '.join(f'{p:g}' for p in dict.fromkeys(found.values()))}; "
            f"{', '.join(list(found)[:3])})"
            for name, found in sides.items()
        }
        if len(words) == 2:
            cause = f"dropout is on in {' and in '.join(words.values())}"
        else:
            name = next(iter(words))
            cause = f"dropout is on in {words[name]} and off in {'jax' if name == 'torch' else 'torch'}"
        rest = "everything agrees" if not remaining else f"{remaining} comparisons still differ"
        torch, jax = (next(iter(self.places[name]), "") for name in ("torch", "jax"))
        return replace(
            finding,
            torch_path=torch or "no dropout",
            jax_path=jax or "no dropout",
            cause=f"{cause}. With dropout off {rest} ({SOURCE})",
            fix="compare in eval mode: torch_model.eval() and jax_model.eval(); or the same dropout on both sides",
        )


def without_dropout(
    torch: TorchSide, jax: JaxSide, mode: bool | None, inputs: tuple[Any, ...]
) -> WithoutDropout | None:
    """Copies of both models without the dropout that is on in them; None where no module of either has any.

    Args:
        torch, jax: As their users gave them.
        mode: Whether to train, for a JAX module that takes an argument.
        inputs: NumPy pytrees.
    """
    from parity.sides.torch_copies import without_dropout as torch_without

    places: dict[str, dict[str, float]] = {"torch": {}, "jax": {}}
    if torch.kind == "module":
        model, places["torch"] = torch_without(torch.model)
        torch = replace(torch, model=model)
    if jax.kind == "nnx":
        from parity.sides.nnx_copies import without_dropout as nnx_without

        module, places["jax"] = nnx_without(jax.module)
        jax = replace(jax, module=module)
    if jax.kind == "linen":
        from parity.sides.linen_copies import without_dropout as linen_without

        jax, places["jax"] = linen_without(jax, mode, inputs)
    return WithoutDropout(torch, jax, places) if any(places.values()) else None
