"""The histogram of durations against numpy's percentiles."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotemedia.metrics import Histogram, Latency, Timing, add_rows

# A bucket is 1/32 of an octave at its wide end, and its middle is shown: 1/64 to either side.
BUCKET = 1 / 64


def histogram_of(durations):
    histogram = Histogram()
    for duration in durations:
        histogram.record(0.0, duration)
    return histogram


def expected(durations):
    ranks = np.percentile(durations, [50, 95, 99], method="inverted_cdf")
    return [*(ranks * 1e6).tolist(), max(durations) * 1e6]


def shown(latency):
    return [latency.p50_us, latency.p95_us, latency.p99_us, latency.max_us]


def test_nothing_recorded():
    assert Histogram().latency() == Latency(0, 0, 0, 0, 0, 0)
    nothing = dict.fromkeys(("1m", "5m", "15m"), Latency())
    assert Histogram().timing(0.0) == Timing(windows=nothing)
    assert Histogram().timing(1e6) == Timing(windows=nothing)
    assert Histogram().count == 0


@pytest.mark.parametrize("shape", ["uniform", "exponential", "lognormal", "two"])
@pytest.mark.parametrize("count", [1, 2, 3, 99, 100, 101, 511, 512, 513, 5000])
def test_percentiles_are_within_a_bucket(shape, count):
    random = np.random.default_rng(count)
    durations = {
        "uniform": random.uniform(1e-6, 2e-6, count),
        "exponential": random.exponential(1e-3, count),
        "lognormal": random.lognormal(-10, 3, count),
        "two": np.where(random.random(count) < 0.97, 1e-6, 1.0),
    }[shape]
    histogram = histogram_of(durations.tolist())
    assert histogram.count == count
    latency = histogram.latency()
    assert shown(latency) == pytest.approx(expected(durations), rel=BUCKET)
    assert latency.count == count
    assert latency.mean_us == pytest.approx(float(np.mean(durations)) * 1e6)


@given(st.lists(st.floats(1e-9, 1e4), min_size=1, max_size=60))
def test_percentiles_of_any_durations(durations):
    assert shown(histogram_of(durations).latency()) == pytest.approx(
        expected(durations), rel=BUCKET
    )


def test_ranks_are_exact():
    # n - k fast calls and k slow ones: the percentile is slow just when its rank says so.
    for count in range(1, 300):
        slow = count // 20 + 1
        latency = histogram_of([1e-6] * (count - slow) + [1.0] * slow).latency()
        assert (latency.p95_us > 2) == (-(-95 * count // 100) > count - slow), count


def test_no_percentile_is_above_the_maximum():
    latency = histogram_of([1e-3] * 10).latency()
    assert latency.max_us == 1e3
    assert shown(latency) == pytest.approx([1e3] * 4, rel=BUCKET)
    assert max(shown(latency)) == 1e3


def test_zero_and_backwards():
    assert histogram_of([0.0, -0.0, -1e-6]).latency() == Latency(0, 0, 0, 0, 0, 3)
    latency = histogram_of([0.0] * 9 + [1e-3]).latency()
    assert latency.p50_us == 0
    assert latency.max_us == 1e3
    assert latency.p99_us == pytest.approx(1e3, rel=BUCKET)


def test_huge_beside_tiny():
    latency = histogram_of([5e-324, 1e-9, 1e9, 1e9]).latency()
    assert latency.max_us == 1e15
    assert latency.p50_us == pytest.approx(1e-3, rel=BUCKET)
    assert latency.p95_us == pytest.approx(1e15, rel=BUCKET)
    assert all(map(math.isfinite, shown(latency)))


def test_many_at_once_are_the_same_as_one_by_one():
    durations = np.random.default_rng(1).exponential(1e-3, 3000)
    rows = [Histogram(), Histogram()]
    add_rows(rows, np.empty((2, 0)), np.empty(0))
    for part in np.array_split(np.stack([durations, durations / 7]), 7, axis=1):
        add_rows(rows, part.copy(), np.zeros(part.shape[1]))
    assert [row.count for row in rows] == [3000, 3000]
    for row, same in zip(rows, (durations, durations / 7), strict=True):
        one_by_one = histogram_of(same.tolist()).latency()
        assert shown(row.latency()) == shown(one_by_one)
        assert row.latency().mean_us == pytest.approx(one_by_one.mean_us)


def test_zeros_beside_durations_need_no_huge_table():
    row = Histogram()
    add_rows([row], np.array([[0.0, 0.0, 1e-3]]), np.zeros(3))
    assert row.latency() == histogram_of([0.0, 0.0, 1e-3]).latency()
    assert row.count == 3


def test_looking_changes_nothing():
    histogram = histogram_of([1e-3, 2e-3])
    first = histogram.latency()
    assert histogram.latency() == first
    histogram.record(1.0, 1.004)
    assert histogram.count == 3
    assert histogram.latency().max_us == pytest.approx(4e3)
