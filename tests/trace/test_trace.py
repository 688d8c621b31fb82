"""A Trace survives a file bit for bit, and a file that is none is refused in words."""

import re

import numpy as np
import pytest

from parity.trace import Recording, Trace, TraceError
from parity.trace.tensorfile import write

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
    assert list(back.tensors) == list(TRACE.tensors)
    assert np.array_equal(back.constants["constant.0"], TRACE.constants["constant.0"])
    assert list(tmp_path.iterdir()) == [path]
    for name, array in TRACE.tensors.items():
        assert back.tensors[name].tobytes() == array.tobytes()
        assert (back.tensors[name].shape, back.tensors[name].dtype) == (array.shape, array.dtype)


def test_a_notebook_shows_each_tensor_with_its_shape_dtype_and_range_and_every_name_is_text():
    told = TRACE._repr_html_()
    rows = [re.findall("<td>(.*?)</td>", row) for row in re.findall("<tr>(.*?)</tr>", told)]
    assert rows[1:] == [
        ["forward/y", "(2, 2)", "bfloat16", "nan", "nan"],
        ["forward/n", "()", "int64", "3", "3"],
        ["forward/e", "(0, 2)", "float64", "", ""],
        ["forward/name", "", "fact", "é", ""],
    ]
    assert "framework torch, version 2.13.0" in told
    planted = Trace({"<script>alert(1)</script>": np.arange(2.0)}, origin={"<b>": "<i>"})._repr_html_()
    assert "&lt;script&gt;alert(1)" in planted
    assert not re.search("<script|<b>|<i>|http|src=", planted)
    many = Trace({f"t{i}": np.ones(1) for i in range(250)})._repr_html_()
    assert many.count("<tr>") == 201
    assert "<p>50 more rows</p>" in many


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"old")
    monkeypatch.setattr("pathlib.Path.replace", lambda self, target: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        TRACE.save(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_or_folder_is_told(tmp_path):
    with pytest.raises(TraceError, match="there is no file"):
        Trace.load(tmp_path / "none")
    with pytest.raises(OSError, match="there is no folder"):
        TRACE.save(tmp_path / "none" / "a")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("dtypes", ["x"], r"'dtypes' is \['x'\], wanted strings by name"),
        ("facts", {"a": 1}, "'facts' is .* wanted strings by name"),
        ("rounding", {"forward/y": "12"}, "'rounding' has '12' at 'forward/y', wanted a finite number"),
        ("rounding", {"forward/y": True}, "wanted a finite number"),
        ("rounding", {"forward/y": 10**400}, "no float64 holds"),
        ("unreached", ["z", "z"], "has a name twice"),
        ("tensors", ["forward/other"], "names an array 'tensors/forward/other' that the file does not have"),
        ("origin", None, "'origin' is None"),
    ],
)
def test_a_header_with_values_of_another_kind_is_refused_by_name(tmp_path, field, value, message):
    path = tmp_path / "a.safetensors"
    write(path, TRACE.arrays(), {"kind": "trace", "trace": TRACE.header() | {field: value}})
    with pytest.raises(TraceError, match=message):
        Trace.load(path)


def test_a_trace_is_no_recording_and_the_other_way_round(tmp_path):
    path = tmp_path / "a.safetensors"
    TRACE.save(path)
    with pytest.raises(TraceError, match="it is a 'trace', wanted a recording; a recording comes from parity record"):
        Recording.load(path)
    Recording("torch", ()).save(path)
    with pytest.raises(TraceError, match="it is a 'recording', wanted a trace"):
        Trace.load(path)
