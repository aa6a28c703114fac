"""SpeculativeAudioCommit and AudioBufferAccumulator: every sample is the number of its place."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from remotemedia import Pipeline
from remotemedia.data import Audio, Control, Data, Json
from remotemedia.data.messages import BatchHint, CancelSpeculation
from remotemedia.errors import DataError
from remotemedia.manifest import Queue
from remotemedia.node import make_params
from remotemedia.nodes.speech.audio_buffer import AudioBufferAccumulator
from remotemedia.nodes.speech.audio_commit import SpeculativeAudioCommit
from remotemedia.nodes.speech.utterance import MAX_EVENTS
from remotemedia.testing import VirtualClock

RATE = 1000  # Hz: a sample is a millisecond
ORIGIN_US = 7_000_000
Samples = np.ndarray[Any, np.dtype[np.float32]]
Said = tuple[int, Data]
"""When it is known, ms, and what is said."""


def start(at: int, known: int | None = None) -> Said:
    value = {"event": "start", "start_us": ORIGIN_US + at * 1000}
    return _said(at, value, known)


def end(first: int, at: int, known: int | None = None, state: str = "confirmed") -> Said:
    times = {"start_us": ORIGIN_US + first * 1000, "end_us": ORIGIN_US + at * 1000}
    return _said(at, {"event": "end", "state": state, **times}, known)


def _said(at: int, value: dict[str, object], known: int | None) -> Said:
    if known is not None:
        value["known_us"] = ORIGIN_US + known * 1000
    return (at if known is None else known), Json(value, stream_id="mic")


def cancel(first: int, last: int, known: int) -> Said:
    message = CancelSpeculation(ORIGIN_US + first * 1000, ORIGIN_US + last * 1000)
    return known, message.to_control(stream_id="mic")


def ramp(frames: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    return np.arange(1, frames + 1, dtype=np.int32)


def run(
    frames: int,
    *said: Said,
    cuts: list[int] | None = None,
    early: bool = False,
    node: SpeculativeAudioCommit | None = None,
    **params: object,
) -> list[Audio]:
    """Audio in blocks; what is said comes with the block by which it is known, or before that."""
    if node is None:
        node = SpeculativeAudioCommit(make_params(SpeculativeAudioCommit, params))
    edges = [0, *(range(20, frames, 20) if cuts is None else cuts), frames]
    left = list(said)
    out: list[Audio] = []

    def say(until: int) -> None:
        while left and left[0][0] <= until:
            data = left.pop(0)[1]
            port = "control" if isinstance(data, Control) else "segments"
            assert node.process(data, port) is None

    for first, last in pairwise(edges):
        if early:
            say(last)
        block = Audio(ramp(frames)[first:last], RATE, ORIGIN_US + first * 1000, "mic")
        out += _listed(node.process(block, "in"))
        say(last)
    return out + list(node.finish())


def _listed(result: Any) -> list[Any]:
    return [] if result is None else result if isinstance(result, list) else [result]


def spans(utterances: list[Audio]) -> list[tuple[int, int]]:
    """First and last + 1 of each, by its samples; its time stamp has to say the same."""
    found = []
    for audio in utterances:
        assert audio.pts_us is not None
        assert audio.stream_id == "mic"
        first = (audio.pts_us - ORIGIN_US) // 1000
        expected = np.arange(first + 1, first + 1 + audio.frames)
        assert set(np.flatnonzero(audio.samples[0] != expected)) <= set(
            np.flatnonzero(audio.samples[0] == 0)
        )
        found.append((first, first + audio.frames))
    return found


def test_an_utterance_is_emitted_when_so_much_audio_has_passed() -> None:
    node = SpeculativeAudioCommit()
    came = []
    for first in range(0, 5000, 20):
        if first == 1000:
            node.process(start(900)[1], "segments")
        if first == 2100:
            node.process(end(900, 2000)[1], "segments")
        block = Audio(ramp(5000)[first : first + 20], RATE, ORIGIN_US + first * 1000, "mic")
        came += [(first, audio) for audio in _listed(node.process(block, "in"))]
    ((at, audio),) = came
    assert at == 2000 + 1500
    assert spans([audio]) == [(700, 2000)]
    assert list(node.finish()) == []


@pytest.mark.parametrize(
    ("resumed_at", "expected"),
    [(3499, [(800, 4000)]), (3500, [(800, 2000), (3300, 4000)])],
)
def test_a_short_pause_belongs_to_it(resumed_at: int, expected: list[tuple[int, int]]) -> None:
    said = [start(1000), end(1000, 2000), start(resumed_at), end(resumed_at, 4000)]
    assert spans(run(8000, *said)) == expected


def test_what_counts_is_when_a_start_was_known() -> None:
    said = [start(1000), end(1000, 2000), start(3300, known=3550), end(3300, 4000)]
    assert spans(run(8000, *said)) == [(800, 2000), (3100, 4000)]
    said[2] = start(3200, known=3450)
    assert spans(run(8000, *said)) == [(800, 4000)]


def test_the_pre_roll_does_not_reach_into_the_utterance_before() -> None:
    said = [start(1000), end(1000, 2000), start(2150), end(2150, 3000)]
    found = run(5000, *said, commit_delay_ms=100)
    assert spans(found) == [(800, 2000), (2000, 3000)]
    assert [audio.metadata for audio in found] == [None, None]
    later = run(5000, *said[:2], start(2500), end(2500, 3000), commit_delay_ms=100)
    assert spans(later)[1] == (2300, 3000)
    assert later[1].metadata == {"gap_us": 300_000}


def test_too_short_is_none() -> None:
    assert run(5000, start(1000), end(1000, 1249)) == []
    assert spans(run(5000, start(1000), end(1000, 1250))) == [(800, 1250)]
    both = [start(1000), end(1000, 1100), start(2000), end(2000, 2150)]
    assert spans(run(5000, *both)) == [(800, 2150)]  # together they are 250 ms


def test_a_long_one_is_emitted_in_parts_without_a_seam() -> None:
    found = run(12_000, start(1000), end(1000, 9100), max_utterance_ms=3000)
    assert spans(found) == [(800, 3800), (3800, 6800), (6800, 9100)]
    found = run(12_000, start(1000), end(1000, 6900), max_utterance_ms=3000)
    assert spans(found) == [(800, 3800), (3800, 6800), (6800, 6900)]  # the rest is kept


def test_what_starts_beyond_the_longest_is_a_new_one() -> None:
    said = [start(1000), end(1000, 3700), start(4000), end(4000, 4500)]
    assert spans(run(9000, *said, max_utterance_ms=3000)) == [(800, 3700), (3800, 4500)]


def test_the_end_of_input_ends_it() -> None:
    assert spans(run(3000, start(1000))) == [(800, 3000)]
    assert spans(run(3000, start(1000), end(1000, 2000))) == [(800, 2000)]
    assert run(3000) == []


# -- what is cancelled ---------------------------------------------------------------------------


def test_a_cough_alone_is_no_utterance() -> None:
    cough = [start(1000, 1050), cancel(1000, 1400, 1500), end(1000, 1400, 1500, "cancelled")]
    for said in (cough, [cough[0], cough[2]]):
        assert run(1600 + 5000, *said, start(3500), end(3500, 4000))[0].pts_us == ORIGIN_US + (
            3_300_000
        )


@pytest.mark.parametrize("parts", [{0, 1, 2}, {0, 2}, {1, 2}, {1}])
def test_a_cough_after_speech_does_not_delay_or_prolong_it(parts: set[int]) -> None:
    cough = [start(2500, 2550), cancel(2500, 2900, 3000), end(2500, 2900, 3000, "cancelled")]
    said = [start(1000), end(1000, 2000), *(cough[part] for part in sorted(parts))]
    (audio,) = run(6000, *said)
    assert spans([audio]) == [(800, 2000)]


def test_a_cough_within_an_utterance_is_silent() -> None:
    cough = [start(2500, 2550), cancel(2500, 2900, 3000), end(2500, 2900, 3000, "cancelled")]
    said = [start(1000), end(1000, 2000), *cough, start(3200), end(3200, 4000)]
    (audio,) = run(6000, *said)
    assert spans([audio]) == [(800, 4000)]
    silent = np.flatnonzero(audio.samples[0] == 0) + 800
    np.testing.assert_array_equal(silent, np.arange(2500, 2900))


def test_a_part_of_a_segment_can_be_cancelled() -> None:
    said = [start(1000), cancel(500, 1200, 1300), end(1000, 2000), cancel(1800, 2500, 2600)]
    (audio,) = run(6000, *said)
    assert spans([audio]) == [(1000, 1800)]
    assert (audio.samples[0, :200] == 0).all()
    assert (audio.samples[0, 200:] != 0).all()


def test_what_has_been_emitted_stays() -> None:
    said = [start(1000), end(1000, 2000), cancel(1000, 2000, 4000)]
    assert spans(run(6000, *said)) == [(800, 2000)]


# -- how it comes --------------------------------------------------------------------------------

TURNS = st.lists(
    st.tuples(st.integers(1, 1200), st.integers(1, 900), st.sampled_from([0, 1, 2])), max_size=6
)


@settings(max_examples=150)
@given(TURNS, st.lists(st.integers(0, 9000), max_size=8).map(sorted), st.booleans())
def test_no_sample_is_lost_or_repeated_however_it_is_cut(
    turns: list[tuple[int, int, int]], cuts: list[int], early: bool
) -> None:
    said, at, cancelled, in_doubt = [], 300, set(), []
    for pause, length, fate in turns:
        first, last = at + pause, at + pause + length
        at = last + 100
        said.append(start(first, first + 60))
        if fate == 2:
            said.append(cancel(first, last, at))
            cancelled |= set(range(first, last))
            in_doubt.append((first, at))
        said.append(end(first, last, at, "cancelled" if fate == 2 else "confirmed"))
    frames = at + 2000
    params = {"commit_delay_ms": 500, "max_utterance_ms": 1500, "min_utterance_ms": 0}
    whole = run(frames, *said, cuts=[], **params)
    cut = run(frames, *said, cuts=[c for c in cuts if c < frames], early=early, **params)
    # What was emitted stays: if its greatest length ends an utterance within what is taken back
    # later, it depends on the blocks whether it was taken back before.
    longest = [last for first, last in spans(whole) + spans(cut) if last - first == 1500]
    taken_back = [(f, k) for f, k in in_doubt if any(f < last <= k for last in longest)]
    assume(not taken_back)
    assert [a.equals(b) for a, b in zip(cut, whole, strict=True)] == [True] * len(whole)
    reached = 0
    heard = set()
    for (first, last), audio in zip(spans(cut), cut, strict=True):
        assert first >= reached
        reached = last
        silent = {first + k for k in np.flatnonzero(audio.samples[0] == 0)}
        assert silent == cancelled & set(range(first, last))
        heard |= set(range(first, last))
    at = 300
    for pause, length, fate in turns:
        spoken = set(range(at + pause, at + pause + length))
        assert fate == 2 or spoken <= heard
        at += pause + length + 100


def test_what_is_taken_back_further_on_does_not_count_against_the_rest() -> None:
    """A commit by the greatest length, before what is left of a segment that is taken back."""
    said = [start(301), end(301, 302), start(704, 764), cancel(704, 1604, 1704)]
    said += [end(704, 1604, 1704, "cancelled")]
    params = {"commit_delay_ms": 500, "max_utterance_ms": 1500, "min_utterance_ms": 0}
    (audio,) = run(4000, *said, cuts=[], **params)
    assert spans([audio])[0][0] == 101
    assert audio.samples[0, 301 - 101] == 302


def conversation() -> Samples:
    """Speech, a cough, speech after 0.2 s; and other speech after 1.9 s; over soft noise."""
    loud = np.full(48_000 * 4, 0.001)
    for first, last in [(16_000, 30_400), (38_400, 40_000), (43_200, 70_400), (100_800, 129_600)]:
        loud[first:last] = 0.2
    return (np.random.default_rng(3).uniform(-1, 1, len(loud)) * loud).astype(np.float32)


def check_conversation(utterances: list[Data]) -> None:
    x = conversation()
    # 350 ms before the first sound (look-back, pre-roll) to 30 ms after the last.
    expected = [(16_000 - 350 * 16, 70_400 + 30 * 16), (100_800 - 350 * 16, 129_600 + 30 * 16)]
    for audio, (first, last) in zip(utterances, expected, strict=True):
        assert isinstance(audio, Audio)
        silent = np.flatnonzero(audio.samples[0] != x[first:last]) + first
        assert set(silent) <= set(range(38_400 - 150 * 16, 40_000 + 30 * 16))
        assert len(silent) == (280 * 16 if first < 38_400 else 0)


def gated(audio_first: bool, queue: Queue | None = None) -> Pipeline:
    pipeline = Pipeline()
    pipeline.add("PassThrough", "mic")
    pipeline.add("SpeculativeVADGate", "vad")
    pipeline.add("SpeculativeAudioCommit", "commit", commit_delay_ms=1000)
    for target in ("commit", "vad") if audio_first else ("vad", "commit"):
        pipeline.connect("mic", target, queue=queue)
    for port in ("segments", "control"):
        pipeline.connect(f"vad:{port}", f"commit:{port}", queue=queue)
    return pipeline


@pytest.mark.parametrize("size", [160, 1000, 8000, 48_000])
@pytest.mark.parametrize("audio_first", [True, False])
def test_neither_blocks_nor_the_order_of_connections_matter(size: int, audio_first: bool) -> None:
    x = conversation()
    blocks = [Audio(block, 16_000) for block in np.split(x, range(size, len(x), size))]
    packets = gated(audio_first).run(blocks)
    check_conversation([packet.data for packet in packets if packet.node == "commit"])


@pytest.mark.parametrize("capacity", [1, 5, 64])
async def test_nor_do_queues(capacity: int, clock: VirtualClock) -> None:
    x = conversation()
    blocks = [
        Audio(block, 16_000, number * 10_000)
        for number, block in enumerate(np.split(x, range(160, len(x), 160)))
    ]
    pipeline = gated(True, Queue(capacity=capacity))
    async with pipeline.session(clock=clock) as session:
        packets = [packet async for packet in session.stream(blocks)]
    check_conversation([packet.data for packet in packets if packet.node == "commit"])


def test_a_gap_becomes_silence_and_a_long_one_an_end() -> None:
    def feed(*blocks: Audio) -> list[Audio]:
        node = SpeculativeAudioCommit()
        node.process(start(100)[1], "segments")
        out = [audio for block in blocks for audio in _listed(node.process(block, "in"))]
        return [*out, *node.finish()]

    first = Audio(ramp(1000), RATE, ORIGIN_US, "mic")
    second = Audio(ramp(3000)[2000:], RATE, ORIGIN_US + 2_000_000, "mic")
    (audio,) = feed(first, second)
    assert spans([audio]) == [(0, 3000)]
    np.testing.assert_array_equal(np.flatnonzero(audio.samples[0] == 0), np.arange(1000, 2000))
    late = Audio(ramp(4000)[3001:], RATE, ORIGIN_US + 3_001_000, "mic")
    assert spans(feed(first, late)) == [(0, 1000), (3001, 4000)]
    back = Audio(ramp(900), RATE, ORIGIN_US, "mic")
    assert spans(feed(first, back)) == [(0, 1000), (0, 900)]
    other = Audio(ramp(1500)[1000:].astype(np.float32), RATE, ORIGIN_US + 1_000_000, "mic")
    assert spans(feed(first, other)) == [(0, 1000), (1000, 1500)]


def test_streams_belong_to_what_is_said_of_them() -> None:
    node = SpeculativeAudioCommit()
    node.process(start(100)[1], "segments")
    for stream_id in ("mic", "other", None):
        node.process(Audio(ramp(1000), RATE, ORIGIN_US, stream_id), "in")
    assert spans(list(node.finish())) == [(0, 1000)]


def test_other_things_that_are_said_are_passed_over() -> None:
    node = SpeculativeAudioCommit()
    for data in (Json([1]), Json({"event": "level"}), Json({"event": "confirm", "start_us": 1})):
        node.process(data, "segments")
    for control in (Control("barge_in"), BatchHint(3).to_control()):
        node.process(control, "control")
    with pytest.raises(DataError, match="event 'end' of a segment must have end_us"):
        node.process(Json({"event": "end", "start_us": 1}), "segments")
    with pytest.raises(DataError, match="to_us is missing"):
        node.process(Control("CancelSpeculation", {"from_us": 1}), "control")


def test_reset_forgets() -> None:
    node = SpeculativeAudioCommit()
    node.process(start(100)[1], "segments")
    node.process(Audio(ramp(1000), RATE, ORIGIN_US, "mic"), "in")
    node.reset()
    assert run(1000, node=node) == []


def test_what_is_held_is_bounded() -> None:
    node = SpeculativeAudioCommit(max_utterance_ms=1000, commit_delay_ms=500)
    rate = 8000

    def held() -> tuple[int, int]:
        (stream,) = node._streams.values()
        arrays = [piece for _, piece in stream._pieces] + stream._short
        return len(arrays), sum(array.shape[1] for array in arrays)

    most = (0, 0)
    for number in range(16_000):
        node.process(Audio(np.zeros(10, np.float32), rate, number * 1250), "in")
        if number == 4000:
            node.process(Json({"event": "start", "start_us": 5_000_000}), "segments")
        most = max(most[0], held()[0]), max(most[1], held()[1])
    assert most[0] < 102 + 80
    assert most[1] <= (10_000 + 200 + 100 + 100) * rate // 1000
    for _ in range(300):
        node.process(CancelSpeculation(1, 2).to_control(), "control")
    far = Json({"event": "start", "start_us": 10**9}, stream_id="far")
    for _ in range(MAX_EVENTS):
        node.process(far, "segments")
    with pytest.raises(DataError, match="wait for the audio that they are about: connect it to"):
        node.process(far, "segments")


def test_a_start_that_is_heard_of_very_late_tells_what_is_gone() -> None:
    node = SpeculativeAudioCommit()
    for first in range(0, 20_000, 1000):
        block = Audio(ramp(20_000)[first : first + 1000], RATE, ORIGIN_US + first * 1000, "mic")
        node.process(block, "in")
    # Looked at were 19 s, of which 10 s and the pre-roll are kept, in blocks of 1 s.
    node.process(start(8_000, known=18_000)[1], "segments")
    node.process(end(8_000, 9_500, known=18_000)[1], "segments")
    with pytest.raises(DataError, match=r"6000 ms of the audio .* \(from 9000000 µs on\)"):
        node.process(start(2_000, known=19_500)[1], "segments")
    assert spans(list(node.finish())) == [(8_000, 9_500), (9_500, 20_000)]


def test_what_was_known_long_ago_uses_what_is_there() -> None:
    found = run(19_000, start(1000, known=15_000), end(1000, 16_000), cuts=[], early=True)
    assert spans(found) == [(4800, 16_000)]


def test_bytes_are_silent_at_128() -> None:
    node = SpeculativeAudioCommit(min_utterance_ms=0)
    node.process(start(0)[1], "segments")
    node.process(cancel(10, 20, 20)[1], "control")
    node.process(Audio(np.full(1000, 7, np.uint8), RATE, ORIGIN_US, "mic"), "in")
    (audio,) = node.finish()
    np.testing.assert_array_equal(np.flatnonzero(audio.samples[0] == 128), np.arange(10, 20))


def test_the_accumulator_emits_each_segment() -> None:
    node = AudioBufferAccumulator()
    said = [
        start(1000),
        end(1000, 2000),
        start(2100),
        end(2100, 2200),
        start(2300),
        end(2300, 2600),
    ]
    assert spans(run(5000, *said, node=node)) == [(1000, 2000), (2300, 2600)]
    parts = AudioBufferAccumulator(max_utterance_ms=600)
    assert spans(run(5000, *said[:2], node=parts)) == [(1000, 1600), (1600, 2000)]


def test_names_of_the_reference_system_are_understood() -> None:
    given = {"min_utterance_duration_ms": 100, "maxUtteranceDurationMs": 5000}
    params = make_params(SpeculativeAudioCommit, given)
    assert isinstance(params, SpeculativeAudioCommit.Params)
    assert (params.min_utterance_ms, params.max_utterance_ms) == (100, 5000)
    assert make_params(AudioBufferAccumulator, given)
