"""What WakeWord lets out after a word, in gaps and behind a detector."""

from __future__ import annotations

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.data import Audio, Json
from remotemedia.node import Emit
from wake_words import (
    NAMES,
    RATE,
    US,
    audio_of,
    cut,
    joined,
    opened,
    run,
    say,
    segments_of,
    silence,
    words_of,
)


@pytest.mark.parametrize("size", [320, 4001, 10**6])
def test_what_follows_is_let_out(size: int) -> None:
    samples = joined(silence(0.3), say("Hey Jarvis, what time is it?"), silence(3))
    blocks = cut(samples, size, start_us=5 * US)
    outputs = run(blocks, listen_ms=1500)
    (event,) = words_of(outputs)
    end = event["end_sample"]
    assert event["end_us"] == 5 * US + end * US // RATE
    assert set(event) == {"event", "word", "score", "end_sample", "end_us"}
    assert (event["event"], event["word"]) == ("wake_word", "hey_jarvis")
    json = next(each for each in outputs if isinstance(each, Json))
    assert json.value == event
    assert json.pts_us == event["end_us"]
    first = next(each for each in outputs if isinstance(each, Audio))
    assert outputs.index(json) < outputs.index(first)
    assert first.pts_us == event["end_us"]
    np.testing.assert_array_equal(audio_of(outputs), samples[end : end + RATE * 3 // 2])
    flags = [each.samples.flags for each in outputs if isinstance(each, Audio)]
    assert all(each.c_contiguous and not each.writeable for each in flags)
    # Nobody is listened to for no time.
    assert audio_of(run(blocks, listen_ms=0)).size == 0


def test_another_word_begins_it_anew() -> None:
    samples = joined(silence(0.5), say("Hey Jarvis!"), say("Alexa!"), silence(4))
    outputs = run(cut(samples, 700), words=["hey_jarvis", "alexa"], listen_ms=2000)
    first, second = (each["end_sample"] for each in words_of(outputs))
    assert first < second < first + 2 * RATE
    np.testing.assert_array_equal(audio_of(outputs), samples[first : second + 2 * RATE])


@pytest.mark.parametrize("pause_s", [0.01, 0.3, 1.7, 2.5, 60, 1e5])
def test_a_gap_is_silence(pause_s: float) -> None:
    """Events come at the times that they have where the silence is there; those in it before it."""
    before, after = say("Hey Jarvis!"), say("Alexa, stop. Hey Jarvis!")
    before = before[: np.flatnonzero(abs(before) > 0.02)[-1]]  # the word, and nothing behind it
    before = before[: len(before) // 16 * 16]  # in whole µs
    after = after[np.flatnonzero(abs(after) > 0.02)[0] :]
    words = ["hey_jarvis", "alexa"]
    resumed_us = len(before) * US // RATE + round(pause_s * US)
    gap = [*cut(before, 400, 0), *cut(after, 400, resumed_us)]
    filled = joined(before, silence(min(pause_s, 60)), after)
    found = words_of(run(gap, words=words))
    expected = words_of(run(cut(filled, 400, 0), words=words))
    assert [each["word"] for each in found] == ["hey_jarvis", "alexa", "hey_jarvis"]
    ended_us = len(before) * US // RATE
    times = []
    for each in expected:  # in the silence is no sample, and longer than 60 s it is not there
        late = pause_s - min(pause_s, 60)
        in_it = ended_us < each["end_us"] <= resumed_us - late * US
        later = round(late * US) if each["end_us"] > ended_us else 0
        times.append(ended_us if in_it else each["end_us"] + later)
    assert [each["end_us"] for each in found] == times
    assert [each["score"] for each in found] == [each["score"] for each in expected]


def after_a_word(parts: list[tuple[float, float]], **params: object) -> list[Audio]:
    """What is let out of a word and of parts after it: silence before each, s, and its length."""
    word = joined(silence(0.5), say("Alexa!"))
    word = word[: np.flatnonzero(abs(word) > 0.02)[-1] // 16 * 16]
    blocks, at_us = cut(word, 800, 0), len(word) * US // RATE
    for number, (gap_s, seconds) in enumerate(parts, start=1):
        at_us += round(gap_s * US)
        blocks += cut(np.full(round(seconds * RATE), number / 100, np.float32), 800, at_us)
        at_us += round(seconds * US)
    outputs = run(blocks, words=["alexa"], **params)
    assert len(words_of(outputs)) == 1
    return [each for each in outputs if isinstance(each, Audio)]


def heard(blocks: list[Audio]) -> list[tuple[int, float]]:
    """Of each part, how long it was let out, s."""
    samples = np.round(np.concatenate([each.samples[0] for each in blocks]) * 100, 3)
    return [(part, (samples == part).sum() / RATE) for part in (1, 2, 3)]


def test_a_pause_ends_what_is_let_out() -> None:
    assert heard(after_a_word([(0.5, 1), (0.9, 1), (1.1, 1)])) == [(1, 1), (2, 1), (3, 0)]
    parts = [(0.5, 1), (0.9, 1)]
    assert heard(after_a_word(parts, pause_ms=800))[:2] == [(1, 1), (2, 0)]


def test_the_pause_after_the_word_may_be_longer() -> None:
    parts = [(3, 0.2), (1.5, 1), (1.1, 1)]
    assert heard(after_a_word(parts)) == [(1, 0.2), (2, 1), (3, 0)]


def test_time_goes_on_in_pauses() -> None:
    blocks = after_a_word([(0.5, 1), (0.5, 1), (0.5, 1)], listen_ms=3000)
    start_us, last = blocks[0].pts_us, blocks[-1]
    assert last.pts_us + last.frames * US // RATE == pytest.approx(start_us + 3 * US, abs=100)
    marked = [(each.metadata or {}).get("gap_us") for each in blocks]
    assert [each for each in marked if each] == [pytest.approx(500_000, abs=1)] * 2
    for each in blocks:
        if (each.metadata or {}).get("gap_us"):
            assert each.frames == 800
    # Nothing is left after a longer time.
    assert heard(after_a_word([(9, 1), (0.1, 1)])[:]) == [(1, 0), (2, 0), (3, 0)]


def test_time_that_jumps_back_begins_anew() -> None:
    word = say("Alexa!")
    blocks = [*cut(word, 800, 10 * US), *cut(word, 800, 0)]
    outputs = run(blocks, words=["alexa"])
    assert [each["word"] for each in words_of(outputs)] == ["alexa", "alexa"]
    ends = [each["end_us"] for each in words_of(outputs)]
    assert ends[0] > 10 * US
    assert ends[1] < len(word) * US / RATE
    audio = [each.pts_us for each in outputs if isinstance(each, Audio)]
    assert not [each for each in audio if each < ends[1]]


@pytest.fixture(scope="module")
def called() -> tuple[np.ndarray, int]:
    """A word and nothing behind it, and the sample at which it is over."""
    word = joined(silence(0.5), say("Alexa!"))
    word = word[: np.flatnonzero(abs(word) > 0.02)[-1] // 16 * 16]
    (event,) = words_of(run(cut(word, 800, 0), words=["alexa"]))
    return word, event["end_sample"]


def detected(start_us: int, end_us: int) -> Emit:
    """The end of a segment, as a detector says it."""
    value = {"event": "end", "segment": 1, "start_us": start_us, "end_us": end_us}
    return Emit("segments", Json(value))


def end_of(start: int, end: int, reason: str, **changes: int) -> dict[str, object]:
    """An event, of samples whose times begin at 0."""
    times = {"start_us": start * US // RATE, "end_us": end * US // RATE}
    value = {"event": "end", "segment": 1, "start_sample": start, "end_sample": end, **times}
    value["duration_us"] = value["end_us"] - value["start_us"]
    return {**value, "reason": reason, "known_us": value["end_us"], **changes}


def test_segments_without_a_detector(called: tuple[np.ndarray, int]) -> None:
    word, over = called
    samples = joined(word, silence(3))
    outputs = run(cut(samples, 800, 0), words=["alexa"], listen_ms=2000)
    start, end = segments_of(outputs)
    names = ("segment", "start_sample", "start_us")
    assert start == {
        "event": "start",
        **{name: end[name] for name in names},
        "known_us": start["start_us"],
    }
    until = over + 2 * RATE
    seen_us = end["known_us"]
    assert end == end_of(over, until, "listen_ms", known_us=seen_us)
    assert 0 <= seen_us - end["end_us"] <= 50_000
    ports = [each for each in outputs if not isinstance(each, Json) or each.value in (start, end)]
    assert ports[0].value == start
    assert ports[-1].value == end
    assert ports[0].pts_us == start["start_us"]
    assert ports[-1].pts_us == end["end_us"]
    # A gap ends one, too, and so does the end of input; each is told with the next that comes.
    more = cut(silence(1), 800, len(word) * US // RATE + 700_000)
    first, last = (
        each
        for each in segments_of(run([*cut(word, 800, 0), *more], words=["alexa"]))
        if each["event"] == "end"
    )
    assert first == end_of(over, len(word), "gap")
    assert (last["segment"], last["reason"]) == (2, "end_of_input")
    assert last["start_us"] == len(word) * US // RATE + 700_000
    assert last["duration_us"] == US


def test_a_detector_ends_segments_at_once(called: tuple[np.ndarray, int]) -> None:
    word, over = called
    ended_us = len(word) * US // RATE
    node = opened(words=["alexa"])
    outputs = [each for block in cut(word, 800, 0) for each in node.process(block) or ()]
    assert [each.port for each in outputs if each.port != "audio"] == ["words", "segments"]
    # Of before the word, and of after; of nobody; what is no end.
    assert node.process(detected(0, over * US // RATE - 1).data, "segments") == []
    assert node.process(detected(0, ended_us).data.replace(stream_id="x"), "segments") == []
    assert node.process(Json({"event": "start", "start_us": 0}), "segments") == []
    assert node.process(Json({"other": 1}), "segments") == []
    (end,) = node.process(detected(0, ended_us).data, "segments")
    assert end.port == "segments"
    assert end.data.value == end_of(over, len(word), "silence")
    assert node.process(detected(0, ended_us).data, "segments") == []
    # The next segment is ended by its own.
    block = Audio(silence(0.2), RATE, ended_us + 300_000)
    start, _ = node.process(block)
    assert start.data.value["segment"] == 2
    rounded = detected(ended_us + 300_000, ended_us + 500_001)
    (end,) = node.process(rounded.data, "segments")
    assert end.data.value["duration_us"] == 200_001
    assert end.data.value["end_sample"] == len(word) + RATE // 5
    assert list(node.finish()) == []
    node.close()


def test_events_of_a_detector_may_be_early_or_late(called: tuple[np.ndarray, int]) -> None:
    word, over = called
    rest = silence(1)
    samples = joined(word, rest)
    ended = len(word) + RATE // 2
    event = detected(0, ended * US // RATE)
    blocks = cut(samples, 800, 0)
    for at in (1, len(blocks)):
        outputs = run([*blocks[:at], event, *blocks[at:]], words=["alexa"])
        end = segments_of(outputs)[1]
        assert end | {"known_us": 0} == end_of(over, ended, "silence", known_us=0)
        np.testing.assert_array_equal(audio_of(outputs), samples[over:])


@pytest.mark.parametrize("word", NAMES)
def test_behind_a_vad(word: str) -> None:
    """The word is the first thing of a segment, and all of it."""
    draw = np.random.default_rng(2)
    samples = joined(silence(2), say(f"{NAMES[word]}!"), silence(1), say("What time is it?"))
    samples = joined(samples, silence(2))
    samples += 0.001 * draw.standard_normal(len(samples)).astype(np.float32)
    pipeline = rm.Pipeline()
    pipeline.add("SileroVAD", id="vad")
    pipeline.add("WakeWord", id="wake", words=[word])
    pipeline.connect("vad:audio", "wake")
    outputs = [packet for packet in pipeline.run(cut(samples, 320, 0)) if packet.node == "wake"]
    (event,) = [each.data.value for each in outputs if each.port == "words"]
    assert event["word"] == word
    question = 3 * US + len(say(f"{NAMES[word]}!")) * US // RATE
    assert 2 * US < event["end_us"] <= question
    audio = [each.data for each in outputs if isinstance(each.data, Audio)]
    seconds = sum(each.frames for each in audio if each.pts_us >= question - US // 10) / RATE
    assert seconds > 0.6  # of the question
