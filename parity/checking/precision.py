"""Why a working dtype has less precision than it says: the suspects are tried on torch's float64 run, one by one."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.checking.runs import Runs, SideError, run_side
from parity.numerics import Finding
from parity.sides import NoFloat64
from parity.trace import Trace

EXPLAINED = 16.0
"""How many times closer to an emulation than to float64 a side must lie for the emulation to be named: four of the lost
bits are then the emulation's, and chance does that to eight numbers or more less often than the budget allows."""

ALIKE = 4.0
"""Where two runs round alike but in another order, only the size of the error tells: within this factor."""


@dataclass(frozen=True)
class Suspect:
    """A precision that hardware or code may use in place of the one that was asked for.

    Attributes:
        name: As a reader knows it.
        bits: Bits of the significand that are kept.
        dtype: The precision of the torch run that emulates it: float64 where only a product's operands are short.
        torch_fix, jax_fix: What to write on the side that has it.
    """

    name: str
    bits: int
    dtype: str
    torch_fix: str
    jax_fix: str


SUSPECTS = (
    Suspect(
        "TF32: products keep 11 bits of their operands",
        11,
        "float64",
        'torch.set_float32_matmul_precision("highest"); torch.backends.cudnn.allow_tf32 = False',
        'jax.default_matmul_precision("highest"), or precision="highest" in the call',
    ),
    Suspect(
        "bfloat16 products: they keep 8 bits of their operands",
        8,
        "float64",
        'torch.set_float32_matmul_precision("highest")',
        'jax.default_matmul_precision("highest"), or precision="highest" in the call',
    ),
    Suspect(
        "a cast to float16 on the way",
        11,
        "float16",
        "look for .half() and autocast",
        "look for .astype(jnp.float16) and dtype=jnp.float16",
    ),
    Suspect(
        "a cast to bfloat16 on the way",
        8,
        "bfloat16",
        "look for .bfloat16() and autocast",
        "look for .astype(jnp.bfloat16) and dtype=jnp.bfloat16",
    ),
    Suspect(
        "a cast to float32 on the way",
        24,
        "float32",
        "look for .float() and dtype=torch.float32",
        "look for .astype(jnp.float32), dtype=jnp.float32, and jax_enable_x64",
    ),
)


class Emulations:
    """Torch's float64 run as each suspect would have it; made when first asked for, once for all tensors.

    Args:
        torch: The torch side.
        runs: The four runs.
        device: Where.
    """

    def __init__(self, torch: Any, runs: Runs, device: str) -> None:
        self.torch, self.runs, self.device = torch, runs, device
        self._traces: dict[Suspect, list[Trace]] = {}

    def of(self, suspect: Suspect, name: str) -> list[np.ndarray]:
        """A tensor as the suspect would give it: by operands rounded and operands cut off, or by a lower dtype."""
        if suspect not in self._traces:
            self._traces[suspect] = list(self._made(suspect))
        return [trace.tensors[name] for trace in self._traces[suspect] if name in trace.tensors]

    def _made(self, suspect: Suspect) -> Iterator[Trace]:
        from parity.sides.torch_operands import OperandRounding

        rounding = [OperandRounding(suspect.bits, truncate=t) for t in (False, True)]
        for mode in rounding if suspect.dtype == "float64" else [None]:
            try:
                trace = run_side(
                    self.torch,
                    self.runs.inputs,
                    dtype=suspect.dtype,
                    noise=mode,
                    device=self.device,
                    wrt=self.runs.wrt,
                    stage=self.runs.stage,
                )
            except (SideError, NoFloat64):
                return  # an emulation that cannot run names nothing
            if mode is None or mode.products:
                yield trace


def explained(runs: Runs, name: str, finding: Finding, emulations: Emulations) -> Finding:
    """Name what took the precision, where an experiment shows it.

    Each suspect is emulated on torch's float64 run. With W the worse side's tensor, r the reference and E the
    emulation: the suspect is the cause where |W - E| is at most a sixteenth of |W - r|. A cast's roundings fall
    elsewhere on either side, so only their size can be compared: where |E - r| is within a factor four of |W - r| for
    suspects of one number of bits and for no other, a note says so, and no cause is claimed.

    Args:
        runs: The four runs.
        name: The tensor's name in the Traces.
        finding: A PRECISION finding with its worse side.
        emulations: Of the same runs.

    Returns:
        The finding, with `cause` and `fix` where a suspect is proven, with a note where its size alone fits.
    """
    if finding.worse is None:
        return finding
    side = (runs.torch if finding.worse == "torch" else runs.jax).tensors[name]
    reference = runs.torch64.tensors[name]
    own = _distance(side, reference)
    alike: list[tuple[Suspect, float]] = []
    for suspect in SUSPECTS:
        if suspect.dtype == runs.dtype:
            continue
        for emulated in emulations.of(suspect, name):
            left, size = _distance(side, emulated), _distance(emulated, reference)
            if size > 0.0 and left * EXPLAINED <= own:
                share = f"emulated on torch's float64 run, it explains {1 - left / own:.1%} of {finding.worse}'s error"
                fix = suspect.torch_fix if finding.worse == "torch" else suspect.jax_fix
                return replace(finding, cause=f"{suspect.name} ({finding.worse}); {share}", fix=fix)
            if own <= ALIKE * size and size <= ALIKE * own and suspect not in [s for s, _ in alike]:
                alike.append((suspect, size))
    if len({suspect.bits for suspect, _ in alike}) != 1:
        return finding
    told = " or ".join(f"{suspect.name} ({size:.2g})" for suspect, size in alike)
    alike_note = f"{finding.worse} errs by {own:.2g}, about as much as would {told}"
    return replace(finding, note="; ".join(filter(None, (finding.note, alike_note))))


def _distance(left: np.ndarray, right: np.ndarray) -> float:
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.asarray(left, np.float64) - np.asarray(right, np.float64)
    finite = difference[np.isfinite(difference)]
    return float(np.sqrt(np.mean(np.square(finite)))) if finite.size else 0.0
