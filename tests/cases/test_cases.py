"""The built-in pairs agree, cover every public name, and a fault planted in one of them turns its stage red."""

import ast
import importlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from parity.cases import CONCEPTS, Case, Published, UnknownConcept, cases_of, resolve, run
from parity.cases.runner import run_case
from parity.numerics import Verdict
from parity.report import Report

ROOT = Path(__file__).resolve().parent.parent.parent


def public_names(concept):
    """What a pair offers: the `__all__` of its torch side, read from the syntax tree."""
    base = ROOT / "torch_impl" / concept
    files = [base.with_suffix(".py")] if base.with_suffix(".py").is_file() else sorted(base.glob("[!_]*.py"))
    return {
        name
        for file in files
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        for name in ast.literal_eval(node.value)
    }


@pytest.mark.part(8)
@pytest.mark.parametrize(
    ("concept", "case"),
    [pytest.param(concept, case, id=case.name) for concept in CONCEPTS for case in cases_of(concept)],
)
def test_every_case_agrees(concept, case):
    """`make run`, which CI runs too, checks them all; the tests eight of them."""
    result = run_case(case)
    assert result, f"\n{Report((result,), {}, ('float64', 'float32'))}"
    assert result.findings, "a case that compares nothing"


def test_a_run_of_a_pair_is_a_report_of_all_its_cases():
    report = run(["averaging"])
    assert report, f"\n{report}"
    assert report.exit_status == 0
    assert [r.name for r in report.results] == [case.name for case in cases_of("averaging")]


@pytest.mark.parametrize("concept", CONCEPTS)
def test_every_public_name_has_a_case(concept):
    covered = {name for case in cases_of(concept) for name in case.covered}
    assert public_names(concept) - covered == set()


@pytest.mark.parametrize("concept", CONCEPTS)
def test_a_case_covers_only_names_that_exist_and_mentions_them(concept):
    for case in cases_of(concept):
        assert case.concept == concept
        assert set(case.covered) <= public_names(concept), case.name


def test_case_names_are_unique():
    names = [case.name for concept in CONCEPTS for case in cases_of(concept)]
    assert len(names) == len(set(names))


def planted(monkeypatch, concept, name, fault):
    """Replace a public function of the JAX side, wherever the side keeps it, by one with a fault."""
    module = importlib.import_module(f"jax_impl.{concept}")
    right = getattr(module, name)
    monkeypatch.setattr(module, name, fault(right))


def case_named(name):
    return next(c for c in cases_of(name.partition(".")[0]) if c.name == name)


def test_a_fault_in_the_forward_stage_turns_it_red(monkeypatch):
    planted(monkeypatch, "losses", "quadratic_cost", lambda right: lambda *a, **k: right(*a, **k) * (1 + 1e-9))
    result = run_case(case_named("losses.quadratic_cost"))
    first = next(f for f in result.findings if not f)
    assert (result.verdict, first.stage, first.jax_path) == (Verdict.SEMANTIC, "forward", "output")
    assert first.ratio64 > 1e5  # as the README says
    # Its gradients are told below it.
    assert {f.follows for f in result.findings if not f and f is not first} == {"forward of output"}


def test_a_fault_in_the_gradient_alone_turns_that_stage_red(monkeypatch):
    import jax

    def wrong_gradient(right):
        def loss(*arguments, **options):
            value = right(*arguments, **options)
            return (1 + 1e-9) * value - 1e-9 * jax.lax.stop_gradient(value)

        return loss

    planted(monkeypatch, "losses", "mse", wrong_gradient)
    result = run_case(case_named("losses.mse"))
    assert result.stages["forward"] is Verdict.AGREE
    assert result.stages["gradient"] is Verdict.SEMANTIC


def test_a_fault_in_training_turns_update_and_curve_red_with_the_step(monkeypatch):
    def faster(right):
        return lambda *a, momentum, **k: right(*a, momentum=momentum + 1e-9, **k)

    planted(monkeypatch, "sgd", "train", faster)
    result = run_case(case_named("sgd.hand_momentum"))
    assert result.stages["curve"] is Verdict.SEMANTIC
    assert result.stages["update"] is Verdict.SEMANTIC
    curve = next(f for f in result.findings if f.stage == "curve" and not f)
    # The first loss is of the start, the second follows one step from a buffer of zeros: momentum shows in the third.
    assert curve.step == 2


def test_a_printed_number_that_is_not_met_is_a_difference():
    case = case_named("losses.chance_loss")
    assert run_case(case)
    output = run_case(case).findings[1].torch_path
    wrong = replace(case, published=(Published(output, (9.9,), 1, "nowhere"),))
    result = run_case(wrong)
    assert not result
    assert result.verdict is Verdict.SEMANTIC
    assert (result.published[0].printed, result.published[0].source) == ("9.9", "nowhere")


def test_a_convention_is_accepted_by_name_and_missed_when_it_does_not_occur():
    kink = Case("gates.kink", lambda rng: {"x": np.zeros(2)}, lambda impl, x: absolute(impl, x))
    assert run_case(kink).verdict is Verdict.CONVENTION
    assert not run_case(kink), "nobody has accepted it"
    accepted = run_case(replace(kink, conventions={"gradient/x": "the slope of |x| at 0"}))
    assert accepted
    assert [f.verdict for f in accepted.findings if f.note] == [Verdict.CONVENTION]
    stale = run_case(replace(kink, conventions={"gradient/x": "the slope of |x| at 0", "output": "nothing"}))
    assert not stale
    assert "both sides agree here" in stale.findings[-1].message


def absolute(impl, x):
    if impl.__name__.startswith("torch_impl"):
        return x.abs()
    import jax.numpy as jnp

    return jnp.abs(x)


def test_inputs_that_cannot_be_read_are_told_and_raise_nothing():
    def missing(rng):
        raise FileNotFoundError("there is no folder nowhere")

    result = run_case(Case("gates.unread", missing, lambda impl: None))
    assert result.error == "its inputs cannot be read: there is no folder nowhere"


def test_names_of_concepts_are_checked_and_near_ones_suggested():
    assert resolve([]) == CONCEPTS
    with pytest.raises(UnknownConcept, match=r"'sprial'; did you mean spiral"):
        resolve(["sprial"])
    with pytest.raises(UnknownConcept, match="there are tensors"):
        resolve(["xyzzy"])


def test_the_thirty_losses_and_two_accuracies_of_the_case_study_are_attached():
    printed = [v for case in cases_of("spiral") for p in case.published for v in p.values]
    losses = [v for v in printed if len(str(v)) > 5]
    assert {1.096956, 0.786302, 1.098744, 0.245292} <= set(losses)
    assert {0.49, 0.98} <= set(printed)


def test_no_case_sets_a_tolerance():
    for file in (ROOT / "parity" / "cases").glob("*.py"):
        assert not re.search(r"\b(rtol|atol|tolerance|allclose|approx)\b", file.read_text()), file.name
