"""A check of two models that differ tells the layer, its cause and the fix before everything that follows from it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from torch import nn
from twins import MLP_MAP, TorchMLP, filled, mlp
from twins.perceptron import IN

import parity
from parity import Verdict
from parity.checking import divergence
from parity.report import CaseResult, Report

pytestmark = pytest.mark.part(2)

X = np.random.default_rng(0).normal(size=(4, IN))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def unexpected(*_: Any, **__: Any) -> Any:
    raise AssertionError("locate was called")


def test_models_that_agree_are_not_taken_apart(monkeypatch):
    monkeypatch.setattr(divergence, "locate", unexpected)
    report = parity.check(filled(TorchMLP()), mlp(), X)
    assert report, str(report)
    assert not any("layers" in remark for remark in report.results[0].remarks)


def test_a_planted_fault_stands_first_with_its_layer_its_cause_and_the_fix():
    model = filled(TorchMLP())
    report = parity.check(model, mlp(eps=1e-3), X, weights=parity.map_weights(model, mlp(), X))
    assert (report.first.stage, report.first.torch_path, report.first.jax_path) == (
        "layer",
        "norm",
        "ln",
    )
    assert report.first.verdict is Verdict.SEMANTIC
    assert report.first.note.startswith("1 layer before it agrees")
    assert report.cause.text.startswith("LayerNorm eps 0.001, torch has 1e-05.")
    assert report.cause.fix == "nnx.LayerNorm(..., epsilon=1e-05)"
    assert {"layer", "layer gradient", "forward", "gradient"} <= set(report.stages)
    text = str(report)
    assert "SEMANTIC  check  layer of norm  (torch)  /  ln  (jax)" in text
    assert "fix: nnx.LayerNorm(..., epsilon=1e-05)" in text
    assert ">layers<" in report._repr_html_()
    errors = report.results[0].layers
    assert [(e.torch_path, e.jax_path, e.agrees) for e in errors][:2] == [("up", "fc1", True), ("norm", "ln", False)]
    assert all((e.forward64 <= 1.0) == (e.gradient64 <= 1.0) == e.agrees for e in errors)
    assert "Layer by layer" in report._repr_html_()


def test_the_columns_of_layers_and_their_gradients_are_one_and_fit_eighty(monkeypatch):
    from parity.numerics import Finding
    from parity.report import STAGES
    from parity.report.text import render

    findings = tuple(Finding(stage, "a", "b", Verdict.SEMANTIC, "differ") for stage in STAGES)
    lines = render(Report((CaseResult("check", findings),)), width=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert "layer gradient" not in lines[0]


def test_a_kink_of_a_layer_is_accepted_where_the_gradient_of_the_whole_is():
    from parity.checking.located import accepted
    from parity.numerics import Finding

    kink = Finding("layer gradient", "act (input)", "act (input)", Verdict.CONVENTION, "")
    fault = Finding("layer", "norm", "ln", Verdict.SEMANTIC, "")
    whole = Finding("gradient", "up.weight", "fc1.kernel", Verdict.CONVENTION, "", note="abs at 0", accepted=True)
    other = Finding("gradient", "down.weight", "fc2.kernel", Verdict.CONVENTION, "")
    found = accepted((fault, kink), (whole,))
    assert [bool(f) for f in found] == [False, True]
    assert found[1].note == "abs at 0"
    assert accepted((fault, kink), (whole, other)) == accepted((fault, kink), ()) == (fault, kink)


def test_a_layer_that_differs_under_a_turned_axis_is_judged_under_the_plain_one_too():
    from parity.checking.located import _unturned
    from parity.convert.layouts import Layout
    from parity.convert.weight_map import Rule, WeightMap
    from parity.numerics import Finding

    def found(layout: str) -> WeightMap:
        rule = Rule("o.weight", "out.kernel", Layout.parse(layout, h=2))
        return WeightMap((rule,), {"o.weight": (3, 4)}, {"out.kernel": (4, 3)}, {"out.kernel": ("out", "kernel")})

    turned = found("o (h d) -> (d h) o")
    layer = Finding("layer", "o", "out", Verdict.SEMANTIC, "")
    between = Finding("layer", "v .. o", "v .. out", Verdict.SEMANTIC, "")
    judged: list[WeightMap] = []
    for clears in (True, False):
        again = (between,) if clears else (between, layer)
        told = _unturned((between, layer), turned, lambda weights, again=again: judged.append(weights) or again)
        assert told == ((between,) if clears else (between, layer))
    assert [str(rule.layout) for weights in judged for rule in weights.rules] == ["o (h d) -> (h d) o"] * 2
    for weights, wrong in ((found("o (h d) -> (h d) o"), layer), (turned, between)):  # nothing is turned there
        assert _unturned((wrong,), weights, unexpected) == (wrong,)


def test_of_two_turned_layers_the_one_that_differs_either_way_keeps_the_order_that_was_found():
    from parity.checking.located import _unturned
    from parity.convert.layouts import Layout
    from parity.convert.weight_map import Rule, WeightMap
    from parity.numerics import Finding

    names, turned = ("a", "b"), Layout.parse("o (h d) -> (d h) o", h=2)
    rules = tuple(Rule(f"{n}.weight", f"{n}.kernel", turned) for n in names)
    shapes = {f"{n}.weight": (3, 4) for n in names}, {f"{n}.kernel": (4, 3) for n in names}
    found = WeightMap(rules, *shapes, {f"{n}.kernel": (n, "kernel") for n in names})
    wrong = {n: Finding("layer", n, n, Verdict.SEMANTIC, "") for n in names}
    judged: list[list[bool]] = []

    def judge(weights: WeightMap) -> tuple[Finding, ...]:  # a has a fault of its own; b was only turned
        plain = [rule.layout != turned for rule in weights.rules]
        judged.append(plain)
        return (wrong["a"],) if plain[1] else tuple(wrong.values())

    assert _unturned(tuple(wrong.values()), found, judge) == (wrong["a"],)
    assert judged == [[True, True], [False, True]]


def test_a_failure_to_take_them_apart_is_a_remark_and_hides_nothing(monkeypatch):
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no such layer")

    monkeypatch.setattr(divergence, "locate", broken)
    model = filled(TorchMLP())
    found = parity.map_weights(model, mlp(), X)
    report = parity.check(model, mlp(eps=1e-3), X, weights=found)
    assert report.first.stage == "forward"
    assert "layers: not told apart: RuntimeError: no such layer" in report.results[0].remarks
    # A map that does not say which leaves it takes where tells no layer.
    by_hand = parity.check(model, mlp(eps=1e-3), X, weights=MLP_MAP)
    assert any("is no parity.WeightMap" in remark for remark in by_hand.results[0].remarks)


@pytest.mark.parametrize(
    ("faults", "places"),
    [({"eps": 1e-3}, ["norm"]), ({"tanh": True, "eps": 1e-3}, ["up .. norm", "norm"])],
    ids=["one fault", "two faults"],
)
def test_faults_that_stop_the_mapping_are_each_told_with_their_cause(faults, places):
    twin = mlp(**faults)
    report = parity.check(filled(TorchMLP()), twin, X)
    layers = [f for f in report.findings if not f and f.stage == "layer"]
    assert [f.torch_path for f in layers] == places
    assert all("the difference falls to" in f.cause and f.fix for f in layers)
    assert twin.ln.epsilon == 1e-3
    # The search stops at the next weight after a fault, and one stop may have both before it.
    passed = [remark for remark in report.results[0].remarks if "went on with torch's numbers" in remark]
    assert passed[0].endswith("1 stop: norm / ln.scale")


class Wider(nnx.Module):
    """A port with a layer that torch has not."""

    def __init__(self) -> None:
        rngs = nnx.Rngs(0)
        self.fc1, self.more = nnx.Linear(IN, 8, rngs=rngs), nnx.Linear(8, 9, rngs=rngs)
        self.fc2 = nnx.Linear(9, 3, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.fc2(self.more(nnx.gelu(self.fc1(x), approximate=False)))


def test_where_no_torch_layer_has_the_shape_the_mapping_tells_where_it_stopped():
    report = parity.check(filled(TorchMLP()), Wider(), X)
    assert report.verdict is Verdict.STRUCTURE
    assert "the weights could not be mapped" in report.first.message
    assert report.cause is None


def test_inputs_that_no_model_takes_are_told_of_both_before_any_mapping():
    port = nnx.Linear(4, 3, rngs=nnx.Rngs(0))
    report = parity.check(torch.nn.Linear(4, 3), port, np.ones((2, 5)))
    assert report.exit_status == 3
    assert report.results[0].error.startswith("the torch side raised: RuntimeError: mat1 and mat2 shapes")
    assert "; the jax side raised: TypeError: dot_general requires" in report.results[0].error
    one = parity.check(torch.nn.Linear(4, 3), nnx.Linear(5, 3, rngs=nnx.Rngs(0)), np.ones((2, 4)))
    assert one.results[0].error.endswith("(the torch side runs)")


def test_a_model_that_runs_out_of_memory_is_told_as_such_with_what_to_try():
    class Hungry(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + torch.empty(2**45)

    report = parity.check(Hungry(4, 3), nnx.Linear(4, 3, rngs=nnx.Rngs(0)), np.ones((2, 4)))
    told = report.results[0].error
    assert told.startswith("the torch side ran out of memory: RuntimeError")
    assert told.endswith("as do gradient=False (--no-gradient) and one dtype at a time (the jax side runs)")


class TorchAttends(nn.Module):
    """Torch's attention whole, and a linear layer after it."""

    def __init__(self) -> None:
        super().__init__()
        self.attend, self.out = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.gelu(self.out(x + self.attend(x, x, x, need_weights=False)[0]))


class JaxAttends(nnx.Module):
    """Its projections loose among the other layers, as no module of JAX's holds them alone."""

    def __init__(self, *, approximate: bool) -> None:
        rngs = nnx.Rngs(0)
        self.q, self.k, self.v, self.o, self.last = (nnx.Linear(8, 8, rngs=rngs) for _ in range(5))
        self.approximate = approximate

    def __call__(self, x: jax.Array) -> jax.Array:
        q, k, v = (layer(x).reshape(*x.shape[:2], 2, 4) for layer in (self.q, self.k, self.v))
        weights = jax.nn.softmax(jnp.einsum("bqhd,bkhd->bhqk", q, k) / 2.0)
        x = x + self.o(jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(x.shape))
        return nnx.gelu(self.last(x), approximate=self.approximate)


@pytest.mark.part(0)
def test_projections_that_torch_has_in_one_attention_do_not_stand_in_the_way_of_a_cause_behind_them():
    torch.manual_seed(0)
    model, x = TorchAttends(), np.random.default_rng(0).normal(size=(2, 5, 8))
    weights = parity.map_weights(model, JaxAttends(approximate=False), x)
    report = parity.check(model, JaxAttends(approximate=True), x, weights=weights)
    assert report.first.stage == "layer", str(report)
    assert "gelu (tanh), torch has gelu (erf)" in report.cause.text
    assert parity.check(model, JaxAttends(approximate=False), x, weights=weights)


class TorchPads(nn.Module):
    """Pads in front and convolves, as a causal convolution is written in torch."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.conv = nn.Conv1d(2, 4, 1), nn.Conv1d(4, 3, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(nn.functional.pad(self.first(x), (2, 0)))


class JaxPads(nnx.Module):
    """Pads inside of the convolution."""

    def __init__(self, padding: str) -> None:
        rngs = nnx.Rngs(0)
        self.one = nnx.Conv(2, 4, (1,), rngs=rngs)
        self.two = nnx.Conv(4, 3, (3,), padding=padding, use_bias=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.two(self.one(x.transpose(0, 2, 1))).transpose(0, 2, 1)


@pytest.mark.part(0)
def test_a_layer_that_honestly_has_another_shape_does_not_hide_that_its_numbers_differ():
    torch.manual_seed(0)
    model, x = TorchPads(), np.random.default_rng(0).normal(size=(2, 2, 6))
    weights = parity.map_weights(model, JaxPads("CAUSAL"), x)
    assert parity.check(model, JaxPads("CAUSAL"), x, weights=weights)
    report = parity.check(model, JaxPads("SAME"), x, weights=weights)
    assert report.verdict is Verdict.SEMANTIC, str(report)
    assert (report.first.stage, report.first.torch_path) == ("layer", "conv"), str(report)
