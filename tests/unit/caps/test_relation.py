"""Relations between ports: their text form, and what they leave of a format."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotemedia.caps import Exact, Range, Relation, parse_caps, parse_relation
from remotemedia.caps.media import FIELDS
from remotemedia.caps.relation import scale
from remotemedia.errors import CapsSyntaxError

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,8}", fullmatch=True).filter(
    lambda name: name != "except"
)
NUMBERED = st.sampled_from(["sample_rate", "channels", "width", "framerate"])
RELATIONS = st.one_of(
    st.builds(
        lambda a, b, but: Relation(a, b, but=frozenset(but)),
        NAMES,
        NAMES,
        st.lists(st.sampled_from(FIELDS["audio"]), max_size=3),
    ),
    st.builds(
        lambda a, b, field, other, top, bottom: Relation(a, b, field, other, Fraction(top, bottom)),
        NAMES,
        NAMES,
        NUMBERED,
        NUMBERED,
        st.integers(1, 999),
        st.integers(1, 999),
    ),
)


@given(RELATIONS)
def test_what_is_written_reads_the_same(relation):
    assert parse_relation(str(relation)) == relation


@pytest.mark.parametrize(
    ("text", "relation"),
    [
        ("out = in", Relation("out", "in")),
        (" out=in ", Relation("out", "in")),
        ("out = in except format", Relation("out", "in", but=frozenset({"format"}))),
        (
            "out.sample_rate = in.sample_rate / 3",
            Relation("out", "in", "sample_rate", "sample_rate", Fraction(1, 3)),
        ),
        (
            "out.sample_rate = in.sample_rate * 160/441",
            Relation("out", "in", "sample_rate", "sample_rate", Fraction(160, 441)),
        ),
        ("right.channels=left.channels", Relation("right", "left", "channels", "channels")),
    ],
)
def test_text_form(text, relation):
    assert parse_relation(text) == relation


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 1, "expected 'out = in'"),
        ("out = in except", 1, "expected 'out = in'"),
        ("out = in except sampel_rate", 17, "did you mean 'sample_rate'"),
        ("out.chanels = in.channels", 5, "did you mean 'channels'"),
        ("out.channels = in.chanels", 19, "did you mean 'channels'"),
        ("out.channels = in.channels * 0", 30, "a ratio is not 0"),
        ("out.channels = in.channels + 1", 1, "expected 'out = in'"),
    ],
)
def test_faults(text, column, message):
    with pytest.raises(CapsSyntaxError, match=message) as raised:
        parse_relation(text)
    assert raised.value.column == column


@pytest.mark.parametrize(
    ("relation", "target", "given_", "back", "left"),
    [
        ("out = in", "audio", "audio(channels=1)", False, "audio(channels=1)"),
        ("out = in", "audio", "any", False, "audio"),
        ("out = in", "audio", "text", False, None),
        (
            "out = in except sample_rate",
            "audio(sample_rate=16000)",
            "audio(sample_rate=48000, channels=2)",
            False,
            "audio(sample_rate=16000, channels=2)",
        ),
        (
            "out.sample_rate = in.sample_rate / 3",
            "audio(sample_rate=8000..16000)",
            "audio(sample_rate=[48000, 44100, 32000])",
            False,
            "audio(sample_rate=[16000, 14700])",  # 32000 / 3 is no integer
        ),
        (
            "out.sample_rate = in.sample_rate / 3",
            "audio",
            "audio(sample_rate=16000)",
            True,
            "audio(sample_rate=48000)",
        ),
        ("out.sample_rate = in.sample_rate * 2", "text", "audio(sample_rate=8000)", False, "text"),
        ("out.sample_rate = in.sample_rate * 2", "audio", "audio", False, "audio"),
        (
            "out.width = in.width * 2",
            "video(width=100..300)",
            "video(width=10..99)",
            False,
            "video(width=100..198)",
        ),
        (
            "out.framerate = in.framerate / 2",
            "video",
            "video(framerate=30000/1001)",
            False,
            "video(framerate=15000/1001)",
        ),
    ],
)
def test_what_is_left(relation, target, given_, back, left):
    found = parse_relation(relation).apply(parse_caps(target), parse_caps(given_), back)
    assert (None if found is None else str(found)) == left


@given(
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(1, 5),
    st.integers(1, 5),
    st.integers(0, 320),
)
def test_scaling_a_range_of_integers(a, b, top, bottom, value):
    ratio = Fraction(top, bottom)
    low, high = min(a, b), max(a, b)
    constraint = Exact(low) if low == high else Range(low, high)
    scaled = scale(constraint, ratio, whole=True)
    inside = low <= value / ratio <= high
    if low == high:
        inside = inside and value == low * ratio
    assert (scaled is not None and scaled.accepts(value)) == inside
