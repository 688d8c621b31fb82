"""What follows from an earlier difference says so; what stands for itself does not."""

import pytest

from parity.checking.consequences import with_consequences
from parity.numerics import Finding, Verdict


def differing(stage, path="x", *, cause="", verdict=Verdict.SEMANTIC):
    return Finding(stage, path, path, verdict, "", cause=cause)


def agreeing(stage):
    return Finding(stage, "x", "x", Verdict.AGREE, "")


@pytest.mark.parametrize(
    ("findings", "follows"),
    [
        ((differing("layer"), differing("forward"), differing("gradient")), ("", "layer of x", "layer of x")),
        ((agreeing("layer"), differing("forward"), differing("loss")), ("", "", "forward of x")),
        # Fed the same input, no layer makes another one differ; nor one output another.
        ((differing("layer"), differing("layer", "y")), ("", "")),
        ((differing("forward"), differing("forward", "y"), differing("gradient")), ("", "", "forward of x")),
        ((differing("update"), differing("update", "y"), differing("curve")), ("", "update of x", "update of x")),
        # A cause that was proven is a fault of its own; a name or a shape always is.
        ((differing("layer"), differing("loss", cause="sum"), differing("gradient")), ("", "", "layer of x")),
        (
            (differing("loss", cause="sum"), differing("update", cause="eps"), differing("update", "y", cause="eps")),
            ("", "", "update of x"),
        ),
        ((differing("forward"), differing("gradient", verdict=Verdict.STRUCTURE)), ("", "")),
    ],
)
def test_a_difference_names_the_one_that_leads_to_it(findings, follows):
    found = with_consequences(findings)
    assert tuple(f.follows for f in found) == follows
    assert [f.verdict for f in found] == [f.verdict for f in findings]
