"""CIFAR-10's Python batches. They are pickles, so they are read by an unpickler that can build nothing but data."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

BYTES_AN_IMAGE = 3 * 32 * 32
CLASSES = 10


@dataclass(frozen=True)
class Cifar10:
    """CIFAR-10 as it is stored: small colour pictures of ten kinds of things.

    Attributes:
        train_images: (50000, 3, 32, 32) uint8 from 0 to 255, channel first: red, green, blue.
        train_labels: (50000,) int64 from 0 to 9.
        test_images: (10000, 3, 32, 32), as train_images.
        test_labels: (10000,), as train_labels.
        label_names: the ten names, in the order of the labels.
    """

    train_images: UInt8[np.ndarray, "N 3 32 32"]
    train_labels: Int[np.ndarray, " N"]
    test_images: UInt8[np.ndarray, "T 3 32 32"]
    test_labels: Int[np.ndarray, " T"]
    label_names: tuple[str, ...]


def read_cifar10(folder: str | Path) -> Cifar10:
    """Read the folder that the "python version" of CIFAR-10 unpacks to.

    Args:
        folder: holds data_batch_1 to data_batch_5, test_batch and batches.meta.

    Returns:
        The five training batches joined, and the test batch.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is not a batch of CIFAR-10: nothing else in a pickle is ever carried out.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> batch = {b"data": np.full((2, 3072), 9, np.uint8), b"labels": [3, 8]}
        >>> names = ["batches.meta", "test_batch", *(f"data_batch_{number}" for number in range(1, 6))]
        >>> with TemporaryDirectory() as folder:
        ...     for name in names:
        ...         content = {b"label_names": [b"a kind"] * 10} if name == "batches.meta" else batch
        ...         _ = Path(folder, name).write_bytes(pickle.dumps(content, protocol=3))
        ...     cifar = read_cifar10(folder)
        >>> cifar.train_images.shape, cifar.train_images.dtype, cifar.test_labels.tolist()
        ((10, 3, 32, 32), dtype('uint8'), [3, 8])

    References:
        Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009; the data set's page, "Dataset layout".
    """
    train = [_batch(Path(folder, f"data_batch_{number}")) for number in range(1, 6)]
    test_images, test_labels = _batch(Path(folder, "test_batch"))
    meta_path = Path(folder, "batches.meta")
    names = _load(meta_path).get(b"label_names")
    if not isinstance(names, list) or len(names) != CLASSES or not all(isinstance(name, bytes) for name in names):
        raise ValueError(f"read_cifar10: {meta_path} names no ten classes; wanted label_names: download it again")
    return Cifar10(
        np.concatenate([images for images, _ in train]),
        np.concatenate([labels for _, labels in train]),
        test_images,
        test_labels,
        tuple(name.decode() for name in names),
    )


def _batch(path: Path) -> tuple[UInt8[np.ndarray, "N 3 32 32"], Int[np.ndarray, " N"]]:
    batch = _load(path)
    data, labels = batch.get(b"data"), batch.get(b"labels")
    if not isinstance(data, _StoredArray) or not isinstance(labels, list):
        raise ValueError(f"read_cifar10: {path} holds no data and labels; wanted both: download it again")
    if any(type(label) is not int or not 0 <= label < CLASSES for label in labels):
        raise ValueError(f"read_cifar10: {path} has labels that are no integers from 0 to 9: download it again")
    images = data.bytes_of(len(labels), path)
    return images.reshape(-1, 3, 32, 32), np.array(labels, dtype=np.int64)


def _load(path: Path) -> dict[bytes, Any]:
    if not path.is_file():
        raise FileNotFoundError(
            f"read_cifar10: no file {path}; wanted the unpacked python version of CIFAR-10: get it from "
            "https://www.cs.toronto.edu/~kriz/cifar.html"
        )
    with path.open("rb") as file:
        try:
            content = _DataOnly(file, encoding="bytes").load()
        except Exception as error:  # a broken pickle can raise anything at all
            raise ValueError(f"read_cifar10: {path} is no batch of CIFAR-10 ({error}): download it again") from error
    if not isinstance(content, dict):
        raise ValueError(f"read_cifar10: {path} holds a {type(content).__name__}; wanted a dict: download it again")
    return content


class _StoredDtype:
    """Stands in for numpy.dtype: keeps the name that the file gives, and builds nothing."""

    def __init__(self, name: bytes | str, *_: Any) -> None:
        self.name = name.decode() if isinstance(name, bytes) else name

    def __setstate__(self, state: Any) -> None:
        """Take nothing: a dtype's state is its byte order and fields, which unsigned bytes have none of."""


class _StoredArray:
    """Stands in for numpy.ndarray: keeps the shape, dtype and bytes that the file gives, and builds nothing."""

    shape: Any = None
    dtype: Any = None
    column_major: Any = False
    raw: Any = None

    def __setstate__(self, state: Any) -> None:
        _, self.shape, self.dtype, self.column_major, self.raw = state

    def bytes_of(self, images: int, path: Path) -> UInt8[np.ndarray, "N 3072"]:
        """Give the array itself, once shape, dtype and bytes are seen to belong together."""
        name, wanted = getattr(self.dtype, "name", None), (images, BYTES_AN_IMAGE)
        if self.shape != wanted or name not in ("u1", "uint8") or not isinstance(self.raw, bytes):
            raise ValueError(
                f"read_cifar10: {path} has data of shape {self.shape} and type {name}; wanted {wanted}, a row a "
                "label, and u1: download it again"
            )
        if len(self.raw) != images * BYTES_AN_IMAGE:
            raise ValueError(
                f"read_cifar10: {path} has {len(self.raw)} bytes of data; wanted {images * BYTES_AN_IMAGE}: "
                "download it again"
            )
        flat = np.frombuffer(self.raw, np.uint8)
        return (flat.reshape(wanted[::-1]).T if self.column_major else flat.reshape(wanted)).copy()


def _stored_array(*_: Any) -> _StoredArray:
    return _StoredArray()


# the three names of a pickled array, as NumPy before and since its version 2 writes them
_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _stored_array,
    ("numpy._core.multiarray", "_reconstruct"): _stored_array,
    ("numpy", "ndarray"): _StoredArray,
    ("numpy", "dtype"): _StoredDtype,
}


class _DataOnly(pickle.Unpickler):
    """An unpickler that knows the names of a pickled array alone, and answers them with stand-ins."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which data have no need of")
        return _STAND_INS[module, name]
