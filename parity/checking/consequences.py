"""Which of the differences are consequences of an earlier one, so that a report tells of the earlier one first."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from parity.numerics import Finding, Verdict

LEADS_TO = {
    "forward": ("layer",),
    "loss": ("layer", "forward"),
    "state": ("layer",),
    "gradient": ("layer", "layer gradient", "forward", "loss"),
    "update": ("layer", "layer gradient", "forward", "loss", "gradient", "update"),
    "curve": ("layer", "layer gradient", "forward", "loss", "gradient", "update", "curve"),
}
"""For a stage, those in which a difference makes one in it: what is computed from what. Layers are each fed the same
input, so that a difference in one leads to none in another; tensors of one stage, but for training, stand side by side.
"""


def with_consequences(findings: Iterable[Finding], *, apart: Collection[str] = ()) -> tuple[Finding, ...]:
    """Say of each difference that an earlier one leads to, which one that is.

    Nothing is taken away and no verdict changes: a second fault behind the first may be among the consequences, and
    shows once the first is mended. A difference whose cause an experiment has proven stands for itself, and so does
    whatever differs in structure.

    Args:
        findings: In order.
        apart: Stages of which an experiment has shown that they differ by themselves.

    Returns:
        The same with `follows`.
    """
    roots: dict[str, Finding] = {}
    kept = []
    for finding in findings:
        if finding or finding.verdict is Verdict.STRUCTURE or finding.follows:
            kept.append(finding)
            continue
        leading = [roots[stage] for stage in LEADS_TO.get(finding.stage, ()) if stage in roots]
        same = (r for r in leading if finding.cause and r.cause == finding.cause)
        root = next(same, leading[0] if leading else None)
        proven = finding.cause and (root is None or finding.cause != root.cause)
        if root is None or finding.stage in apart or (proven and root.stage != finding.stage):
            roots.setdefault(finding.stage, finding)
            kept.append(finding)
        else:
            kept.append(replace(finding, follows=root.label))
    return tuple(kept)
