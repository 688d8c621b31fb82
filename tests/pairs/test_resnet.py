"""ResNet-18 on each side alone: what it is made of, what a step moves; and a stride in the wrong place is found."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from pairs.resnet_record import COMMAND, RECORD, WIDTH, asked

from parity.cases import cases_of
from parity.cases.resnet import batch, drawn, shapes
from parity.cases.runner import run_case
from parity.numerics import Verdict


def skeleton(pair, **arguments):
    resnet = pair.module("resnet")
    if pair.name == "torch":
        return resnet.ResNet(**arguments)
    from flax import nnx

    return nnx.eval_shape(lambda: resnet.ResNet(**arguments, rngs=nnx.Rngs(0)))


@pytest.mark.parametrize("stem", ["imagenet", "small"])
def test_a_state_has_torchvision_s_names_and_shapes(pair, stem):
    net = skeleton(pair, num_classes=3, width=2, stem=stem)
    found = {name: tuple(v.shape) for name, v in [*net.named_parameters(), *net.named_buffers()]}
    assert found == shapes(width=2, kernel=7 if stem == "imagenet" else 3)


def test_a_stem_that_is_unknown_and_stages_that_are_not_four_are_refused(pair):
    with pytest.raises(ValueError, match="wanted 'imagenet' or 'small'"):
        skeleton(pair, stem="large")
    with pytest.raises(ValueError, match="wanted the blocks of four stages"):
        skeleton(pair, layers=(2, 2))


@pytest.mark.part(0)
def test_a_run_stopped_and_resumed_is_the_run_in_one_go(pair):
    resnet = pair.module("resnet")
    rng = np.random.default_rng(0)
    model = {name: pair.array(value) for name, value in drawn(rng, width=1, kernel=3, layers=(1, 1, 1, 1)).items()}
    images, labels = pair.array(rng.normal(size=(6, 3, 8, 8))), pair.array(np.arange(6) % 3)
    order = pair.array(np.array([[0, 1, 2], [3, 4, 5], [2, 3, 4], [1, 5, 0]]))
    state = resnet.initial_state(model)
    whole, losses = resnet.train(state, images, labels, order)
    half, first = resnet.train(state, images, labels, order[:2])
    resumed, second = resnet.train(half, images, labels, order[2:])
    assert np.array_equal(np.concatenate([pair.numpy(first), pair.numpy(second)]), pair.numpy(losses))
    for part, values in whole.items():
        assert all(np.array_equal(pair.numpy(resumed[part][n]), pair.numpy(v)) for n, v in values.items())
    assert {int(v) for n, v in whole["model"].items() if n.endswith("tracked")} == {7 + 4}
    assert not any(
        np.array_equal(pair.numpy(whole["model"][n]), pair.numpy(model[n])) for n in whole["momentum_buffer"]
    )


@pytest.mark.part(0)
def test_the_stride_at_a_block_s_second_convolution_is_found(monkeypatch):
    from jax_impl.resnet import model

    right = model.BasicBlock.__init__

    def wrong(self, *arguments, **options):
        right(self, *arguments, **options)
        self.conv1.stride, self.conv2.stride = self.conv2.stride, self.conv1.stride

    monkeypatch.setattr(model.BasicBlock, "__init__", wrong)
    case = next(case for case in cases_of("resnet") if case.name == "resnet.logits")
    result = run_case(replace(case, inputs=partial(batch, size=8, kernel=3, layers=(1, 1, 1, 1))))
    assert (result.stages["forward"], result.stages["gradient"]) == (Verdict.SEMANTIC, Verdict.SEMANTIC)


def test_fifty_steps_in_full_width_are_on_record_and_agree_in_every_tensor():
    record = json.loads(RECORD.read_text())
    wanted = asked(WIDTH)
    assert {key: record[key] for key in wanted} == wanted, f"the record is of another training: run {COMMAND}"
    assert wanted["parameters"] == 11_168_832 + 512 * 3 + 3  # 11,689,512 of ResNet-18, the stem and the head smaller
    assert not record["differ"]
    assert all(what.endswith(" AGREE") for what in record["verdicts"])
    # each parameter and its momentum, and each norm's two statistics and count, in the curve and in two single steps
    assert record["verdicts"]["update AGREE"] == 2 * record["verdicts"]["curve AGREE"] >= 2 * 2 * wanted["tensors"]
