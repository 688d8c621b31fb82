"""Work in a process of its own gives its result, or tells how it ended."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from parity.cli.child import Died, Refused, supervised


def double(work, tell):
    tell("doubling")
    print("a print of the user's")
    return 2 * work


def refuse(work, tell):
    raise Refused("not like this", 2)


def be_killed(work, tell):
    tell("torch at float64")
    os.kill(os.getpid(), work)


def leave(work, tell):
    tell("jax at float32")
    os._exit(work)


def fail(work, tell):
    raise KeyError("a bug")


def wait_for_ever(work, tell):
    with open(work, "w") as file:  # noqa: PTH123 - a pipe
        file.write("here")
    time.sleep(600)


def test_a_result_comes_back_and_prints_go_to_stderr():
    code = "import test_child as t; print(t.supervised(t.double, 21, runs=1))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert run.stdout == "42\n"
    assert run.stderr == "a print of the user's\n"


def test_what_was_refused_is_refused_here():
    with pytest.raises(Refused, match="not like this") as told:
        supervised(refuse, None, runs=1)
    assert told.value.status == 2


@pytest.mark.parametrize(
    ("work", "argument", "message"),
    [
        (
            be_killed,
            signal.SIGKILL,
            "killed by SIGKILL while at work on: torch at float64; it may have run out",
        ),
        (be_killed, signal.SIGSEGV, "killed by SIGSEGV while at work on: torch at float64; an extension crashed"),
        (leave, 5, "left with status 5 while at work on: jax at float32; something in it calls exit"),
        (fail, None, "KeyError: 'a bug' while at work on: the start; the traceback is on stderr"),
    ],
)
def test_a_process_that_dies_is_told_of(work, argument, message):
    with pytest.raises(Died, match=message) as told:
        supervised(work, argument, runs=1)
    assert told.value.status == 3


@pytest.fixture
def interruptible():
    """What a shell starts in the background ignores Ctrl-C, and so would the tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_the_process_too(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    def interrupt():
        assert (tmp_path / "pipe").read_text() == "here"  # the process is at work
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # as Ctrl-C does

    threading.Thread(target=interrupt).start()
    began = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        supervised(wait_for_ever, str(tmp_path / "pipe"), runs=1)
    assert time.perf_counter() - began < 60
