"""A mode that sees every torch operation, without the two seconds that torch's compiler takes to import."""

import sys
from typing import Any, Self

from torch._compile import _disable_dynamo
from torch.utils._python_dispatch import TorchDispatchMode


class DispatchMode(TorchDispatchMode):
    """A TorchDispatchMode whose handler is kept from torch's compiler only where that is there.

    Torch wraps the handler of every mode, so that the compiler does not look into it, and imports the compiler for
    that. A program that compiles nothing has not imported it, and there is nothing to be kept from.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Torch asks this when a subclass is made, and wraps nothing where it is False."""
        return False

    def __enter__(self) -> Self:
        kind: Any = type(self)
        if "torch._dynamo" in sys.modules and not kind.__dict__.get("_kept"):
            kind.__torch_dispatch__ = _disable_dynamo(kind.__dict__["__torch_dispatch__"], recursive=True)
            kind._kept = True
        super().__enter__()
        return self
