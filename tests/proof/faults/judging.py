"""Five judges of the same tensors: the verdict rule, and the four checks that one finds in public suites."""

import contextlib
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from parity.checking import Task, examine
from parity.numerics import Finding, Verdict
from parity.sides import side
from parity.sides.inputs import rounded
from proof.faults.fault import Fault

Tensors = Mapping[str, np.ndarray]


def all_close(torch_tensor: np.ndarray, jax_tensor: np.ndarray) -> None:
    np.testing.assert_allclose(jax_tensor, torch_tensor, rtol=1e-5, atol=1e-5)


def torch_close(torch_tensor: np.ndarray, jax_tensor: np.ndarray) -> None:
    torch.testing.assert_close(torch.from_numpy(jax_tensor), torch.from_numpy(torch_tensor))


def means(torch_tensor: np.ndarray, jax_tensor: np.ndarray) -> None:
    assert abs(float(torch_tensor.mean()) - float(jax_tensor.mean())) < 1e-3


def relative_one(torch_tensor: np.ndarray, jax_tensor: np.ndarray) -> None:
    np.testing.assert_allclose(jax_tensor, torch_tensor, rtol=1)


BASELINES: dict[str, Callable[[np.ndarray, np.ndarray], None]] = {
    "assert_allclose 1e-5": all_close,
    "assert_close": torch_close,
    "means": means,
    "rtol=1": relative_one,
}
PARITY = "parity"
JUDGES = (PARITY, *BASELINES)


@dataclass(frozen=True)
class Judgement:
    """What the judges said of one fault and of its honest twin.

    Attributes:
        honest: What the rule found in the honest port.
        faulty: What it found in the port with the bug.
        found: Judges that reject the fault and pass its honest twin.
        alarms: Judges that reject the honest twin.
    """

    honest: tuple[Finding, ...]
    faulty: tuple[Finding, ...]
    found: tuple[str, ...]
    alarms: tuple[str, ...]

    @property
    def first(self) -> Finding | None:
        """The first finding that tells the fault, or None."""
        return next((f for f in self.faulty if not f), None)

    @property
    def verdict(self) -> str:
        """Its verdict; AGREE where the fault was not found."""
        return str(Verdict.AGREE if self.first is None else self.first.verdict)


class Once:
    """A side that runs each thing once: the original is the same beside the honest port and the faulty one."""

    def __init__(self, original: Any) -> None:
        self._original = original
        self._kept: dict[bytes, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)

    def run(self, *arguments: Any, **options: Any) -> Any:
        return self._once("run", arguments, options)

    def disturbed(self, *arguments: Any, **options: Any) -> Any:
        return self._once("disturbed", arguments, options)

    def _once(self, name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        key = pickle.dumps((name, arguments, options))
        if key not in self._kept:
            self._kept[key] = getattr(self._original, name)(*arguments, **options)
        return self._kept[key]


def judged(fault: Fault) -> Judgement:
    """Let every judge see the fault and its honest twin on the same inputs.

    The rule runs both precisions; the others get what it compared at the working dtype, outputs and gradients, and
    integers of one width.

    Args:
        fault: The fault.

    Returns:
        The Judgement.

    Raises:
        RuntimeError: If a side raised: a table entry that does not run proves nothing.
    """
    inputs = fault.draw()
    stage = "update" if fault.stage == "update" else "forward"
    task = Task(fault.name, inputs, stage=stage, wrt=fault.wrt if stage == "forward" else ())
    original = Once(side("torch", fault.torch))
    run = {"lift": False, "dtype": fault.dtype, "device": "cpu", "wrt": task.wrt, "stage": stage}
    wanted = _widened(original.run(rounded(inputs, fault.dtype), **run).tensors)
    findings: dict[str, tuple[Finding, ...]] = {}
    rejected: dict[str, set[str]] = {}
    for name, function in (("honest", fault.honest), ("faulty", fault.faulty)):
        port = side("jax", function)
        result = examine(original, port, task, dtypes=("float64", fault.dtype))
        if result.error is not None:
            raise RuntimeError(f"{fault.name}, {name} port: {result.error}")
        findings[name] = result.findings
        got = _widened(port.run(rounded(inputs, fault.dtype), **run).tensors)
        rejected[name] = {judge for judge, check in BASELINES.items() if _rejects(check, wanted, got)}
        rejected[name] |= set() if result else {PARITY}
    return Judgement(
        findings["honest"],
        findings["faulty"],
        tuple(j for j in JUDGES if j in rejected["faulty"] and j not in rejected["honest"]),
        tuple(j for j in JUDGES if j in rejected["honest"]),
    )


def _rejects(check: Callable[[np.ndarray, np.ndarray], None], wanted: Tensors, got: Tensors) -> bool:
    """Whether a check fails on any tensor of the original; what the port returns beside them it does not look for."""
    with contextlib.suppress(AssertionError, KeyError):
        for name, tensor in wanted.items():
            check(tensor, got[name])
        return False
    return True


def _widened(tensors: Tensors) -> Tensors:
    return {n: a.astype(np.int64 if a.dtype.kind in "iu" else a.dtype) for n, a in tensors.items()}
