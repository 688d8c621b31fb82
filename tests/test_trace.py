"""A Trace survives a file bit for bit, and a file that is none is refused in words."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from parity.trace import Trace, TraceError

TRACE = Trace(
    {
        "forward/y": np.array([[1.5, -0.0], [np.nan, np.inf]], np.float32),
        "forward/n": np.array(3),
        "forward/e": np.zeros((0, 2)),
    },
    {"forward/y": "bfloat16"},
    {"forward/name": "é"},
    {"forward/y": 12.0},
    {"forward/y": "pure_callback works at float32 (model.py:3, f)"},
    {"constant.0": np.array([0.5, 0.25])},
    ("z",),
    {"framework": "torch", "version": "2.13.0"},
)


def test_a_trace_comes_back_bit_for_bit(tmp_path):
    path = tmp_path / "a.safetensors"
    TRACE.save(path)
    back = Trace.load(path)
    for field in ("dtypes", "facts", "rounding", "narrow", "unreached", "origin"):
        assert getattr(back, field) == getattr(TRACE, field)
    assert list(back.tensors) == sorted(TRACE.tensors)
    assert np.array_equal(back.constants["constant.0"], TRACE.constants["constant.0"])
    assert list(tmp_path.iterdir()) == [path]
    for name, array in TRACE.tensors.items():
        assert back.tensors[name].tobytes() == array.tobytes()
        assert (back.tensors[name].shape, back.tensors[name].dtype) == (array.shape, array.dtype)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"old")
    monkeypatch.setattr("pathlib.Path.replace", lambda self, target: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        TRACE.save(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def damaged(tmp_path, change):
    path = tmp_path / "a.safetensors"
    TRACE.save(path)
    data = path.read_bytes()
    path.write_bytes(change(data))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d[:-1], "truncated"),
        (lambda d: d[:5], "truncated"),
        (lambda d: b"", "truncated"),
        (lambda d: b"\xff" * 8 + d[8:], "truncated or no safetensors"),
        (lambda d: b"PK\x03\x04" + d, "no safetensors file"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, change, message):
    with pytest.raises(TraceError, match=message):
        Trace.load(damaged(tmp_path, change))


def test_a_file_of_another_kind_or_format_is_refused(tmp_path):
    path = tmp_path / "b.safetensors"
    save_file({"x": np.zeros(2)}, path)
    with pytest.raises(TraceError, match="no entry 'parity'"):
        Trace.load(path)
    for header, message in (
        (json.dumps({"format": 99}), "has format 99, this version reads 2"),
        ("[]", "format 'list'"),
        ("{", "no JSON"),
        ('{"format": 2}', "lacks one of"),
    ):
        save_file({"x": np.zeros(2)}, path, {"parity": header})
        with pytest.raises(TraceError, match=message):
            Trace.load(path)


def test_a_missing_file_or_folder_is_told(tmp_path):
    with pytest.raises(TraceError, match="there is no file"):
        Trace.load(tmp_path / "none")
    with pytest.raises(OSError, match="there is no folder"):
        TRACE.save(tmp_path / "none" / "a")
