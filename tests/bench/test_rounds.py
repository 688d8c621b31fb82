"""Rounds: every variant once a round, warm-up and the first call apart; all with a clock that the test moves."""

import pytest

from parity.bench.rounds import FEWEST, ROUNDS, WARM_UP, spread, take_turns


class Clock:
    """A clock that only the timed work moves."""

    def __init__(self):
        self.now, self.order = 0.0, []

    def __call__(self):
        return self.now

    def work(self, name, *seconds):
        """A call that takes these seconds, the last of them ever after."""
        left = list(seconds)

        def call():
            self.order.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return call


def test_the_median_and_quartiles_are_of_the_rounds_alone():
    clock = Clock()
    call = clock.work("a", 50.0, 9.0, 9.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    times = take_turns({"a": call}, rounds=5, seconds=1e6, clock=clock)["a"]
    assert (times.low, times.median, times.high) == (2.0, 3.0, 4.0)
    assert (times.rounds, times.repeats, times.first, times.compile) == (5, 1, 50.0, 47.0)


def test_all_take_turns_and_who_begins_changes():
    clock = Clock()
    calls = {name: clock.work(name, 1.0) for name in "ab"}
    take_turns(calls, rounds=3, seconds=1e6, clock=clock)
    warm = 2 * (1 + WARM_UP)
    assert "".join(clock.order[warm:]) == "abbaab"


def test_slow_work_gets_fewer_rounds_and_one_warm_up_but_never_fewer_than_three():
    clock = Clock()
    times = take_turns({"a": clock.work("a", 10.0)}, seconds=1.0, clock=clock)["a"]
    assert times.rounds == FEWEST
    assert len(clock.order) == 1 + 1 + FEWEST
    assert take_turns({"a": clock.work("a", 1.0)}, seconds=7.0, clock=clock)["a"].rounds == 7
    assert take_turns({"a": clock.work("a", 0.01)}, seconds=7.0, clock=clock)["a"].rounds == ROUNDS


def test_a_short_call_is_repeated_until_a_sample_is_a_millisecond():
    clock = Clock()
    times = take_turns({"a": clock.work("a", 1e-5)}, clock=clock)["a"]
    assert times.repeats in (100, 101)  # the clock's sums of 1e-5 round
    assert times.median == pytest.approx(1e-5)


def test_a_first_call_that_was_made_already_is_not_made_again():
    clock = Clock()
    times = take_turns({"a": clock.work("a", 1.0)}, firsts={"a": 8.0}, rounds=3, seconds=1e6, clock=clock)["a"]
    assert (times.first, len(clock.order)) == (8.0, WARM_UP + 3)


def test_one_sample_is_its_own_quartiles():
    assert (spread([2.0]).low, spread([2.0]).high) == (2.0, 2.0)
