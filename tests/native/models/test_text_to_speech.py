"""TextToSpeech against hibari's own synthesis."""

from __future__ import annotations

import importlib
import json
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.data import Audio, Json, Text
from remotemedia.errors import ModelError, ParamsError
from remotemedia.nodes.models.text_to_speech import TextToSpeech
from remotemedia.testing import Interrupt, run_node

SENTENCES = [
    "Hello there, this is the voice of the pipeline.",
    "On the 3rd of March 2024, 1,250 people paid $9.99 each to hear it read at 7:30 pm.",
    "Dr. Smith lives at 221B Baker St. in the U.S. since 1905.",
    "The A380 and the iPhone14 are B2B products, e.g. v1.12.3, at 50% off!",
    "I used to read the record; she's reading it live (don't you know?).",
    "Henry VIII wrote Chapter IV: 3/4 cup, 5 km, -3°C, ¥500, £3.5 million, #4.",
    "Call 555-1234 between 10-20 or write to me@example.com, see a/b and R&D.",
    "Xyzzy Qwerblat frobnicated the zyzzyva's blorptastic WYSIWYGness.",
    "Say [hibari](/hibˈɑɹi/) and [a link](http://x.y) to the owners, the apples and an hour.",
    "The naïve café had 0.5, .75, 1,000,000.25, 007, the 1st, 22nd and 103rd of the 1990s!",
    "“Running babies’ boxes,” he stopped, “dressed in NASA's jackets” — 'quoted', or not?",
    "12345678901234567890 is large; C3PO, rock'n'roll and O'Neil's well-known foo-bar_baz are not.",
]


@pytest.fixture(scope="module")
def hibari(models: Path) -> str:
    return str(models / "hibari")


@pytest.fixture(scope="module")
def theirs(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Their voice, by their code; its FFT is scipy's."""
    folder = tmp_path_factory.mktemp("peer")
    package = folder / "hibari"
    shutil.copytree(models / "hibari-peer", package)
    shutil.copytree(models / "hibari-peer-g2p", package / "g2p")
    shutil.copytree(models / "hibari", package / "assets")
    shutil.copy(models / "hibari-peer" / "voices.json", package / "assets")
    (package / "__init__.py").touch()
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("hibari.tts").Hibari()
    finally:
        sys.path.remove(str(folder))
        for name in [each for each in sys.modules if each.split(".")[0] == "hibari"]:
            del sys.modules[name]


def run(inputs: list[Any], model: str, **params: object) -> list[Any]:
    return run_node(TextToSpeech, inputs, params={"model": model, **params}).data


def marks_of(outputs: list[Any]) -> list[dict[str, Any]]:
    return [each.value for each in outputs if isinstance(each, Json)]


def audio_of(outputs: list[Any]) -> list[np.ndarray]:
    return [each.samples[0] for each in outputs if isinstance(each, Audio)]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_samples_are_theirs(theirs: Any, hibari: str, sentence: str) -> None:
    outputs = run([Text(sentence)], hibari, seed=3, whole_texts=True)
    marks, audio = marks_of(outputs), audio_of(outputs)
    assert [mark["text"] for mark in marks] == [sentence]
    phonemes = theirs.g2p(sentence)
    assert marks[0]["phonemes"] == phonemes
    expected = theirs.from_phonemes(phonemes, seed=3)
    assert len(expected) > 24000
    np.testing.assert_allclose(audio[0], expected, atol=2e-6)


WORDS = """
the a an to in by I am used read live record lead Dr. Mr. U.S. it's they're don't O'Neil NASA iPhone
A380 B2B C3PO $5 £3.50 €1.05 $1.1 3:30pm 1999 2005 5km -3°C 1/2 3/4 #9 50% x=y a/b foo-bar 'quoted'
"said" (par) [br] ... — – , ; : ! ? & @home me@x.org http://a.b/c www.foo.com 007 1,234 12.5 .5 5.
1.2.3 -7 +4 1st 22nd 103rd 90s '80s USD100 ₹5 10-20 555-1234 vs vs. etc. e.g. a.m. naïve Zoë ½ ²
日本 _under_ *bold* ~ ^ < > | dress stopped running babies boxes xkcdfoo Blorptastic's 2's 4ed 5ing
Ups apple orange hour owners egg TO THE AN IN well-known rock'n'roll passenger's wishes judged taped
""".split()


def test_random_words_are_read_as_theirs(theirs: Any, hibari: str) -> None:
    draw = random.Random(7)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(1, 12))) for _ in range(250)]
    marks = marks_of(run([Text(text) for text in texts], hibari, whole_texts=True))
    assert len(marks) > 250  # some are two sentences
    for mark in marks:
        assert mark["phonemes"] == theirs.g2p(mark["text"]), mark["text"]


@pytest.mark.parametrize("speed", [0.5, 1.4, 2.0])
def test_the_speed_is_theirs(theirs: Any, hibari: str, speed: float) -> None:
    text = "How fast this is said depends on the parameter."
    (audio,) = audio_of(run([Text(text)], hibari, speed=speed))
    np.testing.assert_allclose(audio, theirs(text, speed, seed=0), atol=2e-6)
    usual = len(theirs(text, 1.0, seed=0))
    assert len(audio) == pytest.approx(usual / speed, rel=0.1)


def test_a_long_sentence_is_cut_where_they_cut_it(theirs: Any, hibari: str) -> None:
    clause = "and there was a long clause about the weather in the mountains"
    text = ", ".join([f"{clause} number {n}" for n in range(12)]) + "."
    outputs = run([Text(text)], hibari)
    marks = marks_of(outputs)
    assert [mark["phonemes"] for mark in marks] == theirs.phonemize(text)
    assert [mark["last"] for mark in marks] == [False] * (len(marks) - 1) + [True]
    assert len(marks) > 1
    assert {mark["text"] for mark in marks} == {text}
    np.testing.assert_allclose(np.concatenate(audio_of(outputs)), theirs(text, seed=0), atol=2e-6)


def test_text_without_marks_is_cut_between_words_and_within_them(hibari: str) -> None:
    for text in ("seven " * 700, "m1" * 1500):
        marks = marks_of(run([Text(text)], hibari))
        assert all(len(mark["phonemes"]) <= 400 for mark in marks)
        assert "".join(mark["text"].replace(" ", "") for mark in marks if mark["last"]) == (
            text.replace(" ", "")
        )
    # No word is cut that fits.
    marks = marks_of(run([Text("seven " * 100)], hibari))
    said = [word for mark in marks for word in mark["phonemes"].split()]
    assert len(said) == 100
    assert len(set(said)) == 1


def test_streaming_by_words_and_letters_is_the_whole_text(hibari: str) -> None:
    text = "Dr. Smith paid 3.14 dollars. Who? You, e.g. at 5 p.m. today!\nThe end is near"
    whole = run([Text(text)], hibari)
    words = [Text(word + " ") for word in text.replace("\n", "\n ").split(" ")]
    letters = [Text(letter) for letter in text]
    assert len(audio_of(whole)) == 4
    for pieces in (words, letters):
        streamed = run(pieces, hibari)
        assert marks_of(streamed) == marks_of(whole)
        for ours, expected in zip(audio_of(streamed), audio_of(whole), strict=True):
            np.testing.assert_array_equal(ours, expected)


def test_audio_leaves_before_the_text_ends_and_before_the_next_is_made(hibari: str) -> None:
    node = TextToSpeech(model=hibari)
    node.open(rm.Context("voice", rm.testing.VirtualClock(), {}, {}))
    assert list(node.process(Text("One is held"))) == []
    runs = count_runs(node)
    outputs = node.process(Text(". Two is held. And three"))
    first, audio = next(outputs), next(outputs)
    assert first.data.value["text"] == "One is held."
    assert audio.frames > 10000
    assert len(runs) == 1
    assert [each.data.value["text"] for each in list(outputs)[::2]] == ["Two is held."]
    assert len(runs) == 2
    assert [each.data.value["text"] for each in list(node.finish())[::2]] == ["And three"]
    node.close()


def test_the_speed_may_change_while_it_speaks(theirs: Any, hibari: str) -> None:
    node = TextToSpeech(model=hibari)
    node.open(rm.Context("voice", rm.testing.VirtualClock(), {}, {}))
    outputs = node.process(Text("The first. The second. "))
    samples = [[*audio.samples[0]] for _, audio in [(next(outputs), next(outputs))]]
    node.update(TextToSpeech.Params(model=hibari, speed=1.6))
    samples += [[*audio.samples[0]] for _, audio in [(next(outputs), next(outputs))]]
    node.close()
    np.testing.assert_allclose(samples[0], theirs("The first.", 1.0, seed=0), atol=2e-6)
    np.testing.assert_allclose(samples[1], theirs("The second.", 1.6, seed=0), atol=2e-6)


def count_runs(node: TextToSpeech) -> list[int]:
    """A list that grows with each run of the voice."""
    runs: list[int] = []
    model, *_ = node.models
    run_it = model.run

    def counted(feeds: Any) -> Any:
        runs.append(feeds["ids"].shape[1])
        return run_it(feeds)

    model.run = counted
    return runs


def test_an_end_of_turn(hibari: str) -> None:
    outputs = run(
        [
            Text("This is said", metadata={"end_of_turn": True, "reply": 7}),
            Text("Behind it"),
            Text("", metadata={"end_of_turn": True}),
            Text("On the screen. ", channel="ui"),
            Text("Last.", metadata={"end_of_turn": False}),
        ],
        hibari,
    )
    assert [mark["text"] for mark in marks_of(outputs)] == ["This is said", "Behind it", "Last."]
    metadata = [each.metadata for each in outputs if isinstance(each, Audio)]
    assert metadata == [{"reply": 7}, None, None]


def test_an_interrupt_drops_what_is_held(hibari: str) -> None:
    outputs = run([Text("This is dropped"), Interrupt(), Text("Behind it.")], hibari)
    (mark,) = marks_of(outputs)
    assert (mark["text"], mark["start_sample"]) == ("Behind it.", 0)


def test_what_has_no_sound_gives_nothing(hibari: str) -> None:
    for text in ("", " \n\t ", "…", "😀 👍", "\u200d\u0301", "。。", "()[]{}", "— ; ,"):
        assert run([Text(text)], hibari, whole_texts=True) == []


ODD = ["İ = ǅ?", "\x00\x01 a", "٣ ½ ²³", "9" * 900, "日本 tea", "-" * 999, "'" * 999, "a." * 400]


@pytest.mark.parametrize("text", ODD, ids=lambda text: ascii(text)[:12])
def test_odd_characters(hibari: str, text: str) -> None:
    for audio in audio_of(run([Text(text)], hibari)):
        assert np.isfinite(audio).all()
        assert np.abs(audio).max() <= 2


def test_a_number_without_a_name_is_read_digit_by_digit(hibari: str) -> None:
    (mark,) = marks_of(run([Text("9" * 40)], hibari))
    (nine,) = marks_of(run([Text("9")], hibari))
    assert mark["phonemes"].split() == [nine["phonemes"]] * 40


def test_a_capital_behind_a_title_is_no_roman_number(hibari: str) -> None:
    """In theirs `Part Load` is `Part 0 Load`."""
    (mark,) = marks_of(run([Text("Part Load")], hibari))
    assert len(mark["phonemes"].split()) == 2


def test_streams_and_time_stamps(hibari: str) -> None:
    outputs = run(
        [
            Text("A first one. ", pts_us=1_000_000, stream_id="a"),
            Text("Other. ", pts_us=5, stream_id="b"),
            Text("Directly behind it. ", pts_us=1_000_001, stream_id="a"),
            Text("Much later. ", pts_us=90_000_000, stream_id="a"),
            Text("No time.", stream_id="a"),
        ],
        hibari,
    )
    audio = {
        stream: [each for each in outputs if isinstance(each, Audio) and each.stream_id == stream]
        for stream in "ab"
    }
    first, second, third, fourth = audio["a"]
    assert first.pts_us == 1_000_000
    assert second.pts_us == 1_000_000 + round(first.frames * 1_000_000 / 24000)
    assert third.pts_us == 90_000_000
    assert fourth.pts_us == 90_000_000 + round(third.frames * 1_000_000 / 24000)
    assert [each.pts_us for each in audio["b"]] == [5]
    ends = [each.value["end_sample"] for each in outputs if isinstance(each, Json)]
    frames = [first.frames, second.frames, third.frames, fourth.frames]
    assert ends[0] == first.frames
    assert ends[-1] == sum(frames)


def test_what_is_wrong_is_said(hibari: str, silero: Path, tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="speed"):
        TextToSpeech(speed=9)
    with pytest.raises(ModelError, match=r"lacks hibari\.onnx, oov\.onnx"):
        run([], str(silero))
    broken = tmp_path / "broken"
    shutil.copytree(hibari, broken)
    (broken / "oov.json").unlink()
    with pytest.raises(ModelError, match=r"lacks oov\.json; it has .*tagger\.json\.gz"):
        run([], str(broken))
    (broken / "oov.json").write_text(json.dumps({"in": ["a"], "out": 3, "maxlen": 1}))
    with pytest.raises(ModelError, match=r"oov\.json is broken: .*out.*fetch it again"):
        run([], str(broken))
    shutil.copy(Path(hibari) / "oov.json", broken)
    table = broken / "tagger.json.gz"
    table.write_bytes(table.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"tagger\.json\.gz is broken: cut off"):
        run([], str(broken))
    shutil.copy(Path(hibari) / "tagger.json.gz", broken)
    shutil.copy(silero, broken / "hibari.onnx")
    with pytest.raises(ModelError, match="no voice of hibari: its inputs are input, sr, state"):
        run([], str(broken))
