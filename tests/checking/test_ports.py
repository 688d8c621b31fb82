"""Faults planted in the three ports, one by one, as their user would check them: found, placed, explained."""

import pytest
from ports.faults import AVERAGED, EVAL, FAULTS, RESIZED, TRAIN, training
from ports.planted import Planted, checked
from whole import COUNTED

HONEST = (
    Planted("honest", "transformer", options=training()),
    Planted("honest", "resnet", options=EVAL),
    Planted("honest in train mode", "resnet", options=TRAIN),
    Planted("honest with average pooling", "resnet", AVERAGED, options=EVAL),
    Planted("honest with resizing", "resnet", RESIZED, options=EVAL),
    Planted("honest", "lstm_tagger"),
)


def named(row: Planted) -> str:
    return f"{row.port}, {row.name}"


DAILY = (
    "transformer, mask: inverted",
    "resnet, norm: left in train mode",
    "lstm_tagger, cell: hard sigmoid",
)
"""Of the faults, those that a plain run checks too, one a port: of a mask, of a mode, of a function."""


@pytest.mark.parametrize("fault", [f for f in FAULTS if named(f) in DAILY], ids=named)
def test_a_planted_fault_is_found_with_its_layer_and_its_cause(fault: Planted):
    explained(fault)


@pytest.mark.part(0)
@pytest.mark.parametrize("fault", [f for f in FAULTS if named(f) not in DAILY], ids=named)
def test_every_other_planted_fault_is_found_too(fault: Planted):
    explained(fault)


def explained(fault: Planted) -> None:
    report = checked(fault)
    assert not report
    assert report.first.torch_path.startswith(fault.layer), str(report)
    if fault.cause is None:
        assert fault.why in f"{report.first.message} {report.first.note}"
        assert not any(f.cause for f in report.findings)
    else:
        assert fault.cause in report.cause.text
        assert report.cause.fix


@pytest.mark.part(1)
@pytest.mark.parametrize("honest", HONEST[::-1], ids=named)
def test_an_honest_port_agrees_and_no_cause_is_named(honest: Planted):
    report = checked(honest)
    assert report, str(report)
    assert not any(f.cause for f in report.findings)


def test_the_table_has_forty_faults_and_most_have_a_cause(record_property):
    assert len(FAULTS) >= 40
    assert len({named(f) for f in FAULTS}) == len(FAULTS)
    assert set(DAILY) <= {named(f) for f in FAULTS}
    assert {f.port for f in FAULTS} == {"transformer", "resnet", "lstm_tagger"}
    with_cause = sum(f.cause is not None for f in FAULTS)
    assert with_cause > 0.8 * len(FAULTS)
    record_property(COUNTED, f"faults planted in ports: {len(FAULTS)}, {with_cause} of them with a cause")
