"""What is to be said, and when."""

from __future__ import annotations

import numpy as np

from remotemedia.data import Text
from remotemedia.nodes.models.sentences import Sentences


def said(sentences: Sentences, *texts: Text, whole: bool = False) -> list[str]:
    return [each.text for text in texts for _, each in sentences.add(text, whole)]


def test_sentences_wait_for_their_end_and_streams_for_each_other() -> None:
    sentences = Sentences(1000)
    assert said(sentences, Text("One. Tw"), Text("Other. ", stream_id="b")) == ["One.", "Other."]
    assert said(sentences, Text("o. ")) == ["Two."]
    assert said(sentences, Text("Three"), Text("four", stream_id="b")) == []
    assert [each.text for _, each in sentences.finish()] == ["Three", "four"]


def test_what_is_whole_waits_for_nothing() -> None:
    sentences = Sentences(1000)
    assert said(sentences, Text("One. Two"), whole=True) == ["One.", "Two"]
    assert said(sentences, Text("Three", metadata={"end_of_turn": True})) == ["Three"]
    assert said(sentences, Text("Four", metadata={"end_of_turn": False})) == []
    sentences.clear()
    assert list(sentences.finish()) == []


def test_only_what_is_meant_to_be_heard() -> None:
    assert said(Sentences(1000), Text("Shown. ", channel="ui"), whole=True) == []


def test_a_long_sentence_is_cut() -> None:
    texts = said(Sentences(1000), Text("word " * 500))
    assert all(900 < len(text) <= 1000 for text in texts)
    assert len(texts) == 2


def test_audio_follows_audio_or_waits_for_its_text() -> None:
    sentences = Sentences(1000)
    texts = [
        Text("No time. "),
        Text("Earlier than its end. ", pts_us=5),
        Text("Later. ", pts_us=1_000_000),
        Text("Behind. "),
    ]
    marks, audio = [], []
    for text in texts:
        for stream, sentence in sentences.add(text):
            mark, block = stream.say(sentence, np.zeros(100, np.float32), "ə", last=False)
            marks.append(mark.data)
            audio.append(block)
    times = [0, 100_000, 1_000_000, 1_100_000]
    assert [block.pts_us for block in audio] == times
    assert [mark.pts_us for mark in marks] == times
    assert marks[1].value == {
        "text": "Earlier than its end.",
        "phonemes": "ə",
        "last": False,
        "start_sample": 100,
        "end_sample": 200,
    }
