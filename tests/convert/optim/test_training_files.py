"""What a file carries, exactly, and what it refuses: files of others, cut ones, forged ones."""

import json
import math
from collections import Counter

import numpy as np
import pytest
import safetensors.flax
import safetensors.torch
import torch

from parity.convert.optim.plain import decode, encode
from parity.convert.optim.record import ENTRY, OptimizerRecord, ScheduleRecord, TrainingRecord
from parity.convert.optim.tensors import FileError, Tensor, from_bytes, number_of, to_bytes
from parity.convert.optim.torch_record import of_torch, to_torch
from parity.trace import Trace

pytestmark = pytest.mark.part(2)

VALUES = {
    "none": None,
    "flags": (True, False),
    "numbers": [1, -(2**70), 0.1, math.inf, -math.inf, 5e-324],
    0: {"betas": (0.9, 0.999)},
    "milestones": Counter({30: 2, 80: 1}),
    "nested": [[], (), {}, "ä"],
}


def test_plain_values_come_back_as_they_were():
    tensors = {}
    there = json.loads(json.dumps(encode(VALUES, "v", tensors), allow_nan=False))
    back = decode(there, tensors)
    assert back == VALUES
    assert repr(back) == repr(VALUES)
    assert math.isnan(decode(encode(math.nan, "v", {}), {}))


@pytest.mark.parametrize("value", [object(), {1.5: 0}, {True: 0}, lambda: 0, 1j, b"x", {1, 2}])
def test_what_could_not_come_back_is_refused_with_its_place(value):
    with pytest.raises(TypeError, match="schedule/x"):
        encode({"x": value}, "schedule", {})


@pytest.mark.parametrize(
    "value", [{"tensor": "w"}, {"pickle": "x"}, {"dict": [[1]]}, {"float": "1e9"}, {}, {"dict": 1}]
)
def test_a_forged_header_is_refused(value):
    with pytest.raises(FileError):
        decode(value, {})


DTYPES = "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split()


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_and_shape_comes_back_bit_for_bit(dtype):
    for shape in ((3, 2), (), (0, 4)):
        values = torch.tensor(np.random.default_rng(0).normal(size=shape) * 100).to(getattr(torch, dtype))
        kept = of_torch(values, "w")
        (found,) = from_bytes(to_bytes({"w": kept}, {}), "f")[0].values()
        assert found == kept
        back = to_torch(found)
        assert (back.dtype, back.shape) == (values.dtype, values.shape)
        assert torch.equal(back, values)


def test_the_libraries_own_readers_read_it():
    tensors = {"half": of_torch(torch.ones(3, dtype=torch.bfloat16), "h"), "w": of_torch(torch.arange(4.0), "w")}
    data = to_bytes(tensors, {"by": "me"})
    assert safetensors.torch.load(data)["half"].tolist() == [1.0, 1.0, 1.0]
    data = to_bytes({"w": tensors["w"]}, {})  # the library's reader for JAX has no bfloat16
    assert safetensors.flax.load(data)["w"].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_a_transposed_tensor_is_written_as_it_is_seen():
    values = torch.arange(6.0).reshape(2, 3).T
    assert torch.equal(to_torch(from_bytes(to_bytes({"w": of_torch(values, "w")}, {}), "f")[0]["w"]), values)


def test_sparse_and_complex_tensors_are_refused():
    with pytest.raises(ValueError, match="sparse"):
        of_torch(torch.eye(2).to_sparse(), "w")
    with pytest.raises(ValueError, match="w is complex64, which a safetensors file cannot carry"):
        to_bytes({"w": of_torch(torch.ones(2, dtype=torch.complex64), "w")}, {})


def test_a_number_of_any_dtype_is_read():
    assert number_of(of_torch(torch.tensor([0.5], dtype=torch.bfloat16), "lr")) == 0.5
    assert number_of((of_torch(torch.tensor(0.9, dtype=torch.float64), "b"), 0.5)) == (0.9, 0.5)


def record(**changes):
    weight = Tensor("float32", np.ones(2, np.float32))
    column = Tensor("float64", np.array([0.1, 0.2]))
    content = {
        "kind": "SGD",
        "names": ("w",),
        "shapes": ((2,),),
        "dtypes": ("float32",),
        "hyperparameters": ("lr",),
        "groups": ({"lr": 0.1, "params": [0]},),
        "state": {0: {"momentum_buffer": weight}},
    }
    optimizer = OptimizerRecord(**content | changes)
    schedule = ScheduleRecord("LinearLR", {"last_epoch": 0}, ({"lr": column},))
    return TrainingRecord({"w": weight}, {"tied": "w"}, optimizer, schedule, 7, {"torch": "2.13"})


def test_a_record_comes_back_as_it_was(tmp_path):
    record().save(tmp_path / "run")
    assert TrainingRecord.load(tmp_path / "run") == record()


def test_a_file_that_is_cut_anywhere_is_refused(tmp_path):
    record().save(tmp_path / "run")
    data = (tmp_path / "run").read_bytes()
    for length in range(0, len(data), 7):
        (tmp_path / "cut").write_bytes(data[:length])
        with pytest.raises(FileError, match="truncated or no safetensors file"):
            TrainingRecord.load(tmp_path / "cut")


def test_files_of_others_are_refused(tmp_path):
    with pytest.raises(FileError, match="cannot be read: No such file"):
        TrainingRecord.load(tmp_path / "none")
    Trace({"x": np.ones(2)}).save(tmp_path / "trace")
    with pytest.raises(FileError, match="no training state: its header has no entry"):
        TrainingRecord.load(tmp_path / "trace")
    torch.save({"model": {}}, tmp_path / "torch.pt")
    with pytest.raises(FileError, match="no safetensors file"):
        TrainingRecord.load(tmp_path / "torch.pt")


def forged(change):
    tensors = {}
    record_ = record()
    header = {name: encode(value, name, tensors) for name, value in vars(record_).items() if name in ("model", "ties")}
    header |= {name: encode(vars(getattr(record_, name)), name, tensors) for name in ("optimizer", "schedule")}
    header |= {"format": 1, "step": 7, "origin": {"dict": []}}
    change(header)
    return to_bytes(tensors, {ENTRY: json.dumps(header)})


def set_in_optimizer(name, value):
    return lambda header: header["optimizer"].update(
        dict=[[key, value if key == name else old] for key, old in header["optimizer"]["dict"]]
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda h: h.update(format=2), "has format 2, this version reads 1; update parity"),
        (lambda h: h.pop("step"), "is not what save writes"),
        (lambda h: h.update(step=-1), "stands at step -1"),
        (lambda h: h.update(model={"dict": [["w", 5]]}), "holds w as 5, wanted a tensor"),
        (lambda h: h.update(ties={"dict": [["a", "b"]]}), "ties a to b, which it lacks"),
        (lambda h: h.update(optimizer=5), "is not what save writes"),
        (set_in_optimizer("names", {"tuple": []}), "wanted each once"),
        (set_in_optimizer("groups", {"tuple": []}), "wanted each once"),
        (set_in_optimizer("state", {"dict": [[3, {"dict": []}]]}), r"state for the parameters \[3\]"),
        (lambda h: h.update(schedule={"dict": [["kind", "x"]]}), "is not what save writes"),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(tmp_path, change, told):
    (tmp_path / "f").write_bytes(forged(change))
    with pytest.raises(FileError, match=told):
        TrainingRecord.load(tmp_path / "f")


def test_the_forger_of_these_tests_writes_what_save_does(tmp_path):
    (tmp_path / "f").write_bytes(forged(lambda header: None))
    assert TrainingRecord.load(tmp_path / "f").optimizer == record().optimizer


def test_json_as_deep_as_can_be_is_refused_and_not_fatal(tmp_path):
    deep = "[" * 100_000 + "]" * 100_000
    (tmp_path / "deep").write_bytes(to_bytes({}, {ENTRY: deep}))
    with pytest.raises(FileError):
        TrainingRecord.load(tmp_path / "deep")
