"""What the terminal says after the tests: counts, how much of the proof's grid ran, how much of the bound it used."""

import json
from collections.abc import Iterable

import numpy as np
import pytest
from whole import COUNTED

PROPERTY = "honest checks"


def write(terminalreporter: pytest.TerminalReporter) -> None:
    """Write what the tests counted, and the proof's table where any of it ran."""
    reports = [r for key in ("passed", "failed") for r in terminalreporter.stats.get(key, []) if r.when == "call"]
    for line in sorted(value for r in reports for name, value in r.user_properties if name == COUNTED):
        terminalreporter.write_line(line)
    told = [json.loads(value) for r in reports for name, value in r.user_properties if name == PROPERTY]
    if not told:
        return
    shares = [tuple(share) for one in told for share in one["shares"]]
    terminalreporter.write_sep("-", "honest pairs")
    for line in table(shares):
        terminalreporter.write_line(line)
    rest = "" if len(shares) == told[0]["of"] else "; --whole runs all"
    terminalreporter.write_line(f"proof: {len(shares):,} of {told[0]['of']:,} honest checks{rest}")


def table(shares: Iterable[tuple[str, float, float]]) -> list[str]:
    """How tight the bound is: the largest share of it that each check used, at float64 and at the working dtype.

    Args:
        shares: (working dtype, largest |D_64| / B_64, largest |D_p| / B_p) of each check.

    Returns:
        Lines of a table: median, 99th percentile and maximum by working dtype.
    """
    lines = ["share of the bound         at float64                 at the dtype", f"{'dtype':<9} {'checks':>6}"]
    lines[1] += f" {'median':>8} {'99%':>8} {'max':>8}" * 2
    given = list(shares)
    for dtype in dict.fromkeys(share[0] for share in given):
        own = np.array([share[1:] for share in given if share[0] == dtype])
        cells = [f"{own_column:8.2g}" for column in own.T for own_column in np.quantile(column, (0.5, 0.99, 1.0))]
        lines.append(f"{dtype:<9} {len(own):6,} {' '.join(cells)}")
    return lines
