"""The record of a run of all samples of torch's table of modules, kept under tests/records; this file makes it.

The whole table takes half an hour of a quiet core, so no daily run has it; what it found is kept, module by module, and
the tests hold the record to the table: a module or a number of samples that is not in it is told.

    python tests/nn/module_record.py [MODULE ...]       all modules, or these alone; the others' lines stay
"""

import collections
import datetime
import json
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
RECORD = TESTS / "records" / "nn" / "modules.json"
COMMAND = "python tests/nn/module_record.py"


def kept(path: Path = RECORD) -> dict[str, Any]:
    """The record, empty where there is none."""
    return json.loads(path.read_text()) if path.exists() else {"command": COMMAND, "modules": {}}


def stale(record: dict[str, Any], name: str, counts: list[int]) -> list[str]:
    """Why the record does not hold for a module: nothing where it does, or where there is none of it yet.

    Args:
        record: What `kept` gives.
        name: The module.
        counts: How many samples torch's table has of it, in train and in eval mode.
    """
    one = record["modules"].get(name)
    if one is None:
        return []
    again = f"run {COMMAND} {name}"
    found = []
    if one["samples"] != counts:
        found.append(f"the record has {one['samples']} samples of {name}, the table {counts}: {again}")
    agree, ended = one["verdicts"].get("AGREE", 0), sum(one["verdicts"].values())
    if ended != sum(one["samples"]) or agree + len(one["differ"]) != ended:
        found.append(f"the record's verdicts on {name}, {one['verdicts']}, do not add up: {again}")
    return found


def lines(record: dict[str, Any], modules: tuple[str, ...]) -> list[str]:
    """What the record says of all modules: how many of them and of their samples it holds, which differ, which miss."""
    held = {name: record["modules"][name] for name in modules if name in record["modules"]}
    samples, judged, agree = (
        sum(numbers)
        for numbers in (
            [sum(one["samples"]) for one in held.values()],
            [one["judged"] for one in held.values()],
            [one["verdicts"].get("AGREE", 0) for one in held.values()],
        )
    )
    days = sorted({one["date"] for one in held.values()})
    told = [
        f"on record, every sample in train and eval mode: {len(held)} of {len(modules)} modules, {judged:,} of "
        f"{samples:,} samples of theirs judged, {agree:,} agree{f' ({days[0]} to {days[-1]})' if days else ''}"
    ]
    told += [f"  differs: {sample}: {what}" for one in held.values() for sample, what in one["differ"].items()]
    if missing := [name for name in modules if name not in held]:
        told.append(f"  not run whole yet ({COMMAND} MODULE): {' '.join(missing)}")
    return told


def verdict_of(result: Any) -> str:
    """The worst verdict of a sample, or ERROR where a side raised."""
    from parity.numerics.verdict import worst

    return "ERROR" if result.error else worst(result.findings).value


def recorded(name: str) -> dict[str, Any]:
    """Judge every sample of a module in both modes.

    Returns:
        samples: How many torch's table has, in train and in eval mode; judged: how many of them ran; comparisons: the
        tensors compared; verdicts: how many samples ended in each; differ: every sample that does not agree, with what
        was found; date and versions.
    """
    import flax
    import jax
    import numpy as np
    import torch
    from nn.module_table import judged, samples

    every = [samples(name, training=training) for training in (True, False)]
    verdicts: collections.Counter[str] = collections.Counter()
    differ, comparisons = {}, 0
    for sample in [*every[0], *every[1]]:
        result = judged(sample)
        verdicts[verdict_of(result)] += 1
        comparisons += len(result.findings)
        if not result:
            told = result.error or next(f"{f.verdict} {f.label}: {f.message}" for f in result.findings if not f)
            differ[sample.name] = told
            print(f"{sample.name}: {told}", flush=True)
    return {
        "samples": [len(mode) for mode in every],
        "judged": sum(verdicts.values()) - verdicts["ERROR"],
        "comparisons": comparisons,
        "verdicts": dict(sorted(verdicts.items())),
        "differ": differ,
        "date": datetime.date.today().isoformat(),
        "versions": {m.__name__: m.__version__.partition("+")[0] for m in (torch, jax, flax, np)},
    }


def write(record: dict[str, Any], path: Path = RECORD) -> None:
    """Put the record in place at once, so that a run that is cut off leaves a whole one."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(record, indent=1) + "\n")
    new.replace(path)


def main(names: list[str]) -> int:
    """Judge and record; the number of samples that differ is the exit status, at most 1."""
    from nn.module_summary import MODULES

    warnings.simplefilter("ignore")  # torch's on its own defaults; the tests tell each
    failed = 0
    for name in names or MODULES:
        began = time.process_time()
        one = recorded(name)
        record = kept()  # read again: another run may have written meanwhile
        modules = record["modules"] | {name: one}
        write(record | {"modules": {n: modules[n] for n in MODULES if n in modules}})
        failed += len(one["differ"])
        print(f"{name} {one['verdicts']} {time.process_time() - began:.0f} s", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.path.insert(0, str(TESTS))
    from whole import QUICK  # before XLA starts

    os.environ["XLA_FLAGS"] = f"{QUICK} {os.environ.get('XLA_FLAGS', '')}".rstrip()
    sys.exit(main(sys.argv[1:]))
