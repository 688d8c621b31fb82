"""Faults planted in the three ports, one by one, as their user would check them: found, placed, explained."""

from typing import Any

import pytest
from ports.faults import AVERAGED, EVAL, FAULTS, RESIZED, TRAIN, training
from ports.planted import Planted, checked
from proof.summary import COUNTED

REPRESENTATIVE = (
    "gelu: tanh form",
    "attention: scale of an odd number",
    "mask: zero in place of minus infinity",
    "softmax: in bfloat16",
    "norm: biased variance",
    "padding: SAME beside stride 2",
    "cell: hard sigmoid",
    "weights: an LSTM's gates in another order",
)
"""Of the faults, those of the daily run: each kind of place once, one without a cause, one of precision."""

HONEST = (
    Planted("honest", "transformer", options=training()),
    Planted("honest", "resnet", options=EVAL),
    Planted("honest in train mode", "resnet", options=TRAIN),
    Planted("honest with average pooling", "resnet", AVERAGED, options=EVAL),
    Planted("honest with resizing", "resnet", RESIZED, options=EVAL),
    Planted("honest", "lstm_tagger"),
)
DAILY = (HONEST[2],)
"""Of the honest ports, that of the daily run; the three are checked honest in `test_divergence` too."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    whole = metafunc.config.getoption("whole", default=False)
    rows: dict[str, Any] = {
        "fault": [f for f in FAULTS if whole or f.name in REPRESENTATIVE],
        "honest": HONEST if whole else DAILY,
    }
    for argument in set(rows) & set(metafunc.fixturenames):
        metafunc.parametrize(argument, rows[argument], ids=[f"{r.port}, {r.name}" for r in rows[argument]])


def test_a_planted_fault_is_found_with_its_layer_and_its_cause(fault: Planted):
    report = checked(fault)
    assert not report
    assert report.first.torch_path.startswith(fault.layer), str(report)
    if fault.cause is None:
        assert fault.why
        assert not any(f.cause for f in report.findings)
    else:
        assert fault.cause in report.cause.text
        assert report.cause.fix


def test_an_honest_port_agrees_and_no_cause_is_named(honest: Planted):
    report = checked(honest)
    assert report, str(report)
    assert not any(f.cause for f in report.findings)


def test_the_table_has_forty_faults_and_most_have_a_cause(record_property):
    assert len(FAULTS) >= 40
    assert len({(f.port, f.name) for f in FAULTS}) == len(FAULTS)
    assert {f.port for f in FAULTS} == {"transformer", "resnet", "lstm_tagger"}
    assert set(REPRESENTATIVE) <= {f.name for f in FAULTS}
    with_cause = sum(f.cause is not None for f in FAULTS)
    assert with_cause > 0.8 * len(FAULTS)
    told = (
        f"faults planted in ports: {len(FAULTS)}, {with_cause} with a cause; the daily run checks {len(REPRESENTATIVE)}"
    )
    record_property(COUNTED, told)
