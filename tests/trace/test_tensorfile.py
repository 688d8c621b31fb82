"""A file from anywhere is a trace or is refused in words, at little cost; an honest one is what safetensors reads."""

import contextlib
import json
import os
import struct
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from parity.trace import Trace, TraceError, tensorfile

HEADER = json.dumps({"format": tensorfile.FORMAT, "kind": "trace"})
ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([True, False]), "c": np.zeros((0, 4))}


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def file_of(path, header, data=b"\0" * 8, length=None):
    """A file as an enemy writes it: any header, any data, any length."""
    text = header if isinstance(header, bytes) else json.dumps({"__metadata__": {"parity": HEADER}, **header}).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.trace"


def test_what_is_written_is_read_and_safetensors_reads_the_same(path):
    tensorfile.write(path, ARRAYS, {"kind": "trace", "more": [1, {"x": "y"}]})
    arrays, header = tensorfile.read(path, "trace")
    assert header == {"format": tensorfile.FORMAT, "kind": "trace", "more": [1, {"x": "y"}]}
    theirs = load_file(path)
    assert set(arrays) == set(theirs) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].tobytes() == theirs[name].tobytes() == array.tobytes()
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"x": entry(offsets=(0, 2**63))}, "offsets that do not lie in the file"),
        ({"x": entry(offsets=(-8, 0))}, "offsets that do not lie in the file"),
        ({"x": entry(offsets=(8, 0))}, "offsets that do not lie in the file"),
        ({"x": entry(offsets=(0.0, 8.0))}, "offsets that do not lie in the file"),
        ({"x": entry(offsets=(0,))}, "offsets that do not lie in the file"),
        ({"x": entry(shape=(2**62, 2**62))}, "a shape that is none"),
        ({"x": entry(shape=(1,) * 33)}, "a shape that is none"),
        ({"x": entry(shape=(-1, -2))}, "a shape that is none"),
        ({"x": entry(shape=(True, 2))}, "a shape that is none"),
        ({"x": {"dtype": "F32", "shape": 2, "data_offsets": [0, 8]}}, "a shape that is none"),
        ({"x": entry(shape=(0, *(2**48,) * 3), offsets=(0, 0))}, "has a shape that is none"),
        ({"x": entry(shape=(2**40,))}, "does not fill its 8 bytes"),
        ({"x": entry(shape=(3,))}, r"of dtype F32 and shape \(3,\) does not fill its 8 bytes"),
        ({"x": entry(dtype="F8")}, "has dtype 'F8', wanted one of BOOL"),
        ({"x": entry(dtype=["F32"])}, "has dtype"),
        ({"x": [1, 2]}, "is a list, wanted an object"),
        ({"x": None}, "is a NoneType, wanted an object"),
        ({"x": entry(), "y": entry()}, "overlap or leave a gap"),
        ({"x": entry(shape=(1,), offsets=(4, 8))}, "begins at byte 4, wanted 0"),
        ({"x": entry(shape=(1,), offsets=(0, 4))}, "need 4 bytes, the file has 8"),
        ({}, "need 0 bytes, the file has 8"),
        ({"x": entry("BOOL", (8,))}, "is boolean"),
        ({"__metadata__": None}, "has no entry 'parity'"),
        ({"__metadata__": {"parity": {"format": 3}}}, "has no entry 'parity'"),
        ({"__metadata__": {"parity": "[]"}}, "is a list, wanted an object"),
        ({"__metadata__": {"parity": '{"format": NaN}'}}, "NaN is no number in JSON"),
        ({"__metadata__": {"parity": '{"format": 2}'}}, "has format 2, this version reads 5; write the file again"),
        ({"__metadata__": {"parity": "{" + '"a":{' * 60_000}}, "nested too deeply|cannot be read"),
        (b"[" * 100_000, "no JSON object"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply|cannot be read"),
        (b'{"x": {}, "x": {}}', "'x' stands there twice"),
        (b'{"x": Infinity}', "Infinity is no number"),
        (b'{"x": ' + b"9" * 5000 + b"}", "cannot be read"),
        (b'{"\xff": 1}', "cannot be read"),
        (b'{"x"', "cannot be read"),
    ],
)
def test_a_hostile_header_is_refused_in_words(path, header, message):
    data = {"is boolean": b"\2" * 8, "has a shape that is none": b""}.get(message, b"\0" * 8)
    with pytest.raises(TraceError, match=message) as told:
        tensorfile.read(file_of(path, header, data), "trace")
    assert str(path) in str(told.value)
    assert len(str(told.value)) < 600


@pytest.mark.parametrize("length", [2**64 - 1, 2**40, 0, 3], ids=str)
def test_a_length_that_lies_allocates_nothing(path, length):
    file_of(path, {"x": entry()}, length=length)
    with pytest.raises(TraceError, match=r"truncated or no trace|no JSON object|cannot be read"):
        tensorfile.read(path, "trace")


@pytest.mark.parametrize("cut", [0, 5, 8, 40, -1])
def test_a_truncated_file_is_refused(path, cut):
    tensorfile.write(path, ARRAYS, {"kind": "trace"})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(TraceError, match=r"truncated|no JSON object"):
        tensorfile.read(path, "trace")


def million_entries():
    body = ",".join(f'"{i}":{{"dtype":"U8","shape":[],"data_offsets":[{i},{i + 1}]}}' for i in range(1_000_000))
    return b"{" + body.encode() + b"}"


def many_values():
    return b'{"a":[' + b"[]," * 2_600_000 + b"[]]}"


@pytest.mark.parametrize("header", [million_entries, many_values], ids=["a million entries", "many values"])
def test_a_huge_header_costs_neither_time_nor_memory(path, header):
    file_of(path, header(), b"\0" * 1_000_000)
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(TraceError, match=r"bytes, at most 8,388,608 are read|more than 524,288 values"):
        tensorfile.read(path, "trace")
    seconds, peak = time.perf_counter() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The header itself is 8 MB at most; parsed, these two would take 800 and 180 MB.
    assert peak < 20 << 20
    assert seconds < 1.0


def test_the_check_above_sees_a_reader_that_parses_first(path, monkeypatch):
    monkeypatch.setattr(tensorfile, "VALUE_LIMIT", 10**9)
    file_of(path, b'{"a":[' + b"[]," * 400_000 + b"[]]}")
    tracemalloc.start()
    with pytest.raises(TraceError):
        tensorfile.read(path, "trace")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak > 20 << 20  # 1.2 MB of header


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_change_of_any_bytes_gives_a_trace_or_a_trace_error(path, data):
    Trace(ARRAYS, {"a": "float32"}, rounding={"a": 2.0}).save(path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    path.write_bytes(bytes(content))
    with contextlib.suppress(TraceError):
        assert isinstance(Trace.load(path), Trace)


def test_other_kinds_of_files_are_refused(path, tmp_path):
    save_file({"x": np.zeros(2)}, path)
    with pytest.raises(TraceError, match="no entry 'parity'; write one with parity record"):
        tensorfile.read(path, "trace")
    path.write_bytes(b"PK\x03\x04" + b"\0" * 40)
    with pytest.raises(TraceError, match=r"no JSON object|no trace"):
        tensorfile.read(path, "trace")
    with pytest.raises(TraceError, match="it is no regular file"):
        tensorfile.read(tmp_path, "trace")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TraceError, match="it is no regular file"):
        tensorfile.read(tmp_path / "pipe", "trace")


def test_what_no_reader_would_take_is_not_written(path, monkeypatch):
    with pytest.raises(ValueError, match=r"Out of range float values|not JSON compliant"):
        tensorfile.write(path, {}, {"kind": "trace", "x": float("inf")})
    monkeypatch.setattr(tensorfile, "HEADER_LIMIT", 100)
    with pytest.raises(ValueError, match=r"3 arrays need a header of .* bytes, which no reader takes"):
        tensorfile.write(path, ARRAYS, {"kind": "trace"})
    assert not path.exists()


def test_a_trace_goes_to_a_url_and_comes_back_whole():
    fsspec = pytest.importorskip("fsspec")
    trace = Trace(ARRAYS)
    trace.save("memory://traces/a.trace")
    assert list(Trace.load("memory://traces/a.trace").tensors) == list(ARRAYS)
    assert [f.rpartition("/")[2] for f in fsspec.filesystem("memory").ls("/traces", detail=False)] == ["a.trace"]
    with pytest.raises(TraceError, match="there is no file memory://runs/none"):
        Trace.load("memory://runs/none")


@pytest.mark.parametrize(("url", "message"), [("weather://x", "weather"), ("hdfs://nowhere/x", "hdfs://nowhere/x")])
def test_a_url_that_cannot_be_opened_is_told(url, message):
    with pytest.raises(TraceError, match=message):
        Trace.load(url)
    with pytest.raises(OSError, match=message):
        Trace(ARRAYS).save(url)


def test_without_fsspec_a_url_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(TraceError, match="a URL needs fsspec, which is not installed; pip install fsspec"):
        Trace.load("memory://x")
    with pytest.raises(OSError, match="pip install fsspec"):
        Trace(ARRAYS).save("memory://x")


def test_reading_imports_neither_framework_nor_safetensors(path):
    Trace(ARRAYS).save(path)
    code = (
        f"import sys; from parity.trace import Trace; print(len(Trace.load({str(path)!r}).tensors));"
        "print({'torch', 'jax', 'safetensors', 'fsspec'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["3", "set()"]
