"""The record of fifty training steps of ResNet-18 in its full width, kept under tests/records; this file makes it.

The pair's own case trains a net of the same depth, two channels wide. In its full width, 64 to 512 channels, the same
check takes 25 minutes of processor and so is made by hand; the tests hold the record to the case.

    python tests/pairs/resnet_record.py
"""

import collections
import json
import sys
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from parity.cases import cases_of
from parity.cases.resnet import BATCH, STEPS, shapes, training
from parity.cases.runner import run_case
from parity.environment import environment
from parity.files import write_atomically

RECORD = Path(__file__).resolve().parents[1] / "records" / "nn" / "resnet18.json"
COMMAND = "python tests/pairs/resnet_record.py"
WIDTH = 64


def asked(width: int) -> dict[str, Any]:
    """What is trained: a record of anything else does not hold."""
    sizes = [shape for name, shape in shapes(width=width, kernel=3).items() if name.endswith(("weight", "bias"))]
    return {
        "width": width,
        "parameters": int(sum(np.prod(shape) for shape in sizes)),
        "tensors": len(sizes),
        "steps": STEPS,
        "batch": BATCH,
    }


def recorded(width: int) -> dict[str, Any]:
    """Run the case in a width: what was asked, how many comparisons of each stage ended in which verdict, and where."""
    (case,) = (case for case in cases_of("resnet") if case.short_name == "train")
    result = run_case(replace(case, inputs=partial(training, width=width)))
    verdicts = collections.Counter(f"{f.stage} {f.verdict.value}" for f in result.findings)
    differ = [f"{f.verdict.value} {f.label}: {f.message}" for f in result.findings if not f]
    return {
        "command": COMMAND,
        **asked(width),
        "verdicts": dict(sorted(verdicts.items())),
        "differ": differ + ([result.error] if result.error else []),
        "environment": environment(),
    }


def main() -> int:
    """Run and record; 1 where anything differs."""
    warnings.simplefilter("ignore")
    record = recorded(WIDTH)
    write_atomically(RECORD, json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))
    return int(bool(record["differ"]))


if __name__ == "__main__":
    sys.exit(main())
