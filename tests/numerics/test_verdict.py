"""Verdicts and findings: which is worse, and which count as agreement."""

from parity.numerics import Finding, Verdict, worst


def found(verdict, **options):
    return Finding("forward", "y", "y", verdict, "", **options)


def test_the_worst_of_findings_decides():
    assert worst([]) is Verdict.AGREE
    assert worst([found(Verdict.AGREE), found(Verdict.PRECISION), found(Verdict.CONVENTION)]) is Verdict.PRECISION
    assert worst({"a": found(Verdict.STRUCTURE), "b": found(Verdict.SEMANTIC)}) is Verdict.STRUCTURE


def test_only_agreement_and_a_convention_accepted_by_name_hold():
    assert [v for v in Verdict if found(v)] == [Verdict.AGREE]
    assert [v for v in Verdict if found(v, accepted=True)] == [Verdict.AGREE, Verdict.CONVENTION]
