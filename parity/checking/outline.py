"""What two models give, before anything is compared: the names of their outputs, and whether they draw numbers."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from parity.checking.begun import Begun
from parity.checking.matching import COUNTERS, Match
from parity.checking.question import Question
from parity.checking.runs import SideError
from parity.checking.watch import announce
from parity.numerics import Finding, Verdict
from parity.sides import raised
from parity.sides.mapped import INPUTS, PARAMETERS, STATE
from parity.sides.replay import SEED, Replay, replayable
from parity.sides.single import paired_outputs
from parity.trace import Trace

DRAWS = "random draws"
"""The path under which draws that differ are told."""

OUTLINING = "reading what both give"
"""What is announced where no run is made that is judged."""


@dataclass(frozen=True)
class Outline:
    """What was seen.

    Attributes:
        renamed: JAX's outputs that go by the name of the torch output in their place.
        beside: For those torch names, JAX's own.
        randomness: The seed to replay draws from; None where neither side draws.
        findings, remarks: What this alone tells.
        begun: Torch's run, where it is one that is judged too.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)
    randomness: int | None = None
    findings: tuple[Finding, ...] = ()
    remarks: tuple[str, ...] = ()
    begun: Begun | None = None


def outlined(torch: Any, jax: Any, found: Match, inputs: tuple[Any, ...], question: Question) -> Outline:
    """Run torch once and trace JAX once.

    Where float32 is judged the run is made with gradients, and is the judged one too: a model that draws no numbers
    would give them all again.

    Args:
        torch, jax: The two models.
        found: Their match.
        inputs: Of both.
        question: What is asked.

    Returns:
        The Outline.

    Raises:
        SideError: If a side raises, or both do; the message names each and says what it raised.
    """
    from parity.checking.models import arguments, mapped

    given = arguments(torch, jax, found, inputs, question.targets)
    replay = Replay(SEED if question.randomness is None else question.randomness)
    names: dict[str, list[str]] = {}
    failed: list[str] = []
    cause: BaseException | None = None
    changed: list[str] = []
    begun: list[Begun] = []
    wrt = (PARAMETERS, INPUTS) if question.gradient else ()
    judged = "float32" in question.dtypes and question.randomness is None

    def run_torch() -> list[str]:
        from parity.sides import torch_forward
        from parity.sides.torch_model import generators
        from parity.sides.torch_side import TorchSide

        state = dict.fromkeys((*found.state, *torch.buffers))  # what is judged of it first, in its order
        function = torch_forward.forward(torch, loss=question.of("torch", "loss"), state=state)
        options: dict[str, Any] = {"dtype": "float32", "device": question.device, "stage": "forward"}
        trace, drawn = None, generators()
        if judged:
            announce("torch at float32")
            with contextlib.suppress(Exception):  # what has outputs and no gradients is told of by the check's own run
                trace = TorchSide(function).run(given, wrt=wrt, **options)
            announce(OUTLINING)
        if trace is None:
            trace = TorchSide(function).run(given, wrt=(), **options)
        elif generators() == drawn:
            begun.append(Begun(_judged(trace, found), given, wrt=wrt, **options))
        after = {n: trace.tensors[f"forward/state.{n}"] for n in torch.buffers}
        changed.extend(n for n, b in torch.buffers.items() if not _same(b, after[n]))
        return _outputs(trace)

    def run_jax() -> list[str]:
        from parity.sides import jax_forward

        function = jax_forward.forward(jax, loss=question.of("jax", "loss"))
        translated = mapped(None, torch, jax, found).translated(given)
        if question.jit:
            return jax_forward.outline(replayable("jax", function), translated)
        from parity.sides.jax_side import JaxSide

        trace = JaxSide(replayable("jax", function), jit=False).run(translated, dtype="float32", wrt=())
        return _outputs(trace)

    runs: dict[str, Callable[[], list[str]]] = {"torch": run_torch, "jax": run_jax}
    for framework, run in runs.items():
        try:
            with replay.on(framework):
                names[framework] = run()
        except Exception as error:
            failed.append(f"the {framework} side {raised(error)}")
            cause = cause or error
    if failed:
        # Both run first: a fault that both have is not told of one, and one that one side has says that it is alone.
        alone = "" if len(failed) == 2 else f" (the {next(iter(names))} side runs)"
        raise SideError("; ".join(failed) + alone) from cause
    findings, remarks = _draws(replay, question)
    findings += [
        Finding("structure", n, "", Verdict.STRUCTURE, "torch's call changes this buffer, and jax has no such state")
        for n in changed
        if n not in found.state and n.rpartition(".")[2] not in COUNTERS
    ]
    beside = paired_outputs(names["torch"], names["jax"])
    if beside:
        pairs = ", ".join(f"{t} / {j}" for t, j in beside.items())
        remarks.append(f"outputs matched by position, torch / jax: {pairs}")
    draws = bool(replay.draws) or question.randomness is not None
    return Outline(
        {j: t for t, j in beside.items()},
        beside,
        replay.seed if draws else None,
        tuple(findings),
        tuple(remarks),
        begun[0] if begun and not draws else None,
    )


def _judged(trace: Trace, found: Match) -> Trace:
    """The run without the state that JAX has no partner for."""
    first = f"forward/{STATE}."
    alone = {n for n in trace.tensors if n.startswith(first) and n.removeprefix(first) not in found.state}
    tensors = {n: a for n, a in trace.tensors.items() if n not in alone}
    return replace(trace, tensors=tensors, dtypes={n: d for n, d in trace.dtypes.items() if n not in alone})


def _outputs(trace: Trace) -> list[str]:
    """Names of a run's outputs, without its loss, state and gradients."""
    named = [n.removeprefix("forward/output.") for n in (*trace.tensors, *trace.facts)]
    return [n for n in named if not n.startswith(("forward/", "gradient/"))]


def _draws(replay: Replay, question: Question) -> tuple[list[Finding], list[str]]:
    parted = replay.parted()
    if parted is None:
        if replay.draws and question.randomness is None:
            count = len(replay.draws.get("torch", ()))
            return [], [f"{count} random draws on each side, replayed from the host with the seed {replay.seed}"]
        return [], []
    return [Finding("structure", DRAWS, DRAWS, Verdict.STRUCTURE, parted, question.dtypes[-1])], []


def _same(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether a buffer was left as it was, at float32."""
    return before.shape == after.shape and np.array_equal(before.astype(after.dtype), after, equal_nan=True)
