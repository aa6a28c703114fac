from __future__ import annotations

import html
import re
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotemedia.data import Json, Text
from remotemedia.errors import DataError
from remotemedia.nodes.text.captions import Captions


class Cue(NamedTuple):
    start_ms: int
    end_ms: int
    lines: list[str]


def read(file: str, kind: str) -> list[Cue]:
    """A strict reader of both formats, written from their grammars."""
    if kind == "webvtt":
        assert file.startswith("WEBVTT\n\n")
        file = file.removeprefix("WEBVTT\n\n")
    mark = r"\." if kind == "webvtt" else ","
    time = rf"(\d\d+):([0-5]\d):([0-5]\d){mark}(\d{{3}})"
    cues = []
    blocks = file.split("\n\n")
    assert blocks.pop() == ""  # a blank line ends the last, too
    for number, block in enumerate(blocks, 1):
        lines = block.split("\n")
        if kind == "srt":
            assert lines.pop(0) == str(number)
        times = re.fullmatch(f"{time} --> {time}", lines.pop(0))
        assert times, block
        h, m, s, ms, h2, m2, s2, ms2 = map(int, times.groups())
        assert lines
        assert not any("-->" in line for line in lines)
        if kind == "webvtt":
            for line in lines:
                assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", line)
        text = [html.unescape(line) if kind == "webvtt" else line for line in lines]
        cues.append(
            Cue(((h * 60 + m) * 60 + s) * 1000 + ms, ((h2 * 60 + m2) * 60 + s2) * 1000 + ms2, text)
        )
    return cues


def file_of(texts: list[Text]) -> str:
    """The texts as lines."""
    return "".join(text.text + "\n" for text in texts)


def final(*words: tuple[str, int, int]) -> Json:
    """An event of words with their start and end in ms."""
    value: dict[str, Any] = {
        "event": "final",
        "segment": 1,
        "text": " ".join(text for text, _, _ in words),
        "start_us": words[0][1] * 1000,
        "end_us": words[-1][2] * 1000,
        "words": [
            {"text": text, "start_us": a * 1000, "end_us": b * 1000, "probability": 0.5}
            for text, a, b in words
        ],
    }
    return Json(value)


def captions(*events: Json, **params: Any) -> list[Text]:
    node = Captions(**params)
    return [text for event in events for text in node.process(event)] + list(node.finish())


def test_srt_to_the_letter() -> None:
    texts = captions(
        final(("It", 3_723_004, 3_723_200), ("was", 3_723_200, 3_724_999)),
        final(("so.", 3_730_000, 3_730_100)),
    )
    assert [text.text for text in texts] == [
        "1\n01:02:03,004 --> 01:02:04,999\nIt was\n",
        "2\n01:02:10,000 --> 01:02:11,000\nso.\n",  # a second at least
    ]
    assert [text.pts_us for text in texts] == [3_723_004_000, 3_730_000_000]


def test_webvtt_to_the_letter() -> None:
    texts = captions(
        final(("a<b", 0, 800), ("R&D", 800, 1600), ("-->", 1600, 2000)), format="webvtt"
    )
    assert [text.text for text in texts] == [
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\na&lt;b R&amp;D --&gt;\n"
    ]


def test_an_arrow_in_srt_is_no_time() -> None:
    (text,) = captions(final(("a", 0, 500), ("-->", 500, 900), ("b", 900, 1200)))
    assert read(file_of([text]), "srt") == [Cue(0, 1200, ["a → b"])]


def test_a_cue_ends_with_its_lines_its_time_and_its_sentence() -> None:
    # 9 words of 9 characters: 4 to a line of 42 (39 with spaces), so 8 to a cue.
    nine = [("x" * 9, i * 500, i * 500 + 400) for i in range(9)]
    (first, second) = read(file_of(captions(final(*nine))), "srt")
    assert first == Cue(0, 3900, [" ".join(["x" * 9] * 4)] * 2)
    assert second == Cue(4000, 5000, ["x" * 9])
    # 2 s each: three are 6 s, a fourth would be 8 s.
    slow = [("y", i * 2000, i * 2000 + 2000) for i in range(4)]
    cues = read(file_of(captions(final(*slow))), "srt")
    assert cues == [Cue(0, 6000, ["y y y"]), Cue(6000, 8000, ["y"])]
    # A sentence of less than a second does not end it, one of a second does.
    said = [("No.", 0, 400), ("Never!", 500, 1200), ("Why?", 1300, 1700)]
    cues = read(file_of(captions(final(*said))), "srt")
    assert cues == [Cue(0, 1200, ["No. Never!"]), Cue(1300, 2300, ["Why?"])]


def test_one_that_stands_longer_than_its_words_moves_the_next() -> None:
    events = [final(("a", 0, 200)), final(("b", 400, 900)), final(("c", 5000, 20_000))]
    cues = read(file_of(captions(*events)), "srt")
    assert cues == [Cue(0, 1000, ["a"]), Cue(1000, 2000, ["b"]), Cue(5000, 12_000, ["c"])]


def test_an_event_without_words_has_those_of_its_text() -> None:
    value = {"event": "final", "text": "one two three four", "start_us": 0, "end_us": 8_000_000}
    cues = read(file_of(captions(Json(value))), "srt")
    assert cues == [Cue(0, 6000, ["one two three"]), Cue(6000, 8000, ["four"])]


def test_streams_count_for_themselves_and_other_events_are_passed_over() -> None:
    node = Captions(format="webvtt")
    a, b = (final(("x", 0, 1500)).replace(stream_id=name) for name in "ab")
    texts = [
        t for event in (a, b, Json({"event": "partial"}), Json(3)) for t in node.process(event)
    ]
    assert [text.stream_id for text in texts] == ["a", "b"]
    assert all(text.text.startswith("WEBVTT\n\n") for text in texts)
    assert list(node.finish()) == []


def test_no_word_is_a_header_only() -> None:
    nothing = Json({"event": "final", "text": " ", "start_us": 0, "end_us": 10})
    assert [text.text for text in captions(nothing, format="webvtt")] == ["WEBVTT\n"]
    assert captions(nothing) == []


def test_a_broken_event_names_the_field() -> None:
    with pytest.raises(DataError, match=r"end_us"):
        captions(Json({"event": "final", "text": "", "start_us": 0}))


@given(
    words=st.lists(
        st.tuples(
            st.text(alphabet="abc .,!?<>&-\n\t'é", max_size=120).filter(str.strip),
            st.integers(-500, 3000),
            st.integers(0, 9000),
        ),
        min_size=1,
        max_size=40,
    ),
    kind=st.sampled_from(["srt", "webvtt"]),
)
def test_whatever_is_said_the_file_is_valid(words: list[tuple[str, int, int]], kind: str) -> None:
    at, timed = 0, []
    for text, pause, length in words:
        at += pause
        timed.append((text, at, at + length))
        at += length
    texts = captions(*[final(*timed[i : i + 7]) for i in range(0, len(timed), 7)], format=kind)
    cues = read(file_of(texts), kind)
    before = 0
    for start, end, lines in cues:
        assert before <= start
        assert 1000 <= end - start <= 7000
        assert 1 <= len(lines) <= 2
        assert all(1 <= len(line) <= 42 for line in lines)
        before = end
    shown = "".join("".join(cue.lines) for cue in cues)
    said = "".join(text for text, _, _ in words).replace("-->", "→" if kind == "srt" else "-->")
    assert "".join(shown.split()).replace("→", "") == "".join(said.split()).replace("→", "")
