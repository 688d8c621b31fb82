"""Leaves of which a run has used a part, such as the rows of an embedding that tokens asked for, in full."""

import itertools

import numpy as np

from parity.convert.numbering import Numbering


def completed(numbers: np.ndarray, torch: Numbering, used: np.ndarray) -> np.ndarray | None:
    """A leaf whose elements are known in part, in full: by the axis order of the one torch leaf that they are in.

    Rows of an embedding that no token asks for are such elements.

    Args:
        numbers: Torch numbers in the JAX leaf's shape, 0 where unknown.
        torch: The numbering.
        used: Torch numbers that other JAX elements have.

    Returns:
        The numbers without gaps; None where no order of axes agrees with what is known.
    """
    known = numbers > 0
    leaves = np.unique(torch.leaf(numbers[known]))
    if len(leaves) != 1:
        return None
    return _ordered(numbers, torch.ids[torch.names[int(leaves[0])]], used)


def _ordered(numbers: np.ndarray, ids: np.ndarray, used: np.ndarray) -> np.ndarray | None:
    known = numbers > 0
    orders = [tuple(range(ids.ndim)), *itertools.permutations(range(ids.ndim))] if ids.ndim <= 5 else []
    for order in orders:
        turned = ids.transpose(order)
        for axis, size in enumerate(turned.shape or (1,)):
            part = numbers.size * size // max(turned.size, 1)
            if part < 1 or turned.size % numbers.size or size % part:
                continue
            for start in range(0, size, part):
                piece = np.take(turned, range(start, start + part), axis) if turned.ndim else turned
                if piece.size != numbers.size:
                    continue
                shaped = piece.reshape(numbers.shape)
                if (shaped[known] == numbers[known]).all() and not used[shaped[~known]].any():
                    return shaped
    return None
