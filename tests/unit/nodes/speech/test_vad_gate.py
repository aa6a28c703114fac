"""SpeculativeVADGate, on sounds whose beginning and end are known to the frame."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from remotemedia.data import Audio, Control, Json
from remotemedia.data.messages import CancelSpeculation, read_message
from remotemedia.errors import DataError, ParamsError
from remotemedia.node import Emit, make_params
from remotemedia.nodes.speech.vad_gate import SpeculativeVADGate

GOLDEN = Path(__file__).parents[3] / "golden/nodes/analysis"
RATE = 16_000
FRAME = 160  # 10 ms
Samples = NDArray[np.float32]


def sound(*parts: tuple[int, bool]) -> Samples:
    """Frames of 10 ms of a tone of 500 Hz: so many of them loud, or 40 dB softer.

    Five periods fill a frame, so that all frames of one loudness have the same power.
    """
    loud = np.concatenate([np.full(count * FRAME, 0.2 if on else 0.002) for count, on in parts])
    time = np.arange(len(loud)) / RATE
    return (loud * np.sin(2 * np.pi * 500 * time)).astype(np.float32)


def feed(
    samples: Samples, cuts: list[int] | None = None, pts_us: int | None = 0, **params: Any
) -> list[Emit]:
    node = SpeculativeVADGate(make_params(SpeculativeVADGate, params))
    samples = np.atleast_2d(samples)
    edges = range(320, samples.shape[1], 320) if cuts is None else cuts
    out: list[Emit] = []
    for piece, start in zip(np.split(samples, edges, axis=1), [0, *edges], strict=True):
        stamp = None if pts_us is None else pts_us + start * 1_000_000 // RATE
        result = node.process(Audio(piece, RATE, stamp, "mic"))
        out += [] if result is None else result if isinstance(result, list) else [result]
    return [*out, *node.finish()]


def events(items: list[Emit]) -> list[tuple[object, ...]]:
    """Event, state and time at which it was known, ms."""
    values = [item.data.value for item in items if isinstance(item.data, Json)]
    assert all(isinstance(value, dict) for value in values)
    return [(v["event"], v["state"], v["known_us"] / 1000) for v in values]  # type: ignore[index,call-overload]


def cancels(items: list[Emit]) -> list[CancelSpeculation]:
    read = [read_message(item.data) for item in items if isinstance(item.data, Control)]
    return [message for message in read if isinstance(message, CancelSpeculation)]


def passed(items: list[Emit]) -> list[Audio]:
    return [item.data for item in items if isinstance(item.data, Audio)]


def test_speech_goes_on_at_once_and_is_confirmed() -> None:
    x = sound((100, False), (40, True), (60, False))
    items = feed(x)
    assert events(items) == [
        ("start", "speculative", 1050),
        ("confirm", "confirmed", 1250),
        ("end", "confirmed", 1500),
    ]
    assert cancels(items) == []
    blocks = passed(items)
    joined = np.concatenate([block.samples[0] for block in blocks])
    np.testing.assert_array_equal(joined, x[13_600 : 140 * FRAME + 480])
    assert blocks[0].pts_us == 850_000
    assert [b.pts_us for b in blocks[1:]] == [a.pts_us + a.duration_us for a in blocks[:-1]]  # type: ignore[operator]
    end = items[-1].data
    assert isinstance(end, Json)
    assert end.value == {
        "event": "end",
        "state": "confirmed",
        "segment": 1,
        "start_sample": 13_600,
        "end_sample": 22_880,
        "start_us": 850_000,
        "end_us": 1_430_000,
        "duration_us": 580_000,
        "reason": "silence",
        "known_us": 1_500_000,
    }
    assert (end.pts_us, end.stream_id) == (1_430_000, "mic")


def test_audio_comes_out_with_the_block_that_completes_its_frame() -> None:
    x = sound((100, False), (40, True), (60, False))
    node = SpeculativeVADGate()
    first: dict[int, int] = {}
    for number, block in enumerate(np.split(x, len(x) // FRAME)):
        result = node.process(Audio(block, RATE, number * 10_000))
        items = [] if result is None else result if isinstance(result, list) else [result]
        for audio in passed(items):
            assert audio.pts_us is not None
            for k in range(audio.pts_us // 10_000, (audio.pts_us + audio.duration_us) // 10_000):
                first[k] = number
    # From 150 ms before the sound to 30 ms after it; 50 ms of sound open the gate.
    assert first == {k: max(k, 104) for k in range(85, 143)}


@pytest.mark.parametrize(
    ("loud", "until_ms", "known_ms"),
    [
        (12, 1150, 1220),  # no sound for 100 ms
        (6, 1090, 1120),  # the frames that follow make up for it
        (24, 1270, 1340),
    ],
)
def test_a_cough_is_taken_back(loud: int, until_ms: int, known_ms: int) -> None:
    items = feed(sound((100, False), (loud, True), (60, False)))
    assert events(items) == [
        ("start", "speculative", 1050),
        ("end", "cancelled", known_ms),
    ]
    assert cancels(items) == [CancelSpeculation(850_000, until_ms * 1000, "too_short")]
    assert sum(block.frames for block in passed(items)) == (until_ms - 850) * 16
    *_, before, control, end = items
    assert isinstance(before.data, Audio)
    assert isinstance(end.data, Json)
    assert isinstance(control.data, Control)
    assert (control.data.segment_id, control.data.stream_id) == ("1", "mic")
    assert (control.data.pts_us, control.data.timestamp_ms) == (850_000, 0)


def test_a_click_passes_nothing() -> None:
    assert feed(sound((100, False), (4, True), (60, False))) == []


def test_what_stays_undecided_is_taken_back_in_the_end() -> None:
    flicker = [(1, bool(k % 2)) for k in range(200)]
    items = feed(sound((100, False), (5, True), *flicker))
    assert events(items)[1] == ("end", "cancelled", 1000 + 4 * 250 + 10)


def test_what_is_undecided_at_the_end_is_taken_back() -> None:
    items = feed(np.concatenate([sound((100, False), (12, True)), np.ones(70, np.float32)]))
    assert events(items)[-1] == ("end", "cancelled", 1_124.375)
    assert cancels(items) == [CancelSpeculation(850_000, 1_120_000, "end_of_input")]


def test_speech_at_the_end_is_kept() -> None:
    items = feed(sound((100, False), (30, True)))
    assert events(items)[-1] == ("end", "confirmed", 1300)
    assert cancels(items) == []


def test_a_pause_waits_until_sound_goes_on() -> None:
    x = sound((100, False), (30, True), (8, False), (10, True), (60, False))
    items = feed(x)
    assert [event for event, *_ in events(items)] == ["start", "confirm", "end"]
    joined = np.concatenate([block.samples[0] for block in passed(items)])
    np.testing.assert_array_equal(joined, x[13_600 : 148 * FRAME + 480])


@pytest.mark.parametrize(
    ("params", "known"),
    [
        ({"lookahead_ms": 0}, [1010, 1250]),
        ({"min_speech_ms": 20}, [1050, 1050]),
        ({"lookahead_ms": 100, "min_speech_ms": 300}, [1100, 1300]),
    ],
)
def test_when_it_opens_and_when_it_is_sure(params: dict[str, int], known: list[int]) -> None:
    items = feed(sound((100, False), (40, True), (60, False)), **params)
    assert [ms for *_, ms in events(items)[:2]] == known


@pytest.mark.parametrize(("threshold", "found"), [(0.4, True), (0.6, False)])
def test_the_threshold_is_fourteen_decibels_at_one(threshold: float, found: bool) -> None:
    quiet, loud = (sound((count, False)) for count in (100, 40))
    louder = loud * np.float32(10 ** (7 / 20))
    assert bool(feed(np.concatenate([quiet, louder]), vad_threshold=threshold)) is found


def test_without_time_stamps_it_makes_some() -> None:
    x = sound((100, False), (12, True), (60, False))
    stamped, bare = feed(x), feed(x, pts_us=None)
    assert cancels(bare) == cancels(stamped)
    assert [b.pts_us for b in passed(bare)] == [b.pts_us for b in passed(stamped)]


def test_a_gap_makes_two_runs() -> None:
    x = sound((100, False), (12, True), (60, False))
    node = SpeculativeVADGate()
    cut = 106 * FRAME
    first = node.process(Audio(x[:cut], RATE, 0))
    second = node.process(Audio(x[cut:], RATE, 1_560_000))
    assert cancels([*first, *second]) == [
        CancelSpeculation(850_000, 1_060_000, "too_short"),
        CancelSpeculation(1_560_000, 1_650_000, "too_short"),
    ]


PATTERN = st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=8)


@settings(max_examples=60)
@given(PATTERN, st.lists(st.integers(0, 60_000), max_size=12).map(sorted), st.booleans())
def test_what_is_not_taken_back_is_what_was_confirmed(
    pattern: list[tuple[int, bool]], cuts: list[int], stereo: bool
) -> None:
    x = sound((60, False), *pattern)
    given_samples = np.stack([x, x[::-1] * np.float32(0.001)]) if stereo else x
    cuts = [cut for cut in cuts if cut <= len(x)]
    items = feed(given_samples, cuts)
    whole = feed(given_samples, [])
    assert [(i.port, i.data.equals(j.data)) for i, j in zip(items, whole, strict=True)] == [
        (j.port, True) for j in whole
    ]
    kept = np.zeros(len(x), int)
    at = 0
    for block in passed(items):
        assert block.pts_us is not None
        start = round(block.pts_us * RATE / 1e6)
        assert start >= at  # nothing twice
        at = start + block.frames
        np.testing.assert_array_equal(block.samples[0], x[start:at])
        kept[start:at] += 1
    for message in cancels(items):
        span = slice(round(message.from_us * RATE / 1e6), round(message.to_us * RATE / 1e6))
        assert (kept[span] == 1).all()
        kept[span] -= 1
    expected = np.zeros(len(x), int)
    for item in items:
        if isinstance(item.data, Json):
            value: Any = item.data.value
            if (value["event"], value["state"]) == ("end", "confirmed"):
                expected[value["start_sample"] : value["end_sample"]] = 1
    np.testing.assert_array_equal(kept, expected)


def test_events_of_one_segment_follow_each_other() -> None:
    speech = np.load(GOLDEN / "speech.npy").astype(np.float32) / 2**15
    node = SpeculativeVADGate(min_speech_ms=400)
    result = node.process(Audio(speech, 8000, 0))
    names = [event for event, *_ in events([*result, *node.finish()])]
    assert names.count("start") == names.count("end") >= 5
    assert ("start", "start") not in pairwise(names)
    assert names.count("confirm") + len(cancels(result)) == names.count("start")


def test_speech_of_a_reading_is_let_through() -> None:
    speech = np.load(GOLDEN / "speech.npy").astype(np.float32) / 2**15
    expected = json.loads((GOLDEN / "speech.json").read_text())["expected"]  # by Silero VAD
    node = SpeculativeVADGate(speech_pad_ms=100)
    ours, theirs = np.zeros((2, len(speech)), bool)
    for block in passed(node.process(Audio(speech, 8000, 0))):
        assert block.pts_us is not None
        start = round(block.pts_us * 8000 / 1e6)
        ours[start : start + block.frames] = True
    for start, end in expected:
        theirs[start:end] = True
    assert np.sum(theirs & ~ours) < 0.08 * np.sum(theirs)
    assert ours.mean() < 0.9


def test_reset_forgets() -> None:
    x = sound((100, False), (40, True))
    node = SpeculativeVADGate()
    node.process(Audio(x, RATE))
    node.reset()
    assert list(node.finish()) == []
    again = node.process(Audio(x, RATE, 0, "mic"))
    assert [i.data.equals(j.data) for i, j in zip(again, feed(x, [])[:-1], strict=True)] == [
        True for _ in again
    ]


def test_what_is_held_is_bounded() -> None:
    node = SpeculativeVADGate()
    second = sound((30, False), (12, True), (58, False))
    for number in range(60):
        node.process(Audio(second, RATE, number * 1_000_000))
    (stream,) = node._streams.values()
    assert len(stream._held) <= 15 + 10 + 2
    assert stream._runs == []


def test_a_rate_that_is_said_is_the_only_one() -> None:
    def accepted(**params: object) -> str:
        return str(SpeculativeVADGate.input_ports(make_params(SpeculativeVADGate, params))["in"])

    assert accepted() == "audio(sample_rate=4000..768000, format=F32)"
    assert accepted(sample_rate=16_000) == "audio(sample_rate=16000, format=F32)"
    with pytest.raises(DataError, match="at least 4000 Hz, not 3000"):
        SpeculativeVADGate().process(Audio(np.zeros(9, np.float32), 3000))


def test_names_of_the_reference_system_are_understood() -> None:
    given = {"min_speech_duration_ms": 300, "minSilenceDurationMs": 90, "speech_pad_ms": 20}
    params = make_params(SpeculativeVADGate, {**given, "threshold": 0.25})
    assert isinstance(params, SpeculativeVADGate.Params)
    assert (params.min_speech_ms, params.min_silence_ms, params.speech_pad_ms) == (300, 90, 20)
    assert params.vad_threshold == 0.25
    with pytest.raises(ParamsError, match="vad_threshold"):
        make_params(SpeculativeVADGate, {"vad_threshold": 1.5})
