"""IDX, the format of MNIST's files: a header that says the type and the sizes, then the numbers, highest byte first."""

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float, Int, Shaped

# third byte of a file -> the type of its numbers
DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP_MAGIC = b"\x1f\x8b"
BEST_DEFLATE_RATIO = 1032  # deflate shrinks nothing by more, so a gzip file bounds what it can hold
MOST_DIMENSIONS = 32
MOST_NUMBERS = 2**60  # what NumPy can address, eight bytes each


def read_idx(path: str | Path) -> Shaped[np.ndarray, "..."]:
    """Read one IDX file, compressed with gzip or not.

    The sizes in the header are held against the size of the file before memory is taken for them.

    Args:
        path: the file. Whether it is compressed is seen from its first bytes, not from its name.

    Returns:
        The array, in the machine's own byte order.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not an IDX file, is cut short, or holds more than its header says.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "labels-idx1-ubyte")
        ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
        ...     read_idx(path).tolist()
        [5, 0, 4]

    References:
        LeCun, Cortes and Burges, the MNIST database, "File formats for the MNIST database".
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"read_idx: no file {path}; wanted an IDX file: check the path, or download the file")
    with path.open("rb") as raw:
        compressed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        most_bytes = path.stat().st_size * (BEST_DEFLATE_RATIO if compressed else 1)
        if not compressed:
            return _read(path, raw, most_bytes)
        try:
            with gzip.GzipFile(fileobj=raw) as file:
                return _read(path, file, most_bytes)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(
                f"read_idx: {path} is a damaged gzip file ({error}); wanted a whole one: download it again"
            ) from error


def _read(path: Path, file: BinaryIO | gzip.GzipFile, most_bytes: int) -> np.ndarray:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES or not 1 <= magic[3] <= MOST_DIMENSIONS:
        types = ", ".join(f"{code:02x}" for code in DTYPES)
        raise ValueError(
            f"read_idx: {path} begins with {magic.hex(' ') or 'nothing'}; wanted 00 00, a type ({types}) and 01 to "
            f"{MOST_DIMENSIONS:02x} dimensions: name an IDX file"
        )
    dtype, dimensions = np.dtype(DTYPES[magic[2]]), magic[3]
    header = file.read(4 * dimensions)
    if len(header) < 4 * dimensions:
        raise ValueError(f"read_idx: {path} ends inside its header; wanted {dimensions} sizes: download it again")
    shape = struct.unpack(f">{dimensions}I", header)
    wanted = math.prod(shape) * dtype.itemsize
    says = f"its header says {' x '.join(map(str, shape))} of {dtype.name}, {wanted} bytes"
    if math.prod(size or 1 for size in shape) > MOST_NUMBERS:
        raise ValueError(f"read_idx: {path}: {says}; no array can have that shape: name an IDX file")
    numbers = b"" if wanted > most_bytes else file.read(wanted)
    if len(numbers) < wanted:
        raise ValueError(f"read_idx: {path} is cut short: {says}, and fewer follow: download it again")
    if file.read(1):
        raise ValueError(f"read_idx: {path} holds more than {says}: name an IDX file with nothing after its numbers")
    return np.frombuffer(numbers, dtype).reshape(shape).astype(dtype.newbyteorder("="))


@dataclass(frozen=True)
class Mnist:
    """MNIST in the split of Nielsen's book: of 60,000 training digits the last 10,000 are kept for validation.

    Attributes:
        train_images: (50000, 784) float64 in [0, 1], 0 for paper and 1 for ink, row by row.
        train_labels: (50000,) int64 from 0 to 9.
        validation_images: (10000, 784), as train_images.
        validation_labels: (10000,), as train_labels.
        test_images: (10000, 784), as train_images.
        test_labels: (10000,), as train_labels.
    """

    train_images: Float[np.ndarray, "N D"]
    train_labels: Int[np.ndarray, " N"]
    validation_images: Float[np.ndarray, "V D"]
    validation_labels: Int[np.ndarray, " V"]
    test_images: Float[np.ndarray, "T D"]
    test_labels: Int[np.ndarray, " T"]


def read_mnist(folder: str | Path, *, validation: int = 10_000) -> Mnist:
    """Read MNIST's four files, or those of a data set that took over its names, such as Fashion-MNIST.

    Args:
        folder: holds train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
            t10k-labels-idx1-ubyte, each as it is or with .gz behind its name.
        validation: how many training digits, from the end, are kept apart.

    Returns:
        The three parts.

    Raises:
        FileNotFoundError: if one of the four is missing.
        ValueError: if a file is damaged, or images and labels do not belong together.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> pictures = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 255])  # two, of one pixel each
        >>> labels = bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 3])
        >>> with TemporaryDirectory() as folder:
        ...     for part in ("train", "t10k"):
        ...         _ = Path(folder, f"{part}-images-idx3-ubyte").write_bytes(pictures)
        ...         _ = Path(folder, f"{part}-labels-idx1-ubyte").write_bytes(labels)
        ...     digits = read_mnist(folder, validation=1)
        >>> digits.train_images.shape, digits.validation_images.tolist(), digits.test_labels.tolist()
        ((1, 1), [[1.0]], [7, 3])

    References:
        Nielsen, Neural Networks and Deep Learning, chapter 1: "MNIST data" and its split.
    """
    parts = {}
    for part in ("train", "t10k"):
        images = read_idx(_plain_or_gzip(Path(folder, f"{part}-images-idx3-ubyte")))
        labels = read_idx(_plain_or_gzip(Path(folder, f"{part}-labels-idx1-ubyte")))
        if images.ndim != 3 or images.dtype != np.uint8 or labels.ndim != 1 or len(images) != len(labels):
            raise ValueError(
                f"read_mnist: in {folder} the {part} images are {images.dtype} {images.shape} and the labels "
                f"{labels.dtype} {labels.shape}; wanted uint8 (N, rows, columns) and (N,): put the four files of one "
                "data set there"
            )
        pixels = images.reshape(len(images), math.prod(images.shape[1:])) / 255.0
        parts[part] = pixels, labels.astype(np.int64)
    (images, labels), (test_images, test_labels) = parts["train"], parts["t10k"]
    if not 0 <= validation < len(images):
        raise ValueError(
            f"read_mnist: got validation={validation} of {len(images)} training digits; wanted some left to train on: "
            "pass a smaller number"
        )
    kept = len(images) - validation
    return Mnist(images[:kept], labels[:kept], images[kept:], labels[kept:], test_images, test_labels)


def _plain_or_gzip(path: Path) -> Path:
    return path if path.is_file() else path.with_name(path.name + ".gz")
