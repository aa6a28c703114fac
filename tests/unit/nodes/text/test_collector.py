from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotemedia.data import Text
from remotemedia.errors import ParamsError
from remotemedia.node import make_params
from remotemedia.nodes.text.collector import TextCollector

GOLDEN = Path(__file__).parents[3] / "golden" / "nodes" / "text" / "collector.json"
CASES = json.loads(GOLDEN.read_text(encoding="utf-8"))


def collect(node: TextCollector, *texts: str) -> list[str]:
    out = [sentence.text for text in texts for sentence in node.process(Text(text))]
    return out + [sentence.text for sentence in node.finish()]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_golden_sentences(case: dict[str, list[str]]) -> None:
    # Written by hand: the text is the sentences, and whoever reads it sees where they end.
    text = "".join(case["text"])
    for texts in ([text], list(text), text.split("|"), [text[:7], text[7:]]):
        assert collect(TextCollector(), *texts) == case["sentences"]


@given(
    text=st.text(alphabet='ab. !?\n"…。1DrI', max_size=80),
    cuts=st.lists(st.integers(0, 80), max_size=6),
    shortest=st.integers(0, 6),
    pattern=st.sampled_from([None, "[.!?]+", "\n", "a", "(?=b)"]),
)
def test_any_cut_gives_the_same_sentences(
    text: str, cuts: list[int], shortest: int, pattern: str | None
) -> None:
    def node() -> TextCollector:
        return TextCollector(min_sentence_length=shortest, split_pattern=pattern)

    edges = [0, *sorted(cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    whole = collect(node(), text)
    assert collect(node(), *pieces) == whole
    assert "".join("".join(whole).split()) == "".join(text.split())


def test_sentences_come_as_soon_as_they_are_known() -> None:
    node = TextCollector()
    assert list(node.process(Text("One two. Three"))) != []
    assert list(node.process(Text(" four."))) == []
    assert [text.text for text in node.process(Text(" F"))] == ["Three four."]


def test_short_sentences_open_the_next() -> None:
    assert collect(TextCollector(min_sentence_length=8), "Yes. Well, no. Or so?") == [
        "Yes. Well, no.",
        "Or so?",
    ]


def test_streams_and_channels_are_kept_apart() -> None:
    node = TextCollector()
    out = [
        (text.stream_id, text.channel, text.text)
        for item in (
            Text("A one", stream_id="a"),
            Text("B one.", stream_id="b"),
            Text("Screen. ", channel="ui", stream_id="a"),
            Text(". Next", stream_id="a"),
        )
        for text in node.process(item)
    ]
    assert out == [("a", "ui", "Screen."), ("a", "tts", "A one.")]
    assert [(text.stream_id, text.text) for text in node.finish()] == [
        ("b", "B one."),
        ("a", "Next"),
    ]


def test_stamp_of_the_start_metadata_of_the_end() -> None:
    node = TextCollector()
    texts = [
        Text("One", pts_us=1, metadata={"n": 1}),
        Text(" two. Three", pts_us=2, metadata={"n": 2}),
        Text(" four. ", pts_us=3, metadata={"n": 3}),
    ]
    out = [sentence for text in texts for sentence in node.process(text)]
    assert [(s.text, s.pts_us, s.metadata) for s in out] == [
        ("One two.", 1, {"n": 2}),
        ("Three four.", 2, {"n": 3}),
    ]
    assert list(node.finish()) == []


def test_the_rest_can_be_dropped() -> None:
    node = TextCollector(yield_partial_on_end=False)
    assert collect(node, "Done. Not do") == ["Done."]


def test_reset_forgets() -> None:
    node = TextCollector()
    assert list(node.process(Text("half a"))) == []
    node.reset()
    assert collect(node, "New.") == ["New."]


def test_too_long_a_sentence_is_cut_at_a_space() -> None:
    node = TextCollector(max_sentence_length=16)
    assert collect(node, "seven letters make a word") == ["seven letters", "make a word"]
    assert collect(node, "x" * 40) == ["x" * 16, "x" * 16, "x" * 8]


def test_split_pattern_of_the_reference_system() -> None:
    node = TextCollector(split_pattern=r"[.!?,;:\n]+")
    assert collect(node, "Well, it is", " so... then: ", "go") == [
        "Well,",
        "it is so...",
        "then:",
        "go",
    ]


@pytest.mark.parametrize(
    "pattern", [r"[.!?]+", r"\.(?=\s)", r"(?<![A-Z])\.", r"a|b|\(+", r"[(+*]", r"x{2,3}?"]
)
def test_patterns_that_are_safe(pattern: str) -> None:
    collect(TextCollector(split_pattern=pattern), "some. text (with) xx it")


@pytest.mark.parametrize(
    "pattern", ["(a+)+b", "(a|a)*b", "a*a*b", "(a|b)", "(?:ab)?", "a?b?", r"(a)\1"]
)
def test_patterns_that_may_stall(pattern: str) -> None:
    with pytest.raises(ParamsError, match="one quantifier"):
        TextCollector(split_pattern=pattern)


def test_a_pattern_that_is_none() -> None:
    with pytest.raises(ParamsError, match="split_pattern '\\[a'"):
        TextCollector(split_pattern="[a")


@pytest.mark.parametrize("text", ["." * 100_000, "a\n" * 50_000, '."' * 50_000, "x" * 100_000])
def test_hostile_text_takes_linear_time(text: str) -> None:
    # No clock here: with quadratic time this test would run into its time-out.
    node = TextCollector(min_sentence_length=1)
    assert "".join(collect(node, text)) == text.replace("\n", "")


def test_names_of_parameters() -> None:
    params = make_params(TextCollector, {"splitPattern": "[.]", "minSentenceLength": 5})
    assert isinstance(params, TextCollector.Params)
    assert params.min_sentence_length == 5
