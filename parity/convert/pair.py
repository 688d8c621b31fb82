"""Two models in one mode, as the search for their weights runs them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from parity.convert.mapping_error import MappingError, ModelRaised
from parity.convert.numbering import Numbering
from parity.sides import raised
from parity.sides.single import common_outputs

if TYPE_CHECKING:
    from parity.convert.jax_model import JaxModel
    from parity.convert.torch_model import TorchModel


@dataclass(frozen=True)
class Pair:
    """Both models in one mode, and the numbers of their weights."""

    torch: "TorchModel"
    jax: "JaxModel"
    torch_numbers: Numbering
    jax_numbers: Numbering
    inputs: tuple[Any, ...]
    left: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        torch_module: Any,
        torch_call: Callable[..., Any] | None,
        jax_module: Any,
        variables: Any,
        jax_call: Callable[..., Any] | None,
        inputs: tuple[Any, ...],
        training: bool | None,
    ) -> "Pair":
        from parity.convert.jax_model import JaxModel
        from parity.convert.torch_model import TorchModel

        torch = TorchModel(torch_module, torch_call, training=training)
        jax = JaxModel(jax_module, variables, jax_call, training=training)
        return cls(torch, jax, Numbering(torch.shapes), Numbering(jax.shapes), inputs)

    def sums(self) -> list[bool]:
        """Whether biases that torch only adds may be one weight in JAX: what fits the number of weights first."""
        if not self.torch.merges:
            return [False]
        fewer = self.torch_numbers.count - sum(m.count for m in self.torch.merges)
        nearer = abs(self.jax_numbers.count - fewer) < abs(self.jax_numbers.count - self.torch_numbers.count)
        return [True, False] if nearer else [False, True]


def pairs(torch_model: Any, jax_model: Any, inputs: tuple[Any, ...]) -> Iterator[Pair]:
    """Both models in eval mode, then as they are, where that is another mode."""
    torch_module, torch_call = _torch_parts(torch_model)
    jax_module, variables, jax_call = _jax_parts(jax_model)
    for training in (False, None):
        yield Pair.of(torch_module, torch_call, jax_module, variables, jax_call, inputs, training)
        if _in_one_mode(torch_module, training):
            return


def both_run(pair: Pair, ids: dict[str, Any]) -> tuple[Any, Any]:
    """The record of torch's run and the steps of JAX's; both are tried, to tell whether one raises or both."""
    runs = {"torch": lambda: pair.torch.record(ids, pair.inputs), "jax": lambda: pair.jax.steps(pair.inputs)}
    done, failed = [], {}
    for framework, run in runs.items():
        try:
            done.append(run())
        except MappingError:
            raise
        except Exception as error:
            failed[framework] = f"the {framework} side {raised(error)}", error
    if not failed and not _of_common_outputs(pair, done[0]):
        return both_run(pair, ids)
    if failed:
        alone = "" if len(failed) == 2 else f" (the {'jax' if 'torch' in failed else 'torch'} side runs)"
        texts, errors = zip(*failed.values(), strict=True)
        raise ModelRaised("; ".join(texts) + alone) from errors[0]
    return done[0], done[1]


def _of_common_outputs(pair: Pair, record: Any) -> bool:
    """Whether both runs gave the same outputs in one order; where not, the pair keeps to those that both give.

    What one side alone gives is no reason to find no map: the check tells of it under its name.
    """
    torch, jax = list(record.outputs), pair.jax.given
    both = common_outputs(torch, jax)
    if not both:
        told = (f"torch returns {', '.join(torch) or 'no array'}", f"jax {', '.join(jax) or 'none'}")
        raise MappingError(f"{', '.join(told)}; let both return the same, by call= of parity.TorchSide and JaxSide")
    kept = [t for t, _ in both], [j for _, j in both]
    if kept == (torch, jax):
        return True
    pair.left[:] = [
        *(f"torch's {n}" for n in torch if n not in kept[0]),
        *(f"jax's {n}" for n in jax if n not in kept[1]),
    ]
    pair.torch.kept, pair.jax.kept = kept
    return False


def _in_one_mode(module: Any, training: bool | None) -> bool:
    """Whether the models as they are have been tried already."""
    return training is None or not any(m.training for m in module.modules())


def _torch_parts(model: Any) -> tuple[Any, Callable[..., Any] | None]:
    import torch

    module = model if isinstance(model, torch.nn.Module) else getattr(model, "model", model)
    if not isinstance(module, torch.nn.Module):
        raise MappingError(
            f"the torch model is a {type(module).__name__}; "
            "wanted a torch.nn.Module or parity.TorchSide(module, call=...)"
        )
    return module, None if module is model else getattr(model, "call", None)


def _jax_parts(model: Any) -> tuple[Any, Any, Callable[..., Any] | None]:
    if hasattr(model, "module") and hasattr(model, "variables") and hasattr(model, "call"):
        return model.module, model.variables, model.call
    return model, None, None
