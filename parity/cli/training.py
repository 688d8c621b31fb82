"""What `parity check` is told of a loss and a training: names on the command line, as the values that the API takes."""

import ast
import difflib
from dataclasses import dataclass
from typing import Any, NoReturn

from parity.cli.child import Refused
from parity.cli.inputs import arrays_of
from parity.cli.objects import USAGE, Named, lookup, made_of

LOSSES = ("cross_entropy", "mse")
PAIR = "wanted {0}, once for a pair (torch's, jax's), or twice: --{1} TORCH --{1} JAX"


@dataclass(frozen=True)
class Asked:
    """The options as they were typed; each None or empty where it was not.

    Attributes:
        loss, optimizer, batches: A name, or one for each side.
        targets: A file, or PKG.MOD:OBJ.
        weights: "auto", "own", or a WeightMap's file.
        steps, train: As for `parity.check`.
    """

    loss: tuple[str, ...] = ()
    targets: str | None = None
    optimizer: tuple[str, ...] = ()
    batches: tuple[str, ...] = ()
    weights: str | None = None
    steps: int = 0
    train: bool | None = None

    @property
    def trains(self) -> bool:
        """Whether anything of a loss or a training was asked for."""
        return bool(self.loss or self.targets or self.optimizer or self.batches or self.steps)


def options_of(asked: Asked, *sides: Named) -> dict[str, Any]:
    """The options of `parity.check`.

    Args:
        asked: What was typed.
        *sides: Where `targets()` or `TARGETS` may stand, if a loss is asked for and no targets are named.

    Returns:
        Those that were asked for, by name.

    Raises:
        Refused: With the option, what was given and what is wanted.
    """
    found: dict[str, Any] = {"loss": _loss(asked.loss), "targets": _targets(asked, sides)}
    found |= {"optimizer": _optimizer(asked.optimizer), "batches": _batches(asked.batches), "train": asked.train}
    found |= {"steps": asked.steps or None, "weights": _weights(asked.weights)}
    own = {"weights": None} if asked.weights == "own" else {}
    return {n: v for n, v in found.items() if v is not None} | own


def _loss(names: tuple[str, ...]) -> Any:
    if not names:
        return None
    if len(names) == 1 and ":" not in names[0]:
        if names[0] not in LOSSES:
            near = difflib.get_close_matches(names[0], LOSSES, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            _refuse(f"--loss {names[0]!r}: wanted {', '.join(LOSSES)}, or PKG.MOD:OBJ of fn(output, targets){hint}")
        return names[0]
    return _pair("loss", names, "a function of (output, targets)")


def _optimizer(names: tuple[str, ...]) -> Any:
    if not names:
        return None
    if len(names) == 2:
        torch, jax = (lookup(name, f"--optimizer of {side}").value for name, side in zip(names, SIDES, strict=True))
        return _callable("optimizer", torch, names[0]), jax if hasattr(jax, "update") else made_of(jax, names[1])
    if len(names) > 2:
        _refuse(f"--optimizer was given {len(names)} times; {PAIR.format('PKG.MOD:OBJ', 'optimizer')}")
    name, _, rest = names[0].partition(":")
    if "=" in rest or not rest:
        return _of_torch(name, rest, names[0])
    value = lookup(names[0], "--optimizer").value
    if hasattr(value, "update"):
        _refuse(f"--optimizer {names[0]} is optax's alone; {PAIR.format('a torch factory', 'optimizer')}")
    return value if isinstance(value, (tuple, list)) else _callable("optimizer", value, names[0])


def _of_torch(name: str, settings: str, typed: str) -> Any:
    """A class of torch.optim by its name in any case, with settings: sgd:lr=0.1,momentum=0.9."""
    from parity.sides import torch_optimizers

    known = torch_optimizers.names()
    if name.lower() not in known:
        near = difflib.get_close_matches(name.lower(), known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
        _refuse(f"--optimizer {typed!r}: torch.optim has no {name!r}; {hint}")
    try:
        call = ast.parse(f"f({settings})", mode="eval").body
        assert isinstance(call, ast.Call)
        assert not call.args
        options = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    except (ValueError, SyntaxError, AssertionError):
        _refuse(f"--optimizer {typed!r}: {settings!r} are no NAME=NUMBER; wanted such as sgd:lr=0.1,momentum=0.9")
    try:
        return torch_optimizers.factory(name.lower(), options)
    except (TypeError, ValueError) as error:
        _refuse(f"--optimizer {typed!r}: {error}")


def _targets(asked: Asked, sides: tuple[Named, ...]) -> Any:
    if asked.targets is not None and ":" in asked.targets and "://" not in asked.targets:
        return made_of(lookup(asked.targets, "--targets").value, asked.targets)
    if asked.targets is not None:
        found = arrays_of(asked.targets)
        return found[0] if len(found) == 1 else found
    for side in sides if asked.loss else ():
        for name in ("targets", "TARGETS"):
            if hasattr(side.module, name):
                return made_of(getattr(side.module, name), f"{side.module.__name__}:{name}")
    return None


def _batches(names: tuple[str, ...]) -> Any:
    if not names:
        return None
    if len(names) > 2:
        _refuse(f"--batches was given {len(names)} times; {PAIR.format('PKG.MOD:OBJ', 'batches')}")
    found = tuple(made_of(lookup(name, "--batches").value, name) for name in names)
    return found[0] if len(found) == 1 else found


def _weights(name: str | None) -> Any:
    if name in (None, "auto", "own"):
        return None
    from parity.convert import MappingError, WeightMap

    try:
        return WeightMap.from_json(str(name))
    except (MappingError, OSError) as error:
        raise Refused(f"--weights {name}: {error}; wanted auto, own or the file of a WeightMap", USAGE) from error


SIDES = ("torch", "jax")


def _pair(option: str, names: tuple[str, ...], wanted: str) -> Any:
    """Torch's and JAX's, from two names or from one that names a pair."""
    if len(names) > 2:
        _refuse(f"--{option} was given {len(names)} times; {PAIR.format('PKG.MOD:OBJ', option)}")
    values: Any = [lookup(name, f"--{option}").value for name in names]
    if len(names) == 1:
        (values,) = values
        if not isinstance(values, (tuple, list)) or len(values) != 2:
            kind = type(values).__name__
            _refuse(f"--{option} {names[0]} is a {kind}; {PAIR.format(wanted, option)}")
        names = (f"{names[0]}[0]", f"{names[0]}[1]")
    return tuple(_callable(option, value, name) for value, name in zip(values, names, strict=True))


def _callable(option: str, value: Any, name: str) -> Any:
    if not callable(value):
        _refuse(f"--{option} {name} is a {type(value).__name__}, wanted a function")
    return value


def _refuse(message: str) -> NoReturn:
    raise Refused(message, USAGE)
