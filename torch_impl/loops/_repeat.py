"""A step of training many times over: a plain loop on the CPU, one CUDA graph on a GPU."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def repeat(
    step: Callable[..., Tensor | None], times: int, batches: Sequence[Tensor] = (), told: Tensor | None = None
) -> None:
    """Run a step that works in place on the same tensors each time.

    On a GPU the first step runs as it is, which sets up what the libraries need; then one is captured, and replayed
    without a launch from Python for each of its operations. What changes from step to step is found by a count that
    lies on the GPU too.

    Args:
        step: Takes a row of each of the batches; gives what is kept of it, where something is.
        times: How often, 0 or more.
        batches: Tensors (times, ...).
        told: Where what the steps give is kept, (times, ...), on the device of all tensors; None for steps that give
            nothing.
    """
    held = [*batches] if told is None else [*batches, told]
    if times < 2 or not held or held[0].device.type != "cuda":
        rows = zip(*(batch.unbind() for batch in batches), strict=True) if batches else ((),) * times
        for row, given in enumerate(rows):
            value = step(*given)
            if told is not None and value is not None:
                told[row] = value
        return
    at = torch.zeros(1, dtype=torch.int64, device=held[0].device)

    def counted() -> None:
        value = step(*(batch.index_select(0, at)[0] for batch in batches))
        if told is not None and value is not None:
            told.index_copy_(0, at, value[None])
        at.add_(1)

    aside = torch.cuda.Stream(at.device)
    aside.wait_stream(torch.cuda.current_stream(at.device))
    with torch.cuda.stream(aside):
        counted()
    torch.cuda.current_stream(at.device).wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):  # records, and runs nothing
        counted()
    for _ in range(times - 1):
        graph.replay()
