"""Power: which inputs and tensors of a check could not have shown a fault."""

import numpy as np

from parity.checking.runs import Runs
from parity.numerics import Finding
from parity.sides.inputs import is_float, leaves


def without_power(runs: Runs, findings: list[Finding]) -> list[str]:
    """Say what this check could not have found.

    A constant array (a bias of zeros, fresh batch statistics, a scale of ones) shows neither a wrong layout nor a wrong
    order, and zeros hide a factor too; an input on which no output depends shows nothing; a tensor that is zero but for
    rounding (the gradient of a key projection's bias under softmax) agrees with anything that is; and where some code
    has no float64, errors below its own precision pass.

    Args:
        runs: The four runs.
        findings: What was judged from them.

    Returns:
        One sentence a kind, none where everything has power.
    """
    constant: dict[float, list[str]] = {}
    for path, leaf in leaves(runs.inputs):
        if is_float(leaf) and leaf.size > 1 and np.all(leaf == leaf.reshape(-1)[0]):
            constant.setdefault(float(leaf.reshape(-1)[0]), []).append(path)
    told = [
        f"input {', '.join(paths)}: {value:g} everywhere, so "
        + ("no factor, layout or order of it can show" if value == 0.0 else "no layout or order of it can show")
        for value, paths in constant.items()
    ]
    unreached = [p for p in runs.torch64.unreached if p in runs.jax64.unreached]
    if unreached:
        told.append(f"input {', '.join(unreached)}: no output depends on it, on either side")
    narrow: dict[tuple[str, str], list[str]] = {}
    for f in findings:
        if f.reference != "float64":
            narrow.setdefault((f.reference, f.note), []).append(f"{f.stage} of {f.torch_path}")
    told += [
        f"no float64 reference for {', '.join(names)}, so judged at {reference}: {why}"
        for (reference, why), names in narrow.items()
    ]
    powerless: dict[str, list[str]] = {}
    for f in findings:
        if f.powerless and f:
            powerless.setdefault(f.message, []).append(f"{f.stage} of {f.torch_path}")
    return told + [f"{', '.join(names)}: {why}" for why, names in powerless.items()]
