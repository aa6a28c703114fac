"""The text form of caps: what is read, what is written, and where the faults are."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotemedia.caps import (
    FIELDS,
    Caps,
    Exact,
    Format,
    OneOf,
    Range,
    Shape,
    make_format,
    parse_caps,
)
from remotemedia.caps.constraint import one_of
from remotemedia.caps.media import NAMES, NUMBERS
from remotemedia.errors import CapsSyntaxError

FINITE = st.integers() | st.floats(allow_nan=False, allow_infinity=False)


FRACTIONS = st.fractions(0, 1000, max_denominator=1001).filter(lambda rate: rate.denominator > 1)


def values(media, field):
    if field == "framerate":
        return FINITE | FRACTIONS
    if field in NUMBERS:
        return FINITE
    if (media, field) in NAMES:
        return st.sampled_from(NAMES[media, field])
    return st.text(st.characters(codec="utf-8")) | st.from_regex(r"[\w./\"\\ -]+", fullmatch=True)


AXES = st.none() | st.integers(0, 10**6) | st.sampled_from(["n", "batch", "_x1"])
SHAPES = st.lists(AXES, max_size=4).map(lambda axes: Shape(tuple(axes)))


def constraints(media, field):
    if field == "shape":
        return st.none() | SHAPES
    single = values(media, field)
    kinds = [single.map(Exact), st.lists(single, min_size=1, max_size=4).map(tuple).map(one_of)]
    if field in NUMBERS:
        pairs = st.tuples(FINITE, FINITE).filter(lambda ends: ends[0] < ends[1])
        kinds.append(pairs.map(lambda ends: Range(*ends)))
    return st.none() | st.one_of(kinds)


FORMATS = st.sampled_from(sorted(FIELDS)).flatmap(
    lambda media: st.fixed_dictionaries(
        {field: constraints(media, field) for field in FIELDS[media]}
    ).map(lambda fields: make_format(media, fields))
)
CAPS = st.just(Caps()) | st.lists(FORMATS, min_size=1, max_size=3).map(
    lambda formats: Caps(tuple(formats))
)


@given(CAPS.filter(lambda caps: len(str(caps)) <= 4096))
def test_what_is_written_reads_the_same(caps):
    again = parse_caps(str(caps))
    assert again == caps
    assert str(again) == str(caps)


@pytest.mark.parametrize(
    ("text", "caps"),
    [
        ("any", Caps()),
        (" any ", Caps()),
        ("audio", Caps((Format("audio"),))),
        ("audio()", Caps((Format("audio"),))),
        ("text|audio", Caps((Format("text"), Format("audio")))),
        ("audio(channels=1,)", Caps((make_format("audio", {"channels": Exact(1)}),))),
        (
            "audio(sample_rate=8000..48000,channels=[1,2],format=F32)",
            Caps(
                (
                    make_format(
                        "audio",
                        {
                            "sample_rate": Range(8000, 48000),
                            "channels": OneOf((1, 2)),
                            "format": Exact("F32"),
                        },
                    ),
                )
            ),
        ),
        ("audio(channels=[2])", Caps((make_format("audio", {"channels": Exact(2)}),))),
        ("audio(channels=2..2)", Caps((make_format("audio", {"channels": Exact(2)}),))),
        (
            "video(framerate=23.976..29.97)",
            Caps((make_format("video", {"framerate": Range(23.976, 29.97)}),)),
        ),
        ("video(framerate=3e1)", Caps((make_format("video", {"framerate": Exact(30.0)}),))),
        (
            "video(framerate=30000/1001)",
            Caps((make_format("video", {"framerate": Exact(Fraction(30000, 1001))}),)),
        ),
        ("video(framerate=60/2)", Caps((make_format("video", {"framerate": Exact(30)}),))),
        (
            "video(framerate=24000/1001..60)",
            Caps((make_format("video", {"framerate": Range(Fraction(24000, 1001), 60)}),)),
        ),
        (
            "tensor(shape=(1, n, ?), dtype=float32)",
            Caps(
                (
                    make_format(
                        "tensor", {"shape": Shape((1, "n", None)), "dtype": Exact("float32")}
                    ),
                )
            ),
        ),
        ("tensor(shape=())", Caps((make_format("tensor", {"shape": Shape(())}),))),
        ("file(mime_type=audio/*)", Caps((make_format("file", {"mime_type": Exact("audio/*")}),))),
        (
            "file(mime_type=application/vnd.api+json)",
            Caps((make_format("file", {"mime_type": Exact("application/vnd.api+json")}),)),
        ),
        (
            'text(format="a \\"b\\" \\\\ c")',
            Caps((make_format("text", {"format": Exact('a "b" \\ c')}),)),
        ),
        (
            'file(extension=["264", 7z])',
            Caps((make_format("file", {"extension": OneOf(("264", "7z"))}),)),
        ),
    ],
)
def test_what_is_read(text, caps):
    assert parse_caps(text) == caps


MEDIA = "audio, video, image, tensor, text, json, binary, file, control"
AUDIO = "fields of audio: sample_rate, channels, format, layout"


@pytest.mark.parametrize(
    ("text", "column", "reason"),
    [
        ("", 1, f"expected a media type, not the end (one of {MEDIA}, or any)"),
        ("   ", 4, f"expected a media type, not the end (one of {MEDIA}, or any)"),
        ("vidio", 1, "expected a media type, not 'vidio'; did you mean 'video'?"),
        ("  (", 3, f"expected a media type, not '(' (one of {MEDIA}, or any)"),
        ("audio |", 8, f"expected a media type, not the end (one of {MEDIA}, or any)"),
        ("audio | any", 9, f"expected a media type, not 'any' (one of {MEDIA}, or any)"),
        ("any | text", 5, "expected '|' or the end, not '|'"),
        ("audio text", 7, "expected '|' or the end, not 'text'"),
        ("audio;", 6, "unexpected ';'"),
        ("audio(", 7, f"expected a field of audio, not the end ({AUDIO})"),
        ("audio(,)", 7, f"expected a field of audio, not ',' ({AUDIO})"),
        ("audio(rate=1)", 7, "expected a field of audio, not 'rate'; did you mean 'sample_rate'?"),
        ("audio(channels)", 15, "expected '=', not ')'"),
        ("audio(channels=)", 16, "expected a value, not ')'"),
        ("audio(channels=1", 17, "expected ',', not the end"),
        ("audio(channels=1 format=F32)", 18, "expected ',', not 'format'"),
        ("audio(channels=1, channels=2)", 19, "channels is given twice"),
        ("audio(channels=[])", 17, "expected a value, not ']'"),
        ("audio(channels=[1 2])", 19, "expected ']', not '2'"),
        ("audio(channels=[1, 2)", 21, "expected ']', not ')'"),
        ("audio(channels=1..)", 19, "expected a value, not ')'"),
        ("audio(channels=2..1)", 16, "a range goes from a number to a larger one, not from 2 to 1"),
        ("text(format=a..b)", 13, None),
        ("text(format=a .. b)", 13, "a range goes from a number to a larger one, not from a to b"),
        ("audio(sample_rate=48k)", 19, "sample_rate is a number, not '48k'"),
        ('audio(channels="2")', 16, "channels is a number, not '2'"),
        ("text(format=5)", 13, "format is text: quote it, not '5'"),
        (
            "audio(format=f32)",
            14,
            "format of audio is one of F32, I16, I32, U8, not 'f32'; did you mean 'F32'?",
        ),
        ("audio(format=[F32, S24])", 20, "format of audio is one of F32, I16, I32, U8, not 'S24'"),
        ("audio(format=A..B)", 14, "format of audio is one of F32, I16, I32, U8, not 'A..B'"),
        ('text(format="a', 13, 'a " without its end'),
        ("file(extension=.wav)", 16, "unexpected '.'"),
    ],
)  # fmt: skip
def test_faults_have_their_column(text, column, reason):
    if reason is None:
        assert parse_caps(text) == Caps((make_format("text", {"format": Exact("a..b")}),))
        return
    with pytest.raises(CapsSyntaxError) as caught:
        parse_caps(text)
    assert (caught.value.column, caught.value.reason) == (column, reason)
    assert str(caught.value) == f"column {column} of {text!r}: {reason}"


def test_length_is_limited():
    with pytest.raises(CapsSyntaxError, match="caps are at most 4096 characters long") as caught:
        parse_caps("audio" + " " * 4092)
    assert len(str(caught.value)) < 300
    assert parse_caps("audio" + " " * 4091) == parse_caps("audio")


@given(st.text('audiotex(){}[]=,.|"\\ 0123456789-e_', max_size=30))
def test_any_other_text_is_a_syntax_error_within_the_text(text):
    column = 1
    try:
        parse_caps(text)
    except CapsSyntaxError as error:
        column = error.column
    assert 1 <= column <= len(text) + 1
