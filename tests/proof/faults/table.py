"""Who finds what: the judgements on record, and the README's section made of them.

The record is what a run gave: tests/proof/test_faults.py runs every fault against its line, and
`python -m proof.faults --write`, in the folder tests, writes it anew.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from proof.faults import FAMILIES, FAULTS
from proof.faults.judging import JUDGES, Judgement

RECORD = Path(__file__).with_name("judgements.json")
README = Path(__file__).parents[3] / "README.md"
MARKS = ("<!-- faults -->", "<!-- /faults -->")
TITLES = ("parity", "`assert_allclose` 1e-5", "`assert_close`", "means 1e-3", "rtol = 1")
TELLING = (
    "Adam: beta2 off by 1e-9",
    "Adam: epsilon 1.001e-8",
    "layer norm: epsilon 1.001e-5",
    "softmax: scale off by 8e-11",
    "clipping: norm without torch's 1e-6",
    "Adam: bias correction in float32",
    "layer norm: epsilon 1e-6",
    "matmul: TF32",
    "weight decay: after the momentum",
    "outputs: one too many",
    "mask: the lowest number for minus infinity, a row all masked",
    "dense: square kernel transposed",
)

Line = dict[str, Any]


def line(judgement: Judgement) -> Line:
    """What the record keeps of a judgement: the verdict, who found the fault, who rejected its honest twin."""
    return {"verdict": judgement.verdict, "found": list(judgement.found), "alarms": list(judgement.alarms)}


def read() -> dict[str, Line]:
    """The record: a line for each fault, by its name."""
    return json.loads(RECORD.read_text())


def write(record: dict[str, Line]) -> None:
    """Replace the record; one fault stands in one line, so that a change shows as such."""
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(kept)}" for name, kept in record.items())
    RECORD.write_text(f"{{\n{lines}\n}}\n")


def markdown(record: dict[str, Line]) -> str:
    """The README's section: the families, the faults that tell most, and how to read both.

    Args:
        record: A line for each fault.

    Returns:
        Markdown, without the two marks round it.
    """
    families = [(family, [fault.name for fault in faults]) for family, faults in FAMILIES.items()]
    rows = [[name, *_counts(record, names)] for name, names in [*families, ("all", list(FAULTS))]]
    alarms = [sum(judge in record[name]["alarms"] for name in FAULTS) for judge in JUDGES]
    rows.append(["honest twins rejected", *(f"{n} / {len(FAULTS)}" for n in alarms)])
    origins = Counter(fault.origin for fault in FAULTS.values())
    telling = [[f"{name} ({record[name]['verdict']})", *_marks(record[name])] for name in TELLING]
    return "\n\n".join(
        (
            _table(("faults of", *TITLES), rows),
            f"{len(FAULTS)} bugs of porting: {origins['public']} seen in public code and its guides, "
            f"{origins['measured']} measured between the frameworks, {origins['made']} made for\nthis table; each "
            "beside an honest twin on the same inputs. A fault counts as found where the check rejects it and\npasses "
            "the twin. parity runs both precisions; the others get the outputs and gradients that it compared at\n"
            "float32.",
            _table(("the fault (its verdict)", *TITLES), telling),
        )
    )


def _counts(record: dict[str, Line], names: Sequence[str]) -> list[str]:
    return [f"{sum(judge in record[name]['found'] for name in names)} / {len(names)}" for judge in JUDGES]


def _marks(kept: Line) -> list[str]:
    return ["✓" if j in kept["found"] else "rejects the twin too" if j in kept["alarms"] else "–" for j in JUDGES]


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    ruler = ["---", *("--:" for _ in titles[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (titles, ruler, *rows))
