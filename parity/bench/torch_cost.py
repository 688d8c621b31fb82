"""What a torch function does: how often it enters torch from Python, and its arithmetic by torch's own count."""

from collections.abc import Callable
from typing import Any

BY = "torch's FlopCounter, matrix products and convolutions alone"


def operations(function: Callable[..., Any], given: dict[str, Any]) -> int:
    """How many operations of torch a function runs, backwards too.

    Args:
        function: Called with the arguments by name.
        given: Those arguments.

    Returns:
        The count of one call.
    """
    from torch.utils._python_dispatch import TorchDispatchMode

    class Counting(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.count += 1
            return operation(*args, **(kwargs or {}))

    with Counting() as counting:
        function(**given)
    return counting.count


def flops(call: Callable[[], Any]) -> float:
    """Operations on floating numbers of one call.

    Args:
        call: Runs the function.

    Returns:
        The count.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops())
