"""The report as JSON: strict, complete, stable."""

import dataclasses
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from parity.numerics import Errors, Finding, Verdict
from parity.report import CaseResult, Curve, PublishedNumber, Report
from parity.report.json import POINTS, SCHEMA, render


def strict(text):
    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    def unique(pairs):
        assert len(dict(pairs)) == len(pairs), "a key stands twice"
        return dict(pairs)

    return json.loads(text, parse_constant=refuse, object_pairs_hook=unique)


def missing(text, report):
    paths = {(f["stage"], f["torch_path"]) for r in strict(text)["results"] for f in r["findings"]}
    return [f.torch_path for f in report.findings if (f.stage, f.torch_path) not in paths]


def test_a_strict_parser_reads_it(report):
    parsed = strict(render(report))
    assert parsed["schema"] == SCHEMA
    assert (parsed["agrees"], parsed["verdict"]) == (bool(report), report.verdict)
    assert parsed["exit_status"] == report.exit_status
    assert parsed["stages"] == report.stages


def test_a_text_with_nan_in_it_is_refused():
    with pytest.raises(ValueError, match="NaN is no JSON"):
        strict(json.dumps({"ratio": math.nan}))


def test_no_finding_is_lost(report):
    text = render(report)
    assert missing(text, report) == []
    assert sum(len(r["findings"]) for r in strict(text)["results"]) == len(report.findings)


def test_a_finding_that_is_lost_is_noticed(sample, less):
    report = sample("crowded")
    assert missing(render(less(report, "layer0001/weight")), report) == ["layer0001/weight"]


def test_every_field_of_every_dataclass_is_there(sample):
    result = next(r for r in strict(render(sample("mixed")))["results"] if r["name"] == "spiral.two_layer")
    finding, number, curve = result["findings"][0], result["published"][0], result["curves"][0]
    parts = ((CaseResult, result), (Finding, finding), (Errors, finding["errors64"]), (PublishedNumber, number))
    for kind, part in (*parts, (Curve, curve), (Report, strict(render(sample("mixed"))))):
        assert {f.name for f in dataclasses.fields(kind)} <= set(part), kind


def test_numbers_come_back_to_the_last_bit(sample):
    finding = sample("SEMANTIC").results[1].findings[1]
    parsed = strict(render(sample("SEMANTIC")))
    there = parsed["results"][1]["findings"][1]
    assert there["ratio64"] == finding.ratio64
    assert there["errors64"]["left"] == finding.errors64.left
    assert parsed["first"]["torch_path"] == "encoder.layers.3.norm1.weight"
    assert parsed["first"]["name"] == "transformer.encoder"


def test_nan_and_infinities_are_words_that_float_reads_back(sample):
    first, second, *_ = strict(render(sample("not finite")))["results"][0]["findings"]
    assert (first["ratio64"], second["ratio64"], second["ratio"]) == ("NaN", "Infinity", "-Infinity")
    assert math.isnan(float(first["ratio64"]))
    assert float(second["ratio"]) == -math.inf


def test_a_long_curve_is_thinned_and_says_which_steps_are_kept(sample):
    curve = sample("agreeing").results[2].curves[0]
    there = strict(render(sample("agreeing")))["results"][2]["curves"][0]
    assert there["steps"] == len(curve.torch64) == 2500
    assert len(there["index"]) == POINTS
    assert (there["index"][0], there["index"][-1]) == (0, 2499)
    for name in ("torch64", "jax64", "torch", "jax", "bound"):
        assert there[name] == getattr(curve, name)[there["index"]].tolist()


def test_a_short_curve_is_whole(sample):
    there = strict(render(sample("hostile")))["results"][0]["curves"][0]
    assert there["index"] == list(range(60))


def test_the_same_report_gives_the_same_text(report):
    text = render(report)
    assert text == render(report)
    assert text.isascii()
    assert text.endswith("}\n")


def test_numbers_of_numpy_are_numbers(sample):
    finding = Finding(
        "forward", "y", "y", Verdict.AGREE, "", step=np.int64(3), ratio=np.float32(0.5), ratio64=np.float64(1)
    )
    there = strict(render(Report((CaseResult("a.b", (finding,)),))))["results"][0]["findings"][0]
    assert (there["step"], there["ratio"], there["ratio64"]) == (3, 0.5, 1.0)


def test_it_is_laid_out_for_a_person(sample):
    text = render(sample("mixed"))
    assert '"ulp_histogram": [341, 0, 0, ' in text
    assert max(len(line) for line in text.splitlines() if "[" not in line) < 200


def test_to_json_writes_what_it_returns(sample, tmp_path):
    text = sample("mixed").to_json(tmp_path / "report.json")
    assert (tmp_path / "report.json").read_text() == text == render(sample("mixed"))
    assert replace(sample("mixed")).to_json() == text
