"""Hysteresis of alerts, against runs of equal conditions counted in the test."""

import random
from itertools import groupby

import pytest

from remotemedia.errors import RemoteMediaError
from remotemedia.metrics.alerts import Alerts


def test_raised_after_five_cleared_after_ten():
    alerts = Alerts()
    assert [alerts.update(1) for _ in range(6)] == [0, 0, 0, 0, 1, 0]
    assert alerts.active == 1
    assert [alerts.update(0) for _ in range(11)] == [0] * 9 + [1, 0]
    assert alerts.active == 0


def test_what_is_interrupted_counts_anew():
    alerts = Alerts(3, 2)
    assert [alerts.update(bit) for bit in (2, 2, 0, 2, 2, 2)] == [0, 0, 0, 0, 0, 2]
    assert [alerts.update(bit) for bit in (0, 2, 0, 0)] == [0, 0, 0, 2]


def test_bits_are_independent():
    alerts = Alerts(2, 2, at_once=4)
    assert [alerts.update(bits) for bits in (1, 3, 7, 2, 2, 0, 0)] == [0, 1, 2 | 4, 0, 1 | 4, 0, 2]
    assert alerts.active == 0


def test_reset_tells_what_it_cleared():
    alerts = Alerts(1, 10)
    alerts.update(5)
    alerts.update(7)
    assert alerts.reset() == 7
    assert alerts.active == 0
    assert alerts.reset() == 0
    alerts = Alerts(3)
    alerts.update(1)
    alerts.update(1)
    alerts.reset()
    assert [alerts.update(1) for _ in range(3)] == [0, 0, 1]


@pytest.mark.parametrize("seed", range(20))
def test_any_conditions(seed):
    """Each bit by itself: active are those whose last long enough run says so."""
    chance = random.Random(seed)
    up, down, at_once = chance.randint(1, 6), chance.randint(1, 6), 2
    alerts = Alerts(up, down, at_once)
    history, before = [], 0
    for _ in range(400):
        last = history[-1] if history else 0
        history.append(last if chance.random() < 0.7 else chance.randrange(16))
        changed = alerts.update(history[-1])
        expected = 0
        for bit in (1, 2, 4, 8):
            state = False
            for holds, run in groupby(bool(bits & bit) for bits in history):
                needed = (1 if bit & at_once else up) if holds else down
                if len(list(run)) >= needed:
                    state = holds
            expected |= bit * state
        assert alerts.active == expected
        assert changed == expected ^ before
        before = expected


@pytest.mark.parametrize("numbers", [(0, 1), (1, 0), (-1, 5)])
def test_counts_below_one_are_refused(numbers):
    with pytest.raises(RemoteMediaError, match="at least 1"):
        Alerts(*numbers)
