"""Sequences of different lengths in one batch: padded to one length, or packed one time step after the other.

Lengths decide shapes, so they are plain numbers: a compiled function is compiled for its lengths.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int, Shaped

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpad_sequence",
    "pack_sequence",
    "unpack_sequence",
]

Lengths = Sequence[int] | Int[np.ndarray, " N"] | Int[Array, " N"]


_STATIC = {"static": True}


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PackedSequence:
    """Sequences without padding: the first element of each, the second of each that has one, and so on.

    Attributes:
        data: (sum of lengths, ...), in each step the longest sequence first.
        batch_sizes: how many sequences go on at each step.
        sorted_indices: which sequence of the batch stands at each place, longest first; None where they came so.
        unsorted_indices: the inverse.

    Examples:
        >>> pack_sequence([array([1.0, 2.0]), array([3.0])]).data.tolist()
        [1.0, 3.0, 2.0]

    References:
        PyTorch, torch.nn.utils.rnn.PackedSequence.
    """

    data: Shaped[Array, "M ..."]
    batch_sizes: tuple[int, ...] = field(metadata=_STATIC)
    sorted_indices: tuple[int, ...] | None = field(default=None, metadata=_STATIC)
    unsorted_indices: tuple[int, ...] | None = field(default=None, metadata=_STATIC)

    @property
    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Step and place in the sorted batch of every element of data."""
        steps = np.repeat(np.arange(len(self.batch_sizes)), self.batch_sizes)
        return steps, np.concatenate([np.arange(size) for size in self.batch_sizes])


def invert_permutation(permutation: Sequence[int] | None) -> tuple[int, ...] | None:
    """Where each of 0, 1, ... stands in a permutation; None of None.

    Examples:
        >>> invert_permutation((2, 0, 1))
        (1, 2, 0)

    References:
        PyTorch, torch.nn.utils.rnn.invert_permutation.
    """
    return None if permutation is None else tuple(np.argsort(np.asarray(permutation)).tolist())


def pack_padded_sequence(
    input: Shaped[Array, "..."], lengths: Lengths, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Take the padding away.

    Args:
        input: (T, N, ...), or (N, T, ...) where batch_first.
        lengths: of the N sequences, from 1 to T.
        batch_first: see input.
        enforce_sorted: whether the longest comes first; else they are sorted.

    Returns:
        The PackedSequence.

    Raises:
        RuntimeError: where a length is not between 1 and T, or there are not N of them, or they are not sorted.

    Examples:
        >>> padded = array([[1.0, 4.0], [2.0, 5.0], [0.0, 6.0]])
        >>> pack_padded_sequence(padded, [2, 3], enforce_sorted=False).data.tolist()
        [4.0, 1.0, 5.0, 2.0, 6.0]

    References:
        PyTorch, torch.nn.utils.rnn.pack_padded_sequence.
    """
    x = jnp.swapaxes(input, 0, 1) if batch_first else input
    sizes = np.asarray(lengths)
    if sizes.shape != x.shape[1:2] or sizes.min(initial=1) < 1 or sizes.max(initial=1) > len(x):
        raise RuntimeError(
            f"pack_padded_sequence: lengths are {sizes.tolist()}, wanted {x.shape[1]} numbers from 1 to {len(x)}"
        )
    order = None
    if not enforce_sorted:
        order = tuple(np.argsort(-sizes, kind="stable").tolist())
        sizes, x = sizes[list(order)], x[:, list(order)]
    elif (np.diff(sizes) > 0).any():
        raise RuntimeError(
            f"pack_padded_sequence: lengths {sizes.tolist()} are not sorted, longest first; pass enforce_sorted=False"
        )
    batch_sizes = tuple((sizes > step).sum().item() for step in range(sizes.max(initial=0)))
    packed = PackedSequence(x, batch_sizes, order, invert_permutation(order))
    return replace(packed, data=x[packed.places])


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Shaped[Array, "..."], Int[np.ndarray, " N"]]:
    """Fill up to one length again, in the order in which the sequences came.

    Args:
        sequence: what was packed.
        batch_first: whether to give (N, T, ...) and not (T, N, ...).
        padding_value: what to fill with.
        total_length: T, at least the longest length; None for that.

    Returns:
        The padded sequences, and their lengths.

    Raises:
        ValueError: where total_length is too small.

    Examples:
        >>> padded, lengths = pad_packed_sequence(pack_sequence([array([1.0, 2.0]), array([3.0])]), batch_first=True)
        >>> padded.tolist(), lengths.tolist()
        ([[1.0, 2.0], [3.0, 0.0]], [2, 1])

    References:
        PyTorch, torch.nn.utils.rnn.pad_packed_sequence.
    """
    longest, number = len(sequence.batch_sizes), sequence.batch_sizes[0]
    if total_length is not None and total_length < longest:
        raise ValueError(f"pad_packed_sequence: total_length is {total_length}, and the longest sequence has {longest}")
    shape = (longest if total_length is None else total_length, number, *sequence.data.shape[1:])
    padded = jnp.full(shape, padding_value, sequence.data.dtype).at[sequence.places].set(sequence.data)
    lengths = (np.asarray(sequence.batch_sizes)[:, None] > np.arange(number)).sum(0)
    if sequence.unsorted_indices is not None:
        order = list(sequence.unsorted_indices)
        padded, lengths = padded[:, order], lengths[order]
    return (jnp.swapaxes(padded, 0, 1) if batch_first else padded), lengths


def pad_sequence(
    sequences: Iterable[Shaped[Array, "..."]],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Shaped[Array, "..."]:
    """Stack sequences of different lengths, filled up to the longest.

    Args:
        sequences: each (T_i, ...).
        batch_first: whether to give (N, T, ...) and not (T, N, ...).
        padding_value: what to fill with.
        padding_side: "right" for the end, "left" for the beginning.

    Raises:
        RuntimeError: where padding_side is another word, or there is no sequence.

    Examples:
        >>> pad_sequence([array([1.0, 2.0]), array([3.0])], batch_first=True, padding_side="left").tolist()
        [[1.0, 2.0], [0.0, 3.0]]

    References:
        PyTorch, torch.nn.utils.rnn.pad_sequence.
    """
    given = list(sequences)
    if not given or padding_side not in ("left", "right"):
        raise RuntimeError(f"pad_sequence: {len(given)} sequences, padding_side {padding_side!r}; wanted left or right")
    longest = max(len(sequence) for sequence in given)

    def filled(x: Array) -> Array:
        missing = longest - len(x)
        sides = (missing, 0) if padding_side == "left" else (0, missing)
        return jnp.pad(x, (sides, *((0, 0),) * (x.ndim - 1)), constant_values=padding_value)

    return jnp.stack([filled(sequence) for sequence in given], axis=0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: Shaped[Array, "..."], lengths: Lengths, batch_first: bool = False
) -> list[Shaped[Array, "..."]]:
    """The sequences of a padded batch, each of its own length.

    Args:
        padded_sequences: (T, N, ...), or (N, T, ...) where batch_first.
        lengths: of the N sequences.
        batch_first: see padded_sequences.

    Examples:
        >>> [x.tolist() for x in unpad_sequence(array([[1.0, 3.0], [2.0, 0.0]]), array([2, 1]))]
        [[1.0, 2.0], [3.0]]

    References:
        PyTorch, torch.nn.utils.rnn.unpad_sequence.
    """
    rows = padded_sequences if batch_first else jnp.swapaxes(padded_sequences, 0, 1)
    return [row[:length] for row, length in zip(rows, np.asarray(lengths).tolist(), strict=True)]


def pack_sequence(sequences: Sequence[Shaped[Array, "..."]], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences of different lengths.

    Args:
        sequences: each (T_i, ...).
        enforce_sorted: whether the longest comes first; else they are sorted.

    Raises:
        RuntimeError: where they are not sorted and should be, or one is empty.

    Examples:
        >>> pack_sequence([array([1.0]), array([2.0, 3.0])], enforce_sorted=False).data.tolist()
        [2.0, 1.0, 3.0]

    References:
        PyTorch, torch.nn.utils.rnn.pack_sequence.
    """
    return pack_padded_sequence(pad_sequence(sequences), [len(x) for x in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Shaped[Array, "..."]]:
    """The sequences that were packed, in their order.

    Examples:
        >>> [x.tolist() for x in unpack_sequence(pack_sequence([array([1.0, 2.0]), array([3.0])]))]
        [[1.0, 2.0], [3.0]]

    References:
        PyTorch, torch.nn.utils.rnn.unpack_sequence.
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
