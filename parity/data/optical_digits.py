"""Handwritten digits, 8 x 8 pixels each, bundled so that nothing need be downloaded."""

from dataclasses import dataclass
from importlib import resources

import numpy as np
from jaxtyping import Float, Int

DARKEST = 16  # a pixel counts the dark dots in a 4 x 4 square of the scan


@dataclass(frozen=True)
class Digits:
    """1,797 handwritten digits, split into a training and a test set with each digit's share kept.

    Attributes:
        train_images: (1500, 64) float64 in [0, 1], 0 for paper and 1 for ink, row by row.
        train_labels: (1500,) int64 from 0 to 9.
        test_images: (297, 64), as train_images.
        test_labels: (297,), as train_labels.
    """

    train_images: Float[np.ndarray, "1500 64"]
    train_labels: Int[np.ndarray, " 1500"]
    test_images: Float[np.ndarray, "297 64"]
    test_labels: Int[np.ndarray, " 297"]


def digits() -> Digits:
    """The bundled digits: `digits.npz` in this package, its licence in `digits.LICENCE.txt` beside it.

    Returns:
        The split into 1,500 and 297 digits that scikit-learn's `train_test_split` makes, stratified, `random_state=0`.

    Examples:
        >>> digits().train_images.shape, digits().test_labels.shape
        ((1500, 64), (297,))

    References:
        Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.
    """
    with resources.files(__package__).joinpath("digits.npz").open("rb") as file, np.load(file) as bundle:
        images = bundle["images"].astype(np.float64) / DARKEST  # exact: a pixel is a small integer over 16
        labels = bundle["labels"].astype(np.int64)
        train, test = bundle["train"], bundle["test"]
    return Digits(images[train], labels[train], images[test], labels[test])


def as_32x32(images: Float[np.ndarray, "N 64"]) -> Float[np.ndarray, "N 1 32 32"]:
    """Digits enlarged to the 32 x 32 that LeNet takes: each pixel becomes a square of 4 x 4.

    That is the size they were scanned at. They are not padded, because then 15 of 16 pixels would be empty paper.

    Args:
        images: (N, 64) or (N, 8, 8), any dtype.

    Returns:
        (N, 1, 32, 32), channel first, the same dtype.

    Raises:
        ValueError: if an image has not 64 pixels.

    Examples:
        >>> as_32x32(np.eye(8).reshape(1, 64))[0, 0, 3:5, 3:5].tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    images = np.asarray(images)
    if images.ndim not in (2, 3) or images.shape[1:] not in ((64,), (8, 8)):
        raise ValueError(
            f"as_32x32: got images of shape {images.shape}; wanted (N, 64) or (N, 8, 8): reshape them, N first"
        )
    return np.kron(images.reshape(-1, 1, 8, 8), np.ones((1, 1, 4, 4), dtype=images.dtype))
