"""How long the page of 500 findings takes to open in a headless Chromium; a measurement, so no test asks for a number.

PYTHONPATH=. python tests/report/opening.py
"""

import json
import re
import sys
import tempfile
from pathlib import Path

ROUNDS, FINDINGS = 5, 500
DRIVER = (
    'addEventListener("load", () => { const height = document.documentElement.getBoundingClientRect().height;'
    "const told = { seconds: performance.now() / 1000, height };"
    'document.body.innerHTML = ""; document.body.append("SEEN" + JSON.stringify(told) + "NEES"); });'
)


def opened() -> float:
    """Seconds from the navigation's start until the page is read, has run its script and is laid out."""
    from report.conftest import crowded
    from report.test_browser import dumped, with_script

    from parity.report import html

    markup = re.sub(r"<meta http-equiv[^>]*>", "", html.page(crowded(FINDINGS)))  # which lets no other script run
    with tempfile.TemporaryDirectory() as folder:
        page = dumped(with_script(markup, DRIVER), Path(folder))
    told = re.search("SEEN(.*)NEES", page)
    if told is None:
        raise RuntimeError("the page did not tell its time: Chromium ended before it was loaded")
    return float(json.loads(told[1])["seconds"])


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    times = sorted(opened() for _ in range(ROUNDS))
    print(f"{FINDINGS} findings, {ROUNDS} openings: {', '.join(f'{seconds:.2f}' for seconds in times)} s")
