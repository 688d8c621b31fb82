"""A progress line appears on a terminal's stderr, and only for work that takes longer than a second."""

import re
import time

import pytest

from parity.cli import progress


@pytest.fixture
def shown(monkeypatch, capsys):
    """What a person saw: shown(seconds of work, is stderr a terminal)."""
    monkeypatch.setattr(progress, "PATIENCE", 0.2)
    monkeypatch.setenv("COLUMNS", "80")

    def look(seconds, terminal, term="xterm"):
        monkeypatch.setenv("TERM", term)
        monkeypatch.setenv("TTY_COMPATIBLE", "1" if terminal else "0")
        with progress.ProgressLine("starting") as tell:
            tell("torch at float64", 1, 12)
            time.sleep(seconds)
        both = capsys.readouterr()
        assert both.out == ""
        return both.err

    return look


def test_long_work_is_shown_with_what_it_is_at(shown):
    seen = shown(0.5, True)
    assert "torch at float64" in seen
    assert "1/12" in seen
    drawn = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", seen)
    assert re.search(r"1/12 0:00:00 (\d:\d\d:\d\d|-:--:--)", drawn), "the time taken, and the time left"
    assert max(map(len, re.split(r"[\r\n]", drawn))) <= 80


def test_short_work_and_a_pipe_see_nothing(shown):
    assert shown(0.0, True) == ""
    assert shown(0.5, False) == ""


def test_a_dumb_terminal_gets_no_code(shown):
    assert "\x1b" not in shown(0.5, True, term="dumb")
