"""A torch function at float64 all through, though it casts to less inside: requests and captured tensors raised."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from parity.sides.decimals import in_full
from parity.sides.torch_modes import DispatchMode

LOW = {
    dtype: torch.complex128 if dtype.is_complex else torch.float64
    for dtype in vars(torch).values()
    if isinstance(dtype, torch.dtype)
    and (dtype.is_complex or dtype.is_floating_point)
    and dtype not in (torch.float64, torch.complex128)
}
"""Every dtype that holds less than float64 does, and what it is raised to."""

METHODS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "float": torch.Tensor.double,
    "half": torch.Tensor.double,
    "bfloat16": torch.Tensor.double,
    "cfloat": lambda tensor: tensor.to(torch.complex128),
    "chalf": lambda tensor: tensor.to(torch.complex128),
}
KEPT = frozenset("view can_cast promote_types result_type set_default_dtype".split())
NAMED = {f"torch.{n}Tensor": "torch.DoubleTensor" for n in ("Float", "Half", "BFloat16")}


PATIENCE = 5_000
"""Kernels of a training run that are watched. Where none of them had anything to raise, the same ones in the next
thousand steps will not, and the run is made again unwatched: watching costs three to five times the run."""


class NothingToRaise(BaseException):
    """A training run was watched long enough; it is no Exception, so that no code of the user's takes it for one."""


@dataclass(frozen=True)
class Lifting:
    """What a float64 run needs.

    Attributes:
        requests: Whether the dtypes that Python code asks for are raised.
        kernels: Whether what reaches the kernels is.
        patience: Kernels to watch at most, or None.
    """

    requests: bool = True
    kernels: bool = True
    patience: int | None = None

    @contextlib.contextmanager
    def on(self) -> Iterator[tuple["RaisedRequests", "RaisedKernels"]]:
        """While this is entered, torch works at float64 on this thread, forwards and backwards.

        Requests for a lower dtype are ones for float64, `.float()` is `.double()`, new tensors are float64, and a
        tensor of lower precision that a function has captured is widened where it is used.

        Yields:
            What raises requests and kernels, and knows what it raised.

        Raises:
            NothingToRaise: From inside, when patience is at its end.
        """
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        requests, kernels = RaisedRequests(), RaisedKernels(self.patience)
        try:
            with contextlib.ExitStack() as modes:
                for mode, wanted in ((requests, self.requests), (kernels, self.kernels)):
                    if wanted:
                        modes.enter_context(mode)
                yield requests, kernels
        finally:
            torch.set_default_dtype(before)


class RaisedRequests(TorchFunctionMode):
    """Raises the dtypes that Python code asks for; a number that a constructor rounds cannot be raised after it.

    Attributes:
        raised: Whether there was any.
    """

    def __init__(self) -> None:
        super().__init__()
        self.raised = False

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name in METHODS and len(args) == 1:
            self.raised = True
            return METHODS[name](args[0])
        if name in KEPT:
            return func(*args, **(kwargs or {}))
        args = tuple(self._requested(value) for value in args)
        return func(*args, **{key: self._requested(value) for key, value in (kwargs or {}).items()})

    def _requested(self, value: Any) -> Any:
        wanted = _requested(value)
        self.raised = self.raised or wanted is not value
        return wanted


def _requested(value: Any) -> Any:
    if isinstance(value, torch.dtype):
        return LOW.get(value, value)
    if isinstance(value, (np.float32, np.float16)):
        return in_full(value)
    return NAMED.get(value, value) if isinstance(value, str) else value


class RaisedKernels(DispatchMode):
    """Raises what reaches the kernels: casts that autograd or composite functions make, and captured tensors.

    A captured tensor has a twin of float64 over the same storage: views of it look into the twin, and what is written
    to it is written to the twin, so that it neither rounds nor is changed itself.

    Attributes:
        constants: The captured tensors as they were when first met, by name in the order of meeting.
        raised: Whether there was anything to raise.
        narrow: Why some operation was not float64, or "".
    """

    def __init__(self, patience: int | None = None) -> None:
        super().__init__()
        self.constants: dict[str, np.ndarray] = {}
        self.raised = False
        self.narrow = ""
        self._left = patience
        self._twins: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if not _holds_low(args) and not (kwargs and _holds_low(tuple(kwargs.values()))):
            result = func(*args, **kwargs)
            if func.is_view or not _holds_low(result):
                self._count()
                return result
            return _mapped(lambda value: self._result(func, value), result)
        self.raised = True
        if func.is_view:
            _mapped(self._meet, args)
            return func(*args, **kwargs)
        originals: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

        def raised(value: Any) -> Any:
            if isinstance(value, torch.Tensor) and value.dtype in LOW:
                full = self.full(value)
                originals[id(full)] = full, value  # both are kept: an id is given again
                return full
            return LOW.get(value, value) if isinstance(value, torch.dtype) else value

        result = func(*_mapped(raised, args), **{key: _mapped(raised, value) for key, value in kwargs.items()})
        # An operation in place gives back what it was given.
        return _mapped(lambda v: originals[id(v)][1] if id(v) in originals else self._result(func, v), result)

    def _count(self) -> None:
        if self._left is not None and not self.raised:
            self._left -= 1
            if self._left <= 0:
                raise NothingToRaise

    def _result(self, func: Any, value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or value.dtype not in LOW:
            return value
        self.raised = True
        self.narrow = self.narrow or f"{func.overloadpacket.__name__} works at {str(value.dtype).partition('.')[2]}"
        return value.to(LOW[value.dtype])

    def full(self, tensor: torch.Tensor) -> torch.Tensor:
        """A tensor of lower precision as float64, through the twin of its storage; any other as it is."""
        if tensor.dtype not in LOW:
            return tensor
        if tensor.numel() == 0:
            return tensor.to(LOW[tensor.dtype])
        twin = self._meet(tensor)
        return twin.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())

    def _meet(self, tensor: Any) -> Any:
        if not isinstance(tensor, torch.Tensor) or tensor.dtype not in LOW or tensor.numel() == 0:
            return tensor
        key = tensor.untyped_storage().data_ptr()
        if key not in self._twins:
            whole = tensor.detach().as_strided((tensor.untyped_storage().nbytes() // tensor.element_size(),), (1,), 0)
            twin = whole.to(LOW[tensor.dtype])
            if tensor.numel() > 1:
                self.constants[f"constant.{len(self.constants)}"] = _host(tensor)
            elif len(whole) == 1 and not tensor.is_complex() and tensor.element_size() in (2, 4):
                twin.fill_(in_full(_host(tensor)))
            self._twins[key] = tensor, twin  # the tensor is kept, so that its place in memory is not given to another
        return self._twins[key][1]


def _mapped(change: Callable[[Any], Any], value: Any) -> Any:
    """tree_map over the tuples and lists that operations take and give, at a tenth of its cost."""
    if isinstance(value, (tuple, list)):
        return type(value)(_mapped(change, item) for item in value)
    return change(value)


def _holds_low(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.dtype in LOW
    if isinstance(value, (tuple, list)):
        return any(_holds_low(item) for item in value)
    return isinstance(value, torch.dtype) and value in LOW


def _host(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    numpy_has_it = tensor.dtype in (torch.float32, torch.float16, torch.complex64)
    return (tensor if numpy_has_it else tensor.float()).numpy().copy()
