"""Stop and pace, without signals and without waiting; real signals are in tests/native/cli."""

from __future__ import annotations

import signal

import numpy as np
import pytest

from remotemedia.cli.inputs import Pace
from remotemedia.cli.stop import Stop
from remotemedia.data import Audio, Text


def test_the_first_signal_is_noted_and_the_second_raises() -> None:
    stop = Stop()
    stop._on_signal(signal.SIGINT, None)
    assert (stop.number, stop.exit_code) == (signal.SIGINT, 130)
    with pytest.raises(KeyboardInterrupt):
        stop._on_signal(signal.SIGTERM, None)


def test_a_signal_ends_what_waits() -> None:
    stop = Stop()
    reached = []
    with stop.waiting() as go_on:
        assert go_on
        stop._on_signal(signal.SIGTERM, None)
        reached.append("never")  # type: ignore[unreachable]
    assert reached == []
    assert stop.exit_code == 143
    with stop.waiting() as go_on:
        assert not go_on


def test_an_interrupt_that_was_no_signal_of_ours_goes_on() -> None:
    stop = Stop()
    with pytest.raises(KeyboardInterrupt), stop.waiting():
        raise KeyboardInterrupt


def test_listeners_hear_it_even_if_they_come_late() -> None:
    stop, heard = Stop(), []
    stop.listen(lambda: heard.append(1))
    stop._on_signal(signal.SIGINT, None)
    stop.listen(lambda: heard.append(2))
    stop.listen(None)
    assert heard == [1, 2]


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Stop() as stop:
        assert signal.getsignal(signal.SIGINT) == stop._on_signal
    assert signal.getsignal(signal.SIGINT) is before


def test_pace_gives_a_block_when_it_would_have_been_recorded() -> None:
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))
        now[0] += seconds

    pace = Pace(Stop(), clock=lambda: now[0], sleep=sleep)
    block = np.zeros(160, np.float32)
    for number in range(3):
        assert pace.wait(Audio(block, 8000, 20_000 * number))
    assert slept == [0.02, 0.02, 0.02]
    now[0] += 1  # late: nothing to wait for, and no catching up by sleeping less than nothing
    assert pace.wait(Audio(block, 8000, 60_000))
    assert pace.wait(Text("no time of its own"))
    assert len(slept) == 3


def test_pace_stops() -> None:
    stop = Stop()
    pace = Pace(stop, clock=lambda: 0.0, sleep=lambda _: stop._on_signal(signal.SIGINT, None))
    assert not pace.wait(Audio(np.zeros(160, np.float32), 8000, 0))
