"""Batch statistics, buffers, tied weights and dropout of two models: each honest once, and each planted once."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from flax import nnx
from torch import nn
from twins import filled
from twins.convolution import CNN_MAP, NnxCNN, TorchCNN, images_last
from twins.language import LANGUAGE_MAP, LENGTH, VOCABULARY, NnxLanguage, TorchLanguage

import parity
from parity import JaxSide, Verdict

pytestmark = pytest.mark.part(2)

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(3, 2, 4, 4))
IDS = RNG.integers(0, VOCABULARY, size=(2, LENGTH))
CNN = filled(TorchCNN())
LANGUAGE = filled(TorchLanguage())


def check_cnn(weights=CNN_MAP, options=None, **twin):
    return parity.check(CNN, JaxSide(NnxCNN(**twin), call=images_last), IMAGES, weights=weights, **(options or {}))


def differing(report):
    return {(f.stage, f.torch_path, f.jax_path): f.verdict for f in report.findings if not f}


@pytest.mark.parametrize("train", [True, False], ids=["train mode", "eval mode"])
def test_a_batch_norm_twin_agrees_in_either_mode_and_its_statistics_are_compared(train):
    report = check_cnn(options={"train": train})
    assert report, str(report)
    state = {f.torch_path: f.jax_path for f in report.findings if f.stage == "state"}
    assert state == {"bn.running_mean": "bn.mean", "bn.running_var": "bn.var"}
    assert report.stages["state"] is Verdict.AGREE
    assert CNN.bn.num_batches_tracked == 0


def test_a_batch_norm_momentum_that_is_its_complement_is_told_by_the_statistics_alone():
    report = check_cnn(momentum=0.1)
    assert differing(report) == {
        ("state", "bn.running_mean", "bn.mean"): Verdict.SEMANTIC,
        ("state", "bn.running_var", "bn.var"): Verdict.SEMANTIC,
    }


def test_flaxs_biased_running_variance_is_told_and_can_be_accepted_by_name():
    biased = check_cnn(unbiased=False)
    assert differing(biased) == {("state", "bn.running_var", "bn.var"): Verdict.SEMANTIC}
    assert check_cnn(unbiased=False, options={"conventions": {"state/bn.running_var": "flax keeps the biased one"}})


def test_a_convention_of_a_buffer_holds_in_the_state_and_through_the_training():
    options = {"loss": "cross_entropy", "targets": np.array([0, 1, 2])}
    options |= {"optimizer": (lambda p: torch.optim.SGD(p, lr=0.1), optax.sgd(0.1)), "steps": 2}
    biased = check_cnn(unbiased=False, options=options)
    named = {(stage, path) for stage, path, _ in differing(biased)}
    assert named == {(stage, "bn.running_var") for stage in ("state", "update", "curve")}
    assert check_cnn(unbiased=False, options=options | {"conventions": {"bn.running_var": "flax keeps the biased one"}})
    honest = check_cnn(options=options)
    assert honest, str(honest)


def test_a_norm_in_the_other_mode_is_told_before_its_values():
    twin = NnxCNN()
    twin.eval()
    report = parity.check(CNN, JaxSide(twin, call=images_last), IMAGES, weights=CNN_MAP)
    assert (report.first.torch_path, report.first.verdict) == ("mode", Verdict.STRUCTURE)
    assert "torch is in train mode, jax in eval mode: bn.use_running_average=True" in report.first.message
    assert report.stages["forward"] is Verdict.SEMANTIC


def test_a_buffer_that_is_trained_is_told_though_the_outputs_agree():
    report = check_cnn(trained_mean=True, options={"train": False})
    assert differing(report) == {("gradient", "bn.running_mean", "bn.mean"): Verdict.STRUCTURE}
    assert "torch keeps it as a buffer, which no optimizer moves; jax trains it" in report.first.message
    assert report.stages["forward"] is Verdict.AGREE


def test_a_parameter_that_is_kept_as_state_is_told():
    twin = NnxCNN()
    twin.bn.scale = nnx.BatchStat(twin.bn.scale[...])
    report = parity.check(CNN, JaxSide(twin, call=images_last), IMAGES, weights=CNN_MAP, train=False)
    assert differing(report) == {("gradient", "bn.weight", "bn.scale"): Verdict.STRUCTURE}
    assert "torch trains it as a parameter; jax keeps it as state" in report.first.message


def test_state_that_only_torch_has_is_told():
    class Counting(nn.Linear):
        def __init__(self):
            super().__init__(2, 2)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls += 1
            return super().forward(x)

    weights = type(CNN_MAP)(weight=("kernel", 1, 0), bias=("bias",))
    report = parity.check(filled(Counting()), nnx.Linear(2, 2, rngs=nnx.Rngs(0)), np.ones((1, 2)), weights=weights)
    assert differing(report) == {("structure", "calls", ""): Verdict.STRUCTURE}
    assert "torch's call changes this buffer" in report.first.message


def test_attention_with_dropout_replayed_and_a_tied_head_agrees():
    report = parity.check(LANGUAGE, NnxLanguage(), IDS, weights=LANGUAGE_MAP)
    assert report, str(report)
    assert {f.torch_path for f in report.findings if f.stage == "forward"} == {"logits", "attention"}
    assert "buffers of torch without a partner, taken for constants: mask" in report.results[0].remarks
    targets = RNG.integers(0, VOCABULARY, size=IDS.shape)
    assert parity.check(
        LANGUAGE, NnxLanguage(), IDS, weights=LANGUAGE_MAP, loss="cross_entropy", targets=targets, train=False
    )


def test_an_attention_without_its_scale_is_told():
    report = parity.check(LANGUAGE, NnxLanguage(scaled=False), IDS, weights=LANGUAGE_MAP, train=False)
    assert (report.first.stage, report.first.torch_path) == ("forward", "logits")


def test_weights_that_are_tied_on_one_side_only_are_told():
    both = LANGUAGE_MAP.changed(head__weight=("head.kernel", 1, 0))
    loose = parity.check(LANGUAGE, NnxLanguage(tied=False), IDS, weights=both, train=False)
    assert (loose.first.torch_path, loose.first.jax_path) == (
        "tokens.weight = head.weight",
        "embed.embedding, head.kernel",
    )
    assert "torch ties the two" in loose.first.message
    assert ("gradient", "tokens.weight", "embed.embedding") in differing(loose)
    untied = filled(TorchLanguage(tied=False))
    both = LANGUAGE_MAP.changed(head__weight=("embed.embedding",))
    tied = parity.check(untied, NnxLanguage(), IDS, weights=both, train=False)
    assert "jax ties the two" in tied.first.message
    assert parity.check(untied, NnxLanguage(tied=False), IDS, weights=LANGUAGE_MAP.changed(
        head__weight=("head.kernel", 1, 0)), train=False
    )  # fmt: skip


def test_an_lstm_with_two_biases_for_one_agrees_by_a_rule_that_adds():
    model = filled(nn.LSTM(2, 3, batch_first=True))

    class Added:
        plus, torch = "bias_hh_l0", "bias_ih_l0"

    class Map(type(LANGUAGE_MAP)):
        rules = (Added,)

        def to_jax(self, state):
            return super().to_jax({**state, "bias_ih_l0": state["bias_ih_l0"] + state["bias_hh_l0"]})

        def to_torch(self, tree):
            found = super().to_torch(tree)
            return found | {"bias_hh_l0": np.zeros_like(found["bias_ih_l0"])}

    def twin(params, x):
        def cell(carry, row):
            h, c = carry
            gates = row @ params["i"] + h @ params["h"] + params["b"]
            i, f, g, o = jnp.split(gates, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((x.shape[0], 3), x.dtype)
        return jax.lax.scan(cell, (zeros, zeros), x.swapaxes(0, 1))[1].swapaxes(0, 1)

    weights = Map(weight_ih_l0=("i", 1, 0), weight_hh_l0=("h", 1, 0), bias_ih_l0=("b",))
    side = parity.TorchSide(model, call=lambda m, x: m(x)[0])
    report = parity.check(side, twin, RNG.normal(size=(2, 4, 2)), weights=weights)
    assert report, str(report)
    gradients = {f.torch_path: f.jax_path for f in report.findings if f.stage == "gradient"}
    assert gradients["bias_hh_l0"] == gradients["bias_ih_l0"] == "b"
