"""The same cases on a GPU where there is one, and the records of runs on one.

Without a GPU this says so once, with the number of checks that were not run, and passes.
"""

import json
from pathlib import Path

from parity.cases import CONCEPTS, cases_of, run
from parity.doctor import cuda_missing

RECORDS = Path(__file__).resolve().parent / "records"


def stale(record):
    """Why a record of a run no longer matches the cases: nothing where it does."""
    recorded = {r["name"] for r in record["results"]}
    concepts = {r["concept"] for r in record["results"]}
    current = {case.name for concept in CONCEPTS if concept in concepts for case in cases_of(concept)}
    found = [f"{name} is a case now, and not in the record" for name in sorted(current - recorded)]
    found += [f"{name} is in the record, and no case any more" for name in sorted(recorded - current)]
    found += [f"{name} is missing" for name in ("command", "date", "gpu") if not record["environment"].get(name)]
    return found + ([] if record["agrees"] else ["the recorded run did not agree"])


def test_every_pair_agrees_on_a_gpu(capsys):
    if missing := cuda_missing():
        count = sum(len(cases_of(concept)) for concept in CONCEPTS)
        with capsys.disabled():
            print(f"\nno GPU: {count} checks not run ({missing})")
        return
    report = run(devices=("cuda",))
    assert report, f"\n{report}"


def test_every_record_matches_the_cases():
    complaints = {path.name: stale(json.loads(path.read_text())) for path in RECORDS.glob("*.json")}
    assert not any(complaints.values()), complaints


def made_up():
    names = [case.name for case in cases_of("gates")]
    environment = {"command": "parity run gates --device cuda", "date": "2026-11-22", "gpu": "a GPU"}
    return {
        "agrees": True,
        "environment": environment,
        "results": [{"name": n, "concept": "gates"} for n in names],
    }


def test_a_record_that_no_longer_matches_is_told():
    assert stale(made_up()) == []
    gone = made_up()
    lost = gone["results"].pop()["name"]
    gone["results"].append({"name": "gates.imaginary", "concept": "gates"})
    gone["agrees"] = False
    del gone["environment"]["gpu"]
    assert stale(gone) == [
        f"{lost} is a case now, and not in the record",
        "gates.imaginary is in the record, and no case any more",
        "gpu is missing",
        "the recorded run did not agree",
    ]
