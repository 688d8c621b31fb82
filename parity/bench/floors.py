"""The least time that work can take on a machine: its arithmetic, or its bytes, at a measured rate."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

ROUNDS = 30  # short ones, so that some are undisturbed on a machine that does other things too
SIDE = 384  # of the matrices; on a GPU larger, or the launch is most of it
SIDE_CUDA = 8192
SMALLEST, LARGEST = 1 << 20, 1 << 26  # bytes that a measured copy reads


@dataclass(frozen=True)
class Work:
    """What a function has to do.

    Attributes:
        flops: Operations on floating numbers; None where they were not counted.
        flops_by: Who counted them.
        moved: Bytes of its inputs and outputs, each once: what no program can avoid.
        accessed: Bytes that the program's operations read and write together, by XLA's count; None where not counted.
    """

    flops: float | None
    flops_by: str
    moved: int
    accessed: float | None = None


@dataclass(frozen=True)
class Rates:
    """What a machine can do at one precision with a number of threads.

    Attributes:
        flops: A second, in the product of two large square matrices.
        bandwidth: Bytes a second that a copy of so many bytes reads and writes together, by size of what it reads.
    """

    flops: float
    bandwidth: Mapping[int, float]

    def floor(self, work: Work) -> tuple[float, str]:
        """The least seconds, and what bounds them: "flops" or "bytes".

        Examples:
            >>> Rates(1e9, {1024: 1e9, 1 << 20: 1e8}).floor(Work(2e6, "by hand", 1000))
            (0.002, 'flops')
            >>> Rates(1e9, {1024: 1e9, 1 << 20: 1e8}).floor(Work(None, "", 1000))
            (1e-06, 'bytes')
        """
        size = min(self.bandwidth, key=lambda known: abs(np.log(known / max(work.moved, 1))))
        bytes_, flops = work.moved / self.bandwidth[size], (work.flops or 0.0) / self.flops
        return (flops, "flops") if flops > bytes_ else (bytes_, "bytes")


def measured(dtype: str, device: str, *, clock: Callable[[], float] = time.perf_counter) -> Rates:
    """Measure a machine's rates with torch, at the threads that it is set to.

    Args:
        dtype: Of the matrices.
        device: "cpu" or "cuda".
        clock: Gives seconds.

    Returns:
        The Rates: the quickest of the runs each.
    """
    import torch

    def best(call: Callable[[], Any]) -> float:
        times = []
        for _ in range(ROUNDS):
            start = clock()
            call()
            if device == "cuda":
                torch.cuda.synchronize()
            times.append(clock() - start)
        return min(times[1:])

    side = SIDE_CUDA if device == "cuda" else SIDE
    a, b = (torch.ones(side, side, dtype=getattr(torch, dtype), device=device) for _ in range(2))
    out = torch.empty_like(a)
    flops = 2 * side**3 / best(lambda: torch.matmul(a, b, out=out))
    bandwidth = {}
    for size in (SMALLEST, LARGEST):
        source = torch.ones(size, dtype=torch.uint8, device=device)
        target = torch.empty_like(source)
        bandwidth[size] = 2 * size / best(lambda source=source, target=target: target.copy_(source))  # type: ignore[misc]
    return Rates(flops, bandwidth)
