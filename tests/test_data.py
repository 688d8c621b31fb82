"""The raw data: what is bundled is what it says, what is made is what the page had, and no damaged file gets in."""

import gzip
import io
import pickle
import struct
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from parity import data

# --- the spiral ------------------------------------------------------------------------------------------------------


def test_an_arm_of_the_spiral_winds_outwards_from_the_origin():
    X, y = data.spiral(points=7, classes=2, rng=np.random.default_rng(0))
    assert X.shape == (14, 2)
    assert X.dtype == np.float64
    assert y.dtype == np.int64
    assert y.tolist() == [0] * 7 + [1] * 7
    np.testing.assert_allclose(np.hypot(*X[:7].T), np.linspace(0, 1, 7), atol=1e-15)  # sin, cos and root round


def test_the_spiral_starts_three_arms_at_exactly_zero():
    X, _ = data.spiral(rng=np.random.RandomState(0))
    assert np.flatnonzero((X == 0).all(axis=1)).tolist() == [0, 100, 200]


def test_the_spiral_draws_the_same_from_the_legacy_generator_as_its_randn():
    X, _ = data.spiral(rng=np.random.RandomState(3))
    noise = np.random.RandomState(3).randn(100)
    angle = np.linspace(0, 4, 100) + 0.2 * noise
    assert (X[:100, 0] == np.linspace(0.0, 1, 100) * np.sin(angle)).all()


def test_a_spiral_of_one_point_is_the_origin():
    X, y = data.spiral(points=1, classes=1, rng=np.random.default_rng(0))
    assert X.tolist() == [[0.0, 0.0]]
    assert y.tolist() == [0]


def test_an_empty_spiral_is_refused():
    with pytest.raises(ValueError, match=r"spiral: got points=0, classes=3; wanted at least one of each"):
        data.spiral(points=0, rng=np.random.default_rng(0))


def test_the_case_study_takes_its_weights_at_the_found_offsets_of_the_stream():
    study = data.case_study()
    normals = np.random.RandomState(0).randn(300 + 18 + 6 + 200 + 300)
    np.testing.assert_array_equal(study.linear["W"], 0.01 * normals[318:324].reshape(2, 3))
    np.testing.assert_array_equal(study.two_layer["W"], 0.01 * normals[324:524].reshape(2, 100))
    np.testing.assert_array_equal(study.two_layer["W2"], 0.01 * normals[524:].reshape(100, 3))
    assert not study.linear["b"].any()
    assert not study.two_layer["b"].any()
    assert not study.two_layer["b2"].any()


# --- the digits ------------------------------------------------------------------------------------------------------


def test_the_bundled_digits_are_scikit_learns_digits_in_its_stratified_split():
    theirs = load_digits()
    expected = train_test_split(theirs.data / 16, theirs.target, test_size=297, stratify=theirs.target, random_state=0)
    ours = data.digits()
    for ours_part, theirs_part in zip(
        (ours.train_images, ours.test_images, ours.train_labels, ours.test_labels), expected, strict=True
    ):
        np.testing.assert_array_equal(ours_part, theirs_part)
        assert ours_part.dtype == theirs_part.dtype


def test_the_digits_have_a_licence_note_beside_them():
    note = Path(data.__file__).with_name("digits.LICENCE.txt").read_text()
    for owed in ("Alpaydin", "Kaynak", "CC BY 4.0", "changed"):
        assert owed in note


def test_a_digit_is_enlarged_pixel_by_pixel_and_nothing_else_is_changed():
    images = data.digits().test_images[:5]
    large = data.as_32x32(images)
    assert large.shape == (5, 1, 32, 32)
    assert large.dtype == images.dtype
    for row in range(4):
        for column in range(4):
            np.testing.assert_array_equal(large[:, 0, row::4, column::4], images.reshape(5, 8, 8))
    np.testing.assert_array_equal(data.as_32x32(images.reshape(5, 8, 8)), large)


def test_no_digits_are_enlarged_to_no_digits():
    assert data.as_32x32(np.zeros((0, 64))).shape == (0, 1, 32, 32)


@pytest.mark.parametrize("shape", [(64,), (3, 63), (2, 64, 1), (4, 8, 7)])
def test_images_that_are_no_digits_are_refused(shape):
    with pytest.raises(ValueError, match=r"as_32x32: got images of shape .* wanted \(N, 64\) or \(N, 8, 8\)"):
        data.as_32x32(np.zeros(shape))


# --- orders ----------------------------------------------------------------------------------------------------------


def test_every_epoch_visits_every_row_once_and_in_another_order():
    orders = data.random_orders(30, 10, 4, rng=np.random.RandomState(1))
    assert orders.shape == (4, 3, 10)
    assert orders.dtype == np.int64
    assert (np.sort(orders.reshape(4, 30)) == np.arange(30)).all()
    assert len({tuple(epoch) for epoch in orders.reshape(4, 30).tolist()}) == 4


def test_batches_that_do_not_come_out_even_are_refused():
    with pytest.raises(ValueError, match=r"random_orders: got samples=10, batch=4, epochs=1; wanted a positive batch"):
        data.random_orders(10, 4, 1, rng=np.random.RandomState(1))


# --- IDX files -------------------------------------------------------------------------------------------------------

IDX_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array: np.ndarray) -> bytes:
    code = IDX_CODES[array.dtype.str[1:]]
    header = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("dtype", IDX_CODES)
@pytest.mark.parametrize("compress", [False, True])
def test_every_type_of_idx_file_is_read_compressed_or_not(tmp_path, dtype, compress):
    array = np.array([[1, 2, 3], [4, 5, -6 if dtype != "u1" else 250]], dtype=dtype)
    path = tmp_path / "some-idx"
    path.write_bytes(gzip.compress(idx_bytes(array)) if compress else idx_bytes(array))
    read = data.read_idx(path)
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array)


def test_an_idx_file_of_no_images_is_an_empty_array(tmp_path):
    path = tmp_path / "empty"
    path.write_bytes(idx_bytes(np.zeros((0, 28, 28), np.uint8)))
    assert data.read_idx(path).shape == (0, 28, 28)


WHOLE = idx_bytes(np.arange(6, dtype="i4").reshape(2, 3))
BAD_IDX = {
    "no bytes": (b"", "begins with nothing"),
    "three bytes": (b"\0\0\x08", "begins with 00 00 08"),
    "another magic": (b"\x89PNG" + WHOLE, "begins with 89 50 4e 47"),
    "an unknown type": (b"\0\0\x0a\1" + WHOLE[4:], "wanted 00 00, a type"),
    "no dimensions": (b"\0\0\x08\0" + WHOLE[4:], "dimensions: name an IDX file"),
    "200 dimensions": (b"\0\0\x08\xc8" + bytes(800), "01 to 20 dimensions"),
    "half a header": (WHOLE[:7], "ends inside its header; wanted 2 sizes"),
    "a byte short": (WHOLE[:-1], "is cut short: its header says 2 x 3 of int32, 24 bytes"),
    "a byte too many": (WHOLE + b"\0", "holds more than its header says 2 x 3 of int32, 24 bytes"),
    "16 exabytes": (b"\0\0\x0e\2\xff\xff\xff\xff\xff\xff\xff\xff" + bytes(9), "no array can have that shape"),
    "4 gigabytes": (b"\0\0\x08\1\xff\xff\xff\xff" + bytes(9), "is cut short: its header says 4294967295 of uint8"),
    "zero times too much": (b"\0\0\x08\3" + bytes(4) + b"\xff" * 8, "no array can have that shape"),
}


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("kind", BAD_IDX)
def test_a_bad_idx_file_is_refused_with_the_reason(tmp_path, kind, compress):
    content, reason = BAD_IDX[kind]
    path = tmp_path / "bad"
    path.write_bytes(gzip.compress(content) if compress else content)
    with pytest.raises(ValueError, match="read_idx: .*bad.*" + reason):
        data.read_idx(path)


def test_an_absurd_size_takes_no_memory(tmp_path, monkeypatch):
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(b"\0\0\x08\1\xff\xff\xff\xff" + bytes(9)))
    asked = []
    real_read = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size=-1: asked.append(size) or real_read(self, size))
    with pytest.raises(ValueError, match="is cut short"):
        data.read_idx(path)
    assert max(asked) <= 4


@pytest.mark.parametrize(
    "damage", [lambda whole: whole[:-9], lambda whole: whole[:15] + b"\xff\xff" + whole[17:], lambda whole: whole[:5]]
)
def test_a_damaged_gzip_file_is_refused(tmp_path, damage):
    path = tmp_path / "bad.gz"
    path.write_bytes(damage(gzip.compress(WHOLE)))
    with pytest.raises(ValueError, match=r"bad\.gz is a damaged gzip file"):
        data.read_idx(path)


def test_a_missing_idx_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"read_idx: no file .*nowhere; wanted an IDX file"):
        data.read_idx(tmp_path / "nowhere")


def write_mnist(folder: Path, train: int = 12, test: int = 4) -> np.ndarray:
    """Four files of tiny size in MNIST's format, two of them compressed; gives the training pixels back."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (train + test, 28, 28)).astype(np.uint8)
    labels = (np.arange(train + test) % 10).astype(np.uint8)
    for name, rows in {"train": slice(None, train), "t10k": slice(train, None)}.items():
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(pixels[rows])))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx_bytes(labels[rows]))
    return pixels[:train]


def test_mnist_is_read_in_nielsens_split(tmp_path):
    pixels = write_mnist(tmp_path)
    mnist = data.read_mnist(tmp_path, validation=2)
    assert mnist.train_images.shape == (10, 784)
    assert mnist.validation_images.shape == (2, 784)
    assert mnist.test_images.shape == (4, 784)
    np.testing.assert_array_equal(mnist.train_images, pixels[:10].reshape(10, 784) / 255)
    assert mnist.validation_labels.tolist() == [0, 1]
    assert mnist.train_labels.dtype == np.int64


def test_mnist_with_a_validation_set_as_large_as_its_training_set_is_refused(tmp_path):
    write_mnist(tmp_path)
    with pytest.raises(ValueError, match="read_mnist: got validation=10000 of 12 training digits"):
        data.read_mnist(tmp_path)


def test_images_and_labels_of_different_sets_are_refused(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(11, np.uint8)))
    with pytest.raises(ValueError, match=r"train images are uint8 \(12, 28, 28\) and the labels uint8 \(11,\)"):
        data.read_mnist(tmp_path, validation=2)


# --- CIFAR-10 --------------------------------------------------------------------------------------------------------


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 wrote: every text is a byte string, and NumPy goes by its old names."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_byte_string(self, value: str | bytes) -> None:
        raw = value if isinstance(value, bytes) else value.encode()
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(value)

    def save_global(self, value, name=None) -> None:
        module = value.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{name or value.__name__}\n".encode())
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_byte_string
    dispatch[type] = dispatch[type(len)] = save_global


def python2(content) -> bytes:
    buffer = io.BytesIO()
    Python2Pickler(buffer, protocol=2).dump(content)
    return buffer.getvalue()


def python3(content) -> bytes:
    return pickle.dumps(content, protocol=4)


def write_cifar10(folder: Path, dump, images: int = 3) -> np.ndarray:
    """The seven files in CIFAR-10's format, of a few random images; gives all pixels back, batch after batch."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, images, 3072)).astype(np.uint8)
    for number, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        labels = [(number + i) % 10 for i in range(images)]
        names = [f"{i}.png".encode() for i in range(images)]
        batch = {b"data": pixels[number], b"labels": labels, b"batch_label": b"a batch", b"filenames": names}
        (folder / name).write_bytes(dump(batch))
    meta = {b"num_cases_per_batch": images, b"label_names": [b"kind%d" % i for i in range(10)], b"num_vis": 3072}
    (folder / "batches.meta").write_bytes(dump(meta))
    return pixels


@pytest.mark.parametrize("dump", [python2, python3])
def test_cifar10_is_read_as_python_2_and_as_python_3_write_it(tmp_path, dump):
    pixels = write_cifar10(tmp_path, dump)
    cifar = data.read_cifar10(tmp_path)
    np.testing.assert_array_equal(cifar.train_images, pixels[:5].reshape(15, 3, 32, 32))
    np.testing.assert_array_equal(cifar.test_images, pixels[5].reshape(3, 3, 32, 32))
    assert cifar.train_images.dtype == np.uint8
    assert cifar.train_labels.tolist() == [0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 6]
    assert cifar.test_labels.dtype == np.int64
    assert cifar.label_names[9] == "kind9"


def test_the_python_2_files_of_the_tests_hold_what_the_real_ones_hold(tmp_path):
    write_cifar10(tmp_path, python2)
    written = (tmp_path / "data_batch_1").read_bytes()
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in written
    assert pickle.BINUNICODE + b"\x04\0\0\0data" not in written


def test_a_batch_that_was_stored_columns_first_comes_out_the_same(tmp_path):
    pixels = write_cifar10(tmp_path, python3)
    batch = {b"data": np.asfortranarray(pixels[5]), b"labels": [0, 1, 2]}
    (tmp_path / "test_batch").write_bytes(python3(batch))
    np.testing.assert_array_equal(data.read_cifar10(tmp_path).test_images, pixels[5].reshape(3, 3, 32, 32))


class Attack:
    def __init__(self, target, *arguments) -> None:
        self.call = target, arguments

    def __reduce__(self):
        return self.call


ROWS = np.zeros((3, 3072), np.uint8)
BAD_BATCHES = {
    "no pickle": (b"GIF89a", "is no batch of CIFAR-10"),
    "no bytes": (b"", "is no batch of CIFAR-10"),
    "half a pickle": (python2({b"data": ROWS, b"labels": [0, 1, 2]})[:500], "is no batch of CIFAR-10"),
    "a list": (python2([1, 2]), "holds a list; wanted a dict"),
    "no labels": (python2({b"data": ROWS}), "holds no data and labels"),
    "a text for data": (python2({b"data": b"pixels", b"labels": [0]}), "holds no data and labels"),
    "labels short": (python2({b"data": ROWS, b"labels": [0, 1]}), r"shape \(3, 3072\) and type u1; wanted \(2, 3072\)"),
    "floats": (
        python2({b"data": ROWS + 0.5, b"labels": [0, 1, 2]}),
        r"type f8; wanted \(3, 3072\), a row a label, and u1",
    ),
    "objects": (python3({b"data": ROWS.astype(object), b"labels": [0, 1, 2]}), "type O8; wanted"),
    "label 10": (python2({b"data": ROWS, b"labels": [0, 1, 10]}), "labels that are no integers from 0 to 9"),
    "a label of text": (python2({b"data": ROWS, b"labels": [0, 1, b"2"]}), "labels that are no integers from 0 to 9"),
    "an array without content": (
        python3({b"data": Attack(np.ndarray, (3, 3072), "u1"), b"labels": [0, 1, 2]}),
        "is no batch of CIFAR-10",
    ),
    "a terabyte": (python3({b"data": Attack(np.ndarray, (10**12,)), b"labels": []}), "is no batch of CIFAR-10"),
    "a call of eval": (python3({b"data": Attack(eval, "1 / 0")}), "it asks for builtins.eval, which data have no need"),
    "a call of the shell": (python3({b"data": Attack(__import__("os").system, "false")}), "it asks for posix.system"),
    "a loader of NumPy": (python3({b"data": Attack(np.load, "x.npy")}), "it asks for numpy.*, which data have no need"),
}


@pytest.mark.parametrize("kind", BAD_BATCHES)
def test_a_bad_batch_is_refused_with_the_reason_and_nothing_in_it_is_carried_out(tmp_path, kind):
    write_cifar10(tmp_path, python2)
    content, reason = BAD_BATCHES[kind]
    (tmp_path / "data_batch_3").write_bytes(content)
    with pytest.raises(ValueError, match="read_cifar10: .*data_batch_3 .*" + reason):
        data.read_cifar10(tmp_path)


def test_a_missing_batch_is_named_and_where_to_get_it(tmp_path):
    write_cifar10(tmp_path, python2)
    (tmp_path / "test_batch").unlink()
    with pytest.raises(FileNotFoundError, match=r"no file .*test_batch; .* get it from https://www\.cs\.toronto\.edu"):
        data.read_cifar10(tmp_path)


def test_meta_data_without_ten_names_are_refused(tmp_path):
    write_cifar10(tmp_path, python2)
    (tmp_path / "batches.meta").write_bytes(python2({b"label_names": [b"cat", b"dog"]}))
    with pytest.raises(ValueError, match=r"batches\.meta names no ten classes"):
        data.read_cifar10(tmp_path)
