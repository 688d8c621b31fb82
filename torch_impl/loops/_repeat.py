"""A step of training many times over: a plain loop on the CPU, one CUDA graph on a GPU."""

from collections.abc import Callable

import torch


def repeat(step: Callable[[], None], times: int, device: torch.device) -> None:
    """Run a step that works in place on the same tensors each time.

    On a GPU the first step runs as it is, which sets up what the libraries need; then one is captured, and replayed
    without a launch from Python for each of its operations. A step counts for itself, in a tensor of its own.

    Args:
        step: Reads and writes tensors that stay where they are.
        times: How often, 0 or more.
        device: Where its tensors lie.
    """
    if device.type != "cuda" or times < 2:
        for _ in range(times):
            step()
        return
    aside = torch.cuda.Stream(device)
    aside.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(aside):
        step()
    torch.cuda.current_stream(device).wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):  # records, and runs nothing
        step()
    for _ in range(times - 1):
        graph.replay()
