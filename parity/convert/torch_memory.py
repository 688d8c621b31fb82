"""Torch tensors known again in memory: where each lies, what it held, and whether it still holds it."""

from typing import Any

import numpy as np
import torch

WHOLE = 1 << 20
"""Elements up to which a tensor is known again by all its numbers."""


def key(tensor: torch.Tensor) -> Any:
    """Where a tensor lies: two tensors of one place, shape and strides have one key."""
    return tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tuple(tensor.shape), tensor.stride()


def numpy_of(tensor: torch.Tensor) -> np.ndarray:
    """A tensor's numbers as a copy, for what may be written over."""
    return tensor.detach().numpy().copy()


def shared(tensor: torch.Tensor) -> np.ndarray:
    """A tensor's own memory, for what is read at once."""
    return tensor.detach().numpy()


class Seen:
    """A tensor's numbers as they were, so that it is known again once it has been written over.

    A large one is known by a part of its numbers and by torch's count of writes. The count is read when it is first
    asked for: while an operation runs, that of its result does not stand yet.
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        self.whole = tensor.numel() <= WHOLE or tensor.is_inference()
        self.numbers, self.version = self._read(tensor).copy(), -1

    def still(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor at the same place holds the same."""
        if not self.whole:
            self.version = tensor._version if self.version < 0 else self.version
            if self.version != tensor._version:
                return False
        return np.array_equal(self.numbers, self._read(tensor))

    def _read(self, tensor: torch.Tensor) -> np.ndarray:
        parts = (slice(None, None, 1 if self.whole else max(1, n // 64)) for n in tensor.shape)
        return shared(tensor)[tuple(parts)]
