"""Blocks: cut, joined, stacked, and given times."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotemedia import Audio, Json, Text
from remotemedia.testing import signals
from remotemedia.testing.signals import blocks, join, spaced, stack


def ramp(frames: int, rate: int = 8_000, channels: int = 2, pts_us: int | None = 7) -> Audio:
    samples = np.arange(channels * frames, dtype=np.int32).reshape(channels, frames)
    return Audio(samples, rate, pts_us, "s", {"a": 1})


def test_blocks_of_frames() -> None:
    found = blocks(ramp(10, 10_000), frames=4)
    assert [block.samples.tolist() for block in found] == [
        [[0, 1, 2, 3], [10, 11, 12, 13]],
        [[4, 5, 6, 7], [14, 15, 16, 17]],
        [[8, 9], [18, 19]],
    ]
    assert [block.pts_us for block in found] == [7, 407, 807]
    assert {(block.stream_id, str(block.metadata)) for block in found} == {("s", "{'a': 1}")}


def test_blocks_of_ms_do_not_drift() -> None:
    found = blocks(ramp(11_025, 11_025, 1, 0), ms=20)
    assert [block.frames for block in found[:4]] == [
        220,
        221,
        221,
        220,
    ]  # to 220.5, 441, 661.5 and 882
    starts = np.cumsum([0, *(block.frames for block in found[:-1])]).tolist()
    assert [block.pts_us for block in found] == [round(Fraction(n * 10**6, 11_025)) for n in starts]
    assert len(found) == 50


def test_blocks_of_sizes_in_turns_and_at_random() -> None:
    audio = ramp(20)
    assert [block.frames for block in blocks(audio, sizes=[1, 7])] == [1, 7, 1, 7, 1, 3]
    drawn = [block.frames for block in blocks(ramp(5_000), sizes=range(1, 50), seed=3)]
    assert sum(drawn) == 5_000
    assert set(drawn[:-1]) <= set(range(1, 50))
    assert len(set(drawn)) > 30
    assert drawn == [block.frames for block in blocks(ramp(5_000), sizes=range(1, 50), seed=3)]
    assert drawn != [block.frames for block in blocks(ramp(5_000), sizes=range(1, 50), seed=4)]


def test_audio_without_time_stays_so() -> None:
    assert {block.pts_us for block in blocks(ramp(20, pts_us=None), frames=3)} == {None}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "give one of frames, ms and sizes"),
        ({"frames": 1, "ms": 1}, "give one of frames, ms and sizes"),
        ({"frames": 1, "seed": 1}, "a seed draws from sizes"),
        ({"frames": 0}, "block 0 would have 0 frames"),
        ({"sizes": [3, -1]}, "block 1 would have -1 frames"),
        ({"sizes": []}, "sizes is empty"),
        ({"ms": 0.01}, "block 0 would have 0 frames"),
    ],
)
def test_blocks_that_are_none_are_refused(options: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        blocks(ramp(10), **options)  # type: ignore[arg-type]


@given(
    frames=st.integers(1, 400),
    rate=st.sampled_from([8_000, 11_025, 44_100, 48_000]),
    sizes=st.lists(st.integers(1, 50), min_size=1),
    pts_us=st.one_of(st.none(), st.integers(-(10**12), 10**12)),
)
def test_join_gives_back_what_was_cut(
    frames: int, rate: int, sizes: list[int], pts_us: int | None
) -> None:
    audio = ramp(frames, rate, pts_us=pts_us)
    assert join(blocks(audio, sizes=sizes), tolerance_us=0).equals(audio)


def test_join_finds_gaps_and_overlaps() -> None:
    parts = blocks(signals.tone(440, 1, sample_rate=8_000), ms=20)
    late = parts[5].replace(pts_us=100_125)
    with pytest.raises(
        AssertionError,
        match=r"block 5 of 50 starts at 100125 µs, but the 800 frames before it end at 100000 µs: "
        r"a gap of 125 µs",
    ):
        join([*parts[:5], late, *parts[6:]])
    with pytest.raises(AssertionError, match=r"block 3 of 49 .* a gap of 20000 µs"):
        join(parts[:3] + parts[4:])
    with pytest.raises(AssertionError, match=r"block 1 of 51 .* an overlap of 20000 µs"):
        join([parts[0], *parts])
    assert join([*parts[:5], late, *parts[6:]], tolerance_us=125).frames == 8_000


def test_join_takes_what_differs_by_rounding_only() -> None:
    parts = blocks(ramp(100), frames=10)
    assert parts[3].pts_us == 3_757
    parts[3] = parts[3].replace(pts_us=3_758)
    assert join(parts).equals(ramp(100))
    with pytest.raises(AssertionError, match="a gap of 1 µs"):
        join(parts, tolerance_us=0)


def test_join_reckons_back_to_the_first_sample() -> None:
    parts = blocks(ramp(100, 10_000), frames=10)
    parts[0], parts[1] = parts[0].replace(pts_us=None), parts[1].replace(pts_us=None)
    assert join(parts).pts_us == 7


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (ramp(5, 16_000), "block 1 has sample_rate 16000, those before it 8000"),
        (ramp(5, channels=1), "block 1 has channels 1, those before it 2"),
        (Audio(np.zeros((2, 5)), 8_000, stream_id="s"), "has format 'F32', those before it 'I32'"),
        (ramp(5).replace(stream_id=None), "block 1 has stream_id None, those before it 's'"),
    ],
)
def test_join_refuses_what_is_no_part_of_the_whole(other: Audio, problem: str) -> None:
    with pytest.raises(AssertionError, match=problem):
        join([ramp(5), other.replace(pts_us=None)])


def test_join_of_nothing() -> None:
    with pytest.raises(AssertionError, match="there are no blocks to join"):
        join([])


def test_stack() -> None:
    left, right = (
        Audio(np.array([1, 2, 3], np.uint8), 8_000, 5),
        Audio(np.array([9], np.uint8), 8_000),
    )
    both = stack(left, right)
    assert both.samples.tolist() == [[1, 2, 3], [9, 128, 128]]
    assert both.pts_us == 5
    assert stack(both, left).channels == 3
    for parts in ([left, ramp(5)], [left, right.replace(sample_rate=9)], []):
        with pytest.raises(ValueError, match="share rate and format"):
            stack(*parts)


def test_spaced_gives_times_to_any_data() -> None:
    texts = spaced([Text("a"), Text("b", metadata={"x": 1})], 20_000, start_us=5)
    assert [(text.text, text.pts_us, text.metadata) for text in texts] == [
        ("a", 5, None),
        ("b", 20_005, {"x": 1}),
    ]
    assert [json.pts_us for json in spaced([Json(1)] * 3, 7)] == [0, 7, 14]
