"""What `check` and `record` do in a process of their own: import what was named, and call the API."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from parity.cli.child import Refused, Tell
from parity.cli.inputs import inputs_of
from parity.cli.objects import CANNOT_RUN, USAGE, find
from parity.cli.training import Asked, options_of

if TYPE_CHECKING:
    from parity.bench.speed import Speed
    from parity.bench.training import Table
    from parity.report import Report


TRAINING = ("device", "threads", "rounds", "seconds", "progress")
"""Options of the training loops; they run at both precisions, and torch.compile has no part in them."""


@dataclass(frozen=True)
class Checking:
    """A `parity check` as it was typed.

    Attributes:
        torch, jax: Names of the sides.
        inputs: A file, or None.
        options: Of `parity.check`.
        asked: Of a loss and a training.
    """

    torch: str
    jax: str
    inputs: str | None
    options: dict[str, Any]
    asked: Asked = field(default_factory=Asked)

    @property
    def name(self) -> str:
        """What the report calls the pair; a dot would part a concept from its case."""
        both = dict.fromkeys(name.rpartition(":")[2].replace(".", ":") for name in (self.torch, self.jax))
        return " / ".join(both)


@dataclass(frozen=True)
class Recording:
    """A `parity record` as it was typed.

    Attributes:
        side: Its name.
        output: Where the recording goes.
        inputs: A file, or None.
        options: Of `parity.record`.
    """

    side: str
    output: str
    inputs: str | None
    options: dict[str, Any]


@dataclass(frozen=True)
class Timing:
    """A `parity bench` as it was typed.

    Attributes:
        names: Of concepts, or of your own two sides; "training" alone for the training loops.
        inputs: A file, or None.
        options: Of `parity.speed`.
    """

    names: tuple[str, ...]
    inputs: str | None
    options: dict[str, Any]


def checked(work: Checking, tell: Tell) -> "Report":
    """Import both sides and check them.

    Args:
        work: What was typed.
        tell: Called with what is at work.

    Returns:
        The Report.

    Raises:
        Refused: If a side or the inputs cannot be had, or `parity.check` refuses them.
    """
    import parity
    from parity.checking.watch import watched

    _require("torch", "jax")
    _device(work.options["device"])
    tell("importing the torch side")
    torch = find(work.torch, "torch")
    tell("importing the jax side")
    jax = find(work.jax, "jax")
    inputs = inputs_of(work.inputs, torch.module, jax.module, needed=not work.asked.batches)
    options = work.options | options_of(work.asked, torch, jax)
    try:
        with watched(tell):
            return parity.check(torch.value, jax.value, *inputs, name=work.name, **options)
    except (TypeError, ValueError) as error:
        raise Refused(str(error), USAGE) from error


def recorded(work: Recording, tell: Tell) -> str:
    """Import one side, record it and write the recording.

    Args:
        work: What was typed.
        tell: Called with what is at work.

    Returns:
        One line on what was recorded.

    Raises:
        Refused: If the side or the inputs cannot be had, `parity.record` refuses them, or the side raises.
    """
    import parity
    from parity.checking.runs import SideError
    from parity.checking.watch import watched
    from parity.sides import MissingFramework

    framework = work.options["framework"]
    if framework is not None:
        _require(framework)
    tell("importing the side")
    side = find(work.side, framework or "")
    inputs = inputs_of(work.inputs, side.module)
    try:
        with watched(tell):
            recording = parity.record(side.value, *inputs, name=work.side.rpartition(":")[2], **work.options)
        recording.save(work.output)
    except (SideError, MissingFramework) as error:
        raise Refused(str(error), CANNOT_RUN) from error
    except (TypeError, ValueError, OSError) as error:  # a TraceError is a ValueError
        raise Refused(str(error), USAGE) from error
    return str(recording)


def timed(work: Timing, tell: Tell) -> "Speed | Table":
    """Time concepts, or import two sides and time them.

    Args:
        work: What was typed.
        tell: Called with what is at work.

    Returns:
        The Speed, or the Table of the training loops.

    Raises:
        Refused: If a side or the inputs cannot be had, or a side raises.
    """
    from parity.bench import speed, training

    _require("torch", "jax")
    _device(work.options["device"])
    options = {**work.options, "progress": lambda what, done, total: tell(what)}
    try:
        if work.names == ("training",):
            return training.measure(**{name: value for name, value in options.items() if name in TRAINING})
        if not any(":" in name for name in work.names):
            return speed.concepts(work.names, **options)
        torch, jax = (find(name, side) for name, side in zip(work.names, ("torch", "jax"), strict=True))
        inputs = inputs_of(work.inputs, torch.module, jax.module)
        name = " / ".join(dict.fromkeys(name.rpartition(":")[2] for name in work.names))
        return speed.speed(torch.value, jax.value, *inputs, name=name, **options)
    except speed.SideRaised as error:
        raise Refused(str(error), CANNOT_RUN) from error
    except (TypeError, ValueError) as error:
        raise Refused(str(error), USAGE) from error


def _require(*frameworks: str) -> None:
    from parity.sides import MissingFramework, require

    try:
        for framework in frameworks:
            require(framework)
    except MissingFramework as error:
        raise Refused(str(error), CANNOT_RUN) from error
    if "jax" in frameworks:
        from parity.sides import jax_backend

        jax_backend.start()  # before a user's module can start the backend with all of the GPU's memory


def _device(device: str) -> None:
    if device == "cuda":
        from parity.doctor import cuda_missing

        missing = cuda_missing()
        if missing:
            raise Refused(missing, CANNOT_RUN)
