"""Planted faults: each is found and not called rounding, its honest twin agrees, and the README says who finds what."""

from collections import Counter

import pytest

from proof.faults import FAMILIES, FAULTS
from proof.faults.judging import BASELINES, PARITY, judged
from proof.faults.table import MARKS, README, line, markdown, read


@pytest.mark.part(2, each="family")
@pytest.mark.parametrize(
    ("family", "name"),
    [pytest.param(family, fault.name, id=fault.name) for family, faults in FAMILIES.items() for fault in faults],
)
def test_a_fault_is_found_and_its_honest_twin_agrees(family, name):
    fault = FAULTS[name]
    judgement = judged(fault)
    told = [f"{f.stage} of {f.torch_path}: {f.verdict}, {f.message}" for f in judgement.honest if not f]
    assert not told, "the honest twin is rejected"
    assert judgement.first is not None, "the fault is not found"
    assert (judgement.verdict, judgement.first.stage) == (fault.verdict, fault.stage), judgement.first.message
    assert line(judgement) == read()[name], "the record differs; run `python -m proof.faults --write` in tests"


def test_there_are_at_least_sixty_and_each_has_one_name():
    names = Counter(fault.name for faults in FAMILIES.values() for fault in faults)
    assert len(names) >= 60
    assert set(names.values()) == {1}
    assert all(fault.seen for fault in FAULTS.values())


def test_the_record_has_every_fault_and_no_other():
    assert list(read()) == list(FAULTS)


def test_the_rule_finds_all_and_rejects_no_honest_twin():
    record = read().values()
    assert all(PARITY in kept["found"] for kept in record)
    assert not any(PARITY in kept["alarms"] for kept in record)


def test_what_float32_cannot_show_is_found_by_the_rule_alone():
    hidden = [name for name, fault in FAULTS.items() if fault.seen.endswith("float32 cannot show it")]
    assert len(hidden) >= 8
    record = read()
    assert all(record[name]["found"] == [PARITY] for name in hidden)


def test_every_other_check_misses_some_and_finds_some():
    record = read().values()
    for judge in BASELINES:
        assert 0 < sum(judge in kept["found"] for kept in record) < len(record)


def test_the_readme_has_the_table_of_who_finds_what():
    text = README.read_text()
    assert all(text.count(mark) == 1 for mark in MARKS)
    shown = text[text.index(MARKS[0]) + len(MARKS[0]) : text.index(MARKS[1])]
    assert shown.strip() == markdown(read())
