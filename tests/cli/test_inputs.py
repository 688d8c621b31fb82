"""Inputs come from a file of arrays or from the side's module, or it is said how to make them."""

import types

import numpy as np
import pytest

from parity.cli.child import Refused
from parity.cli.inputs import inputs_of

X, IDS = np.arange(6.0).reshape(2, 3), np.array([1, 2])


def module(**values):
    made = types.ModuleType("port")
    vars(made).update(values)
    return made


def test_a_file_gives_its_arrays_in_their_order_and_nests_by_dots(tmp_path):
    path = tmp_path / "in.npz"
    np.savez(path, X, IDS)
    first, second = inputs_of(str(path))
    assert np.array_equal(first, X)
    assert np.array_equal(second, IDS)
    np.savez(path, x=X, **{"params.W1": X.T, "params.layer.b": IDS})
    x, params = inputs_of(str(path))
    assert np.array_equal(x, X)
    assert list(params) == ["W1", "layer"]
    assert np.array_equal(params["layer"]["b"], IDS)
    np.save(tmp_path / "one.npy", X)
    assert np.array_equal(inputs_of(str(tmp_path / "one.npy"))[0], X)


def test_a_file_counts_before_the_modules_and_may_be_a_url(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    np.savez(tmp_path / "in.npz", X)
    fsspec.filesystem("memory").pipe_file("/in.npz", (tmp_path / "in.npz").read_bytes())
    (found,) = inputs_of("memory://in.npz", module(INPUTS=IDS))
    assert np.array_equal(found, X)


@pytest.mark.parametrize(
    ("modules", "count"),
    [
        ([module(INPUTS=(X, IDS))], 2),
        ([module(inputs=lambda: [X, IDS])], 2),
        ([module(inputs=lambda: X)], 1),
        ([module(INPUTS={"a": X})], 1),
        ([module(), module(INPUTS=X)], 1),
        ([module(inputs=lambda: (X,), INPUTS=(X, X, X)), module(INPUTS=(X, X))], 1),
    ],
)
def test_a_module_gives_them_by_a_function_or_as_they_are(modules, count):
    assert len(inputs_of(None, *modules)) == count


def raising():
    raise KeyError("weather")


@pytest.mark.parametrize(
    ("modules", "status", "message"),
    [
        ([module(), module()], 2, r"there is no `inputs\(\)` or `INPUTS` in port; write `def inputs\(\): return x, y`"),
        ([module()], 2, r"--inputs FILE.npz: numpy.savez\('inputs.npz', x, y\) writes one"),
        ([module(inputs=raising)], 3, r"port:inputs\(\) raised: KeyError: 'weather'"),
    ],
)
def test_modules_without_inputs_are_told_how_to_have_them(modules, status, message):
    with pytest.raises(Refused, match=message) as told:
        inputs_of(None, *modules)
    assert told.value.status == status


def test_files_that_are_none_are_refused(tmp_path):
    path = tmp_path / "in.npz"
    with pytest.raises(Refused, match=r"there is no file .*in.npz of inputs; numpy.savez"):
        inputs_of(str(path))
    np.savez(path, np.array([{}], dtype=object))
    with pytest.raises(Refused, match="arrays of objects are not read"):
        inputs_of(str(path))
    path.write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(Refused, match="cannot be read as inputs"):
        inputs_of(str(path))
    path.write_bytes(b"")
    with pytest.raises(Refused, match="cannot be read as inputs"):
        inputs_of(str(path))
    np.savez(path)
    with pytest.raises(Refused, match="has no arrays"):
        inputs_of(str(path))
    np.savez(path, **{"a.b": X, "a": X})
    with pytest.raises(Refused, match="an array and a dict of one name at 'a'"):
        inputs_of(str(path))
    np.savez(path, **{"a": X, "a.b": X})
    with pytest.raises(Refused, match=r"an array and a dict of one name at 'a\.b'"):
        inputs_of(str(path))
