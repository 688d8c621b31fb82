"""Two models that were recorded apart: `compare` tells the first layer whose output differs, and how many agree."""

import sys
import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import planted
import pytest
import torch

import parity
from parity.trace import (
    Measured,
    Recorded,
    RecordedLayer,
    RecordedMatch,
    Recording,
    Spooled,
    Trace,
    TraceError,
)


def recorded(model: Any, twin: Any, weights: Any, inputs: tuple[Any, ...], path: Any, **options: Any) -> parity.Report:
    """Both recorded at float64, through files, and compared."""
    options = {"dtypes": ("float64",), **options}
    parity.record(model, *inputs, **options).save(path / "torch")
    parity.record(twin, *inputs, beside=path / "torch", weights=weights, **options).save(path / "jax")
    return parity.compare(path / "torch", path / "jax")


def encoder(path: Any, fault: str, **options: Any) -> parity.Report:
    torch.manual_seed(0)
    model, twin = planted.Encoder(), planted.JaxEncoder(fault)
    return recorded(model, twin, planted.encoder_map(model, twin), planted.encoder_inputs(), path, **options)


def images(path: Any, fault: str) -> parity.Report:
    torch.manual_seed(0)
    model, twin = planted.Images(), planted.JaxImages(fault)
    weights = replace(planted.images_map(model, twin), torch_alone={"bn1.num_batches_tracked": "a counter"})
    return recorded(model.eval(), twin, weights, planted.images_inputs(), path)


@pytest.mark.part(0)  # a smaller pair is told apart so every day, in tests/checking/test_compare_models.py
@pytest.mark.parametrize(
    ("made", "fault", "layer", "before"),
    [
        # The fused projection is three layers in JAX, each beside its own rows of torch's.
        (encoder, "eps", ("blocks.1.ln2", "layers.1.norm2"), "what 14 layers before it gave agrees"),
        (encoder, "causal", ("blocks.1.attn.proj", "layers.1.out"), "what 13 layers before it gave agrees"),
        (encoder, "gelu", ("blocks.1.fc2", "layers.1.down"), "the last blocks.1.fc1, so that it arises here or in"),
        (images, "group norm eps", ("gn", "n2"), "what 3 layers before it gave agrees, the last conv2"),
    ],
)
def test_the_first_layer_that_differs_is_told_with_both_paths_and_what_agrees_before(
    tmp_path, made, fault, layer, before
):
    report = made(tmp_path, fault)
    assert (report.first.stage, report.first.torch_path, report.first.jax_path) == ("layer", *layer)
    assert before in report.first.note
    assert all(f.follows for f in report.findings if not f and f is not report.first)
    assert any("no layer was fed" in f.note for f in report.findings)


@pytest.mark.part(0)
def test_two_that_agree_have_no_layer_told(tmp_path):
    report = encoder(tmp_path, "")
    assert report, str(report)
    assert not any(f.stage == "layer" for f in report.findings)


@pytest.mark.part(0)
def test_without_layers_it_is_said_that_it_is_not_told_where(tmp_path):
    report = encoder(tmp_path, "eps", layers=False, gradient=False)
    assert report.first.stage == "forward"
    assert "layers: not recorded of both, so it is not told where they part" in report.results[0].remarks
    assert Recording.load(tmp_path / "torch").layers == ()


def test_what_of_torchs_a_layer_is_comes_back_from_a_file_and_a_hostile_one_is_refused():
    fused = RecordedLayer("a", "q", ("x", "y#1"), (*range(4), 9, *range(6, 8)), "0")
    known = RecordedMatch(layers=(fused, RecordedLayer("b", "c", ("d",))))
    assert known.header()["layers"][0]["rows"] == "0:4 9:10 6:8"
    assert RecordedMatch.of(known.header(), {}) == known
    for wrong in ({"rows": "0:999999999"}, {"rows": "4"}, {"rows": ""}, {"rows": 3}, {"torch": []}, {"name": None}):
        with pytest.raises(TraceError, match=r"rows that are none|wanted a string|is none of torch's"):
            RecordedLayer.of({**fused.header(), **wrong})


def test_a_layer_is_torchs_rows_or_several_of_torchs_side_by_side():
    from parity.checking.record_layers import joined

    one, other = np.arange(6.0).reshape(2, 3), np.arange(6.0, 12.0).reshape(2, 3)
    np.testing.assert_array_equal(joined([{"": one}, {"": other}], (0, 3))[""], [[0, 6], [3, 9]])
    assert joined([{"0": one, "1": other}], None) == {"0": one, "1": other}


def test_layers_that_take_what_torchs_recording_has_not_are_refused():
    from parity.checking.compare_layers import _as_jax

    part = Recorded("float64", Trace({"forward/layer.a": np.zeros((2, 3))}), None, "no float64")
    cut = _as_jax(part, [RecordedLayer("q", "q", ("a",), (0, 2))])
    assert cut.full.tensors["forward/layer.q"].shape == (2, 2)
    with pytest.raises(TraceError, match=r"takes rows of a for q that torch's has not .*; record jax again beside"):
        _as_jax(part, [RecordedLayer("q", "q", ("a",), (0, 3))])


class Living:
    """How many arrays of layers there are: given by a run, or read back from where they lie."""

    def __init__(self) -> None:
        self.now = self.most = self.of_a_run = 0

    def see(self, array: np.ndarray) -> np.ndarray:
        weakref.finalize(array, self.gone)
        self.now += 1
        self.most = max(self.most, self.now)
        return array

    def gone(self) -> None:
        self.now -= 1


@pytest.fixture
def living(monkeypatch: pytest.MonkeyPatch) -> Living:
    from parity.sides.torch_side import TorchSide

    count = Living()
    run, read = TorchSide.run, Spooled.__getitem__

    def counted(self: TorchSide, *args: Any, **options: Any) -> Any:
        trace = run(self, *args, **options)
        of_layers = [a for n, a in trace.tensors.items() if n.startswith(("forward/layer.", "gradient/layers."))]
        count.of_a_run = len(of_layers) or count.of_a_run
        for array in of_layers:
            count.see(array)
        return trace

    monkeypatch.setattr(TorchSide, "run", counted)
    monkeypatch.setattr(Spooled, "__getitem__", lambda self, name: count.see(read(self, name)))
    return count


FEW = 6
"""Arrays that are at work at once, at any depth: a tensor of each run, their sum, and those that were before."""


@pytest.mark.parametrize("depth", [4, 12])
def test_a_recording_holds_the_layers_of_one_run_at_a_time_and_reads_back_one_by_one(tmp_path, living, depth):
    model = torch.nn.Sequential(*(torch.nn.Linear(3, 3) for _ in range(depth)))
    kept = parity.record(model, np.ones((2, 3)), dtypes=("float32",))
    assert living.of_a_run == 2 * depth  # what each gives, and the gradient that reaches it
    assert living.of_a_run <= living.most <= living.of_a_run + FEW
    living.most = living.now
    kept.save(tmp_path / "a")
    back = Recording.load(tmp_path / "a")
    assert 0 < living.most <= FEW
    for ours, theirs in zip(kept.layers, back.layers, strict=True):
        for own, other in (
            (ours.full.tensors, theirs.full.tensors),
            (ours.measured.response, theirs.measured.response),
        ):
            assert list(own) == list(other)
            assert all(own[name].tobytes() == other[name].tobytes() for name in own)


def of_layers(framework: str, depth: int, match: RecordedMatch | None) -> Recording:
    """A recording whose layers, each of an array of ones, lie in a file."""
    names = [f"forward/layer.{k}" for k in range(depth)]

    def spooled() -> Spooled:
        held = Spooled()
        held.update({name: np.ones((2, 3)) for name in names})
        return held

    part = Recorded("float32", Trace(spooled()), Trace(spooled()), measured=Measured(response=spooled()))
    return Recording(framework, (part,), layers=(part,), model=match)


@pytest.mark.parametrize("depth", [4, 40])
def test_a_comparison_reads_one_layer_at_a_time(living, depth):
    from parity.checking.compare_layers import parted_layers

    taken = RecordedMatch(layers=tuple(RecordedLayer(str(k), str(k), (str(k),)) for k in range(depth)))
    wrong, remark = parted_layers(of_layers("torch", depth, None), of_layers("jax", depth, taken), "float32")
    assert (wrong, remark) == ([], f"layers: what {depth} layers gave, and the gradients that reached them, agree")
    assert 0 < living.most <= 2 * FEW  # both sides', at both precisions, and how torch's answers to errors


def test_the_check_above_sees_layers_that_are_held(living, monkeypatch):
    monkeypatch.setattr(sys.modules["parity.checking.record"], "Spooled", dict)  # the package has `record`, too
    kept = parity.record(torch.nn.Sequential(*(torch.nn.Linear(3, 3) for _ in range(4))), np.ones((2, 3)))
    assert living.most >= 3 * living.of_a_run  # both runs' that are kept, and a disturbed one's
    assert len(kept.layers) == 1


def test_what_cannot_be_written_to_its_end_leaves_no_file(tmp_path, monkeypatch):
    kept = parity.record(torch.nn.Sequential(torch.nn.Linear(3, 3)), np.ones((2, 3)), dtypes=("float32",))
    (tmp_path / "a").write_bytes(b"old")
    read, reads = Spooled.__getitem__, []

    def interrupted(self: Spooled, name: str) -> np.ndarray:
        reads.extend([name] if len(list(tmp_path.iterdir())) == 2 else [])  # the old file, and the new one under way
        if len(reads) == 2:
            raise KeyboardInterrupt
        return read(self, name)

    monkeypatch.setattr(Spooled, "__getitem__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kept.save(tmp_path / "a")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"old")]
