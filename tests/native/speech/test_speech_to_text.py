"""SpeechToText against the published book, read by somebody."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import wave
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from remotemedia.data import Audio, Data, Json, Text
from remotemedia.data.timeline import Timeline
from remotemedia.errors import ModelError, UnavailableError
from remotemedia.node import Emit, broken_contract, make_params
from remotemedia.nodes.analysis.energy_vad import EnergyVAD
from remotemedia.nodes.models.silero_vad import SileroVAD
from remotemedia.testing import VirtualClock, run_node
from remotemedia.testing.conformance import check_node, undescribed_params
from remotemedia_native.speech.speech_to_text import SpeechToText
from remotemedia_native.speech.transcript_stream import StableText, TranscriptStream
from remotemedia_native.speech.whisper import Heard, Whisper, WhisperOptions

pytest.importorskip("faster_whisper", reason="the extra 'asr' is not installed")

SCRIPTS = Path(__file__).parents[3] / "scripts"
RATE = 16_000

# Charles Dickens, A Tale of Two Cities (1859), book the first, chapter I: the first 60 words.
OPENING = """
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of
foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season of
Light, it was the season of Darkness, it was the spring of hope, it was the winter of despair,
"""


def words_of(text: str) -> list[str]:
    return re.sub(r"[^a-z' ]", " ", text.lower().replace("\n", " ")).split()


def errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Words to put in, leave out or change: of `said` to the beginning of `heard` like it most."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, 1):
        before, row = row, [i]
        for j, other in enumerate(heard, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (word != other)))
    return min(row)


def test_errors_are_counted() -> None:
    assert errors("a b c".split(), "a b c d e".split()) == 0
    assert errors("a b c".split(), "a x c".split()) == 1
    assert errors("a b c".split(), "b c".split()) == 1
    assert errors("a b c".split(), "a b x c".split()) == 1
    assert errors("a b c".split(), []) == 3
    assert len(words_of(OPENING)) == 60


def folder(script: str) -> Path:
    done = subprocess.run(
        [sys.executable, SCRIPTS / script], check=True, capture_output=True, text=True
    )
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def model() -> str:
    return str(folder("fetch_models.py") / "whisper-tiny.en")


@pytest.fixture(scope="module")
def opening() -> NDArray[np.float32]:
    """The first 30 s of the recording, resampled by scipy [shape=(n,), 16 kHz]."""
    signal = pytest.importorskip("scipy.signal")
    with wave.open(str(folder("fetch_recordings.py") / "two_cities.wav")) as file:
        assert (file.getframerate(), file.getnchannels()) == (48_000, 1)
        data = file.readframes(30 * 48_000)
    samples = np.frombuffer(data, np.int16).astype(np.float32) / 32768
    return np.asarray(signal.resample_poly(samples, 1, 3), np.float32)


def blocks(
    samples: NDArray[np.float32], size: int, first_us: int | None = None, **fields: Any
) -> list[Audio]:
    return [
        Audio(
            samples[at : at + size],
            RATE,
            None if first_us is None else first_us + at * 1_000_000 // RATE,
            **fields,
        )
        for at in range(0, len(samples), size)
    ]


def transcribe(inputs: Iterable[Any], **params: object) -> tuple[list[Text], list[dict[str, Any]]]:
    """The texts, and the values of the events."""
    given = [each if isinstance(each, Emit) else Emit("in", each) for each in inputs]
    outputs = run_node(SpeechToText, given, params=params).data
    return (
        [each for each in outputs if isinstance(each, Text)],
        [each.value for each in outputs if isinstance(each, Json)],  # type: ignore[misc]
    )


def detected(inputs: Iterable[Data], **params: object) -> list[Emit]:
    """What a detector makes of it, as `SpeechToText` is to be given it, in that order."""
    outputs = run_node(EnergyVAD, inputs, params=params).data
    return [Emit("in" if isinstance(each, Audio) else "segments", each) for each in outputs]


def check(texts: list[Text], events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What holds of any transcript; gives the finals."""
    finals = [event for event in events if event["event"] == "final"]
    assert [text.text for text in texts] == [event["text"] for event in finals if event["text"]]
    assert [t.pts_us for t in texts] == [event["start_us"] for event in finals if event["text"]]
    assert [event["segment"] for event in finals] == list(range(1, len(finals) + 1))
    for event in finals:
        words = event["words"]
        assert " ".join(word["text"] for word in words) == event["text"]
        times = [time for word in words for time in (word["start_us"], word["end_us"])]
        edges = [event["start_us"], *times, event["end_us"]]
        assert edges == sorted(edges)
        assert all(0 <= word["probability"] <= 1 for word in words)
    for before, after in pairwise(finals):
        assert before["end_us"] <= after["start_us"]
    return finals


def test_partials_lose_themselves_in_no_loop(model: str, opening: NDArray[np.float32]) -> None:
    """Of less than 30 s the network makes loops now and then: it does so here, of 6 s."""
    whisper = Whisper(Path(model), WhisperOptions("en", 5, "int8", 1))
    random = np.random.default_rng(1)
    for seconds in (1, 1.5, 2, 3, 4, 6, 8, 15, 29):
        for start in random.uniform(0, 30 - seconds, 3):
            samples = opening[int(start * RATE) :][: int(seconds * RATE)]
            # Nobody says more than five words a second here.
            assert len(words_of(whisper.text(samples))) <= 5 * seconds + 3
    assert words_of(whisper.text(opening[: 8 * RATE])) == words_of(OPENING)[:24]


class Slow:
    """A recogniser that takes its time, by the clock of the session."""

    def __init__(self, takes_us: int) -> None:
        self.takes_us = takes_us
        self.now_us = 0
        self.runs: list[int] = []

    def text(self, samples: NDArray[np.float32]) -> str:
        self.now_us += self.takes_us
        self.runs.append(len(samples) * 1000 // RATE)
        return "word"

    def words(self, samples: NDArray[np.float32]) -> list[Heard]:
        return []


@pytest.mark.parametrize(
    ("takes_ms", "runs"),
    [
        (200, [500, 1000, 1500, 2000, 2500, 3000]),
        (250, [500, 1000, 1500, 2000, 2500, 3000]),
        (500, [500, 1500, 2500]),
        (2000, [500]),
    ],
)
def test_partials_take_half_of_the_time_at_most(takes_ms: int, runs: list[int]) -> None:
    slow = Slow(takes_ms * 1000)
    params = SpeechToText.Params(partial_ms=500)
    noise = np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32)
    first, *rest = blocks(noise, 160)
    stream = TranscriptStream(first, slow, params, Timeline(RATE), deque(), lambda: slow.now_us)
    for block in (first, *rest):
        stream.push(block)
    assert slow.runs == runs


# The first twenty of the Harvard sentences, IEEE Trans. Audio Electroacoust. 17 (3), 1969.
HARVARD = """
The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. It's easy to
tell the depth of a well. These days a chicken leg is a rare dish. Rice is often served in round
bowls. The juice of lemons makes fine punch. The box was thrown beside the parked truck. The hogs
were fed chopped corn and garbage. Four hours of steady work faced us. A large size in stockings is
hard to sell. The boy was there when the sun rose. A rod is used to catch pink salmon. The source of
the huge river is the clear spring. Kick the ball straight and follow through. Help the woman get
back to her feet. A pot of tea helps to pass the evening. Smoky fires lack flame and heat. The soft
cushion broke the man's fall. The salt breeze came across from the sea. The girl at the booth sold
fifty bonds.
"""


def test_it_reads_our_voice_back(model: str) -> None:
    """Measured: 5 errors in 159 words, 3.1 %; at most 5 % are allowed."""
    voice = {"model": str(Path(model).parent / "hibari"), "whole_texts": True}
    wrong = count = 0
    for sentence in re.findall(r"[^.]+[.]", " ".join(HARVARD.split())):
        said = run_node("TextToSpeech", [Text(sentence.strip())], params=voice).data
        audio = [each for each in said if isinstance(each, Audio)]
        resampled = run_node("AudioResample", audio, target_rate=RATE).data
        texts, _ = transcribe(resampled, model=model, partial_ms=0)
        heard = words_of(" ".join(text.text.replace("50", "fifty") for text in texts))
        wrong += errors(words_of(sentence), heard)
        count += len(words_of(sentence))
    print(f"{wrong} errors in {count} words")  # noqa: T201
    assert count == 159
    assert wrong / count <= 0.05


def test_alone_it_hears_the_opening(model: str, opening: NDArray[np.float32]) -> None:
    """In windows of 8 s: at every end of one, no word is lost or said twice."""
    texts, events = transcribe(
        blocks(opening, 1600, 5_000_000), model=model, partial_ms=0, max_segment_ms=8000
    )
    finals = check(texts, events)
    assert len(finals) >= 4
    assert finals[0]["start_us"] == 5_000_000
    for before, after in pairwise(finals):
        assert after["start_us"] == before["end_us"]  # cut, with nothing left out
    heard = words_of(" ".join(text.text for text in texts))
    assert errors(words_of(OPENING), heard) <= 3  # 5 % of 60
    assert not [event for event in events if event["event"] == "partial"]


def test_behind_a_detector_its_segments_are_its(model: str, opening: NDArray[np.float32]) -> None:
    given = detected(blocks(opening, 1600, 0), min_silence_ms=500)
    ends: list[Any] = [e.data.value for e in given if isinstance(e.data, Json)]
    spans = [(e["start_us"], e["end_us"]) for e in ends if e["event"] == "end"]
    assert len(spans) >= 4
    texts, events = transcribe(given, model=model, partial_ms=0)
    finals = check(texts, events)
    assert [(event["start_us"], event["end_us"]) for event in finals] == spans
    heard = words_of(" ".join(text.text for text in texts))
    assert errors(words_of(OPENING), heard) <= 3


def test_a_second_recording_to_the_word_behind_silero(model: str) -> None:
    """Beckett, Worstward Ho (1983): a sentence per segment."""
    pytest.importorskip("onnxruntime")
    with wave.open(str(folder("fetch_recordings.py") / "beckett.wav")) as file:
        assert (file.getframerate(), file.getnchannels()) == (RATE, 1)
        data = file.readframes(file.getnframes())
    samples = np.asarray(np.frombuffer(data, np.int16) / 32768, np.float32)
    silero = folder("fetch_models.py") / "silero-vad" / "silero_vad_op18_ifless.onnx"
    found = run_node(
        SileroVAD,
        blocks(samples, 512, 0),
        params={"model": str(silero), "min_silence_ms": 300, "speech_pad_ms": 150},
    ).data
    given = [Emit("in" if isinstance(each, Audio) else "segments", each) for each in found]
    texts, events = transcribe(given, model=model, partial_ms=0)
    check(texts, events)
    assert [text.text for text in texts] == [
        "Ever tried.",
        "Ever failed.",
        "No matter.",
        "Try again.",
        "Fail again.",
        "Fail better.",
    ]


def test_events_may_come_early_or_late(model: str, opening: NDArray[np.float32]) -> None:
    given = detected(blocks(opening[: 9 * RATE], 1600, 0), min_silence_ms=400)
    how: dict[str, object] = {"model": model, "partial_ms": 0, "beam_size": 1}
    _, events = transcribe(given, **how)
    assert len(events) >= 2
    early = sorted(given, key=lambda emit: emit.port != "segments")
    assert transcribe(early, **how)[1] == events
    late, held = [], list[Emit]()
    for emit in given:
        if emit.port == "segments":
            held.append(emit)
        else:
            late += [emit, *held[:-2]]
            held = held[-2:]
    assert transcribe([*late, *held], **how)[1] == events


def test_segments_without_a_pause_between_them_are_cut_by_their_events(
    model: str, opening: NDArray[np.float32]
) -> None:
    cut_us = 4_850_000  # in the pause after "worst of times"
    end = {"event": "end", "start_us": 0, "end_us": cut_us}
    audio = [Emit("in", block) for block in blocks(opening[: 9 * RATE], 1600, 0)]
    given = [*audio[:60], Emit("segments", Json(end)), *audio[60:]]
    texts, events = transcribe(given, model=model, partial_ms=0)
    finals = check(texts, events)
    assert [event["end_us"] for event in finals] == [cut_us, 9_000_000]
    assert finals[1]["start_us"] == cut_us
    assert words_of(texts[0].text) == words_of(OPENING)[:12]
    assert words_of(texts[1].text) == words_of(OPENING)[12:24]


def test_partials_come_first_and_what_is_stable_stays(
    model: str, opening: NDArray[np.float32]
) -> None:
    texts, events = transcribe(blocks(opening[: 9 * RATE], 800, 0), model=model, partial_ms=1500)
    (final,) = check(texts, events)
    partials = events[:-1]
    assert events[-1] is final
    assert {event["event"] for event in partials} == {"partial"}
    assert len(partials) >= 4
    assert [event["end_us"] for event in partials] == sorted(
        {event["end_us"] for event in partials}
    )
    assert all(event["end_us"] % 1_500_000 == 0 for event in partials)
    for event in partials:
        assert event["segment"] == 1
        assert event["text"].startswith(event["stable"])
    for before, after in pairwise(partials):
        assert after["stable"].startswith(before["stable"])
    stable = words_of(partials[-1]["stable"])
    assert len(stable) >= 12
    assert stable == words_of(OPENING)[: len(stable)]


def test_what_is_stable_was_found_twice_and_stays() -> None:
    stable = StableText()
    assert stable.add(" It was") == ("It was", "")
    assert stable.add(" It is the") == ("It is the", "It")
    assert stable.add(" It is the best") == ("It is the best", "It is the")
    # Whatever is found later, what is stable is what it begins with.
    assert stable.add(" This was a best of") == ("It is the best of", "It is the best")
    assert stable.add("") == ("It is the best", "It is the best")


def test_a_cancelled_segment_has_no_words(model: str, opening: NDArray[np.float32]) -> None:
    end = {"event": "end", "start_us": 0, "end_us": 3_000_000, "state": "cancelled"}
    given = [Emit("in", each) for each in blocks(opening[: 3 * RATE], 1600, 0)]
    texts, events = transcribe([*given, Emit("segments", Json(end))], model=model, partial_ms=2000)
    assert texts == []
    assert [(event["event"], bool(event["text"])) for event in events] == [
        ("partial", True),
        ("final", False),
    ]


def test_silence_has_no_words(model: str) -> None:
    noise = np.random.default_rng(1).standard_normal(3 * RATE).astype(np.float32)
    for level in (0.0, 1e-4, 1e-2, 1e-1):
        assert transcribe(blocks(level * noise, 1600, 0), model=model) == ([], [])


def test_a_jump_in_time_ends_a_segment_and_streams_do_not_mix(
    model: str, opening: NDArray[np.float32]
) -> None:
    first, second = opening[: 3 * RATE], opening[int(4.85 * RATE) : 9 * RATE]
    given: list[Audio] = []
    for block in [*blocks(first, 1600, 0), *blocks(second, 1600, 60_000_000)]:
        given += [block, Audio(np.zeros(1600, np.float32), RATE, stream_id="b")]
    texts, events = transcribe(given, model=model, partial_ms=0)
    assert [text.stream_id for text in texts] == [None, None]
    finals = check(texts, events)
    assert [event["start_us"] for event in finals] == [0, 60_000_000]
    assert finals[0]["end_us"] == 3_000_000
    assert words_of(texts[0].text) == words_of(OPENING)[:6]
    assert words_of(texts[1].text) == words_of(OPENING)[12:24]


def test_an_end_without_audio_holds_up_nothing_when_time_starts_anew(
    model: str, opening: NDArray[np.float32]
) -> None:
    def end(end_us: int) -> Emit:
        return Emit("segments", Json({"event": "end", "start_us": 0, "end_us": end_us}))

    audio = blocks(opening[: 9 * RATE], 1600, 0)
    early = [each.replace(pts_us=50_000_000) for each in audio[:1]]
    _, events = transcribe(
        [*early, end(90_000_000), *audio, end(4_850_000)], model=model, partial_ms=0, beam_size=1
    )
    assert [event["end_us"] for event in events] == [4_850_000, 9_000_000]


def test_it_keeps_to_the_contract(model: str, opening: NDArray[np.float32]) -> None:
    assert broken_contract(SpeechToText) == ""
    assert undescribed_params(SpeechToText) == []
    end = Json({"event": "end", "start_us": 0, "end_us": 3_000_000}, stream_id="a")
    given = [end, *blocks(opening[: 4 * RATE], 3200, 0, stream_id="a")]
    params = make_params(SpeechToText, {"model": model, "partial_ms": 1500})
    emitted = asyncio.run(check_node(SpeechToText, VirtualClock(), params=params, inputs=given))
    assert {type(each) for each in emitted} == {Text, Json}


def test_what_is_no_model_says_so(tmp_path: Path, model: str) -> None:
    with pytest.raises(ModelError, match=r"lacks model\.bin and tokenizer\.json"):
        run_node(SpeechToText, [], params={"model": str(tmp_path)})
    for name in ("tokenizer.json", "config.json", "vocabulary.txt"):
        (tmp_path / name).symlink_to(Path(model) / name)
    (tmp_path / "model.bin").write_bytes(b"no model")
    with pytest.raises(ModelError, match="cannot be opened"):
        run_node(SpeechToText, [], params={"model": str(tmp_path)})
    with pytest.raises(ModelError, match="does not know the language 'tlh'"):
        run_node(SpeechToText, [], params={"model": model, "language": "tlh"})


def test_without_the_library_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(UnavailableError, match=r"pip install 'remotemedia\[asr\]'"):
        run_node(SpeechToText, [], params={"model": str(tmp_path)})
