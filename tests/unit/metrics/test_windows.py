"""The windows of a histogram against a list of all that was ever recorded."""

import numpy as np
import pytest

from remotemedia.metrics import Histogram, Latency, add_rows

BUCKET = 1 / 64
SECONDS = {"1m": 60, "5m": 300, "15m": 900}
COARSE = {"1m": 10, "5m": 60, "15m": 60}  # s: what is that much younger is in the window
ALL = dict.fromkeys(SECONDS, 1)
NONE = dict.fromkeys(SECONDS, 0)


def counts(histogram, now):
    return {name: window.count for name, window in histogram.timing(now).windows.items()}


def test_a_window_empties_itself_although_nothing_is_recorded():
    histogram = Histogram()
    histogram.record(99.998, 100.0)
    for now, expected in (
        (100.0, ALL),
        (149.9, ALL),  # slots 10 to 14
        (160.0, {"1m": 0, "5m": 1, "15m": 1}),
        (399.9, {"1m": 0, "5m": 1, "15m": 1}),
        (400.0, {"1m": 0, "5m": 0, "15m": 1}),
        (999.9, {"1m": 0, "5m": 0, "15m": 1}),
        (1000.0, NONE),
        (1e9, NONE),
    ):
        assert counts(histogram, now) == expected, now
        assert histogram.timing(now).count == 1
    assert histogram.timing(100.0).windows["1m"].max_us == pytest.approx(2000)
    assert histogram.timing(1e9).windows["15m"] == Latency()
    assert histogram.timing(1e9).max_us == pytest.approx(2000)


def check(histogram, ended, durations, now):
    """Whatever was recorded in whatever order, a window holds the last of it."""
    timing = histogram.timing(now)
    assert timing.count == histogram.count == len(ended)
    assert timing.mean_us == pytest.approx(durations.mean() * 1e6)
    assert timing.max_us == pytest.approx(durations.max() * 1e6)
    for name, seconds in SECONDS.items():
        window = timing.windows[name]
        surely = np.sort(durations[ended > now - seconds + COARSE[name]]) * 1e6
        perhaps = np.sort(durations[ended > now - seconds]) * 1e6
        count = window.count
        assert len(surely) <= count <= len(perhaps), name
        if not count:
            assert window == Latency()
            continue
        # What is added to a set can but lower the value at a rank.
        at_most = np.append(surely, perhaps.max().repeat(count - len(surely)))
        for percent, shown in ((50, window.p50_us), (95, window.p95_us), (99, window.p99_us)):
            rank = -(-percent * count // 100) - 1
            assert perhaps[rank] * (1 - BUCKET) <= shown <= at_most[rank] * (1 + BUCKET), name
        assert (surely.max() if len(surely) else 0) <= window.max_us * (1 + 1e-9)
        assert window.max_us <= perhaps.max() * (1 + 1e-9)
        if len(surely) == len(perhaps):
            assert window.mean_us == pytest.approx(surely.mean())


@pytest.mark.parametrize("rate", [0.01, 0.3, 1.7, 50])
@pytest.mark.parametrize("batch", [1, 64, 1024])
def test_late_and_large_batches(rate, batch):
    # A fold holds `batch` passes, which may be hours; time goes on between folds and after them.
    random = np.random.default_rng([int(rate * 100), batch])
    number = min(2048, int(3000 * rate) + 10)
    ended = np.sort(random.uniform(1e5, 1e5 + number / rate, number))
    durations = random.lognormal(-8, 1, number)
    histogram = Histogram()
    for begin in range(0, number, batch):
        part = slice(begin, begin + batch)
        add_rows([histogram], durations[np.newaxis, part].copy(), ended[part])
        if begin % (8 * batch) == 0:
            seen = slice(0, begin + batch)
            check(histogram, ended[seen], durations[seen], ended[seen][-1])
    for later in (0, 3, 10, 59, 61, 301, 899, 901, 5000):
        check(histogram, ended, durations, ended[-1] + later)


def test_two_chains_of_one_node_are_folded_at_different_times():
    # Each in order, but the second is late by minutes: its rows belong into slots that are closed.
    random = np.random.default_rng(3)
    histogram = Histogram()
    ended, durations = np.empty(0), np.empty(0)
    for fold in range(40):
        for late in (0, 200):
            some = np.sort(random.uniform(0, 30, 40)) + 1e4 + fold * 30 - late
            took = random.lognormal(-8, 1, 40)
            add_rows([histogram], took[np.newaxis].copy(), some)
            ended, durations = np.append(ended, some), np.append(durations, took)
        check(histogram, ended, durations, ended.max())


def test_one_by_one():
    random = np.random.default_rng(4)
    ended = np.sort(random.uniform(0, 2000, 3000))
    durations = random.exponential(1e-3, 3000)
    histogram = Histogram()
    for end, duration in zip(ended.tolist(), durations.tolist(), strict=True):
        histogram.record(end - duration, end)
    check(histogram, ended, durations, 2000.0)


def test_minutes_and_beyond():
    histogram = Histogram()
    histogram.record(0.0, 7200.0)  # two hours
    window = histogram.timing(7200.0).windows["1m"]
    assert window.max_us == 7.2e9
    assert window.p50_us == pytest.approx(7.2e9, rel=BUCKET)
    assert window.count == 1


def test_zeros_beside_durations_in_many_slots():
    histogram = Histogram()
    took = np.array([[0.0, 1e-3] * 50])
    add_rows([histogram], took.copy(), np.arange(100) * 10.0)
    windows = histogram.timing(990.0).windows
    assert counts(histogram, 990.0) == {"1m": 6, "5m": 28, "15m": 88}
    assert windows["1m"].p50_us == 0
    assert windows["1m"].mean_us == pytest.approx(500)
    assert windows["15m"].p95_us == pytest.approx(1e3, rel=BUCKET)


def test_memory_is_bounded():
    # A day of it, a duration of its own in each slot.
    histogram = Histogram()
    for slot in range(8640):
        add_rows([histogram], np.full((1, 3), 1e-6 * (1 + slot % 1000)), np.full(3, slot * 10.0))
        assert len(histogram._slots) <= 32
    assert histogram.count == 3 * 8640
    assert len(histogram._before.buckets) < 1000
    assert counts(histogram, 86_399.0) == {"1m": 18, "5m": 90, "15m": 270}


def test_rows_share_nothing():
    one, other = Histogram(), Histogram()
    ended = np.array([5.0, 15.0, 700.0])
    add_rows([one, other], np.array([[1e-3, 2e-3, 3e-3], [4e-3, 5e-3, 6e-3]]), ended)
    assert one.timing(700.0).windows["1m"].max_us == pytest.approx(3e3)
    assert other.timing(700.0).windows["1m"].max_us == pytest.approx(6e3)
    assert other.timing(700.0).windows["15m"].count == 3
    assert one.timing(700.0).max_us == pytest.approx(3e3)
