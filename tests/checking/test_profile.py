"""The error of every layer: one entry a layer, in order, with the largest part of the bound of either direction."""

import math
from dataclasses import replace

from parity.checking.profile import profile
from parity.numerics import Finding, Verdict


def found(stage, torch, jax, verdict=Verdict.AGREE, ratio64=0.1, ratio=0.2, follows=""):
    return Finding(stage, torch, jax, verdict, "", ratio64=ratio64, ratio=ratio, follows=follows)


WRONG = found("layer", "norm", "ln", Verdict.SEMANTIC, 9e8, 1.7)
MODEL = (
    Finding("structure", "hooks", "hooks", Verdict.STRUCTURE, ""),
    found("layer", "fc1", "dense"),
    found("layer gradient", "fc1", "dense", ratio64=0.3, ratio=0.4),
    WRONG,
    found("layer gradient", "norm (input)", "ln (input)", Verdict.SEMANTIC, 5.0, 6.0, WRONG.label),
    found("layer gradient", "norm.weight", "ln.scale", Verdict.SEMANTIC, 7.0, 1.0, WRONG.label),
    found("layer", "qkv", "query"),
    found("layer", "qkv", "key"),
)


def test_each_layer_is_one_entry_in_order_of_execution():
    entries = profile(MODEL)
    assert [(e.torch_path, e.jax_path, e.agrees) for e in entries] == [
        ("fc1", "dense", True),
        ("norm", "ln", False),
        ("qkv", "query", True),
        ("qkv", "key", True),
    ]
    first, wrong, *_ = entries
    assert (first.forward64, first.forward, first.gradient64, first.gradient) == (0.1, 0.2, 0.3, 0.4)
    assert (wrong.forward64, wrong.forward, wrong.gradient64, wrong.gradient) == (9e8, 1.7, 7.0, 6.0)
    assert math.isnan(entries[2].gradient64)


def test_a_layer_whose_gradient_alone_differs_is_one_entry():
    wrong = found("layer gradient", "norm.weight", "ln.scale", Verdict.SEMANTIC, 7.0, 1.0)
    also = found("layer gradient", "norm.bias", "ln.bias", Verdict.SEMANTIC, 9.0, 1.0, wrong.label)
    entry, after = profile((found("layer", "norm", "ln"), wrong, also, found("layer", "norm2", "ln2")))
    assert (entry.forward64, entry.gradient64, entry.agrees) == (0.1, 9.0, False)
    assert after.agrees


def test_what_was_not_compared_is_no_entry_and_a_fault_elsewhere_moves_no_number():
    assert profile([replace(f, compared=False) for f in MODEL]) == ()
    other = profile((*MODEL[:3], found("layer", "norm", "ln"), *MODEL[6:]))
    assert [e for e in other if not e.agrees] == []
