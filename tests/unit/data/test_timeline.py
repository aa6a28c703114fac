from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotemedia.data.timeline import GAP_KEY, Timeline, mark_gap


@given(
    rate=st.integers(1, 192_000),
    start_us=st.integers(-(10**9), 10**15),
    blocks=st.lists(st.integers(1, 5000), min_size=1, max_size=50),
)
def test_times_come_from_the_sample_count_and_never_drift(
    rate: int, start_us: int, blocks: list[int]
) -> None:
    timeline = Timeline(rate)
    position = 0
    for number, frames in enumerate(blocks):
        assert timeline.feed(start_us if number == 0 else None, frames) == 0
        exact = start_us + Fraction(position * 1_000_000, rate)
        given_us = timeline.pts_us(position)
        assert given_us is not None
        assert abs(given_us - exact) <= Fraction(1, 2)
        position += frames
    assert timeline.frames == position


def test_time_is_unknown_until_a_stamp_comes_then_known_backwards_too() -> None:
    timeline = Timeline(1000)
    assert timeline.feed(None, 10) == 0
    assert timeline.pts_us(0) is None
    assert timeline.feed(50_000, 10) == 0
    assert timeline.pts_us(10) == 50_000
    assert timeline.pts_us(0) == 40_000


@pytest.mark.parametrize("deviation", [-1000, -1, 0, 1, 1000])
def test_rounded_stamps_are_no_gap_and_do_not_move_the_anchor(deviation: int) -> None:
    timeline = Timeline(48_000)
    timeline.feed(0, 480)
    assert timeline.feed(10_000 + deviation, 480) == 0
    assert timeline.pts_us(960) == 20_000
    assert timeline.next_gap(0) is None


def test_stamps_truncated_to_milliseconds_are_no_gap() -> None:
    timeline = Timeline(44_100)
    for block in range(1000):
        start_us = block * 128 * 1_000_000 // 44_100
        assert timeline.feed(start_us // 1000 * 1000, 128) == 0


def test_a_small_error_that_adds_up_is_found() -> None:
    timeline = Timeline(48_000)
    gaps = [timeline.feed(block * 21_333, 1024) for block in range(4000)]  # 21,333.3 each
    assert [gap for gap in gaps if gap] == [-1001]


@pytest.mark.parametrize("gap_us", [1001, 100_000, -1001, -5_000])
def test_a_gap_starts_a_new_anchor(gap_us: int) -> None:
    timeline = Timeline(16_000)
    timeline.feed(0, 160)
    assert timeline.feed(10_000 + gap_us, 160) == gap_us
    assert timeline.feed(None, 160) == 0
    assert timeline.pts_us(159) == 9938  # 9937.5, halves to even
    assert timeline.pts_us(160) == 10_000 + gap_us
    assert timeline.pts_us(320) == 20_000 + gap_us
    gap = timeline.next_gap(0)
    assert gap is not None
    assert (gap.position, gap.gap_us) == (160, gap_us)
    assert timeline.next_gap(161) is None


def test_fractional_positions_serve_a_resampler() -> None:
    timeline = Timeline(48_000)
    timeline.feed(0, 480)
    timeline.feed(20_000, 480)
    assert [timeline.pts_us(k * 3, 1) for k in (0, 1, 159)] == [0, 62, 9938]  # 48 → 16 kHz
    assert timeline.pts_us(161 * 160, 147) == 3651  # 44.1 from 48 kHz would be 161/44100 s
    assert timeline.pts_us(480 * 7 - 1, 7) == 9997
    assert timeline.pts_us(480 * 7, 7) == 20_000


def test_forget_keeps_what_later_samples_need() -> None:
    timeline = Timeline(1000)
    for block in range(100):
        timeline.feed(block * 100_000, 10)
        timeline.forget(timeline.frames)
    assert len(timeline._anchors) == 1
    assert timeline.pts_us(990) == 9_900_000


def test_empty_blocks_are_ignored() -> None:
    timeline = Timeline(1000)
    assert timeline.feed(5, 0) == 0
    assert timeline.pts_us(0) is None
    timeline.feed(0, 10)
    assert timeline.feed(999_999_999, 0) == 0
    assert timeline.pts_us(10) == 10_000


def test_a_change_of_rate_goes_on_in_time() -> None:
    timeline = Timeline(48_000)
    timeline.feed(1000, 480)
    after = timeline.continued(16_000)
    assert after.feed(11_000, 160) == 0
    assert after.feed(None, 160) == 0
    assert after.pts_us(320) == 31_000
    assert Timeline(8000).continued(16_000).pts_us(0) is None


def test_mark_gap() -> None:
    assert mark_gap(None, 0) is None
    assert mark_gap({"a": 1}, 0) == {"a": 1}
    assert mark_gap({"a": 1}, -3) == {"a": 1, GAP_KEY: -3}
    assert mark_gap({"a": 1, GAP_KEY: 9}, 0) == {"a": 1}
    assert mark_gap({GAP_KEY: 9}, 0) is None
