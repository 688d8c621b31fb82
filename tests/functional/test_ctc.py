"""CTC against torch: every form of its input, lengths that differ, targets too long to be read, empty ones."""

import numpy as np
from functional.calls import compared, normal, part

LOG_P = normal(6, 3, 4)
LOG_P -= np.log(np.exp(LOG_P).sum(-1, keepdims=True))
TARGETS = np.array([[1, 2, 2], [3, 1, 3], [2, 2, 1]])
ROW = np.array([1, 2, 2, 3, 1])  # of lengths 3, 2 and 0

CALLS = {
    "padded": lambda F, p, t, r: F.ctc_loss(p, t, [6, 5, 6], [3, 2, 3]),
    "none": lambda F, p, t, r: F.ctc_loss(p, t, [6, 6, 6], [3, 0, 1], reduction="none"),
    "in a row": lambda F, p, t, r: F.ctc_loss(p, r, (6, 4, 3), (3, 2, 0), reduction="sum"),
    "blank": lambda F, p, t, r: F.ctc_loss(p, t - 1, [6, 6, 6], [3, 3, 3], blank=3, reduction="none"),
    "one": lambda F, p, t, r: F.ctc_loss(p[:, 0], t[0], [6], [3], reduction="none"),
    "too long": lambda F, p, t, r: F.ctc_loss(p, t, [3, 6, 6], [3, 3, 3], zero_infinity=True),
}


def test_ctc_agrees_with_torch(whole):
    report = compared(part(CALLS, whole), LOG_P, TARGETS, ROW)
    assert report, str(report)
