"""The training curves of a page: drawn once each, as many as a page that opens at once can hold."""

from itertools import count

from parity.markup import Markup, tag
from parity.report import picture
from parity.report.elements import captioned
from parity.report.result import Curve, Report

PICTURES = 24
"""Curves drawn, those of cases that differ first: each costs some forty milliseconds and as many kilobytes."""


class Drawings:
    """The curves of one report, on their way to one page.

    Args:
        report: The report.
        prefix: What the ids of this page start with.
    """

    def __init__(self, report: Report, prefix: str) -> None:
        self._prefix = prefix
        self._numbers = count(1)
        curves = sorted(((bool(r), c) for r in report.results for c in r.curves), key=lambda item: item[0])
        self._waiting = {id(curve) for _, curve in curves[:PICTURES]}

    def of(self, curve: Curve) -> Markup:
        """A curve as a figure with its caption; where it stands on the page already, or is one too many, a word."""
        if id(curve) not in self._waiting:
            said = f"The curve {curve.name} is drawn above, or was one too many to draw on this page."
            return tag("p", said, class_="soft")
        self._waiting.discard(id(curve))
        steps = len(curve.torch64)
        reach = "every step" if curve.horizon >= steps else f"{curve.horizon:,} of {steps:,} steps"
        told = f"Curve {curve.name}, {steps:,} steps: both sides at float64 and {curve.dtype}, and how far they part."
        drawing = Markup(picture.svg(curve, f"{self._prefix}{next(self._numbers)}-"))
        return captioned(drawing, f"{told} Compared pointwise at float64 over {reach}.")
