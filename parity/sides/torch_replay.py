"""Torch's random draws served from the host: a mode that sees every random operation, also those inside C++."""

import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from parity.numerics import FORMATS
from parity.sides.tape import INITIALISERS, Tape, Unreplayable, drawn_within
from parity.sides.torch_modes import DispatchMode

RANDOM = torch.Tag.nondeterministic_seeded
NOISE, HANDS_ON = "parity.sides.torch_noise", "__torch_dispatch__"
DATA_LOADERS = "torch/utils/data/"  # they seed generators of their own; the permutations that follow are served
PROBABILITY_OF_DROPOUT = ("dropout_p", "dropout", "p")


class TorchReplay(DispatchMode):
    """Replaces the numbers of every random operation by those of a Tape.

    It stands below autograd, so layers, functional calls, recurrent and attention kernels with dropout all pass here.

    Args:
        tape: Where the numbers come from.

    Raises:
        Unreplayable: At an operation that mixes its random numbers into a fused kernel, or draws ones that JAX cannot
            be given; and where a checkpointed block is run again on the way back, as a second run must not draw anew.
    """

    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self.tape = tape

    def __torch_dispatch__(
        self, func: Any, kinds: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        # `random_` carries no tag of its own.
        if (RANDOM not in func.tags and name not in ("random_", "random")) or _draws_nothing(func, args, kwargs):
            return func(*args, **kwargs)
        given = _named(func, args, kwargs)
        if (
            _of_the_noise()
            or drawn_within(*INITIALISERS)
            or (_over_a_whole_dtype(name, given) and drawn_within(DATA_LOADERS))
        ):
            return func(*args, **kwargs)
        serve = SERVED.get(name)
        if serve is None:
            raise Unreplayable(
                f"torch's {name} draws random numbers that cannot be replayed into JAX; draw them on the host and make "
                "them an input"
            )
        if torch._C._current_graph_task_id() != -1:
            raise Unreplayable(
                f"torch's {name} draws while gradients are computed, in a block that is run again; "
                "switch checkpointing off for the check"
            )
        return serve(self.tape, func, given)


def _of_the_noise() -> bool:
    """Whether it is the disturbance of a run that draws its own signs, and not an operation that it hands on."""
    frame: types.FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "torch":
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__") == NOISE and frame.f_code.co_name != HANDS_ON


def _named(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments by the names of the operator's schema, its defaults filled in."""
    declared = func._schema.arguments
    named = {a.name: a.default_value for a in declared if a.has_default_value()}
    named |= {a.name: value for a, value in zip(declared, args, strict=False)}
    return named | kwargs


def _draws_nothing(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a kernel that can drop does not: its probability is 0, or it is told that it is not training."""
    given = _named(func, args, kwargs)
    if func.overloadpacket.__name__ in SERVED and func.overloadpacket.__name__ != "native_dropout":
        return False
    rate = next((given[name] for name in PROBABILITY_OF_DROPOUT if name in given), None)
    return rate in (0, 0.0) or given.get("train") is False


def _over_a_whole_dtype(name: str, given: dict[str, Any]) -> bool:
    return name in ("random", "random_") and given.get("to") is None


def _made(numbers: np.ndarray, like: dict[str, Any], dtype: torch.dtype | None = None) -> torch.Tensor:
    """A tensor of the host's numbers with the dtype and device that the operation was asked for."""
    tensor = torch.from_numpy(np.ascontiguousarray(numbers))
    model = like.get("self", like.get("input"))
    wanted = like.get("dtype") or dtype or (model.dtype if isinstance(model, torch.Tensor) else None)
    if not isinstance(wanted, torch.dtype):  # the schema's default for an integer is a number
        wanted = torch.get_default_dtype() if numbers.dtype.kind == "f" else torch.int64
    device = like.get("device") or (model.device if isinstance(model, torch.Tensor) else None)
    return tensor.to(dtype=wanted, device=device)


def _shape(given: dict[str, Any]) -> tuple[int, ...]:
    return tuple(given["size"]) if given.get("size") is not None else tuple(given["self"].shape)


def _give(func: Any, given: dict[str, Any], result: torch.Tensor) -> torch.Tensor:
    """The result itself, or where the operation works in place the tensor that it fills."""
    return given["self"].copy_(result) if func.overloadpacket.__name__.endswith("_") else result


def _bernoulli(tape: Tape, func: Any, given: dict[str, Any]) -> torch.Tensor:
    probability, shape = given.get("p", given["self"]), _shape(given)
    if isinstance(probability, torch.Tensor) and probability.numel() == 1:
        probability = float(probability)
    if isinstance(probability, torch.Tensor):
        thresholds = torch.from_numpy(tape.thresholds(shape)).to(probability.device)
        return _give(func, given, (thresholds < probability).to(given["self"].dtype))
    return _give(func, given, _made(tape.bernoulli(shape, float(probability)), given))


def _dropout(tape: Tape, func: Any, given: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    kept = 1.0 - given["p"]
    mask = _made(tape.bernoulli(tuple(given["input"].shape), kept), given, torch.bool)
    return given["input"] * mask / kept if kept else torch.zeros_like(given["input"]), mask


def _uniform(tape: Tape, func: Any, given: dict[str, Any]) -> torch.Tensor:
    dtype = given.get("dtype") or (given["self"].dtype if "self" in given else torch.get_default_dtype())
    name = str(dtype).removeprefix("torch.")
    numbers = _made(tape.uniform(_shape(given), name if name in FORMATS else "float32"), given, dtype)
    low, high = given.get("from", 0.0), given.get("to", 1.0)
    return _give(func, given, numbers if (low, high) == (0.0, 1.0) else low + (high - low) * numbers)


def _normal(tape: Tape, func: Any, given: dict[str, Any]) -> torch.Tensor:
    mean, std = given.get("mean", 0.0), given.get("std", 1.0)
    tensors = [v for v in (mean, std) if isinstance(v, torch.Tensor)]
    if not tensors:
        numbers = _made(tape.normal(_shape(given)), given)
        return _give(func, given, numbers if (mean, std) == (0.0, 1.0) else mean + std * numbers)
    shape = torch.broadcast_shapes(*(t.shape for t in tensors))
    return mean + std * _made(tape.normal(tuple(shape)), {"self": tensors[0]})


def _exponential(tape: Tape, func: Any, given: dict[str, Any]) -> torch.Tensor:
    return _give(func, given, _made(tape.exponential(_shape(given)), given) / given["lambd"])


def _integers(tape: Tape, func: Any, given: dict[str, Any]) -> torch.Tensor:
    low, high = given.get("low", given.get("from")), given.get("high", given.get("to"))
    if high is None:  # the range that `random_` takes where it is given none
        raise Unreplayable("torch's random_ draws over a whole dtype; name its range, or make the numbers an input")
    return _give(func, given, _made(tape.integers(_shape(given), int(low or 0), int(high)), given))


def _permutation(tape: Tape, func: Any, given: dict[str, Any]) -> torch.Tensor:
    return _made(tape.permutation(int(given["n"])), given)


def _categorical(tape: Tape, func: Any, given: dict[str, Any]) -> torch.Tensor:
    if given["num_samples"] != 1:
        raise Unreplayable(
            f"torch's multinomial draws {given['num_samples']} classes at once, which jax.random.categorical does not; "
            "draw one at a time, or make them an input"
        )
    weights = given["self"]
    noise = torch.from_numpy(tape.categorical(tuple(weights.shape))).to(weights.device)
    return (weights.double().log() + noise).argmax(dim=-1, keepdim=True)


SERVED: dict[str, Callable[[Tape, Any, dict[str, Any]], Any]] = {
    **dict.fromkeys(("bernoulli", "bernoulli_"), _bernoulli),
    "native_dropout": _dropout,
    **dict.fromkeys(("rand", "rand_like", "uniform", "uniform_"), _uniform),
    **dict.fromkeys(("randn", "randn_like", "normal", "normal_"), _normal),
    **dict.fromkeys(("exponential", "exponential_"), _exponential),
    **dict.fromkeys(("randint", "randint_like", "random", "random_"), _integers),
    "randperm": _permutation,
    "multinomial": _categorical,
}
